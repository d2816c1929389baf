//! Functions of text. All of them give a new value; positions and lengths count characters.

use super::{Native, Run, count, no_method, text};
use crate::expr::fault::{Checked, Fault};
use crate::expr::meter::Meter;
use crate::expr::operand::Operand;
use crate::expr::{library, size};
use crate::scalar;
use crate::value::Value;

pub(super) const TABLE: &[Native] = &[
    Native {
        name: "trim",
        signatures: &["trim(string) -> string"],
        run: Run::Method(|r, _, m| part(r, m, "trim", str::trim)),
    },
    Native {
        name: "trim_start",
        signatures: &["trim_start(string) -> string"],
        run: Run::Method(|r, _, m| part(r, m, "trim_start", str::trim_start)),
    },
    Native {
        name: "trim_end",
        signatures: &["trim_end(string) -> string"],
        run: Run::Method(|r, _, m| part(r, m, "trim_end", str::trim_end)),
    },
    Native {
        name: "to_upper",
        signatures: &["to_upper(string) -> string"],
        run: Run::Method(|r, _, m| case(r, m, "to_upper", str::to_uppercase)),
    },
    Native {
        name: "to_lower",
        signatures: &["to_lower(string) -> string"],
        run: Run::Method(|r, _, m| case(r, m, "to_lower", str::to_lowercase)),
    },
    Native {
        name: "make_upper",
        signatures: &["make_upper(string) -> string"],
        run: Run::Method(|r, _, m| case(r, m, "make_upper", str::to_uppercase)),
    },
    Native {
        name: "make_lower",
        signatures: &["make_lower(string) -> string"],
        run: Run::Method(|r, _, m| case(r, m, "make_lower", str::to_lowercase)),
    },
    Native {
        name: "starts_with",
        signatures: &["starts_with(string, part: string) -> bool"],
        run: Run::Method(|r, a, m| Ok(whole(r, m, "starts_with")?.starts_with(text(a, 0, "starts_with")?).into())),
    },
    Native {
        name: "ends_with",
        signatures: &["ends_with(string, part: string) -> bool"],
        run: Run::Method(|r, a, m| Ok(whole(r, m, "ends_with")?.ends_with(text(a, 0, "ends_with")?).into())),
    },
    Native {
        name: "strip_prefix",
        signatures: &["strip_prefix(string, part: string) -> string"],
        run: Run::Method(strip_prefix),
    },
    Native {
        name: "strip_suffix",
        signatures: &["strip_suffix(string, part: string) -> string"],
        run: Run::Method(strip_suffix),
    },
    Native {
        name: "replace",
        signatures: &["replace(string, part: string, with: string) -> string"],
        run: Run::Method(replace),
    },
    Native {
        name: "split",
        signatures: &[
            "split(string) -> list",
            "split(string, separator: string) -> list",
            "split(string, separator: string, parts: int) -> list",
        ],
        run: Run::Method(split),
    },
    Native { name: "lines", signatures: &["lines(string) -> list"], run: Run::Method(lines) },
    Native { name: "chars", signatures: &["chars(string) -> list"], run: Run::Method(chars) },
    Native { name: "to_chars", signatures: &["to_chars(string) -> list"], run: Run::Method(chars) },
    Native {
        name: "sub_string",
        signatures: &[
            "sub_string(string, start: int) -> string",
            "sub_string(string, start: int, length: int) -> string",
        ],
        run: Run::Method(sub_string),
    },
    Native {
        name: "crop",
        signatures: &["crop(string, start: int) -> string", "crop(string, start: int, length: int) -> string"],
        run: Run::Method(sub_string),
    },
    Native {
        name: "pad",
        signatures: &["pad(string, length: int, with: string) -> string"],
        run: Run::Method(|r, a, m| pad(r, a, m, "pad", false)),
    },
    Native {
        name: "pad_start",
        signatures: &["pad_start(string, length: int, with: string) -> string"],
        run: Run::Method(|r, a, m| pad(r, a, m, "pad_start", true)),
    },
    Native { name: "repeat", signatures: &["repeat(string, times: int) -> string"], run: Run::Method(repeat) },
    Native { name: "bytes", signatures: &["bytes(string) -> int"], run: Run::Method(bytes) },
    Native {
        name: "parse_int",
        signatures: &["parse_int(string) -> int", "parse_int(string, radix: int) -> int"],
        run: Run::Method(parse_int),
    },
    Native { name: "parse_float", signatures: &["parse_float(string) -> float"], run: Run::Method(parse_float) },
    Native { name: "parse_bool", signatures: &["parse_bool(string) -> bool"], run: Run::Method(parse_bool) },
    Native { name: "parse_json", signatures: &["parse_json(string) -> any"], run: Run::Method(parse_json) },
];

/// The receiver as text that is gone through once.
fn whole<'v>(receiver: &'v Value, meter: &mut Meter, name: &str) -> Checked<&'v str> {
    match receiver {
        Value::String(text) => {
            meter.bytes(text.len())?;
            Ok(text)
        }
        other => Err(no_method(name, other.type_name())),
    }
}

fn part(receiver: &Value, meter: &mut Meter, name: &str, take: fn(&str) -> &str) -> Checked<Value> {
    Ok(take(whole(receiver, meter, name)?).to_owned().into())
}

fn case(receiver: &Value, meter: &mut Meter, name: &str, change: fn(&str) -> String) -> Checked<Value> {
    let whole = whole(receiver, meter, name)?;
    size::text(whole.len(), meter)?;
    Ok(change(whole).into())
}

fn strip_prefix(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let whole = whole(receiver, meter, "strip_prefix")?;
    Ok(whole.strip_prefix(text(args, 0, "strip_prefix")?).unwrap_or(whole).to_owned().into())
}

fn strip_suffix(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let whole = whole(receiver, meter, "strip_suffix")?;
    Ok(whole.strip_suffix(text(args, 0, "strip_suffix")?).unwrap_or(whole).to_owned().into())
}

fn replace(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let whole = whole(receiver, meter, "replace")?;
    let (part, with) = (text(args, 0, "replace")?, text(args, 1, "replace")?);
    if part.is_empty() {
        return Err(Fault::invalid("`replace` cannot look for an empty text"));
    }
    let found = whole.matches(part).count();
    size::text(whole.len().saturating_add(found.saturating_mul(with.len())), meter)?;
    Ok(whole.replace(part, with).into())
}

/// A list of parts of a text.
fn list<'t>(parts: impl Iterator<Item = &'t str>, meter: &mut Meter) -> Checked<Value> {
    let mut list = Vec::new();
    for part in parts {
        meter.charge(1)?;
        size::elements(list.len() + 1)?;
        list.push(Value::from(part));
    }
    Ok(Value::List(list))
}

fn split(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let whole = whole(receiver, meter, "split")?;
    match args.len() {
        0 => list(whole.split_whitespace(), meter),
        _ if text(args, 0, "split")?.is_empty() => {
            Err(Fault::invalid("`split` needs a separator").help("for single characters use `chars()`"))
        }
        1 => list(whole.split(text(args, 0, "split")?), meter),
        _ => list(whole.splitn(count(args, 1, "split")?, text(args, 0, "split")?), meter),
    }
}

fn lines(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    list(whole(receiver, meter, "lines")?.lines(), meter)
}

fn chars(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let whole = whole(receiver, meter, "chars")?;
    list(whole.split_inclusive(|_| true), meter)
}

fn sub_string(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let whole = whole(receiver, meter, "sub_string")?;
    let length = whole.chars().count();
    let start = library::bounds(length, library::int(args, 0, "sub_string")?, i64::MAX).0;
    let take = if args.len() > 1 { count(args, 1, "sub_string")? } else { length };
    Ok(whole.chars().skip(start).take(take).collect::<String>().into())
}

fn pad(receiver: &Value, args: &[Operand], meter: &mut Meter, name: &str, at_start: bool) -> Checked<Value> {
    let whole = whole(receiver, meter, name)?;
    let (length, with) = (count(args, 0, name)?, text(args, 1, name)?);
    if with.is_empty() {
        return Err(Fault::invalid(format!("`{name}` cannot fill with an empty text")));
    }
    let missing = length.saturating_sub(whole.chars().count());
    size::text(whole.len().saturating_add(missing.saturating_mul(4)), meter)?;
    let padding = with.chars().cycle().take(missing);
    Ok(if at_start {
        padding.chain(whole.chars()).collect::<String>().into()
    } else {
        whole.chars().chain(padding).collect::<String>().into()
    })
}

fn repeat(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let whole = whole(receiver, meter, "repeat")?;
    let times = count(args, 0, "repeat")?;
    size::text(whole.len().saturating_mul(times), meter)?;
    Ok(whole.repeat(times).into())
}

fn bytes(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    Ok(i64::try_from(whole(receiver, meter, "bytes")?.len()).unwrap_or(i64::MAX).into())
}

fn parse_int(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let whole = whole(receiver, meter, "parse_int")?.trim();
    let radix = if args.is_empty() { 10 } else { count(args, 0, "parse_int")? };
    let radix = u32::try_from(radix)
        .ok()
        .filter(|radix| (2..=36).contains(radix))
        .ok_or_else(|| Fault::invalid("the radix of `parse_int` is between 2 and 36"))?;
    i64::from_str_radix(whole, radix).map(Value::from).map_err(|_| cannot_read(whole, "an int"))
}

fn parse_float(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let whole = whole(receiver, meter, "parse_float")?.trim();
    match whole.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Value::Float(value)),
        _ => Err(cannot_read(whole, "a float")),
    }
}

fn parse_bool(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let whole = whole(receiver, meter, "parse_bool")?.trim();
    scalar::boolean(whole).map(Value::from).map_err(|_| cannot_read(whole, "a bool"))
}

fn parse_json(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let whole = whole(receiver, meter, "parse_json")?;
    meter.elements(whole.len() / 4)?;
    let json = serde_json::from_str(whole).map_err(|error| Fault::invalid(format!("this is not JSON: {error}")))?;
    Ok(Value::from_json(json))
}

/// The fault for text that does not say what it should, with as much of it as helps.
pub(in crate::expr) fn cannot_read(text: &str, what: &str) -> Fault {
    let shown: String = text.chars().take(40).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    Fault::invalid(format!("`{shown}{more}` is not {what}"))
}
