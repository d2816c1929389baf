//! `finish`: ends the run well.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::graph::{Kind, NodeId};
use crate::runbook::Place;
use crate::yaml::Node;

use super::{COMMON_INSIDE, unspanned};

const KEYS: Keys = Keys { of: "`finish`", known: &["outputs"], later: &[], hints: COMMON_INSIDE };

/// Reads `finish: {}` or `finish: { outputs }`.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    let mapping = reader.mapping(node, &KEYS)?;
    let outputs =
        mapping.get("outputs").map(|node| unspanned(reader.expressions(node, "`outputs`", Place::FinishOutputs)));
    Some(Kind::Finish { outputs })
}
