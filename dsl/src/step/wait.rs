//! `wait`: for a length of time, or until a point in time.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::{Field, Kind, NodeId};
use crate::runbook::Place;
use crate::scalar;
use crate::value::Value;
use crate::yaml::Node;

use super::COMMON_INSIDE;

/// Its options.
pub const KEYS: Keys = Keys { of: "`wait`", known: &["at"], later: &[], hints: COMMON_INSIDE };

/// Reads `wait: 10m` or `wait: { at: <time> }`.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    let Node::Mapping(_) = node else {
        let field = reader.text(node, "`wait`", Place::Wait)?;
        return typed(reader, node, field, Code::DURATION, |text| scalar::duration(text).map(Value::Duration))
            .map(Kind::WaitFor);
    };
    let mapping = reader.mapping(node, &KEYS)?;
    let at = reader.required(mapping, "`wait`", "at", "at: 2030-01-31T08:00:00Z")?;
    let field = reader.text(at, "`at`", Place::Wait)?;
    typed(reader, at, field, Code::TIME, |text| scalar::time(text).map(Value::Time)).map(Kind::WaitUntil)
}

/// A constant is read now, so that a slip in it is found before anything runs.
fn typed(
    reader: &mut Reader,
    node: &Node,
    field: Field,
    code: Code,
    parse: impl Fn(&str) -> Result<Value, String>,
) -> Option<Field> {
    let (Field::Const(Value::String(text)), Node::Scalar(scalar)) = (&field, node) else { return Some(field) };
    match parse(text) {
        Ok(value) => Some(Field::Const(value)),
        Err(error) => {
            reader.bad_scalar(code, scalar, "`wait`", &error);
            None
        }
    }
}
