//! How values become text, and how text with secrets in it stays secret.

use super::fault::{Checked, Fault};
use super::meter::Meter;
use super::size;
use crate::value::{SecretPart, SecretText, Value};

/// The text of values one after the other. A secret among them makes the whole a secret.
pub(super) fn concatenate<'v>(values: impl IntoIterator<Item = &'v Value>, meter: &mut Meter) -> Checked<Value> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut secret = false;
    for value in values {
        if let Value::Secret(SecretText(more)) = value {
            secret = true;
            meter.elements(more.len())?;
            for part in more {
                match part {
                    SecretPart::Plain(text) => plain.push_str(text),
                    SecretPart::Reference(_) => {
                        if !plain.is_empty() {
                            parts.push(SecretPart::Plain(std::mem::take(&mut plain)));
                        }
                        parts.push(part.clone());
                    }
                }
            }
        } else {
            let text = of(value, meter)?;
            size::text(plain.len() + text.len(), meter)?;
            plain.push_str(&text);
        }
    }
    if !secret {
        return Ok(Value::String(plain));
    }
    if !plain.is_empty() {
        parts.push(SecretPart::Plain(plain));
    }
    Ok(Value::Secret(SecretText(parts)))
}

/// The text of one value that holds no secret.
pub(super) fn of(value: &Value, meter: &mut Meter) -> Checked<String> {
    if let Value::List(_) | Value::Map(_) = value {
        size::nest(value, 0, meter)?;
    }
    value.to_text().map_err(|error| {
        let fault = Fault::invalid(error.to_string());
        match value {
            Value::Null => fault.help("give a text to use instead with `??`, or ask `== ()` first"),
            _ => fault,
        }
    })
}
