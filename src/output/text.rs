//! Text made fit for a terminal: harmless, and as wide as there is room.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use lockstep_dsl::value::Millis;
use unicode_width::UnicodeWidthChar;

/// The last state of one line of output, without what would move the cursor, colour the screen or change how text
/// reads: escape sequences are left out, and of a line that overwrites itself by carriage returns the last state stays.
pub fn harmless_line(line: &str) -> String {
    let last = line.trim_end_matches(['\r', '\n']).rsplit('\r').next().unwrap_or_default();
    let mut out = String::with_capacity(last.len());
    let mut chars = last.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '\x1b' => skip_escape(&mut chars),
            '\t' => out.push_str("    "),
            next if is_harmful(next) => {}
            next => out.push(next),
        }
    }
    out
}

/// Several lines, each character that could do harm shown as a sign (`^[`, `\u{202e}`); line ends and tabs stay.
pub fn harmless_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for next in text.chars() {
        match next {
            '\n' | '\t' => out.push(next),
            // Caret notation, as `cat -v` prints it.
            '\0'..='\x1f' => out.extend(['^', char::from(next as u8 + 64)]),
            '\x7f' => out.push_str("^?"),
            next if is_harmful(next) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(next));
            }
            next => out.push(next),
        }
    }
    out
}

/// Bytes that were meant for nobody in particular, as harmless text.
pub fn harmless_bytes(bytes: &[u8]) -> String {
    harmless_text(&String::from_utf8_lossy(bytes))
}

/// Control characters, and those that change the direction of what follows or break its line.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Skips the rest of an escape sequence: CSI up to its final byte, OSC and its like up to BEL or ST, else one character.
fn skip_escape(chars: &mut Peekable<Chars<'_>>) {
    match chars.next() {
        Some('[') => {
            chars.by_ref().find(|next| matches!(next, '\x40'..='\x7e'));
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(next) = chars.next() {
                if next == '\x07' || (next == '\x1b' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        Some('(' | ')' | '*' | '+' | '#' | ' ') => {
            chars.next();
        }
        Some(_) | None => {}
    }
}

/// How many columns a text without control characters takes.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The beginning of a text that fits into `columns`; `…` says that something is missing.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for next in text.chars() {
        used += next.width().unwrap_or(0);
        if used > columns - 1 {
            break;
        }
        out.push(next);
    }
    out.push('…');
    out
}

/// A length of time as people say it: `0.3s`, `12.3s`, `4m12s`, `2h05m`.
pub fn duration(millis: u64) -> String {
    let tenths = millis / 100;
    let seconds = millis / 1000;
    match seconds {
        0..60 => format!("{}.{}s", tenths / 10, tenths % 10),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => Millis(seconds / 3600 * 3_600_000).to_string(),
    }
}

/// `1 run`, `2 runs`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_lose_what_would_move_the_cursor() {
        for (line, shown) in [
            ("plain", "plain"),
            ("\x1b[31mred\x1b[0m", "red"),
            ("10%\r50%\r100%\r\n", "100%"),
            ("\x1b]0;title\x07text", "text"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("a\tb", "a    b"),
            ("bell\x07 back\x08space", "bell backspace"),
            ("\u{202e}txt.exe", "txt.exe"),
            ("\u{9b}31mc1", "31mc1"),
            ("cut off \x1b[", "cut off "),
            ("\x1b(Bcharset", "charset"),
        ] {
            assert_eq!(harmless_line(line), shown, "{line:?}");
        }
    }

    #[test]
    fn text_shows_what_would_move_the_cursor() {
        assert_eq!(harmless_text("a\x1b[2Jb\r\n\tc\x7f"), "a^[[2Jb^M\n\tc^?");
        assert_eq!(harmless_text("\u{202e}x\u{9b}"), "\\u{202e}x\\u{9b}");
        assert_eq!(harmless_bytes(b"\xff\xfeok"), "\u{fffd}\u{fffd}ok");
    }

    #[test]
    fn text_is_cut_by_columns_not_bytes() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
        assert_eq!(cut("日本語です", 5), "日本…");
        assert_eq!(cut("x", 0), "");
    }

    #[test]
    fn durations_are_as_exact_as_matters() {
        for (millis, text) in [
            (0, "0.0s"),
            (349, "0.3s"),
            (59_999, "59.9s"),
            (60_000, "1m00s"),
            (3_725_000, "1h02m"),
            (93_600_000, "1d2h"),
        ] {
            assert_eq!(duration(millis), text);
        }
    }

    proptest! {
        #[test]
        fn no_text_gets_through_with_control_characters(text in any::<String>()) {
            prop_assert!(!harmless_line(&text).chars().any(is_harmful));
            prop_assert!(!harmless_text(&text).chars().any(|c| is_harmful(c) && c != '\n' && c != '\t'));
        }

        #[test]
        fn cut_text_fits(text in "\\PC{0,40}", columns in 0_usize..30) {
            prop_assert!(width(&cut(&text, columns)) <= columns);
        }
    }
}
