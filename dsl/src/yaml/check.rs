//! What is looked at before YAML is: the size of the text, and characters that no runbook may hold.

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::source::{Source, Span};

/// Refuses a text that is too long to be read.
pub(super) fn size(source: &Source) -> Result<(), Vec<Diagnostic>> {
    let bytes = source.text().len();
    if bytes <= limits::SOURCE_BYTES {
        return Ok(());
    }
    let message = format!("the file has {bytes} bytes, {} are allowed", limits::SOURCE_BYTES);
    Err(vec![
        Diagnostic::new(Code::TOO_LARGE, source, Span::new(0, 0), message)
            .help("put large data into a file and name it under `files`, or pass it as a parameter"),
    ])
}

/// Refuses characters that YAML forbids or that a reader cannot see.
pub(super) fn characters(source: &Source) -> Result<(), Vec<Diagnostic>> {
    let text = source.text();
    let mut found = Vec::new();
    for (at, character) in text.char_indices() {
        let next = text[at + character.len_utf8()..].chars().next();
        let Some((code, message, help)) = forbidden(at, character, next) else { continue };
        let span = Span::new(at, at + character.len_utf8());
        found.push(Diagnostic::new(code, source, span, message).help(help));
        if found.len() == limits::DIAGNOSTICS {
            break;
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

fn forbidden(at: usize, character: char, next: Option<char>) -> Option<(Code, String, String)> {
    let number = format!("U+{:04X}", u32::from(character));
    match character {
        '\t' | '\n' => None,
        '\r' if next == Some('\n') => None,
        '\r' => Some((
            Code::LONE_CARRIAGE_RETURN,
            "a carriage return without a line feed".to_owned(),
            "end lines with a line feed, or with a carriage return and a line feed".to_owned(),
        )),
        '\u{feff}' if at == 0 => None,
        '\u{feff}' => Some((
            Code::CONTROL_CHARACTER,
            "a byte order mark inside the text".to_owned(),
            "delete the invisible character".to_owned(),
        )),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some((
            Code::DIRECTION_CHARACTER,
            format!("the invisible character {number} makes text show in another order than it runs"),
            format!("delete it, or write it as `\"\\u{:04x}\"` in double quotes", u32::from(character)),
        )),
        '\0' => Some((Code::CONTROL_CHARACTER, "a NUL byte".to_owned(), "delete it: a runbook is text".to_owned())),
        control if control.is_control() && control != '\u{85}' => Some((
            Code::CONTROL_CHARACTER,
            format!("the control character {number}"),
            format!("delete it, or write it as `\"\\x{:02x}\"` in double quotes", u32::from(character)),
        )),
        '\u{fffe}' | '\u{ffff}' => {
            Some((Code::CONTROL_CHARACTER, format!("{number}, which is not a character"), "delete it".to_owned()))
        }
        _ => None,
    }
}
