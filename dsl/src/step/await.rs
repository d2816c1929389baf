//! `await`: until somebody outside the run says something.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::{Field, Kind, NodeId};
use crate::runbook::Place;
use crate::scalar;
use crate::value::Value;
use crate::yaml::Node;

use super::COMMON_INSIDE;

const INSTEAD: &str = "let whoever knows say it with `lockstep signal`, and wait with `await: { signal: … }`";

/// Its options.
pub const KEYS: Keys = Keys {
    of: "`await`",
    known: &["signal"],
    later: &[("event", INSTEAD), ("callback", INSTEAD)],
    hints: COMMON_INSIDE,
};

/// Reads `await: { signal: name }`.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    let mapping = reader.mapping(node, &KEYS)?;
    let signal = reader.required(mapping, "`await`", "signal", "signal: deployed")?;
    let field = reader.text(signal, "`signal`", Place::Signal)?;
    if let (Field::Const(Value::String(name)), Node::Scalar(scalar)) = (&field, signal)
        && let Err(error) = scalar::signal(name)
    {
        reader.bad_scalar(Code::ID, scalar, "`signal`", &error);
        return None;
    }
    Some(Kind::AwaitSignal(field))
}
