//! What the renderer promises: a place is readable at any length, and nothing in a file reaches the terminal as a
//! command.

use super::*;

fn problem(source: &Source, start: usize, end: usize) -> Diagnostic {
    Diagnostic::new(Code::UNKNOWN_KEY, source, Span::new(start, end), "unknown key `b`")
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    render(diagnostics, Color::Never, 80)
}

#[test]
fn a_place_is_shown_with_what_explains_it_and_what_to_do() {
    let source = Source::new("runbook.yaml", "a: 1\nb: 2\r\na: 3\n");
    let first = problem(&source, 5, 6).label("here").also(Span::new(0, 1), "and here").help("write:\na: 2");
    let at_the_end = problem(&source, 16, 16);
    let expected = "\
error[LS0100]: unknown key `b`
 --> runbook.yaml:2:1
  |
1 | a: 1
  | - and here
2 | b: 2
  | ^ here
  |
  = help: write:
          a: 2

error[LS0100]: unknown key `b`
 --> runbook.yaml:4:1
  |
4 |
  | ^

2 errors
";
    assert_eq!(shown(&[first, at_the_end]), expected);
}

#[test]
fn places_far_apart_are_shown_one_after_the_other() {
    let source = Source::new("runbook.yaml", format!("a: 1\n{}a: 2\n", "b: 1\n".repeat(100)));
    let text = shown(&[problem(&source, 505, 506).also(Span::new(0, 1), "first")]);
    assert!(text.contains("runbook.yaml:102:1") && text.contains("runbook.yaml:1:1"), "{text}");
    assert!(text.lines().count() < 20, "{text}");
}

#[test]
fn long_lines_are_cut_around_the_place() {
    for length in [3_000, 900_000] {
        let source = Source::new("runbook.yaml", format!("{}b{}\n", "é".repeat(length / 2), "y".repeat(length / 2)));
        let many: Vec<_> = (0..150).map(|_| problem(&source, length, length + 1)).collect();
        let text = shown(&many);
        assert!(text.contains(&format!("runbook.yaml:1:{}", length / 2 + 1)), "{text}");
        assert!(text.contains("éby"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 90), "{text}");
        assert!(text.ends_with("150 errors (the first 100 are shown)\n"), "{text}");
    }
}

#[test]
fn nothing_in_a_file_commands_the_terminal() {
    let source = Source::new("run\u{1b}[2Jbook.yaml", "a: \u{1b}[31m\u{9b}1m\u{202e}\u{7}\u{8}x\n");
    let text = render(
        &[Diagnostic::new(Code::UNKNOWN_KEY, &source, Span::new(3, 4), "\u{1b}[1m")
            .label("\u{1b}]0;x\u{7}")
            .help("\u{9b}2J\u{1b}[3m")],
        Color::Never,
        80,
    );
    let commands: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert_eq!(commands, [], "{text}");
    assert!(!text.contains('\u{202e}'));
}

#[test]
fn spans_beyond_the_text_or_inside_a_character_do_no_harm() {
    let source = Source::new("runbook.yaml", "é: 1");
    for (start, end) in [(1, 1), (1, 9), (7, 9), (0, 0), (5, 2)] {
        assert!(shown(&[problem(&source, start, end)]).contains("LS0100"));
    }
}

#[test]
fn colour_is_only_paint() {
    let source = Source::new("runbook.yaml", "a: 1\n");
    let painted = render(&[problem(&source, 0, 1)], Color::Always, 80);
    assert!(painted.contains("\u{1b}["));
    let mut bare = String::new();
    let mut in_paint = false;
    for next in painted.chars() {
        match next {
            '\u{1b}' => in_paint = true,
            'm' if in_paint => in_paint = false,
            _ if in_paint => {}
            _ => bare.push(next),
        }
    }
    let bare: Vec<&str> = bare.lines().map(str::trim_end).collect();
    assert_eq!(bare.join("\n") + "\n", shown(&[problem(&source, 0, 1)]));
}

#[test]
fn programs_get_lines_and_columns_of_characters() {
    let source = Source::new("runbook.yaml", "a: 1\né: b\n");
    let json = to_json(&problem(&source, 9, 10).help("write `c`"));
    let expected = serde_json::json!({
        "type": "diagnostic", "code": "LS0100", "severity": "error", "message": "unknown key `b`",
        "file": "runbook.yaml", "line": 2, "column": 4, "end_line": 2, "end_column": 5, "help": ["write `c`"],
    });
    assert_eq!(json, expected);
}

#[test]
fn diagnostics_stand_in_the_order_of_their_places_and_once() {
    let source = Source::new("runbook.yaml", "a: 1\nb: 2\n");
    let mut all = vec![problem(&source, 5, 6), problem(&source, 0, 1), problem(&source, 5, 6)];
    sort(&mut all);
    assert_eq!(all.iter().map(|one| one.primary.0.start).collect::<Vec<_>>(), [0, 5]);
}
