//! `call`: a run of another runbook.

use crate::compile::keys::{Keys, shorten};
use crate::compile::reader::Reader;
use crate::diagnostic::{Code, suggest};
use crate::graph::{Call, Field, Graph, Kind, NodeId, Param, ParamType};
use crate::param;
use crate::runbook::Place;
use crate::source::Span;
use crate::yaml::{Node, Scalar};

use super::COMMON_INSIDE;

const HERE: &str = "every run is carried by this machine";

/// Its options.
pub const KEYS: Keys = Keys {
    of: "`call`",
    known: &["runbook", "params", "wait"],
    later: &[("target", HERE), ("queue", HERE)],
    hints: COMMON_INSIDE,
};

/// Reads `call: NAME`, `call: ./PATH` or `call: { runbook, params, wait }`.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    let Node::Mapping(_) = node else {
        let runbook = reader.called(node)?;
        return with_params(reader, runbook, None, node.span());
    };
    let mapping = reader.mapping(node, &KEYS)?;
    let wait = mapping.get("wait").map(|node| reader.boolean(node, "`wait`"));
    let target = reader.required(mapping, "`call`", "runbook", "runbook: storage/disk-cleanup")?;
    let runbook = reader.called(target)?;
    let mut kind = with_params(reader, runbook, mapping.get("params"), target.span())?;
    if let (Kind::Call(call), Some(wait)) = (&mut kind, wait) {
        call.wait = wait?.value;
    }
    Some(kind)
}

/// The call of a runbook with what it is given, held against what it takes.
fn with_params(reader: &mut Reader, runbook: u32, params: Option<&Node>, span: Span) -> Option<Kind> {
    let called = reader.book.called.get(runbook as usize)?;
    let (graph, target) = (std::sync::Arc::clone(&called.graph), called.target.clone());
    let mut given = Vec::new();
    let mapping = params.map(|node| reader.any_mapping(node, "`params`"));
    for (key, value) in mapping.flatten().iter().flat_map(|mapping| &mapping.entries) {
        let Some(param) = graph.params.iter().find(|param| param.name == key.text) else {
            unknown(reader, key, &graph, &target);
            continue;
        };
        let field = value_of(reader, param, value);
        given.push((param.name.clone(), field.unwrap_or(Field::Const(crate::value::Value::Null))));
    }
    let is_given = |param: &&Param| given.iter().any(|(name, _)| *name == param.name);
    let missing = graph.params.iter().filter(|param| param.default.is_none() && !param.optional && !is_given(param));
    for param in missing {
        let message = format!("`{target}` needs parameter `{}`", param.name);
        let told = param.description.as_ref().map_or_else(String::new, |what| format!(" ({what})"));
        let diagnostic = reader.at(Code::CALL_PARAM_MISSING, span, message).help(format!(
            "write `call: {{ runbook: {target}, params: {{ {}: … }} }}`; it is of type `{}`{told}",
            param.name,
            param.kind.name()
        ));
        reader.report(diagnostic);
    }
    let outputs = graph.outputs.iter().map(|(name, _)| name.clone()).collect();
    Some(Kind::Call(Box::new(Call { runbook, params: given, wait: true, outputs })))
}

/// A value for a parameter, of the type that it has there.
fn value_of(reader: &mut Reader, param: &Param, node: &Node) -> Option<Field> {
    let what = format!("parameter `{}`", param.name);
    let before = reader.found();
    let field = match (&param.kind, node) {
        (ParamType::Secret, Node::Scalar(scalar)) if scalar.text.contains("${{") => {
            reader.template(scalar, Place::CallSecret)?
        }
        (ParamType::Secret, _) => reader.secret_reference(node, &what)?,
        (kind, _) => reader.param_value(node, &what, kind, Place::CallParam)?,
    };
    if let Field::Const(value) = &field
        && reader.found() == before
        && let Err(error) = param::check(param, value)
    {
        let diagnostic = reader.at(Code::CALL_PARAM, node.span(), format!("{what} {error}"));
        reader.report(diagnostic);
    }
    Some(field)
}

fn unknown(reader: &mut Reader, key: &Scalar, graph: &Graph, target: &str) {
    let names = || graph.params.iter().map(|param| param.name.as_str());
    let message = format!("`{target}` has no parameter `{}`", shorten(&key.text));
    let diagnostic = reader.at(Code::CALL_PARAM, key.span, message).help(match suggest(&key.text, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if graph.params.is_empty() => "it takes none".to_owned(),
        None => format!("its parameters are {}", crate::compile::keys::quoted(&names().collect::<Vec<_>>())),
    });
    reader.report(diagnostic);
}
