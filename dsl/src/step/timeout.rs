//! `timeout`: limits of time of a step.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::runbook::Timeouts;
use crate::yaml::Node;

const KEYS: Keys = Keys {
    of: "`timeout`",
    known: &["attempt", "total", "grace"],
    later: &[("queue", "limit the whole with `total`"), ("heartbeat", "limit one attempt with `attempt`")],
    hints: &[],
};

/// Reads `timeout: 30s` or its map.
pub fn read(reader: &mut Reader, node: &Node) -> Timeouts {
    if let Node::Scalar(_) = node {
        return Timeouts { attempt: reader.duration(node, "`timeout`"), ..Timeouts::default() };
    }
    let Some(mapping) = reader.mapping(node, &KEYS) else { return Timeouts::default() };
    Timeouts {
        attempt: mapping.get("attempt").and_then(|node| reader.duration(node, "`attempt`")),
        total: mapping.get("total").and_then(|node| reader.duration(node, "`total`")),
        grace: mapping.get("grace").and_then(|node| reader.duration_or_zero(node, "`grace`")),
    }
}
