//! What the reader promises: exact positions, every error at once, budgets that hold, and no panic on any text.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Mapping {
    let source = Source::new("runbook.yaml", text);
    parse(&source).unwrap_or_else(|problems| panic!("{text:?}: {problems:#?}"))
}

fn codes(text: &str) -> Vec<Code> {
    let source = Source::new("runbook.yaml", text);
    parse(&source).expect_err(text).iter().map(|problem| problem.code).collect()
}

fn first(text: &str) -> Diagnostic {
    let source = Source::new("runbook.yaml", text);
    parse(&source).expect_err(text).swap_remove(0)
}

fn scalar<'a>(map: &'a Mapping, key: &str) -> &'a Scalar {
    match map.get(key) {
        Some(Node::Scalar(scalar)) => scalar,
        other => panic!("{key}: {other:?}"),
    }
}

/// Every character of the text that the file holds as it is must be found there.
fn assert_located(text: &str, scalar: &Scalar) {
    for (offset, character) in scalar.text.char_indices() {
        let span = scalar.locate(offset, offset + character.len_utf8());
        let found = &text[span.start..span.end];
        let rest = &text[span.start..];
        let folded = character.is_whitespace() && rest.starts_with(|c: char| c.is_whitespace() || c == '\\');
        let escaped = rest.starts_with('\\') && scalar.style == Style::DoubleQuoted;
        let ended = span.start >= scalar.span.end && character == '\n';
        assert!(
            found == character.to_string() || folded || escaped || ended,
            "{character:?} at {offset} is at {span:?}, where {found:?} stands\n{text:?}\n{scalar:?}"
        );
    }
}

#[test]
fn scalars_keep_style_span_and_positions() {
    let text = "plain: some text # note\nsingle: 'it''s'   # note\ndouble: \"tab\\t \\u00e9 end\"  \nmulti: one\n  two\n\n  three\n\
                literal: |2-\n    deep\n  flat\n\n  last\n# note\nfolded: >+\n   a\n   b\n\n     more\n   c\n\nend: ä\n";
    let map = read(text);
    for (key, decoded, written) in [
        ("plain", "some text", "some text"),
        ("single", "it's", "'it''s'"),
        ("double", "tab\t é end", "\"tab\\t \\u00e9 end\""),
        ("multi", "one two\nthree", "one\n  two\n\n  three"),
        ("literal", "  deep\nflat\n\nlast", "|2-\n    deep\n  flat\n\n  last"),
        ("folded", "a b\n\n  more\nc\n\n", ">+\n   a\n   b\n\n     more\n   c"),
        ("end", "ä", "ä"),
    ] {
        let scalar = scalar(&map, key);
        assert_eq!(scalar.text, decoded, "{key}");
        assert_eq!(&text[scalar.span.start..scalar.span.end], written, "{key}");
        assert_located(text, scalar);
    }
    let literal = scalar(&map, "literal");
    let at = literal.text.find("last").expect("it is there");
    assert_eq!(&text[literal.locate(at, at + 4).start..][..4], "last");
}

#[test]
fn collections_have_exact_spans() {
    let text = "a:\n  - x\n  - { b: [1, 2] } # note\nc: {}   # note\n";
    let map = read(text);
    let span = map.get("a").expect("a").span();
    assert_eq!(&text[span.start..span.end], "- x\n  - { b: [1, 2] }");
    let span = map.get("c").expect("c").span();
    assert_eq!(&text[span.start..span.end], "{}");
}

#[test]
fn crlf_and_a_byte_order_mark_change_nothing() {
    let map = read("\u{feff}run: |\r\n  a\r\n  b\r\nnext: x\r\n");
    assert_eq!(scalar(&map, "run").text, "a\nb\n");
    assert_eq!(scalar(&map, "next").text, "x");
    let source = decode("runbook.yaml", b"\xef\xbb\xbfa: b\n").expect("UTF-8");
    assert_eq!(source.text(), "a: b\n");
}

#[test]
fn plain_text_stays_as_it_is_written() {
    let map = read("a: NO\nb: 017\nc: 1.10\nd: null\ne: ~\n");
    for (key, text) in [("a", "NO"), ("b", "017"), ("c", "1.10"), ("d", "null"), ("e", "~")] {
        assert_eq!(scalar(&map, key).text, text);
    }
}

#[test]
fn everything_but_syntax_is_reported_at_once() {
    let text = "a: 1\na: 2\nb:\nc: !!str x\n<<: { d: 1 }\n[e]: 1\n---\nf: 1\n";
    let expected =
        [Code::DUPLICATE_KEY, Code::EMPTY_VALUE, Code::TAG, Code::MERGE_KEY, Code::KEY_NOT_TEXT, Code::SECOND_DOCUMENT];
    assert_eq!(codes(text), expected);
    assert_eq!(codes("a: 1\na: 2\nb: [\n"), [Code::YAML_SYNTAX]);
}

#[test]
fn a_duplicate_key_points_at_both_places() {
    let problem = first("a: 1\nb: 2\na: 3\n");
    assert_eq!((problem.primary.0, problem.secondary[0].0), (Span::new(10, 11), Span::new(0, 1)));
}

#[test]
fn aliases_repeat_their_anchor() {
    let map = read("a: &hosts [x, y]\nb: *hosts\nc: { d: *hosts }\n");
    let Some(Node::Sequence(list)) = map.get("b") else { panic!("a list") };
    assert_eq!(list.items.len(), 2);
    assert_eq!(codes("a: &x [*x]\n"), [Code::ALIAS_CYCLE]);
    assert_eq!(codes("a: *nothing\n"), [Code::UNKNOWN_ALIAS]);
}

#[test]
fn a_value_that_yaml_misreads_is_shown_in_quotes() {
    for (line, corrected) in [
        ("when: !params.force", "when: '!params.force'"),
        ("when: !steps.a.ok && x # only then", "when: '!steps.a.ok && x' # only then"),
        ("when: steps.a.text == \"a: b\"", "when: 'steps.a.text == \"a: b\"'"),
        ("when: \"a\" == steps.x.out", "when: '\"a\" == steps.x.out'"),
        ("when: 'a' == steps.x.out", "when: \"'a' == steps.x.out\""),
        ("when: [1, 2].len() > 1", "when: '[1, 2].len() > 1'"),
        ("when: `a` == x", "when: '`a` == x'"),
        ("url: ${{ a }}: x", "url: '${{ a }}: x'"),
        ("cron: * * * * *", "cron: '* * * * *'"),
        ("cron: */5 * * * *", "cron: '*/5 * * * *'"),
        ("- %foo", "- '%foo'"),
        ("- @daily", "- '@daily'"),
        ("- *.log", "- '*.log'"),
        ("that: |x| x > 1", "that: '|x| x > 1'"),
        ("until: > 3", "until: '> 3'"),
        ("env: { A: ${{ params.x }} }", "env: { A: '${{ params.x }}' }"),
        ("argv: [rm, ${{ params.x }}, -f]", "argv: [rm, '${{ params.x }}', -f]"),
        (
            "retry: { attempts: 3, when: error.kind in [\"a\", \"b\"] }",
            "retry: { attempts: 3, when: 'error.kind in [\"a\", \"b\"]' }",
        ),
        ("retry: { attempts: 3, when: x == \"a, b\" }", "retry: { attempts: 3, when: 'x == \"a, b\"' }"),
        ("wait: { at: !x.y }", "wait: { at: '!x.y' }"),
        ("set: { a: x.y(1, 2), b: 3 }", "set: { a: 'x.y(1, 2)', b: 3 }"),
        ("params: { a: { pattern: [a-z]+ } }", "params: { a: { pattern: '[a-z]+' } }"),
        ("shell: 'it's'", "shell: \"it's\""),
        ("shell: \"say \"hi\"\"", "shell: 'say \"hi\"'"),
    ] {
        let text = if line.starts_with('-') { format!("a:\n  {line}\n") } else { format!("b: 1\n{line}\nc: 2\n") };
        let problem = first(&text);
        let help = problem.help.concat();
        assert!(help.ends_with(&format!("in quotes:\n{corrected}")), "{line}: {problem:#?}");
    }
}

#[test]
fn a_line_inside_brackets_is_corrected_with_its_comma() {
    for (text, corrected) in [
        ("env: {\n  A: ${{ x }},\n  B: c\n}\n", "A: '${{ x }}',"),
        ("exec: [\n  a,\n  ${{ x }}\n]\n", "'${{ x }}'"),
        ("a: {\n  b: y, c: !x.y\n}\n", "b: y, c: '!x.y'"),
    ] {
        let source = Source::new("runbook.yaml", text);
        let problem = first(text);
        assert!(problem.help.concat().ends_with(&format!("in quotes:\n{corrected}")), "{text}: {problem:#?}");
        let value = source.slice(problem.primary.0);
        assert!(corrected.contains(&format!("'{value}'")), "{text}: {problem:#?}");
    }
}

#[test]
fn what_is_broken_otherwise_gets_no_quotes() {
    for text in [
        "a: [b, c\nd: e\n",
        "a: \"b\nc: d\n",
        "a: b\n  c: d\n",
        "a: {b: c\n",
        "a\nb: c\n",
        "a: b\n c\nd\n",
        "a: ['b' 'c']\n",
        "a: |\nb\n",
    ] {
        let problem = first(text);
        assert_eq!(problem.code, Code::YAML_SYNTAX, "{text:?}: {problem:#?}");
    }
}

#[test]
fn a_comment_behind_an_expression_may_be_part_of_it() {
    let source = Source::new("runbook.yaml", "until: x > 3 # 4\nwhen: x == \"a # b\"\nthat: y\nset: {a: x.y(1, 2)}\n");
    let map = parse(&Source::new("runbook.yaml", source.text().replace("set: {a: x.y(1, 2)}\n", ""))).expect("valid");
    let line = |key| looks_cut(&source, scalar(&map, key)).map(|line| (line.line, line.text));
    assert_eq!(line("until"), Some((1, "until: 'x > 3 # 4'".to_owned())));
    assert_eq!(line("when"), Some((2, "when: 'x == \"a # b\"'".to_owned())));
    assert_eq!(line("that"), None);
}

#[test]
fn characters_that_cannot_be_seen_are_refused() {
    assert_eq!(codes("a: \0b\n"), [Code::CONTROL_CHARACTER]);
    assert_eq!(
        codes("a: \u{1b}[31mb\nc: \u{202e}x\nd: e\rf\n"),
        [Code::CONTROL_CHARACTER, Code::DIRECTION_CHARACTER, Code::LONE_CARRIAGE_RETURN]
    );
    let problems = decode("runbook.yaml", b"a: \xff\n").expect_err("not UTF-8");
    assert_eq!((problems[0].code, problems[0].primary.0.start), (Code::NOT_UTF8, 3));
    assert!(decode("runbook.yaml", b"\xff\xfea\0").expect_err("UTF-16")[0].help[0].contains("UTF-16"));
}

#[test]
fn tabs_are_pointed_at() {
    let problem = first("a:\n  b: 1\n\tc: 2\n");
    assert_eq!((problem.code, problem.primary.0), (Code::TAB, Span::new(10, 11)));
}

#[test]
fn hostile_files_are_refused_within_their_budgets() {
    let laughs: String = (1..10).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, level| {
        let below = format!("*a{}", level - 1);
        format!("{text}a{level}: &a{level} [{}]\n", vec![below; 10].join(","))
    });
    assert_eq!(codes(&laughs), [Code::ALIAS_BUDGET]);
    assert_eq!(codes(&"[".repeat(10_000)), [Code::TOO_DEEP]);
    assert_eq!(codes(&format!("a: {}", "{b: ".repeat(10_000))), [Code::TOO_DEEP]);
    assert_eq!(codes(&format!("a:\n {}x", "- ".repeat(10_000))), [Code::TOO_DEEP]);
    let steps: String = (0..1_000).map(|level| " ".repeat(level) + "a:\n").collect();
    assert_eq!(codes(&steps), [Code::TOO_DEEP]);
    assert_eq!(codes(&"---\na: b\n".repeat(100_000)), [Code::SECOND_DOCUMENT]);
    assert_eq!(codes(&format!("a: {}\n", "x".repeat(300_000))), [Code::SCALAR_TOO_LONG]);
    assert_eq!(codes(&format!("a: {}\n", "x".repeat(2_000_000))), [Code::TOO_LARGE]);
    assert_eq!(codes(&format!("a: [{}]\n", "x,".repeat(400_000))), [Code::TOO_MANY_NODES]);
    assert_eq!(codes(&"- a\n".repeat(200_000)), [Code::TOO_MANY_NODES]);
    let keys: String = (0..60_000).map(|key| key.to_string() + ": 1\n").collect();
    assert_eq!(codes(&keys), [Code::TOO_MANY_NODES]);
    assert_eq!(codes(&format!("{}: 1\n", "k".repeat(500))), [Code::SCALAR_TOO_LONG]);
}

/// A text as it can be written in every style, and where in the file it must be found.
fn words() -> impl Strategy<Value = String> {
    proptest::collection::vec("[a-zé0-9./$(){}'\"\\\\=<>-]{1,6}", 1..12).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn characters_of_quoted_text_are_located(text in words(), indent in 0_usize..6) {
        let pad = " ".repeat(indent);
        let file = format!("{pad}é: '{}' # note\n", text.replace('\'', "''"));
        let map = read(&file);
        prop_assert_eq!(&scalar(&map, "é").text, &text);
        assert_located(&file, scalar(&map, "é"));
        let file = format!("{pad}é:   \"{}\"\n", text.replace('\\', "\\\\").replace('"', "\\\""));
        let map = read(&file);
        prop_assert_eq!(&scalar(&map, "é").text, &text);
        assert_located(&file, scalar(&map, "é"));
    }

    #[test]
    fn characters_of_folded_lines_are_located(words in proptest::collection::vec("[a-zé0-9]{1,5}( [a-z]{1,3})?", 1..8), gaps in proptest::collection::vec(1_usize..4, 8), crlf: bool) {
        let mut lines = String::new();
        for (word, gap) in words.iter().zip(&gaps) {
            lines.push_str("  ");
            lines.push_str(word);
            lines.push_str(&"\n".repeat(*gap));
        }
        for head in ["a: \n", "a: >\n", "a: >-   # note\n", "a: |+\n", "a: |\n", "a: >2+\n", "a: &x |\n", "a: &x\n\n  >\n"] {
            let mut file = format!("{head}{lines}b: c\n");
            if crlf {
                file = file.replace('\n', "\r\n");
            }
            let map = read(&file);
            assert_located(&file, scalar(&map, "a"));
            for word in &words {
                let at = scalar(&map, "a").text.find(word.as_str()).expect("every word is in the text");
                let span = scalar(&map, "a").locate(at, at + word.len());
                prop_assert_eq!(&file[span.start..span.end], word.as_str());
            }
        }
        let quoted = format!("a: \"{}\"\nb: c\n", lines.trim());
        assert_located(&quoted, scalar(&read(&quoted), "a"));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-c:#'\"|>\\\\&*!%@,{}\\[\\]$ \t\n\r-]{0,60}") {
        let source = Source::new("runbook.yaml", text.as_str());
        match parse(&source) {
            Ok(map) => {
                for (key, value) in &map.entries {
                    prop_assert!(key.span.end <= text.len() && value.span().end <= text.len());
                    if let Node::Scalar(scalar) = value {
                        assert_located(&text, scalar);
                        let _ = looks_cut(&source, scalar);
                    }
                }
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    let span = problem.primary.0;
                    prop_assert!(text.get(span.start..span.end).is_some(), "{:?}", problem);
                }
            }
        }
    }
}
