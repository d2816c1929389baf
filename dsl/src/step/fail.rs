//! `fail`: raises an error where it stands.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::graph::{Kind, NodeId};
use crate::runbook::Place;
use crate::yaml::Node;

use super::COMMON_INSIDE;

/// Its options.
pub const KEYS: Keys = Keys { of: "`fail`", known: &["message", "kind", "data"], later: &[], hints: COMMON_INSIDE };

/// Reads `fail: { message, kind, data }`, or just a message.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    if let Node::Scalar(_) = node {
        let message = reader.text(node, "`fail`", Place::Message)?;
        return Some(Kind::Fail { message, kind: None, data: None });
    }
    let mapping = reader.mapping(node, &KEYS)?;
    let message = reader.required(mapping, "`fail`", "message", "message: the disk is full");
    let message = message.and_then(|node| reader.text(node, "`message`", Place::Message));
    let kind = mapping.get("kind").and_then(|node| reader.text(node, "`kind`", Place::FailKind));
    let data = mapping.get("data").and_then(|node| reader.any(node, "`data`", Place::FailData));
    Some(Kind::Fail { message: message?, kind, data })
}
