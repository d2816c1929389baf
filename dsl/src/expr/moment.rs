//! Durations, times and sizes: how they are written, and what can be taken from them.

use jiff::tz::TimeZone;

use super::fault::{Checked, Fault};
use super::library::{Native, Run, no_method};
use super::meter::Meter;
use super::operand::Operand;
use super::operators::article;
use super::{library, size};
use crate::diagnostic::suggest;
use crate::scalar;
use crate::value::Value;

pub(super) const TABLE: &[Native] = &[
    Native { name: "duration", signatures: &["duration(string) -> duration"], run: Run::Method(duration) },
    Native { name: "time", signatures: &["time(string) -> time"], run: Run::Method(time) },
    Native { name: "size", signatures: &["size(string) -> int"], run: Run::Method(bytes) },
    Native { name: "format", signatures: &["format(time, pattern: string) -> string"], run: Run::Method(format) },
];

fn duration(receiver: &Value, _: &[Operand], _: &mut Meter) -> Checked<Value> {
    match receiver {
        Value::Duration(_) => Ok(receiver.clone()),
        Value::String(text) => scalar::duration(text).map(Value::Duration).map_err(Fault::invalid),
        other => Err(needs_text("duration", other, "1h30m")),
    }
}

fn time(receiver: &Value, _: &[Operand], _: &mut Meter) -> Checked<Value> {
    match receiver {
        Value::Time(_) => Ok(receiver.clone()),
        Value::String(text) => scalar::time(text).map(Value::Time).map_err(Fault::invalid),
        other => Err(needs_text("time", other, "2026-01-31T08:00:00Z")),
    }
}

fn bytes(receiver: &Value, _: &[Operand], _: &mut Meter) -> Checked<Value> {
    match receiver {
        Value::Int(bytes) => Ok((*bytes).into()),
        Value::String(text) => scalar::size(text).map(Value::from).map_err(Fault::invalid),
        other => Err(needs_text("size", other, "10MiB")),
    }
}

fn needs_text(name: &str, given: &Value, example: &str) -> Fault {
    Fault::invalid(format!("`{name}` needs a string such as \"{example}\", not {}", article(given.type_name())))
}

fn format(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let Value::Time(time) = receiver else { return Err(no_method("format", receiver.type_name())) };
    let pattern = library::text(args, 0, "format")?;
    size::text(pattern.len(), meter)?;
    let wide = pattern.split('%').skip(1).any(|directive| {
        directive.bytes().skip_while(|b| !b.is_ascii_digit()).take_while(u8::is_ascii_digit).count() > 2
    });
    if wide {
        return Err(Fault::invalid("a width in the pattern of `format` is too large"));
    }
    let zoned = jiff::Timestamp::from_millisecond(time.0)
        .map_err(|_| Fault::invalid("the time is out of range"))?
        .to_zoned(TimeZone::UTC);
    let text = jiff::fmt::strtime::format(pattern, &zoned)
        .map_err(|error| Fault::invalid(format!("`{pattern}` is not a pattern for a time: {error}")))?;
    Ok(text.into())
}

/// A property of a duration or a time; times are told in UTC.
pub(super) fn property(value: &Value, name: &str) -> Checked<Value> {
    const NAMES: [&str; 5] = ["millis", "seconds", "minutes", "hours", "days"];
    const TIME_NAMES: [&str; 9] =
        ["unix", "unix_millis", "year", "month", "day", "hour", "minute", "second", "weekday"];
    let unknown = |what: &str, names: &[&str]| {
        let fault = Fault::invalid(format!("a {what} has no `{name}`"));
        match suggest(name, names.iter().copied()) {
            Some(close) => fault.help(format!("did you mean `{close}`?")),
            None => fault.help(format!("it has {}", names.join(", "))),
        }
    };
    match value {
        Value::Duration(duration) => {
            let unit = match name {
                "millis" => 1,
                "seconds" => 1_000,
                "minutes" => 60_000,
                "hours" => 3_600_000,
                "days" => 86_400_000,
                _ => return Err(unknown("duration", &NAMES)),
            };
            Ok(Value::Int(i64::try_from(duration.0 / unit).unwrap_or(i64::MAX)))
        }
        Value::Time(time) => {
            let zoned = jiff::Timestamp::from_millisecond(time.0)
                .map_err(|_| Fault::invalid("the time is out of range"))?
                .to_zoned(TimeZone::UTC);
            Ok(Value::Int(match name {
                "unix" => time.0.div_euclid(1_000),
                "unix_millis" => time.0,
                "year" => zoned.year().into(),
                "month" => zoned.month().into(),
                "day" => zoned.day().into(),
                "hour" => zoned.hour().into(),
                "minute" => zoned.minute().into(),
                "second" => zoned.second().into(),
                "weekday" => zoned.weekday().to_monday_one_offset().into(),
                _ => return Err(unknown("time", &TIME_NAMES)),
            }))
        }
        other => Err(Fault::invalid(format!("{} has no `{name}`", article(other.type_name())))),
    }
}
