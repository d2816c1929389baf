//! `switch`: one of several lists of steps.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::{BlockId, Case, ExprId, Kind, NodeId, Role, Switch};
use crate::runbook::{JumpOrigin, Place};
use crate::yaml::{Mapping, Node};

use super::COMMON_INSIDE;

/// Its options.
pub const KEYS: Keys = Keys { of: "`switch`", known: &["value", "cases", "else"], later: &[], hints: COMMON_INSIDE };

const CASE: Keys = Keys {
    of: "a case",
    known: &["when", "steps", "next"],
    later: &[],
    hints: &[("if", "a condition is called `when`"), ("do", "its steps stand under `steps`")],
};

/// A case that is chosen by a value, or `else`, where it is more than a list of steps.
const CHOSEN: Keys = Keys {
    of: "a case",
    known: &["steps", "next"],
    later: &[],
    hints: &[
        ("when", "cases with conditions are a list: `cases: [{ when: …, steps: […] }]`"),
        ("do", "its steps stand under `steps`"),
    ],
};

const ELSE: &str = "else";

/// Reads `switch: { value, cases: { … }, else }`, or `cases` as a list with conditions.
pub fn read(reader: &mut Reader, node: &Node, id: NodeId) -> Option<Kind> {
    let mapping = reader.mapping(node, &KEYS)?;
    let cases = reader.required(mapping, "`switch`", "cases", "cases: { blue: [...], green: [...] }");
    let read = match cases {
        Some(Node::Sequence(_)) => by_condition(reader, mapping, id),
        Some(_) => by_value(reader, mapping, id),
        None => None,
    };
    let otherwise = match mapping.get(ELSE) {
        Some(node) => {
            let place = read.as_ref().map_or(0, |(_, cases)| cases.len());
            let block = chosen(reader, node, "`else`", id, ELSE, place);
            Some(Case { name: ELSE.to_owned(), when: None, block: block?, next: None })
        }
        None => None,
    };
    let (value, cases) = read?;
    Some(Kind::Switch(Switch { value, cases, otherwise }))
}

/// Cases by the text of a value.
fn by_value(reader: &mut Reader, mapping: &Mapping, id: NodeId) -> Option<(Option<ExprId>, Vec<Case>)> {
    let node = mapping.get("cases")?;
    let named = reader.names(node, "`cases`");
    let value = if let Some(node) = mapping.get("value") {
        reader.expression(node, "`value`", Place::SwitchValue)
    } else {
        let diagnostic = reader
            .at(Code::SWITCH_FORM, first_key(mapping), "these cases are for values, and no `value` is given")
            .help("say what chooses among them: `value: params.mode`")
            .help("cases with conditions are a list: `cases: [{ when: …, steps: […] }]`");
        reader.report(diagnostic);
        None
    };
    let entries = &named?.entries;
    let cases: Vec<Case> = entries
        .iter()
        .zip(0..)
        .filter_map(|((key, node), place)| {
            let block = chosen(reader, node, &format!("case `{}`", key.text), id, &key.text, place)?;
            Some(Case { name: key.text.clone(), when: None, block, next: None })
        })
        .collect();
    (cases.len() == entries.len()).then_some((Some(value?), cases))
}

/// Cases with a condition each.
fn by_condition(reader: &mut Reader, mapping: &Mapping, id: NodeId) -> Option<(Option<ExprId>, Vec<Case>)> {
    let entries = reader.sequence(mapping.get("cases")?, "`cases`", "cases by value, or a list of them")?;
    if let Some(value) = mapping.get("value") {
        let diagnostic = reader
            .at(Code::SWITCH_FORM, value.span(), "these cases have conditions of their own, so no `value` chooses")
            .help("leave `value` out, or write `cases` as a map with a case for every value");
        reader.report(diagnostic);
    }
    let mut cases = Vec::new();
    for (entry, place) in entries.items.iter().zip(1..) {
        let Some(case) = reader.mapping(entry, &CASE) else { continue };
        let name = format!("case#{place}");
        let when = reader.required(case, "a case", "when", "when: params.count > 0");
        let when = when.and_then(|node| reader.expression(node, "`when`", Place::CaseWhen));
        let block = reader.required(case, "a case", "steps", "steps: [...]");
        let block = block.and_then(|node| steps(reader, node, "`steps`", id, &name));
        if let Some(next) = case.get("next") {
            reader.jump(next, id, JumpOrigin::Case(cases.len()));
        }
        if let (Some(when), Some(block)) = (when, block) {
            cases.push(Case { name, when: Some(when), block, next: None });
        }
    }
    (cases.len() == entries.items.len() && mapping.get("value").is_none()).then_some((None, cases))
}

/// A case that a value chooses, or `else`: a list of steps, or `{ steps, next }`. `place` counts the cases, `else` last.
fn chosen(reader: &mut Reader, node: &Node, what: &str, id: NodeId, name: &str, place: usize) -> Option<BlockId> {
    let Node::Mapping(_) = node else { return steps(reader, node, what, id, name) };
    let case = reader.mapping(node, &CHOSEN)?;
    if let Some(next) = case.get("next") {
        reader.jump(next, id, JumpOrigin::Case(place));
    }
    let block = reader.required(case, "a case", "steps", "steps: [...]")?;
    steps(reader, block, "`steps`", id, name)
}

/// The steps of a case. An empty list does nothing, which is how one says so: a value without a case is an error.
fn steps(reader: &mut Reader, node: &Node, what: &str, id: NodeId, name: &str) -> Option<BlockId> {
    if let Node::Sequence(steps) = node {
        return Some(reader.block_of(&steps.items, Some(id), Role::Case(name.to_owned())));
    }
    reader.wrong_type(node, what, "a list of steps");
    None
}

fn first_key(mapping: &Mapping) -> crate::source::Span {
    mapping.entries.first().map_or(mapping.span, |(key, _)| key.span)
}
