//! Plain values of the language: durations, sizes, times, numbers and booleans as text.
//!
//! The grammar is stricter than YAML's or that of any library, so that nothing is guessed: `1M` and `1.5h` are no
//! durations, `017` is no number, `yes` is no boolean. What is wrong is said in a form that fits into a diagnostic
//! behind the name of the value: lower case, with what to write instead.

use crate::limits::{LOCK_KEY_BYTES, SIGNAL_BYTES};
use crate::value::{Millis, Timestamp};

/// A length of time: whole numbers with `w d h m s ms`, largest first, each at most once, as in `1h30m`.
///
/// # Errors
/// Anything else, and what does not fit into [`Millis`].
pub fn duration(text: &str) -> Result<Millis, String> {
    const EXAMPLE: &str = "write whole numbers with `w`, `d`, `h`, `m`, `s` or `ms`, largest first, such as `1h30m`";
    if text.is_empty() {
        return Err(format!("is empty; {EXAMPLE}"));
    }
    if is_digits(text) {
        return Err(format!("`{}` has no unit; write `{}s` for seconds", shown(text), shown(text)));
    }
    if text.contains('.') || text.contains(',') {
        return Err(format!("`{}` is not made of whole numbers; write `1h30m` for 1.5 hours", shown(text)));
    }
    let mut rest = text;
    let mut smallest = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let after = &rest[digits..];
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, next) = after.split_at(letters);
        if digits == 0 || letters == 0 {
            return Err(format!("`{}` is not a duration; {EXAMPLE}", shown(text)));
        }
        let Some(position) = Millis::UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(match unit {
                "M" => format!("`{}`: `M` is no unit; write `m` for minutes", shown(text)),
                "y" | "Y" | "mo" => format!("`{}`: `{unit}` has no fixed length; count in `d` or `w`", shown(text)),
                _ => format!("`{}`: `{}` is no unit; {EXAMPLE}", shown(text), shown(unit)),
            });
        };
        if position < smallest {
            return Err(format!("`{}` is not in order; {EXAMPLE}", shown(text)));
        }
        smallest = position + 1;
        rest = next;
    }
    // The grammar above is a subset of what humantime reads, with the same meaning.
    humantime::parse_duration(text)
        .ok()
        .and_then(|duration| u64::try_from(duration.as_millis()).ok())
        .filter(|millis| i64::try_from(*millis).is_ok())
        .map(Millis)
        .ok_or_else(|| format!("`{}` is too long a time", shown(text)))
}

/// Units of a size with their bytes.
const SIZE_UNITS: [(&str, i64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A number of bytes: a whole number with `KB MB GB` (powers of 1000), `KiB MiB GiB` (of 1024) or `B`.
///
/// # Errors
/// Anything else, a bare number too, and what does not fit.
pub fn size(text: &str) -> Result<i64, String> {
    const EXAMPLE: &str = "write a whole number with `KB`, `MB`, `GB`, `KiB`, `MiB`, `GiB` or `B`, such as `10MiB`";
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let (digits, unit) = text.split_at(text.len() - number.len());
    if digits.is_empty() || unit.contains('.') {
        return Err(format!("`{}` is not a size; {EXAMPLE}", shown(text)));
    }
    if unit.is_empty() {
        return Err(format!("`{}` has no unit; write `{}B` for bytes", shown(text), shown(text)));
    }
    let Some((_, bytes)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
        let meant = SIZE_UNITS.iter().find(|(name, _)| {
            name.eq_ignore_ascii_case(unit) || (unit.len() == 1 && name.starts_with(&unit.to_ascii_uppercase()))
        });
        return Err(match meant {
            Some((name, _)) => {
                format!("`{}`: `{}` is no unit; write `{digits}{name}`", shown(text), shown(unit))
            }
            None => format!("`{}`: `{}` is no unit; {EXAMPLE}", shown(text), shown(unit)),
        });
    };
    if digits.len() > 1 && digits.starts_with('0') {
        return Err(format!("`{}` begins with a zero; write `{}{unit}`", shown(text), without_zeros(digits)));
    }
    digits
        .parse::<i64>()
        .ok()
        .and_then(|number| number.checked_mul(*bytes))
        .ok_or_else(|| format!("`{}` is too large", shown(text)))
}

/// A point in time: RFC 3339 with a zone, such as `2026-03-01T09:00:00Z`.
///
/// # Errors
/// Anything else, above all a time without a zone.
pub fn time(text: &str) -> Result<Timestamp, String> {
    const EXAMPLE: &str = "write it as RFC 3339 with a zone, such as `2026-03-01T09:00:00Z`";
    let bytes = text.as_bytes();
    let has_date_and_time =
        bytes.len() >= 19 && bytes[4] == b'-' && bytes[7] == b'-' && matches!(bytes[10], b'T' | b't' | b' ');
    if !has_date_and_time || !text.is_ascii() {
        return Err(format!("`{}` is not a time; {EXAMPLE}", shown(text)));
    }
    let zone = text[19..].trim_start_matches('.').trim_start_matches(|c: char| c.is_ascii_digit());
    if zone.is_empty() {
        return Err(format!("`{}` has no zone; write `{}Z` for UTC", shown(text), shown(text)));
    }
    let is_offset = zone.len() == 6 && zone.starts_with(['+', '-']) && zone.as_bytes()[3] == b':';
    if !zone.eq_ignore_ascii_case("z") && !is_offset {
        return Err(format!("`{}` is not a time; {EXAMPLE}", shown(text)));
    }
    text.parse::<jiff::Timestamp>()
        .map(|timestamp| Timestamp(timestamp.as_millisecond()))
        .map_err(|_| format!("`{}` is not a time that exists; {EXAMPLE}", shown(text)))
}

/// A whole number: decimal, without leading zeros.
///
/// # Errors
/// Anything else, and what does not fit into 64 bits with sign.
pub fn int(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !is_digits(digits) {
        return Err(format!("`{}` is not a whole number", shown(text)));
    }
    if digits.len() > 1 && digits.starts_with('0') {
        let sign = &text[..text.len() - digits.len()];
        return Err(format!("`{}` begins with a zero; write `{sign}{}`", shown(text), without_zeros(digits)));
    }
    text.parse().map_err(|_| format!("`{}` is too large a number", shown(text)))
}

/// A number: as [`int`], or with a fraction or an exponent, such as `0.5` or `1e3`. Never infinite.
///
/// # Errors
/// Anything else.
pub fn float(text: &str) -> Result<f64, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let exponent_is_good =
        exponent.is_none_or(|exponent| is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    if !is_digits(whole) || !fraction.is_none_or(is_digits) || !exponent_is_good {
        let help = if fraction.is_some() && whole.is_empty() { "; write a digit before the point" } else { "" };
        return Err(format!("`{}` is not a number{help}", shown(text)));
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(format!("`{}` begins with a zero; delete it", shown(text)));
    }
    text.parse::<f64>()
        .ok()
        .filter(|value| value.is_finite())
        .ok_or_else(|| format!("`{}` is too large a number", shown(text)))
}

/// `true` or `false`.
///
/// # Errors
/// Anything else; the words of older YAML are told what to write.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "on" | "1" => format!("`{}` is not a boolean; write `true`", shown(text)),
            "false" | "no" | "n" | "off" | "0" => format!("`{}` is not a boolean; write `false`", shown(text)),
            _ => format!("`{}` is not a boolean; write `true` or `false`", shown(text)),
        }),
    }
}

/// The name of a signal: letters, digits and `_ - . : /`, a letter or digit first.
///
/// # Errors
/// Anything else.
pub fn signal(text: &str) -> Result<(), String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    if text.is_empty() {
        Err("is empty; write a name such as `deployed`".to_owned())
    } else if text.len() > SIGNAL_BYTES {
        Err(format!("`{}` is longer than {SIGNAL_BYTES} characters", shown(text)))
    } else if text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_part) {
        Ok(())
    } else {
        Err(format!("`{}` is no name of a signal; use letters, digits and `_ - . : /`", shown(text)))
    }
}

/// What names a lock: a short line of text.
///
/// # Errors
/// It is empty, too long, or more than a line.
pub fn lock_key(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        Err("is empty; write what must not happen twice at a time, such as `deploy-web-1`".to_owned())
    } else if text.len() > LOCK_KEY_BYTES {
        Err(format!("`{}…` has {} bytes, {LOCK_KEY_BYTES} are allowed", shown(text), text.len()))
    } else if text.chars().any(char::is_control) {
        Err(format!("`{}` holds characters that no line of text has", shown(text)))
    } else {
        Ok(())
    }
}

/// Somebody who may answer: `user:ana` or `group:sre`.
///
/// # Errors
/// Anything else.
pub fn person(text: &str) -> Result<(), String> {
    let is_name = |name: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.@+".contains(c);
        !name.is_empty() && name.chars().all(is_part)
    };
    match text.split_once(':') {
        Some(("user" | "group", name)) if is_name(name) => Ok(()),
        _ => Err(format!("`{}` names nobody; write `user:ana` or `group:sre`", shown(text))),
    }
}

/// Whether a plain scalar is `null` in YAML: `null`, its other spellings, or `~`.
pub fn is_null(text: &str) -> bool {
    matches!(text, "null" | "Null" | "NULL" | "~")
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn without_zeros(digits: &str) -> &str {
    let trimmed = digits.trim_start_matches('0');
    if trimmed.is_empty() { "0" } else { trimmed }
}

/// What a message shows of a text: its beginning.
pub(crate) fn shown(text: &str) -> String {
    const CHARS: usize = 60;
    if text.chars().nth(CHARS).is_none() {
        return text.to_owned();
    }
    text.chars().take(CHARS).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_units_largest_first() {
        for (text, millis) in
            [("90s", 90_000), ("1h30m", 5_400_000), ("0s", 0), ("500ms", 500), ("1w2d3h4m5s6ms", 788_645_006)]
        {
            assert_eq!(duration(text), Ok(Millis(millis)), "{text}");
        }
        for (text, part) in [
            ("5", "write `5s`"),
            ("1M", "write `m` for minutes"),
            ("1y", "no fixed length"),
            ("1.5h", "whole numbers"),
            ("30m1h", "not in order"),
            ("1h1h", "not in order"),
            ("1h 30m", "not a duration"),
            ("-5s", "not a duration"),
            ("", "is empty"),
            ("h", "not a duration"),
            ("１h", "not a duration"),
            ("99999999999999999999w", "too long"),
            ("9999999999999w", "too long"),
        ] {
            let error = duration(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn sizes_have_a_unit() {
        for (text, bytes) in [("10MiB", 10 << 20), ("1KB", 1000), ("0B", 0), ("8GiB", 8 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for (text, part) in [
            ("10", "write `10B`"),
            ("10mb", "write `10MB`"),
            ("10M", "write `10MB`"),
            ("1.5GB", "not a size"),
            ("-1KB", "not a size"),
            ("9999999999GiB", "too large"),
            ("010KB", "write `10KB`"),
            ("1TB", "`TB` is no unit"),
        ] {
            let error = size(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn times_have_a_zone() {
        assert_eq!(time("1970-01-01T00:00:01Z"), Ok(Timestamp(1_000)));
        assert_eq!(time("1970-01-01T01:00:00.5+01:00"), Ok(Timestamp(500)));
        for (text, part) in [
            ("2026-03-01T09:00:00", "no zone"),
            ("2026-03-01", "not a time"),
            ("2026-02-30T09:00:00Z", "exists"),
            ("tomorrow", "not a time"),
            ("2026-03-01T09:00:00[Europe/Berlin]", "not a time"),
            ("2026-03-01T09:00:00é", "not a time"),
        ] {
            let error = time(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn numbers_are_decimal_without_leading_zeros() {
        assert_eq!(int("-12"), Ok(-12));
        assert_eq!(int("9223372036854775807"), Ok(i64::MAX));
        for text in ["017", "0x10", "1_000", "+1", "", "-", "1.0", "9223372036854775808", "1e3", "٣"] {
            assert!(int(text).is_err(), "{text}");
        }
        assert_eq!(float("1.10"), Ok(1.1));
        assert_eq!(float("1e3"), Ok(1000.0));
        assert_eq!(float("-3"), Ok(-3.0));
        for text in [".5", "5.", "NaN", "inf", ".inf", "1e999", "00.5", "1e", ""] {
            assert!(float(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_two_words_are_booleans() {
        assert_eq!(boolean("true"), Ok(true));
        assert_eq!(boolean("false"), Ok(false));
        assert!(boolean("NO").is_err_and(|error| error.contains("write `false`")));
        assert!(boolean("on").is_err_and(|error| error.contains("write `true`")));
    }

    proptest! {
        #[test]
        fn a_printed_duration_reads_back(millis in 0..i64::MAX as u64) {
            let printed = Millis(millis).to_string();
            prop_assert_eq!(duration(&printed), Ok(Millis(millis)));
        }

        #[test]
        fn no_text_makes_them_panic(text in ".{0,40}") {
            let _ = (duration(&text), size(&text), time(&text), int(&text), float(&text), boolean(&text));
        }
    }
}
