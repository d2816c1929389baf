//! The names that an expression sees, taken from the run: only those that it uses.

use std::collections::BTreeMap;

use lockstep_dsl::expr::{Branch, Scope};
use lockstep_dsl::graph::{Expr, ExprId, Kind, NodeId, Role};
use lockstep_dsl::value::{SecretPart, SecretRef, SecretText, Value};

use super::context::Context;
use crate::core::run::{ActivationNo, Question, Run, RunError, StepStatus};
use crate::id::StepNo;

impl<'a> Context<'a> {
    /// The scope of expressions that stand in one place.
    pub(super) fn scope(&self, exprs: &[ExprId]) -> Scope<'a> {
        let run = self.run;
        let place = self.place_in_run();
        let mut scope = Scope::at(self.now);
        let mut steps: BTreeMap<String, Branch<'a>> = BTreeMap::new();
        for expr in exprs.iter().map(|id| run.graph.expr(*id)) {
            for (name, node) in one_of_each(run, &expr.steps, place) {
                let found = run.find(*node, place);
                let mut names = view(run, *node, found, unborn(run, *node, place));
                if !has_succeeded(run, found) {
                    // Which outputs such a step would have had is not always known: what is read of it is `()`.
                    for field in self.fields_read(expr, name) {
                        names.entry(field).or_insert(Branch::Owned(Value::Null));
                    }
                }
                hang(&mut steps, name, names);
            }
            for name in &expr.names {
                if scope.get(name).is_none()
                    && let Some(branch) = self.name(name, place, &expr.source)
                {
                    scope.set(name.as_str(), branch);
                }
            }
        }
        if !steps.is_empty() {
            scope.set("steps", steps);
        }
        scope
    }

    /// The activation whose names are seen: that of the step, or the last round of a `repeat` where that is asked about.
    fn place_in_run(&self) -> Option<ActivationNo> {
        let step = self.step?;
        let own = self.run.step(step).activation;
        match (&self.run.node_of(step).kind, self.question) {
            (Kind::Repeat(_), Question::When | Question::Lock | Question::Input) => Some(own),
            (Kind::Repeat(_), _) => Some(self.run.bodies(step).last().copied().unwrap_or(own)),
            _ => Some(own),
        }
    }

    /// The names that an expression reads of a step.
    fn fields_read(&self, expr: &Expr, step: &str) -> Vec<String> {
        let Ok(analysis) = self.sandbox.analyse(&expr.source, expr.statements) else { return Vec::new() };
        let fields = analysis.accesses.iter().filter(|access| access.root == "steps").filter_map(|access| {
            let mut segments = access.path.iter().map(|segment| segment.name.as_str());
            step.split('.').all(|name| segments.next() == Some(name)).then(|| segments.next().map(str::to_owned))?
        });
        fields.collect()
    }

    fn name(&self, name: &str, place: Option<ActivationNo>, source: &str) -> Option<Branch<'a>> {
        let run = self.run;
        match name {
            "params" => Some(Branch::Map(&run.params)),
            "vars" => {
                let mut vars = run.vars(place);
                for name in &run.graph.vars {
                    vars.entry(name.clone()).or_insert(Value::Null);
                }
                Some(Branch::Owned(Value::Map(vars)))
            }
            "run" => Some(run_names(run)),
            "error" => Some(Branch::Owned(self.error(place).map_or(Value::Null, RunError::to_value))),
            // A run by hand has none.
            "event" => Some(Branch::Owned(run.tick.as_ref().map_or(Value::Null, |tick| tick.event()))),
            "secrets" => Some(secrets(source)),
            _ => self.result(name).or_else(|| self.of_item(name, place)),
        }
    }

    /// The item or index of the innermost loop that has this name.
    fn of_item(&self, name: &str, place: Option<ActivationNo>) -> Option<Branch<'a>> {
        let run = self.run;
        if let ("index", Question::While, Some(step)) = (name, self.question, self.step) {
            // Of the round that is asked about.
            let next = run.step(step).looping.as_ref().map_or(0, |rounds| rounds.next);
            return Some(Branch::Owned(Value::Int(i64::try_from(next).unwrap_or(i64::MAX))));
        }
        run.items(place).find_map(|(activation, item)| {
            if name == "index" {
                return Some(Branch::Owned(Value::Int(i64::try_from(item.index).unwrap_or(i64::MAX))));
            }
            match &run.node_of(activation.owner?).kind {
                Kind::Foreach(foreach) if foreach.name == name => Some(Branch::Borrowed(&item.value)),
                _ => None,
            }
        })
    }

    /// The error that `error` means: in the conditions of a step its own, else that of the handler around it.
    fn error(&self, place: Option<ActivationNo>) -> Option<&'a RunError> {
        let run = self.run;
        match (self.question, self.step) {
            (Question::Until | Question::Retry(_) | Question::Catch(_), Some(step)) => run.step(step).error.as_deref(),
            _ => run.error_at(place),
        }
    }

    /// A name of the step's own result, in its `outputs` and conditions.
    fn result(&self, name: &str) -> Option<Branch<'a>> {
        let step = self.run.step(self.step?);
        match self.question {
            Question::Outputs | Question::Until | Question::Retry(_) | Question::Catch(_) => {}
            Question::When
            | Question::Title
            | Question::Lock
            | Question::Input
            | Question::While
            | Question::Round
            | Question::Page
            | Question::Probe
            | Question::RunOutputs => return None,
        }
        if let Some(value) = step.outputs.get(name) {
            return Some(Branch::Borrowed(value));
        }
        if name == "output" {
            return Some(Branch::Map(&step.outputs));
        }
        known_outputs(&self.run.node_of(self.step?).kind)
            .any(|known| known == name)
            .then_some(Branch::Owned(Value::Null))
    }
}

/// The steps that names mean: where several steps of a `switch` have one name, that of the case that ran last.
fn one_of_each<'a>(
    run: &Run,
    steps: &'a [(String, NodeId)],
    place: Option<ActivationNo>,
) -> impl Iterator<Item = (&'a String, &'a NodeId)> {
    steps.chunk_by(|one, other| one.0 == other.0).filter_map(move |same| {
        let ran = |node: NodeId| run.find(node, place).map(|no| run.step(no).activation);
        let (name, node) = same.iter().max_by_key(|(_, node)| ran(*node))?;
        Some((name, node))
    })
}

fn run_names(run: &Run) -> Branch<'_> {
    let outcome = run.outcome.map_or(Value::Null, |outcome| Value::from(outcome.name()));
    let names: [(&str, Value); 5] = [
        ("id", Value::from(run.id.to_string())),
        ("runbook", Value::from(run.graph.runbook.as_str())),
        ("started", run.started.map_or(Value::Null, Value::Time)),
        ("by", Value::from(run.by.as_str())),
        ("outcome", outcome),
    ];
    names.into_iter().map(|(name, value)| (name, Branch::Owned(value))).collect()
}

/// The secrets that the text names: each stands for its reference.
fn secrets<'a>(source: &str) -> Branch<'a> {
    let reference = |name: &str| {
        let text = SecretText(vec![SecretPart::Reference(SecretRef::Store(name.to_owned()))]);
        (name.to_owned(), Branch::Owned(Value::Secret(text)))
    };
    secret_names(source).map(reference).collect()
}

/// The names that stand behind `secrets.` in a text.
pub(crate) fn secret_names(source: &str) -> impl Iterator<Item = &str> {
    source.match_indices("secrets").filter_map(|(at, word)| {
        let rest = source[at + word.len()..].trim_start();
        let rest = rest.strip_prefix("?.").or_else(|| rest.strip_prefix('.'))?.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}

/// The status of a step that has not come to be: `skipped` once it cannot any more, since what it stands in has ended.
fn unborn(run: &Run, node: NodeId, place: Option<ActivationNo>) -> StepStatus {
    let Some(owner) = run.graph.block(run.graph.node(node).block).owner else { return StepStatus::Pending };
    match run.find(owner, place) {
        Some(no) => inside_of(run.step(no).status()),
        None => unborn(run, owner, place),
    }
}

/// The status of the steps that did not come to be in a step of this status.
const fn inside_of(status: StepStatus) -> StepStatus {
    if status.is_end() { StepStatus::Skipped } else { StepStatus::Pending }
}

/// What `steps.<name>` stands for: one visit of a step; `None` where it has not come to be, and then its status is
/// `unborn`.
fn view<'a>(run: &'a Run, node: NodeId, no: Option<StepNo>, unborn: StepStatus) -> BTreeMap<String, Branch<'a>> {
    let plan = run.graph.node(node);
    let mut names: BTreeMap<String, Branch<'a>> = BTreeMap::new();
    let step = no.map(|no| run.step(no));
    let ran: Vec<_> = no.map(|no| run.bodies(no)).unwrap_or_default().into_iter().map(Some).collect();
    let status = step.map_or(unborn, crate::core::run::Step::status);
    for block in plan.kind.blocks() {
        let activation = no.and_then(|no| run.latest.get(&(Some(no), block)).copied());
        let activated = activation.map(|activation| &run.activations[activation]);
        let inner: BTreeMap<String, Branch<'a>> = (0..)
            .zip(&run.graph.block(block).steps)
            .map(|(place, inner)| {
                let no = activated.map(|activation| activation.at(place));
                (run.graph.node(*inner).name.clone(), Branch::Names(view(run, *inner, no, inside_of(status))))
            })
            .collect();
        match &run.graph.block(block).role {
            Role::Branch(name) => {
                names.insert(name.clone(), Branch::Names(inner));
            }
            // A name that several cases use is that of the case that ran.
            Role::Case(_) if !ran.contains(&activation) => {
                for (name, branch) in inner {
                    names.entry(name).or_insert(branch);
                }
            }
            // What ran there is read through the results.
            Role::Item => {}
            Role::Main
            | Role::OnFailure
            | Role::Finally
            | Role::Do
            | Role::Round
            | Role::Case(_)
            | Role::Catch(_)
            | Role::StepFinally
            | Role::Undo
            | Role::Probe => names.extend(inner),
        }
    }
    if !has_succeeded(run, no) {
        // What did not come about can be read, and is `()`.
        let declared = plan.outputs.iter().map(|(name, _)| name.as_str());
        let known = known_outputs(&plan.kind).chain(set_names(&plan.kind)).chain(declared);
        names.extend(known.map(|name| (name.to_owned(), Branch::Owned(Value::Null))));
    }
    if let Some(step) = step {
        names.extend(step.outputs.iter().map(|(name, value)| (name.clone(), Branch::Borrowed(value))));
    }
    let time = |time: Option<lockstep_dsl::value::Timestamp>| time.map_or(Value::Null, Value::Time);
    let facts: [(&str, Value); 6] = [
        ("status", Value::from(status.name())),
        ("attempts", Value::Int(step.map_or(0, |step| i64::from(step.attempts)))),
        ("error", step.and_then(|step| step.error.as_deref()).map_or(Value::Null, RunError::to_value)),
        ("handled", Value::Bool(step.is_some_and(|step| step.handled))),
        ("started", time(step.and_then(|step| step.started))),
        ("ended", time(step.and_then(|step| step.ended))),
    ];
    names.extend(facts.into_iter().map(|(name, value)| (name.to_owned(), Branch::Owned(value))));
    names
}

/// Hangs names into a tree under a dotted path, beside what hangs there already.
fn hang<'a>(tree: &mut BTreeMap<String, Branch<'a>>, path: &str, names: BTreeMap<String, Branch<'a>>) {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    let branch = tree.entry(first.to_owned()).or_insert_with(|| Branch::Names(BTreeMap::new()));
    if !matches!(branch, Branch::Names(_)) {
        *branch = Branch::Names(BTreeMap::new());
    }
    if let Branch::Names(below) = branch {
        match rest {
            Some(rest) => hang(below, rest, names),
            None => {
                for (name, branch) in names {
                    below.entry(name).or_insert(branch);
                }
            }
        }
    }
}

fn has_succeeded(run: &Run, no: Option<StepNo>) -> bool {
    no.is_some_and(|no| run.step(no).status() == StepStatus::Succeeded)
}

/// The outputs that every step of a kind has once it has succeeded.
fn known_outputs(kind: &Kind) -> impl Iterator<Item = &str> {
    let names: &[&str] = match kind {
        Kind::Shell(_) | Kind::Exec(_) => &["stdout", "stderr", "exit_code", "lines", "json"],
        Kind::Http(_) => &["code", "headers", "body", "json"],
        Kind::Script(_) => &["value"],
        Kind::Foreach(_) => &["results", "succeeded", "failed"],
        Kind::Repeat(_) => &["rounds"],
        Kind::AwaitSignal(_) => &["payload", "by"],
        Kind::Approve(_) => &["by", "comment", "approvals"],
        Kind::Call(_) => &["run"],
        Kind::Set(_)
        | Kind::Ask(_)
        | Kind::Assert { .. }
        | Kind::WaitFor(_)
        | Kind::WaitUntil(_)
        | Kind::Do(_)
        | Kind::Parallel(_)
        | Kind::Switch(_)
        | Kind::Fail { .. }
        | Kind::Finish { .. } => &[],
    };
    names.iter().copied()
}

fn set_names(kind: &Kind) -> impl Iterator<Item = &str> {
    let set = if let Kind::Set(fields) = kind { fields.as_slice() } else { &[] };
    let asked = if let Kind::Ask(ask) = kind { ask.fields.as_slice() } else { &[] };
    let called = if let Kind::Call(call) = kind { call.outputs.as_slice() } else { &[] };
    set.iter()
        .map(|(name, _)| name.as_str())
        .chain(asked.iter().map(|field| field.name.as_str()))
        .chain(called.iter().map(String::as_str))
}
