//! Text with `${{ }}` in it, taken apart by the grammar in `template.pest`. Only finds where expressions begin and
//! end: it never looks into one, and never evaluates.

use self::grammar::{Grammar, Rule};
use pest::Parser as _;

mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "expr/template.pest"]
    pub(super) struct Grammar;
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it is; `$${{` has become `${{`.
    Text(String),
    /// An expression, by the range of bytes between its braces.
    Expr {
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
    },
}

/// An expression that does not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclosed {
    /// Where its `${{` stands.
    pub at: usize,
}

/// Takes a text apart. Texts that stand next to each other are one part, and a text without expressions is one.
///
/// # Errors
/// A `${{` without its `}}`. Those within the brackets, strings and comments of the expression do not count.
pub fn split(text: &str) -> Result<Vec<Part>, Unclosed> {
    let whole = || vec![Part::Text(text.to_owned())];
    let Some(first) = text.find("${{") else { return Ok(whole()) };
    // The grammar reads every text, so what remains is brackets nested deeper than the stack: nothing closes those.
    let Ok(pairs) = Grammar::parse(Rule::template, text) else { return Err(Unclosed { at: first }) };
    let mut parts: Vec<Part> = Vec::new();
    for pair in pairs.flat_map(pest::iterators::Pair::into_inner) {
        match pair.as_rule() {
            Rule::text => add_text(&mut parts, pair.as_str()),
            Rule::escape => add_text(&mut parts, "${{"),
            Rule::unclosed => return Err(Unclosed { at: pair.as_span().start() }),
            Rule::expression => {
                let span = pair.as_span();
                parts.push(Part::Expr { start: span.start() + "${{".len(), end: span.end() - "}}".len() });
            }
            _ => {}
        }
    }
    Ok(parts)
}

fn add_text(parts: &mut Vec<Part>, more: &str) {
    match parts.last_mut() {
        Some(Part::Text(text)) => text.push_str(more),
        _ => parts.push(Part::Text(more.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The parts, expressions as their text.
    fn parts(text: &str) -> Result<Vec<(bool, String)>, usize> {
        let parts = split(text).map_err(|unclosed| unclosed.at)?;
        Ok(parts
            .into_iter()
            .map(|part| match part {
                Part::Text(text) => (false, text),
                Part::Expr { start, end } => (true, text[start..end].to_owned()),
            })
            .collect())
    }

    #[test]
    fn an_expression_ends_behind_its_own_brackets_strings_and_comments() {
        for inside in [
            " a ",
            "",
            "#{ a: #{ b: 1 }}",
            " #{ a: 1 }",
            "if a { 1 } else { 2 }",
            r#" "}}" "#,
            r#" "\"}}" "#,
            " `}}${ #{ a: `}}` } }}` ",
            " `a``}}` ",
            r##" #"}}" "}}"# "##,
            " '}' ",
            r#" '"' "#,
            " /* }} /* }} */ }} */ 1 ",
            " a // }}\n ",
            " [f(x), (1)]",
            " a) ",
            " a } b ",
        ] {
            assert_eq!(parts(&format!("${{{{{inside}}}}}")), Ok(vec![(true, inside.to_owned())]), "{inside}");
        }
    }

    #[test]
    fn text_around_and_between_stays() {
        let part = |is_expr, text: &str| (is_expr, text.to_owned());
        assert_eq!(parts("a ${{ b }}c"), Ok(vec![part(false, "a "), part(true, " b "), part(false, "c")]));
        assert_eq!(parts("${{a}}${{b}}"), Ok(vec![part(true, "a"), part(true, "b")]));
        assert_eq!(parts("a $${{ b }} ${{c}}"), Ok(vec![part(false, "a ${{ b }} "), part(true, "c")]));
        assert_eq!(parts("$$${{"), Ok(vec![part(false, "$${{")]));
        assert_eq!(parts("$${{${{1}}"), Ok(vec![part(false, "${{"), part(true, "1")]));
        assert_eq!(parts(""), Ok(vec![part(false, "")]));
        assert_eq!(parts(" a\n"), Ok(vec![part(false, " a\n")]));
    }

    #[test]
    fn what_is_not_closed_is_refused_where_it_begins() {
        for text in [
            "é ${{",
            "é ${{ a }",
            "é ${{ (a }}",
            "é ${{ \"a }}",
            "é ${{ #{ a: 1 }",
            "é ${{ /* }}",
            "é ${{ // }}",
            "é ${{ ${{ }}",
        ] {
            assert_eq!(parts(text), Err(3), "{text}");
        }
        assert_eq!(parts("${{ a }} ${{ b"), Err(9));
    }

    #[test]
    fn hostile_nesting_is_refused() {
        for open in ["(", "[", "{", "/*", "`${", "#{", "((\"", "'"] {
            assert_eq!(parts(&format!("${{{{{}", open.repeat(50_000))), Err(0), "{open}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_taken_apart(text in r#"([a-z"'`#(){}\[\]\\/*é\n ]|\$\{\{|\}\}|\$\$\{\{)*"#) {
            if let Ok(parts) = split(&text) {
                let mut rebuilt = String::new();
                for part in &parts {
                    match part {
                        Part::Text(part) => rebuilt.push_str(&part.replace("${{", "$${{")),
                        Part::Expr { start, end } => {
                            rebuilt.push_str("${{");
                            rebuilt.push_str(&text[*start..*end]);
                            rebuilt.push_str("}}");
                        }
                    }
                }
                prop_assert_eq!(rebuilt, text);
            }
        }

        #[test]
        fn text_without_expressions_is_itself(text in "[^$]*") {
            prop_assert_eq!(split(&text), Ok(vec![Part::Text(text.clone())]));
        }

        #[test]
        fn what_was_escaped_comes_back(text in r"[a-z${} ]*") {
            let escaped = text.replace("${{", "$${{");
            prop_assert_eq!(split(&escaped), Ok(vec![Part::Text(text)]));
        }

        #[test]
        fn an_expression_keeps_its_bytes(text in "[a-z ]*", string in r#"[^"\\]*"#, more in "[a-z ]*") {
            let source = format!("{text}${{{{ \"{string}\" }}}}{more}");
            let inside = format!(" \"{string}\" ");
            let found = parts(&source).expect("it is closed").into_iter().find(|(is_expr, _)| *is_expr);
            prop_assert_eq!(found, Some((true, inside)));
        }
    }
}
