//! What can be read of a step.

use crate::diagnostic::suggest;
use crate::graph::{Foreach, Kind, NodeId, Script};
use crate::runbook::{Runbook, Step};

use super::super::keys::quoted;

/// What every step has, whatever it does. No output and no nested step may take one of these names.
pub const FIELDS: &[&str] = &["status", "attempts", "error", "handled", "started", "ended"];

const COMMAND: &[&str] = &["stdout", "stderr", "exit_code", "lines", "json", "truncated"];
const HTTP: &[&str] = &["code", "headers", "body", "json", "truncated"];
const SCRIPT: &[&str] = &["value"];
const ROUNDS: &[&str] = &["rounds"];
const SIGNAL: &[&str] = &["payload", "by"];
/// The id of the run that a `call` started.
const RUN: &str = "run";
const APPROVAL: &[&str] = &["by", "comment", "approvals"];

/// The outputs of a `foreach`.
fn of_items(foreach: &Foreach) -> Vec<&'static str> {
    let results: &[&str] = if foreach.results { &["results", "truncated"] } else { &[] };
    [&["succeeded", "failed"], results].concat()
}

/// What is left of the result of a command, and of a request, that has secret outputs.
const NOT_WITHHELD: &[&str] = &["exit_code", "code"];

/// Whether a name of a step's result is withheld, since the step has secret outputs.
pub fn is_withheld(step: &Step, name: &str) -> bool {
    let known: &[&str] = match &step.kind {
        Some(Kind::Shell(_) | Kind::Exec(_)) => COMMAND,
        Some(Kind::Http(_)) => HTTP,
        _ => return false,
    };
    let is_own = step.secret_outputs.iter().any(|secret| secret.value == name)
        || step.outputs.iter().any(|(declared, _)| declared.value == name);
    !step.secret_outputs.is_empty() && !is_own && known.contains(&name) && !NOT_WITHHELD.contains(&name)
}

/// The names under which a step's own result is seen by its `outputs`, `until` and handlers.
pub fn of_result(kind: &Kind) -> Vec<&str> {
    match kind {
        Kind::Shell(_) | Kind::Exec(_) => COMMAND.iter().copied().chain(["output"]).collect(),
        Kind::Http(_) => HTTP.to_vec(),
        Kind::Script(_) => SCRIPT.to_vec(),
        Kind::Foreach(foreach) => of_items(foreach),
        Kind::Repeat(_) => ROUNDS.to_vec(),
        Kind::AwaitSignal(_) => SIGNAL.to_vec(),
        Kind::Approve(_) => APPROVAL.to_vec(),
        Kind::Ask(ask) => ask.fields.iter().map(|field| field.name.as_str()).collect(),
        Kind::Call(call) => {
            let declared = call.outputs.iter().map(String::as_str).filter(|name| call.wait && !FIELDS.contains(name));
            declared.chain([RUN, "output"]).collect()
        }
        Kind::Set(variables) => variables.iter().map(|(name, _)| name.as_str()).collect(),
        Kind::Assert { .. }
        | Kind::WaitFor(_)
        | Kind::WaitUntil(_)
        | Kind::Do(_)
        | Kind::Parallel(_)
        | Kind::Switch(_)
        | Kind::Fail { .. }
        | Kind::Finish { .. } => Vec::new(),
    }
}

/// The outputs of a step.
pub struct Outputs<'a> {
    names: Vec<&'a str>,
    nested: Vec<&'a str>,
    /// Whether there may be others, which only the running command knows.
    pub open: bool,
    /// Whether the runbook itself says that there are others.
    wide: bool,
}

impl<'a> Outputs<'a> {
    /// The outputs of a step; `None` where its kind could not be read.
    pub fn of(book: &'a Runbook, id: NodeId) -> Option<Self> {
        let step = book.step(id);
        let declared = step.outputs.iter().map(|(name, _)| name.value.as_str());
        let ids = |block: &crate::graph::BlockId| -> Vec<&'a str> {
            book.block(*block)
                .steps
                .iter()
                .filter_map(|id| book.step(*id).id.as_ref())
                .map(|id| id.value.as_str())
                .collect()
        };
        let (names, nested, open, wide) = match step.kind.as_ref()? {
            Kind::Shell(shell) => (COMMAND.to_vec(), Vec::new(), true, mentions_output(book, &shell.script)),
            Kind::Exec(_) => (COMMAND.to_vec(), Vec::new(), true, false),
            Kind::Script(_) => (SCRIPT.to_vec(), Vec::new(), true, true),
            Kind::Http(_) => (HTTP.to_vec(), Vec::new(), false, false),
            Kind::AwaitSignal(_) | Kind::Approve(_) | Kind::Ask(_) => {
                (of_result(step.kind.as_ref()?), Vec::new(), false, false)
            }
            Kind::Set(variables) => {
                (variables.iter().map(|(name, _)| name.as_str()).collect(), Vec::new(), false, false)
            }
            Kind::Call(call) => {
                let declared = call.outputs.iter().map(String::as_str).filter(|_| call.wait);
                // A `finish` in it may give others.
                let finishes = |node: &crate::graph::Node| matches!(node.kind, Kind::Finish { outputs: Some(_) });
                let open = call.wait && book.called_by(call).graph.nodes.iter().any(finishes);
                (declared.chain([RUN]).collect(), Vec::new(), open, open)
            }
            Kind::Repeat(repeat) => (ROUNDS.to_vec(), ids(&repeat.body), false, false),
            Kind::Foreach(foreach) => (of_items(foreach), Vec::new(), false, false),
            Kind::Do(block) => (Vec::new(), ids(block), false, false),
            Kind::Switch(switch) => {
                (Vec::new(), switch.all().flat_map(|case| ids(&case.block)).collect(), false, false)
            }
            Kind::Parallel(parallel) => {
                (Vec::new(), parallel.branches.iter().map(|(name, _)| name.as_str()).collect(), false, false)
            }
            Kind::Assert { .. } | Kind::WaitFor(_) | Kind::WaitUntil(_) | Kind::Fail { .. } | Kind::Finish { .. } => {
                (Vec::new(), Vec::new(), false, false)
            }
        };
        let secret = step.secret_outputs.iter().map(|name| name.value.as_str());
        let names = names.into_iter().filter(|name| !is_withheld(step, name));
        Some(Self { names: names.chain(declared).chain(secret).collect(), nested, open, wide })
    }

    /// Whether a name can exist. Where a command may write any name, one that is almost another is still a slip.
    pub fn may_have(&self, name: &str) -> bool {
        let is_known = self.names.contains(&name) || self.nested.contains(&name) || FIELDS.contains(&name);
        is_known || (self.open && (self.wide || self.near(name).is_none()))
    }

    /// The name that was probably meant.
    pub fn near(&self, name: &str) -> Option<&'a str> {
        suggest(name, self.names.iter().chain(&self.nested).copied().chain(FIELDS.iter().copied()))
    }

    /// What there is, for a help.
    pub fn describe(&self) -> String {
        let names: Vec<&str> = self.names.iter().chain(&self.nested).copied().collect();
        if names.is_empty() {
            format!("it has only {}", quoted(FIELDS))
        } else {
            format!("it has {}, and as every step {}", quoted(&names), quoted(FIELDS))
        }
    }
}

fn mentions_output(book: &Runbook, script: &Script) -> bool {
    const NAME: &str = "LOCKSTEP_OUTPUT";
    match script {
        Script::Inline(text) => text.contains(NAME),
        Script::File(name) => book
            .files
            .iter()
            .find(|file| file.name == *name)
            .is_some_and(|file| String::from_utf8_lossy(&file.content).contains(NAME)),
    }
}
