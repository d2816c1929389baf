//! Functions of numbers.

use super::{Native, Run, any, int, no_method};
use crate::expr::fault::{Checked, Fault};
use crate::expr::ir::Operator;
use crate::expr::meter::Meter;
use crate::expr::operand::Operand;
use crate::expr::{operators, size};
use crate::value::Value;

pub(super) const TABLE: &[Native] = &[
    Native { name: "abs", signatures: &["abs(int) -> int", "abs(float) -> float"], run: Run::Method(abs) },
    Native {
        name: "floor",
        signatures: &["floor(float) -> int"],
        run: Run::Method(|r, _, _| rounded(r, "floor", f64::floor)),
    },
    Native {
        name: "ceil",
        signatures: &["ceil(float) -> int"],
        run: Run::Method(|r, _, _| rounded(r, "ceil", f64::ceil)),
    },
    Native {
        name: "round",
        signatures: &["round(float) -> int", "round(float, digits: int) -> float"],
        run: Run::Method(round),
    },
    Native {
        name: "to_int",
        signatures: &["to_int(float) -> int"],
        run: Run::Method(|r, _, _| rounded(r, "to_int", f64::trunc)),
    },
    Native { name: "to_float", signatures: &["to_float(int) -> float"], run: Run::Method(to_float) },
    Native { name: "sqrt", signatures: &["sqrt(float) -> float"], run: Run::Method(sqrt) },
    Native { name: "clamp", signatures: &["clamp(any, min: any, max: any) -> any"], run: Run::Method(clamp) },
];

fn abs(receiver: &Value, _: &[Operand], _: &mut Meter) -> Checked<Value> {
    match receiver {
        Value::Int(value) => value
            .checked_abs()
            .map(Value::from)
            .ok_or_else(|| Fault::invalid("the result is too large for a whole number")),
        Value::Float(value) => Ok(Value::Float(value.abs())),
        other => Err(no_method("abs", other.type_name())),
    }
}

#[expect(clippy::cast_precision_loss, reason = "what a float is for")]
fn float(receiver: &Value, name: &str) -> Checked<f64> {
    match receiver {
        Value::Int(value) => Ok(*value as f64),
        Value::Float(value) => Ok(*value),
        other => Err(no_method(name, other.type_name())),
    }
}

fn rounded(receiver: &Value, name: &str, round: fn(f64) -> f64) -> Checked<Value> {
    if let Value::Int(value) = receiver {
        return Ok((*value).into());
    }
    let value = round(float(receiver, name)?);
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        return Err(Fault::invalid("the result is too large for a whole number"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number between -2^63 and 2^63, checked above")]
    Ok((value as i64).into())
}

fn round(receiver: &Value, args: &[Operand], _: &mut Meter) -> Checked<Value> {
    if args.is_empty() {
        return rounded(receiver, "round", f64::round);
    }
    let digits = i32::try_from(int(args, 0, "round")?).ok().filter(|digits| (0..=15).contains(digits));
    let digits = digits.ok_or_else(|| Fault::invalid("`round` keeps 0 to 15 digits"))?;
    let scale = 10_f64.powi(digits);
    let value = float(receiver, "round")?;
    let scaled = (value * scale).round() / scale;
    operators::finite(if scaled.is_finite() { scaled } else { value })
}

fn to_float(receiver: &Value, _: &[Operand], _: &mut Meter) -> Checked<Value> {
    Ok(Value::Float(float(receiver, "to_float")?))
}

fn sqrt(receiver: &Value, _: &[Operand], _: &mut Meter) -> Checked<Value> {
    operators::finite(float(receiver, "sqrt")?.sqrt())
}

fn clamp(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let (min, max) = (any(args, 0, "clamp")?, any(args, 1, "clamp")?);
    if operators::compare(Operator::Greater, min, max, meter)?.is_gt() {
        return Err(Fault::invalid("the least value of `clamp` is greater than the greatest"));
    }
    let value = if operators::compare(Operator::Less, receiver, min, meter)?.is_lt() {
        min
    } else if operators::compare(Operator::Greater, receiver, max, meter)?.is_gt() {
        max
    } else {
        receiver
    };
    size::copy(value, meter)
}
