//! `do`: nested steps.

use crate::compile::reader::Reader;
use crate::graph::{Kind, NodeId, Role};
use crate::yaml::Node;

/// Reads `do: [steps]`.
pub fn read(reader: &mut Reader, node: &Node, id: NodeId) -> Option<Kind> {
    reader.block(node, "`do`", Some(id), Role::Do).map(Kind::Do)
}
