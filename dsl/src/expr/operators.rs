//! The operators, stricter than Rhai's: unlike types are never compared, `()` only with `==` and `!=`, and no result
//! overflows, is infinite or is not a number.

use std::cmp::Ordering;

use super::fault::{Checked, Fault};
use super::ir::Operator;
use super::meter::Meter;
use super::operand::Operand;
use super::{size, text};
use crate::value::{Millis, Timestamp, Value};

/// Applies an operator to two values.
pub(super) fn binary<'s>(
    operator: Operator,
    left: Operand<'s>,
    right: Operand<'s>,
    meter: &mut Meter,
) -> Checked<Operand<'s>> {
    let (left, right) = (left.solid(meter)?, right.solid(meter)?);
    let (Some(a), Some(b)) = (left.value(), right.value()) else {
        return Err(mismatch(operator, left.type_name(), right.type_name()));
    };
    match operator {
        Operator::Equal => equal(a, b, meter).map(Operand::from),
        Operator::NotEqual => equal(a, b, meter).map(|equal| Operand::from(!equal)),
        Operator::Less => Ok((compare(operator, a, b, meter)? == Ordering::Less).into()),
        Operator::LessOrEqual => Ok((compare(operator, a, b, meter)? != Ordering::Greater).into()),
        Operator::Greater => Ok((compare(operator, a, b, meter)? == Ordering::Greater).into()),
        Operator::GreaterOrEqual => Ok((compare(operator, a, b, meter)? != Ordering::Less).into()),
        Operator::Add => add(left, right, meter),
        Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder | Operator::Power => {
            Ok(Operand::Owned(arithmetic(operator, a, b)?))
        }
    }
}

/// Whether two values are equal. Values of unlike types cannot be asked this, `()` and numbers aside; inside lists and
/// maps unlike values are simply not equal.
pub(super) fn equal(a: &Value, b: &Value, meter: &mut Meter) -> Checked<bool> {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Ok(matches!((a, b), (Value::Null, Value::Null))),
        (Value::Secret(_), _) | (_, Value::Secret(_)) => Err(Fault::invalid("a secret can only be compared with `()`")),
        _ if comparable(a, b) => deep_equal(a, b, meter),
        _ => Err(unlike(a, b)),
    }
}

/// Whether two values of a container are equal.
fn deep_equal(a: &Value, b: &Value, meter: &mut Meter) -> Checked<bool> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => {
            meter.bytes(a.len().min(b.len()))?;
            Ok(a == b)
        }
        (Value::List(a), Value::List(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b) {
                meter.charge(1)?;
                if !deep_equal(a, b, meter)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for ((key_a, a), (key_b, b)) in a.iter().zip(b) {
                meter.charge(1)?;
                if key_a != key_b || !deep_equal(a, b, meter)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => {
            Ok(int_with_float(*a, *b) == Ordering::Equal)
        }
        (Value::Secret(_), _) | (_, Value::Secret(_)) => Err(Fault::invalid("a secret can only be compared with `()`")),
        _ => Ok(a == b),
    }
}

/// The order of two values of a type that has one.
pub(super) fn compare(operator: Operator, a: &Value, b: &Value, meter: &mut Meter) -> Checked<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b).unwrap_or(Ordering::Equal)),
        (Value::Int(a), Value::Float(b)) => Ok(int_with_float(*a, *b)),
        (Value::Float(a), Value::Int(b)) => Ok(int_with_float(*b, *a).reverse()),
        (Value::String(a), Value::String(b)) => {
            meter.bytes(a.len().min(b.len()))?;
            Ok(a.cmp(b))
        }
        (Value::Duration(a), Value::Duration(b)) => Ok(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Ok(a.cmp(b)),
        _ => Err(mismatch(operator, a.type_name(), b.type_name())),
    }
}

/// Whether `==` makes sense between two values.
fn comparable(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
        || matches!((a, b), (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)))
}

/// The order of a whole number and one with a fraction, without losing digits of either.
fn int_with_float(int: i64, float: f64) -> Ordering {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if float >= TWO_TO_63 {
        return Ordering::Less;
    }
    if float < -TWO_TO_63 {
        return Ordering::Greater;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number between -2^63 and 2^63, checked above")]
    let whole = float.trunc() as i64;
    int.cmp(&whole).then_with(|| 0.0.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal))
}

fn add<'s>(left: Operand<'s>, right: Operand<'s>, meter: &mut Meter) -> Checked<Operand<'s>> {
    match (left, right) {
        (Operand::Owned(mut left), right) => {
            append(&mut left, &right, meter)?;
            Ok(Operand::Owned(left))
        }
        (left, right) => {
            if let (Some(Value::List(_) | Value::Map(_) | Value::String(_)), Some(_)) = (left.value(), right.value()) {
                let mut left = left.into_value(meter)?;
                append(&mut left, &right, meter)?;
                return Ok(Operand::Owned(left));
            }
            match (left.value(), right.value()) {
                (Some(a), Some(b)) => Ok(Operand::Owned(sum(a, b, meter)?)),
                _ => Err(mismatch(Operator::Add, left.type_name(), right.type_name())),
            }
        }
    }
}

/// `left += right`, in place for what grows.
pub(super) fn append(left: &mut Value, right: &Operand, meter: &mut Meter) -> Checked<()> {
    let Some(addend) = right.value() else {
        return Err(mismatch(Operator::Add, left.type_name(), right.type_name()));
    };
    match (&mut *left, addend) {
        (Value::List(list), Value::List(more)) => {
            size::elements(list.len() + more.len())?;
            for value in more {
                meter.charge(1)?;
                list.push(size::copy(value, meter)?);
            }
        }
        (Value::Map(map), Value::Map(more)) => {
            size::elements(map.len() + more.len())?;
            for (key, value) in more {
                meter.charge(2)?;
                map.insert(key.clone(), size::copy(value, meter)?);
            }
        }
        (Value::String(text), Value::String(more)) => {
            size::text(text.len() + more.len(), meter)?;
            text.push_str(more);
        }
        _ => *left = sum(left, addend, meter)?,
    }
    Ok(())
}

/// `a + b` of what does not grow in place.
fn sum(a: &Value, b: &Value, meter: &mut Meter) -> Checked<Value> {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Err(mismatch(Operator::Add, a.type_name(), b.type_name())),
        (Value::String(_) | Value::Secret(_), _) | (_, Value::String(_) | Value::Secret(_)) => {
            if matches!((a, b), (Value::List(_) | Value::Map(_), _)) {
                return Err(mismatch(Operator::Add, a.type_name(), b.type_name()));
            }
            text::concatenate([a, b], meter)
        }
        _ => arithmetic(Operator::Add, a, b),
    }
}

/// Numbers, durations and times.
fn arithmetic(operator: Operator, a: &Value, b: &Value) -> Checked<Value> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => integers(operator, *a, *b),
        (Value::Float(a), Value::Float(b)) => floats(operator, *a, *b),
        #[expect(clippy::cast_precision_loss, reason = "what a float is for; comparisons do without")]
        (Value::Int(a), Value::Float(b)) => floats(operator, *a as f64, *b),
        #[expect(clippy::cast_precision_loss, reason = "what a float is for; comparisons do without")]
        (Value::Float(a), Value::Int(b)) => floats(operator, *a, *b as f64),
        _ => moments(operator, a, b),
    }
}

fn integers(operator: Operator, a: i64, b: i64) -> Checked<Value> {
    if b == 0 && matches!(operator, Operator::Divide | Operator::Remainder) {
        return Err(Fault::invalid("division by zero"));
    }
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
        Operator::Power if b < 0 => {
            return Err(Fault::invalid("a whole number to a negative power").help("make it a float: `2.0 ** -1`"));
        }
        Operator::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual => return Err(mismatch(operator, "int", "int")),
    };
    result
        .map(Value::Int)
        .ok_or_else(|| Fault::invalid(format!("`{a} {} {b}` is too large for a whole number", operator.symbol())))
}

fn floats(operator: Operator, a: f64, b: f64) -> Checked<Value> {
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide | Operator::Remainder if b == 0.0 => return Err(Fault::invalid("division by zero")),
        Operator::Divide => a / b,
        Operator::Remainder => a % b,
        Operator::Power => a.powf(b),
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual => return Err(mismatch(operator, "float", "float")),
    };
    finite(result)
}

/// A float that is a number.
pub(super) fn finite(value: f64) -> Checked<Value> {
    if value.is_finite() { Ok(Value::Float(value)) } else { Err(Fault::invalid("the result is not a finite number")) }
}

fn moments(operator: Operator, a: &Value, b: &Value) -> Checked<Value> {
    let too_far = || Fault::invalid("the result is out of range");
    match (a, operator, b) {
        (Value::Duration(a), Operator::Add, Value::Duration(b)) => {
            a.0.checked_add(b.0).map(|sum| Value::Duration(Millis(sum))).ok_or_else(too_far)
        }
        (Value::Duration(a), Operator::Subtract, Value::Duration(b)) => {
            a.0.checked_sub(b.0).map(|rest| Value::Duration(Millis(rest))).ok_or_else(negative)
        }
        (Value::Duration(duration), Operator::Multiply, Value::Int(factor))
        | (Value::Int(factor), Operator::Multiply, Value::Duration(duration)) => {
            let factor = u64::try_from(*factor).map_err(|_| negative())?;
            duration.0.checked_mul(factor).map(|product| Value::Duration(Millis(product))).ok_or_else(too_far)
        }
        (Value::Duration(duration), Operator::Multiply, Value::Float(factor))
        | (Value::Float(factor), Operator::Multiply, Value::Duration(duration)) => scale(*duration, *factor),
        (Value::Duration(_), Operator::Divide, Value::Int(0) | Value::Duration(Millis(0))) => {
            Err(Fault::invalid("division by zero"))
        }
        (Value::Duration(duration), Operator::Divide, Value::Int(divisor)) => {
            let divisor = u64::try_from(*divisor).map_err(|_| negative())?;
            Ok(Value::Duration(Millis(duration.0 / divisor)))
        }
        #[expect(clippy::cast_precision_loss, reason = "a ratio is a float")]
        (Value::Duration(a), Operator::Divide, Value::Duration(b)) => finite(a.0 as f64 / b.0 as f64),
        (Value::Time(time), Operator::Add, Value::Duration(duration))
        | (Value::Duration(duration), Operator::Add, Value::Time(time)) => {
            time.0.checked_add_unsigned(duration.0).map(|sum| Value::Time(Timestamp(sum))).ok_or_else(too_far)
        }
        (Value::Time(time), Operator::Subtract, Value::Duration(duration)) => {
            time.0.checked_sub_unsigned(duration.0).map(|rest| Value::Time(Timestamp(rest))).ok_or_else(too_far)
        }
        (Value::Time(a), Operator::Subtract, Value::Time(b)) => {
            let millis = i128::from(a.0) - i128::from(b.0);
            u64::try_from(millis)
                .map(|millis| Value::Duration(Millis(millis)))
                .map_err(|_| negative().help("subtract the earlier time from the later one"))
        }
        _ => Err(mismatch(operator, a.type_name(), b.type_name())),
    }
}

/// A duration times a factor, to the nearest millisecond.
fn scale(duration: Millis, factor: f64) -> Checked<Value> {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 285,000 years")]
    let product = (duration.0 as f64 * factor).round();
    if product < 0.0 {
        return Err(negative());
    }
    if !product.is_finite() || product >= 18_446_744_073_709_551_615.0 {
        return Err(Fault::invalid("the result is out of range"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^64, checked above")]
    Ok(Value::Duration(Millis(product as u64)))
}

fn negative() -> Fault {
    Fault::invalid("a duration cannot be negative")
}

/// `-value`.
pub(super) fn negate(value: &Operand) -> Checked<Value> {
    match value.value() {
        Some(Value::Int(value)) => value
            .checked_neg()
            .map(Value::Int)
            .ok_or_else(|| Fault::invalid(format!("`-({value})` is too large for a whole number"))),
        Some(Value::Float(value)) => Ok(Value::Float(-value)),
        _ => Err(Fault::invalid(format!("`-` needs a number, not {}", article(value.type_name())))),
    }
}

fn unlike(a: &Value, b: &Value) -> Fault {
    let fault = Fault::invalid(format!("cannot compare {} with {}", article(a.type_name()), article(b.type_name())));
    match (a, b) {
        (Value::String(_), Value::Int(_) | Value::Float(_)) | (Value::Int(_) | Value::Float(_), Value::String(_)) => {
            fault.help("turn the text into a number with `parse_int` or `parse_float`")
        }
        (Value::Duration(_), Value::String(_)) | (Value::String(_), Value::Duration(_)) => {
            fault.help("write the duration as `duration(\"10s\")`")
        }
        (Value::Time(_), Value::String(_)) | (Value::String(_), Value::Time(_)) => {
            fault.help("write the time as `time(\"2026-01-31T08:00:00Z\")`")
        }
        _ => fault,
    }
}

fn mismatch(operator: Operator, a: &str, b: &str) -> Fault {
    let fault = Fault::invalid(format!("`{}` does not go with {} and {}", operator.symbol(), article(a), article(b)));
    if a == "()" || b == "()" {
        fault.help("`()` means that there is no value; give one to use instead with `??`")
    } else {
        fault
    }
}

/// A type's name with its article, as sentences need it.
pub(super) fn article(name: &str) -> String {
    match name {
        "()" => "`()`".to_owned(),
        "int" => "an int".to_owned(),
        name => format!("a {name}"),
    }
}
