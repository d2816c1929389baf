//! How a run begins where not simply at its beginning: `run --from`, `--skip` and `--step`.

use lockstep_dsl::diagnostic::suggest;
use lockstep_dsl::graph::{Graph, NodeId};
use serde::{Deserialize, Serialize};

use super::decide::Refused;
use super::record::Change;
use super::turn::Turn;
use super::waiver::gate_in;

/// What a run leaves out, and whether each of its steps waits for a person's word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Steps of the file that are not to run, whichever visit of them it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<NodeId>,
    /// The step of the runbook's own with which it begins: those that stand before it are skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NodeId>,
    /// Whether it is paused from its beginning, so that steps begin one by one as a person permits it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stepwise: bool,
}

impl Opening {
    /// Whether the run simply begins at its beginning.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// The opening that these paths of steps mean.
    ///
    /// # Errors
    /// There is no such step, the run cannot begin with it, or an approval would be left out.
    pub fn of(graph: &Graph, skip: &[String], from: Option<&str>, stepwise: bool) -> Result<Self, Refused> {
        let skip = skip.iter().map(|path| skipped(graph, path)).collect::<Result<_, _>>()?;
        let from = from.map(|id| first(graph, id)).transpose()?;
        Ok(Self { skip, from, stepwise })
    }
}

impl Turn<'_> {
    /// The run's own steps come to be, without those that it leaves out.
    pub fn open(&mut self, opening: &Opening) {
        let by = self.run.by.clone();
        if opening.stepwise {
            self.emit(Change::Paused { by: by.clone(), reason: Some("each step is confirmed".to_owned()) });
        }
        for node in &opening.skip {
            let (by, reason) = (by.clone(), "`run --skip`".to_owned());
            self.emit(Change::Waived { step: None, node: *node, by, reason });
        }
        let (main, no) = (self.run.graph.main, self.run.activations.next());
        self.emit(Change::Activated { block: main, owner: None });
        if let Some(from) = opening.from {
            let reason = format!("`run --from {}`", self.run.graph.node(from).name);
            for step in self.run.steps_of(no) {
                let node = self.run.step(step).node;
                if self.run.links.place(node) < self.run.links.place(from) {
                    let (by, reason) = (by.clone(), reason.clone());
                    self.emit(Change::Waived { step: Some(step), node, by, reason });
                }
            }
        }
        self.enter(no);
    }
}

fn skipped(graph: &Graph, path: &str) -> Result<NodeId, Refused> {
    let node = node_by_path(graph, path).ok_or_else(|| unknown(graph, path, |_| true))?;
    match gate_in(graph, node) {
        Some(gate) => Err(gated(&format!("`--skip {path}`"), &gate)),
        None => Ok(node),
    }
}

fn first(graph: &Graph, id: &str) -> Result<NodeId, Refused> {
    let own = &graph.block(graph.main).steps;
    let Some(place) = own.iter().position(|node| graph.node(*node).name == id) else {
        if node_by_path(graph, id).is_some() {
            return Err(Refused::Instead {
                why: format!("a run cannot begin with step `{id}`, which stands in a block"),
                instead: "name one of the runbook's own steps, and leave out others with `--skip PATH`".to_owned(),
            });
        }
        return Err(unknown(graph, id, |node| own.contains(&node)));
    };
    let gate = own[..place].iter().find_map(|node| gate_in(graph, *node));
    gate.map_or(Ok(own[place]), |gate| Err(gated(&format!("`--from {id}`"), &gate)))
}

/// The step of the file with this path, or with the path that it would have in a run: there a handler is `catch`, whichever
/// of the step's handlers it is, since only one of them runs.
pub(super) fn node_by_path(graph: &Graph, path: &str) -> Option<NodeId> {
    let in_file = graph.nodes.iter().position(|node| node.path == path);
    let in_run = || {
        let mut same = graph.nodes.iter().enumerate().filter(|(_, node)| is_in_run(&node.path, path));
        match (same.next(), same.next()) {
            (Some((only, _)), None) => Some(only),
            _ => None,
        }
    };
    u32::try_from(in_file.or_else(in_run)?).ok().map(NodeId)
}

/// Whether a path of the file is this one in a run.
fn is_in_run(in_file: &str, in_run: &str) -> bool {
    let is_handler = |name: &str| name.strip_prefix("catch#").is_some_and(|number| number.parse::<u32>().is_ok());
    let names = in_file.split('/').map(|name| if is_handler(name) { "catch" } else { name });
    names.eq(in_run.split('/'))
}

fn unknown(graph: &Graph, path: &str, is_meant: impl Fn(NodeId) -> bool) -> Refused {
    let nodes = (0..).map(NodeId).zip(&graph.nodes).filter(|(no, _)| is_meant(*no));
    let known: Vec<&str> = nodes.map(|(_, node)| node.path.as_str()).collect();
    let instead = match suggest(path, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`lockstep graph FILE` names the steps".to_owned(),
    };
    Refused::Instead { why: format!("`{}` has no step `{path}`", graph.runbook), instead }
}

fn gated(option: &str, gate: &str) -> Refused {
    Refused::Instead {
        why: format!("{option} would leave out `{gate}`, which asks for an approval"),
        instead: "what asks for an approval is not skipped: nobody would have approved what comes behind it".to_owned(),
    }
}
