//! `assert`: a condition that must hold.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::graph::{Kind, NodeId};
use crate::runbook::Place;
use crate::yaml::Node;

use super::COMMON_INSIDE;

/// Its options.
pub const KEYS: Keys = Keys { of: "`assert`", known: &["that", "message"], later: &[], hints: COMMON_INSIDE };

/// Reads `assert: <Rhai>` or its map.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    let Node::Mapping(_) = node else {
        let that = reader.expression(node, "`assert`", Place::That)?;
        return Some(Kind::Assert { that, message: None });
    };
    let mapping = reader.mapping(node, &KEYS)?;
    let that = reader.required(mapping, "`assert`", "that", "that: params.count > 0");
    let that = that.and_then(|node| reader.expression(node, "`that`", Place::That));
    let message = mapping.get("message").and_then(|node| reader.text(node, "`message`", Place::Message));
    Some(Kind::Assert { that: that?, message })
}
