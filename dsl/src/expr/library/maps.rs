//! Functions of maps. `set`, and `remove` and `clear` as of lists, change a map.

use super::{Native, Run, keep, no_method, text};
use crate::expr::fault::Checked;
use crate::expr::meter::Meter;
use crate::expr::operand::Operand;
use crate::expr::size;
use crate::value::{Map, Value};

pub(super) const TABLE: &[Native] = &[
    Native { name: "keys", signatures: &["keys(map) -> list"], run: Run::Method(keys) },
    Native { name: "values", signatures: &["values(map) -> list"], run: Run::Method(values) },
    Native { name: "set", signatures: &["set(map, key: string, value: any)"], run: Run::Change(set) },
];

fn map<'v>(receiver: &'v Value, name: &str) -> Checked<&'v Map> {
    match receiver {
        Value::Map(map) => Ok(map),
        other => Err(no_method(name, other.type_name())),
    }
}

fn keys(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let map = map(receiver, "keys")?;
    meter.elements(map.len())?;
    Ok(Value::List(map.keys().map(|key| Value::from(key.as_str())).collect()))
}

fn values(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let map = map(receiver, "values")?;
    meter.elements(map.len())?;
    let values = map.values().map(|value| size::copy(value, meter)).collect::<Checked<_>>()?;
    Ok(Value::List(values))
}

fn set(receiver: &mut Value, args: &mut [Operand], meter: &mut Meter) -> Checked<Value> {
    let Value::Map(map) = receiver else { return Err(no_method("set", receiver.type_name())) };
    let key = text(args, 0, "set")?.to_owned();
    size::elements(map.len() + 1)?;
    let value = keep(args, 1, meter)?;
    size::nest(&value, 1, meter)?;
    map.insert(key, value);
    Ok(Value::Null)
}
