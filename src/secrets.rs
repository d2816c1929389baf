//! What `env:` secrets of a run are read from: the environment of whoever asks for it, not of whoever carries it.

use lockstep_dsl::graph::{Field, Graph};
use lockstep_dsl::value::{Map, SecretRef, Value};
use lockstep_engine::api::SecretEnvironment;

/// The variables that the given parameters and the defaults of the others name, with their values here. One that is
/// not set is left out: the step that needs it says so.
pub fn environment(graph: &Graph, params: &Map) -> SecretEnvironment {
    let defaults =
        graph.params.iter().filter(|param| !params.contains_key(&param.name)).filter_map(|param| {
            match &param.default {
                Some(Field::Const(value)) => Some(value),
                Some(Field::Expr(_) | Field::Text(_) | Field::List(_) | Field::Map(_)) | None => None,
            }
        });
    let names = params.values().chain(defaults).flat_map(Value::secret_references).filter_map(variable);
    let read = |name: &str| std::env::var(name).ok().map(|value| (name.to_owned(), value));
    SecretEnvironment(names.filter_map(read).collect())
}

fn variable(reference: &SecretRef) -> Option<&str> {
    match reference {
        SecretRef::Env(name) => Some(name),
        SecretRef::File(_) | SecretRef::Store(_) => None,
    }
}
