//! `ask`: until a person has filled in what is asked for.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::compile::resolve::outputs::FIELDS;
use crate::diagnostic::Code;
use crate::graph::{Ask, Field, Kind, NodeId, Param, ParamType};
use crate::runbook::Place;
use crate::yaml::{Node, Scalar};

use super::{COMMON_INSIDE, people};

/// Its options.
pub const KEYS: Keys = Keys { of: "`ask`", known: &["message", "fields", "by"], later: &[], hints: COMMON_INSIDE };

/// Reads `ask: { message, fields, by }`.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    let mapping = reader.mapping(node, &KEYS)?;
    let message = reader.required(mapping, "`ask`", "message", "message: Which version?");
    let message = message.and_then(|node| reader.text(node, "`message`", Place::Message));
    let by = mapping.get("by").map(|node| people::read(reader, node, "`by`"));
    let fields = mapping.get("fields").map_or(Vec::new(), |node| fields(reader, node));
    Some(Kind::Ask(Box::new(Ask { message: message?, fields, by: by.map_or(Some(None), |by| by.map(Some))? })))
}

fn fields(reader: &mut Reader, node: &Node) -> Vec<Param> {
    let Some(mapping) = reader.names(node, "`fields`") else { return Vec::new() };
    let mut fields = Vec::new();
    for (key, value) in &mapping.entries {
        if !reader.name(key, "a field's name") {
            continue;
        }
        let field = reader.param(&key.text, value);
        if is_allowed(reader, key, &field) {
            fields.push(field);
        }
    }
    fields
}

/// What a field cannot be, other than a parameter.
fn is_allowed(reader: &mut Reader, key: &Scalar, field: &Param) -> bool {
    let diagnostic = if FIELDS.contains(&key.text.as_str()) {
        let message = format!("`{}` cannot be the name of a field", key.text);
        reader.at(Code::RESERVED_NAME, key.span, message).help("every step has an output of this name")
    } else if field.kind == ParamType::Secret {
        let message = "an answer is written down, so no field can be a secret";
        reader.at(Code::PARAM_TYPE, key.span, message).help("declare it as a parameter of the runbook")
    } else if field.default.as_ref().is_some_and(|default| !is_fixed(default)) {
        let message = format!("the default of `{}` is fixed text and cannot hold `${{{{ }}}}`", key.text);
        reader.at(Code::TEMPLATE_IN_CONSTANT, key.span, message).help("say in the `message` what it would be")
    } else {
        return true;
    };
    reader.report(diagnostic);
    false
}

fn is_fixed(field: &Field) -> bool {
    match field {
        Field::Const(_) => true,
        Field::Expr(_) | Field::Text(_) => false,
        Field::List(fields) => fields.iter().all(is_fixed),
        Field::Map(entries) => entries.iter().all(|(_, field)| is_fixed(field)),
    }
}
