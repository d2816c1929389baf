//! `repeat`: steps again and again, until or while a condition holds.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::{Kind, NodeId, Repeat, Role};
use crate::limits;
use crate::runbook::Place;
use crate::yaml::Node;

/// Its options.
pub const KEYS: Keys = Keys {
    of: "`repeat`",
    known: &["until", "while", "every", "max", "do"],
    later: &[],
    hints: &[
        ("steps", "its steps stand under `do`"),
        ("times", "for a number of rounds write `foreach: { in: 0..10, do: […] }`"),
        ("timeout", "`timeout` stands beside the kind, not inside it"),
        ("retry", "`retry` stands beside the kind, not inside it"),
        ("when", "`when` stands beside the kind, not inside it"),
    ],
};

/// Rounds of a `repeat` that does not say how many.
const MAX: u32 = 100;

/// Reads `repeat: { until, while, every, max, do }`.
pub fn read(reader: &mut Reader, node: &Node, id: NodeId) -> Option<Kind> {
    let mapping = reader.mapping(node, &KEYS)?;
    let goes_on = mapping.get("while").map(|node| reader.expression(node, "`while`", Place::RepeatWhile));
    let until = mapping.get("until").map(|node| reader.expression(node, "`until`", Place::RepeatUntil));
    let every = mapping.get("every").and_then(|node| reader.duration(node, "`every`"));
    let max = mapping.get("max").map(|node| reader.integer(node, "`max`", 1, limits::ROUNDS));
    let body = reader.required(mapping, "`repeat`", "do", "do: [...]");
    let body = body.and_then(|node| reader.block(node, "`do`", Some(id), Role::Round));
    if goes_on.is_none() && until.is_none() {
        let span = mapping.entries.first().map_or(mapping.span, |(key, _)| key.span);
        let diagnostic = reader
            .at(Code::REPEAT_WITHOUT_END, span, "nothing says when these steps have been repeated enough")
            .help("add `until: <condition>`, asked after each round, or `while: <condition>`, asked before")
            .help("for a number of rounds write `foreach: { in: 0..10, do: […] }`");
        reader.report(diagnostic);
        return None;
    }
    let max = match max {
        Some(max) => u32::try_from(max?.value).unwrap_or(u32::MAX),
        None => MAX,
    };
    let condition = |read: Option<Option<_>>| match read {
        Some(Some(condition)) => Some(Some(condition)),
        Some(None) => None,
        None => Some(None),
    };
    Some(Kind::Repeat(Repeat {
        goes_on: condition(goes_on)?,
        until: condition(until)?,
        every: every.map(|every| every.value),
        max,
        body: body?,
    }))
}
