//! What `env:` secrets of a run are read from: the environment of whoever asks for it, not of whoever carries it.

use std::collections::BTreeMap;

use lockstep_dsl::graph::{Field, Graph, Kind};
use lockstep_dsl::value::{Map, SecretRef, Value};
use lockstep_engine::api::SecretEnvironment;

/// The variables that the given parameters and the defaults of the others name, with their values here. One that is
/// not set is left out: the step that needs it says so.
pub fn environment(graph: &Graph, params: &Map) -> SecretEnvironment {
    let mut environment = BTreeMap::new();
    of_graph(graph, params, &mut environment);
    SecretEnvironment(environment)
}

/// The same for one runbook, and for those that it calls.
fn of_graph(graph: &Graph, params: &Map, environment: &mut BTreeMap<String, String>) {
    let defaults =
        graph.params.iter().filter(|param| !params.contains_key(&param.name)).filter_map(|param| {
            match &param.default {
                Some(Field::Const(value)) => Some(value),
                Some(Field::Expr(_) | Field::Text(_) | Field::List(_) | Field::Map(_)) | None => None,
            }
        });
    let names = params.values().chain(defaults).flat_map(Value::secret_references).filter_map(variable);
    let read = |name: &str| std::env::var(name).ok().map(|value| (name.to_owned(), value));
    environment.extend(names.filter_map(read));
    for node in &graph.nodes {
        let Kind::Call(call) = &node.kind else { continue };
        let fixed = |(name, field): &(String, Field)| match field {
            Field::Const(value) => Some((name.clone(), value.clone())),
            Field::Expr(_) | Field::Text(_) | Field::List(_) | Field::Map(_) => None,
        };
        of_graph(&graph.called_by(call).graph, &call.params.iter().filter_map(fixed).collect(), environment);
    }
}

fn variable(reference: &SecretRef) -> Option<&str> {
    match reference {
        SecretRef::Env(name) => Some(name),
        SecretRef::File(_) | SecretRef::Store(_) | SecretRef::Learned(_) => None,
    }
}
