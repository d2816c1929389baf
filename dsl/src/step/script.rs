//! `script`: Rhai statements whose last value is the result.

use crate::compile::reader::Reader;
use crate::graph::{Kind, NodeId};
use crate::runbook::Place;
use crate::yaml::Node;

/// Reads `script: <Rhai>`.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    let scalar = reader.scalar(node, "`script`", "Rhai as text")?;
    if reader.has_template(scalar, "the text of `script`") {
        return None;
    }
    Some(Kind::Script(reader.whole_expr(scalar, Place::Script, true)))
}
