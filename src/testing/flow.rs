//! Values as a person writes them in YAML, on one line.

use std::fmt::Write as _;

use serde_json::Value as Json;

/// A value in flow style.
pub fn flow(value: &Json) -> String {
    match value {
        Json::String(text) => plain(text),
        Json::Array(values) => format!("[{}]", values.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(map) if map.is_empty() => "{}".to_owned(),
        Json::Object(map) => {
            let entries = map.iter().map(|(name, value)| format!("{}: {}", plain(name), flow(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value.to_string(),
    }
}

/// Text, without quotes where it is still that text.
pub fn plain(text: &str) -> String {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let simple = |c: char| c.is_ascii_alphanumeric() || "-_./ ()=+~:#".contains(c);
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    let cut = text.contains(": ") || text.contains(" #") || text.ends_with([' ', ':']);
    // A length of time begins with a digit and is no number.
    let lasts =
        text.ends_with("ms") && text.len() > 2 && text.trim_end_matches("ms").bytes().all(|b| b.is_ascii_digit());
    if lasts {
        return text.to_owned();
    }
    if begins && text.chars().all(simple) && !word && !cut {
        return text.to_owned();
    }
    if !text.contains(['\'', '\\']) && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return format!("'{text}'");
    }
    // JSON's quotes are YAML's double ones; what YAML does not let stand as it is, is escaped.
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric() => quoted.push(c),
            c => {
                let number = u32::from(c);
                let _ =
                    if number > 0xffff { write!(quoted, "\\U{number:08x}") } else { write!(quoted, "\\u{number:04x}") };
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use lockstep_dsl::source::Source;
    use lockstep_dsl::yaml::{Node, parse_value};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_plain_stays_plain() {
        for (value, text) in [
            (serde_json::json!({ "a": [1, true, null], "b c": "x: y" }), "{ a: [1, true, null], b c: 'x: y' }"),
            (serde_json::json!("it's"), "\"it's\""),
            (serde_json::json!("12"), "'12'"),
            (serde_json::json!("no"), "'no'"),
            (serde_json::json!("a\nb"), "\"a\\nb\""),
        ] {
            assert_eq!(flow(&value), text);
        }
    }

    proptest! {
        #[test]
        fn text_comes_back_as_it_was(text in "\\PC{0,12}|[ -~\\n\\t]{0,12}") {
            let Ok(Some(Node::Sequence(read))) = parse_value(&Source::new("", format!("[{}]", plain(&text)))) else {
                panic!("{} cannot be read", plain(&text));
            };
            let [Node::Scalar(read)] = read.items.as_slice() else { panic!("one text") };
            prop_assert_eq!(&read.text, &text);
        }
    }
}
