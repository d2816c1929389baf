//! What `shell` and `exec` share.

use crate::compile::reader::Reader;
use crate::graph::Command;
use crate::runbook::Place;
use crate::yaml::{Mapping, Node};

/// Reads `cwd`, `stdin` and `expect`.
pub fn read(reader: &mut Reader, mapping: &Mapping) -> Command {
    Command {
        cwd: mapping.get("cwd").and_then(|node| reader.text(node, "`cwd`", Place::Cwd)),
        stdin: mapping.get("stdin").and_then(|node| reader.text_or_any(node, "`stdin`", Place::Stdin)),
        expect: mapping.get("expect").map(|node| expect(reader, node)).unwrap_or_default(),
    }
}

/// One exit code, or a list of them.
fn expect(reader: &mut Reader, node: &Node) -> Vec<i32> {
    let mut code = |node: &Node| {
        let code = reader.integer(node, "an exit code in `expect`", 0, 255)?;
        i32::try_from(code.value).ok()
    };
    match node {
        Node::Scalar(_) => code(node).into_iter().collect(),
        Node::Sequence(list) if !list.items.is_empty() => list.items.iter().filter_map(code).collect(),
        Node::Sequence(_) | Node::Mapping(_) => {
            let _ = reader.sequence(node, "`expect`", "a list of exit codes, such as `[0, 1]`");
            Vec::new()
        }
    }
}
