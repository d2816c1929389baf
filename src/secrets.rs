//! What `env:` secrets of a run are read from: the environment of whoever asks for it, not of whoever carries it.

use std::collections::BTreeMap;

use lockstep_dsl::graph::{Field, Graph};
use lockstep_dsl::value::{Map, SecretPart, SecretRef, Value};
use lockstep_engine::api::SecretEnvironment;

/// The variables that the given parameters and the defaults of the others name, with their values here. One that is
/// not set is left out: the step that needs it says so.
pub fn environment(graph: &Graph, params: &Map) -> SecretEnvironment {
    let mut names = Vec::new();
    for value in params.values() {
        collect(value, &mut names);
    }
    for param in graph.params.iter().filter(|param| !params.contains_key(&param.name)) {
        if let Some(Field::Const(value)) = &param.default {
            collect(value, &mut names);
        }
    }
    let read = |name: String| std::env::var(&name).ok().map(|value| (name, value));
    SecretEnvironment(names.into_iter().filter_map(read).collect::<BTreeMap<_, _>>())
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Secret(text) => names.extend(text.0.iter().filter_map(|part| match part {
            SecretPart::Reference(SecretRef::Env(name)) => Some(name.clone()),
            SecretPart::Reference(SecretRef::File(_) | SecretRef::Store(_)) | SecretPart::Plain(_) => None,
        })),
        Value::List(values) => values.iter().for_each(|value| collect(value, names)),
        Value::Map(map) => map.values().for_each(|value| collect(value, names)),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Duration(_)
        | Value::Time(_) => {}
    }
}
