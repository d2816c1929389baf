//! `parallel`: branches that run at the same time.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::{Kind, NodeId, OnFail, Parallel, Role};
use crate::yaml::Node;

use super::COMMON_INSIDE;

/// Its options.
pub const KEYS: Keys =
    Keys { of: "`parallel`", known: &["branches", "on_fail", "wins"], later: &[], hints: COMMON_INSIDE };

const ON_FAIL: &[(&str, OnFail)] = &[("stop", OnFail::Stop), ("cancel", OnFail::Cancel), ("late", OnFail::Late)];

/// Reads `parallel: { branches, on_fail, wins }`.
pub fn read(reader: &mut Reader, node: &Node, id: NodeId) -> Option<Kind> {
    let mapping = reader.mapping(node, &KEYS)?;
    let branches = reader.required(mapping, "`parallel`", "branches", "branches: { left: [...], right: [...] }")?;
    let named = reader.names(branches, "`branches`")?;
    let mut branches = Vec::new();
    for (key, steps) in &named.entries {
        let is_name = reader.name(key, "a branch's name");
        let role = Role::Branch(key.text.clone());
        let block = reader.block(steps, &format!("branch `{}`", key.text), Some(id), role);
        if let (true, Some(block)) = (is_name, block) {
            branches.push((key.text.clone(), block));
        }
    }
    let on_fail = match mapping.get("on_fail") {
        Some(node) => reader.choice(node, "`on_fail`", ON_FAIL)?.value,
        None => OnFail::Stop,
    };
    let wins = match mapping.get("wins") {
        Some(node) => wins(reader, node, named.entries.len())?,
        None => None,
    };
    (branches.len() == named.entries.len()).then_some(Kind::Parallel(Parallel { branches, on_fail, wins }))
}

/// `all`, `first`, or how many branches must end well.
#[expect(clippy::option_option, reason = "the outer option says whether it could be read, the inner is the value")]
fn wins(reader: &mut Reader, node: &Node, branches: usize) -> Option<Option<u32>> {
    let scalar = reader.scalar(node, "`wins`", "`all`, `first`, or a number of branches")?;
    match scalar.text.as_str() {
        "all" => return Some(None),
        "first" => return Some(Some(1)),
        _ => {}
    }
    match scalar.text.parse::<u32>() {
        Ok(count) if count >= 1 && count as usize <= branches => Some(Some(count)),
        Ok(_) => {
            let message = "`wins` asks for a number of branches that this step does not have";
            let diagnostic = reader
                .at(Code::WINS_OUT_OF_RANGE, scalar.span, message)
                .help(format!("it is between 1 and {branches} here"));
            reader.report(diagnostic);
            None
        }
        Err(_) => {
            reader.wrong_type(node, "`wins`", "`all`, `first`, or a number of branches");
            None
        }
    }
}
