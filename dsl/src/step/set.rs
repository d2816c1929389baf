//! `set`: variables.

use crate::compile::reader::Reader;
use crate::graph::{Kind, NodeId};
use crate::runbook::Place;
use crate::yaml::Node;

/// Reads `set: { name: value }`.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    let mapping = reader.names(node, "`set`")?;
    let mut variables = Vec::new();
    for (key, value) in &mapping.entries {
        let is_name = reader.name(key, "a variable's name");
        let field = reader.any(value, &format!("`{}` in `set`", key.text), Place::Set);
        if let (true, Some(field)) = (is_name, field) {
            variables.push((key.text.clone(), field));
        }
    }
    Some(Kind::Set(variables))
}
