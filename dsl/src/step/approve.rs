//! `approve`: until people have said yes, or one no.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::{Approve, Escalate, Kind, NodeId};
use crate::runbook::Place;
use crate::yaml::Node;

use super::{COMMON_INSIDE, people};

/// More than so many approvals nobody collects.
const MOST: i64 = 100;

/// Its options.
pub const KEYS: Keys = Keys {
    of: "`approve`",
    known: &["message", "by", "quorum", "self", "escalate"],
    later: &[("notify", "tell them in the step before, for instance with `http`")],
    hints: COMMON_INSIDE,
};

const ESCALATE: Keys = Keys { of: "`escalate`", known: &["after", "to"], later: &[], hints: &[] };

/// Reads `approve: { message, by, quorum, self, escalate }`.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    let mapping = reader.mapping(node, &KEYS)?;
    let message = reader.required(mapping, "`approve`", "message", "message: Delete it all?");
    let message = message.and_then(|node| reader.text(node, "`message`", Place::Message));
    let by = mapping.get("by").map(|node| people::read(reader, node, "`by`"));
    let quorum = mapping.get("quorum").and_then(|node| reader.integer(node, "`quorum`", 1, MOST));
    let own = mapping.get("self").and_then(|node| reader.boolean(node, "`self`")).is_some_and(|own| own.value);
    let escalate = mapping.get("escalate").map(|node| escalate(reader, node));
    let (message, by) = (message?, by.map_or(Some(None), |by| by.map(Some))?);
    let escalate = escalate.map_or(Some(None), |escalate| escalate.map(Some))?;
    if let Some(quorum) = &quorum {
        let own = by.as_ref().and_then(people::count);
        let more = escalate.as_ref().map_or(Some(0), |escalate| people::count(&escalate.to));
        if let (Some(own), Some(more)) = (own, more)
            && quorum.value > i64::try_from(own + more).unwrap_or(i64::MAX)
        {
            let message = format!("{} must approve, and only {} may", quorum.value, own + more);
            let diagnostic = reader
                .at(Code::QUORUM, quorum.span, message)
                .help("name more people in `by`, or a group of them: `group:sre`");
            reader.report(diagnostic);
        }
    }
    let quorum = quorum.map_or(1, |quorum| u32::try_from(quorum.value).unwrap_or(1));
    Some(Kind::Approve(Box::new(Approve { message, by, quorum, own, escalate })))
}

fn escalate(reader: &mut Reader, node: &Node) -> Option<Escalate> {
    let mapping = reader.mapping(node, &ESCALATE)?;
    let after = reader.required(mapping, "`escalate`", "after", "after: 1h");
    let after = after.and_then(|node| reader.duration(node, "`after`"));
    let to = reader.required(mapping, "`escalate`", "to", "to: [group:leads]");
    let to = to.and_then(|node| people::read(reader, node, "`to`"));
    Some(Escalate { after: after?.value, to: to? })
}
