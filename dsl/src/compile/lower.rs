//! From the checked runbook to the graph: defaults are filled in, names become indices, nothing can fail any more.

use std::collections::BTreeSet;

use crate::graph::{
    Block, Catch, Effect, Expr, FORMAT, Field, Graph, Kind, Next, Node, NodeId, OnError, Retry, Role, Taken, Timeout,
    Until,
};
use crate::runbook::{JumpOrigin, Runbook, Step, Timeouts};
use crate::source::{Source, Spanned};
use crate::value::Millis;

use super::resolve::{Reads, Resolved};

/// Time for one attempt of an acting step.
const ATTEMPT: Millis = Millis(3_600_000);
/// Time for who is waited for to say something.
const AWAITED: Millis = Millis(7 * 24 * 3_600_000);
/// Time for all rounds of `until`.
const UNTIL_TOTAL: Millis = Millis(3_600_000);
/// Time between two rounds of `until`.
const EVERY: Millis = Millis(5_000);
/// Time between SIGTERM and SIGKILL.
const GRACE: Millis = Millis(10_000);

/// Makes the graph. The runbook must be free of errors.
pub fn lower(mut book: Runbook, resolved: Resolved, source: &Source) -> Graph {
    let effects = effects(&book);
    let paths = paths(&book);
    let envs: Vec<Vec<(String, Field)>> = book.steps().map(|(id, _)| env(&book, id)).collect();
    let vars: BTreeSet<String> = book
        .steps
        .iter()
        .filter_map(|step| match &step.kind {
            Some(Kind::Set(variables)) => Some(variables.iter().map(|(name, _)| name.clone())),
            _ => None,
        })
        .flatten()
        .collect();
    let exprs = book.exprs.iter().zip(resolved.reads).map(|(expr, reads)| lower_expr(expr, reads, source)).collect();
    let steps = std::mem::take(&mut book.steps);
    let mut nodes: Vec<Node> = steps
        .into_iter()
        .zip(resolved.needs)
        .zip(effects.into_iter().zip(paths).zip(envs))
        .map(|((step, needs), ((effect, path), env))| lower_step(step, needs, effect, path, env, &book, source))
        .collect();
    for (jump, to) in book.jumps.iter().zip(&resolved.jumps) {
        lower_jump(&mut nodes[jump.step.0 as usize], jump.origin, to.map(|(to, _)| to));
    }
    Graph {
        format: FORMAT,
        runbook: book.name.map(|name| name.value).unwrap_or_default(),
        file: source.name().to_owned(),
        description: book.description,
        owner: book.owner,
        labels: book.labels,
        params: book.params.into_iter().map(|param| param.value).collect(),
        vars: vars.into_iter().collect(),
        env: unspanned(book.env),
        modules: book.imports.into_iter().map(|import| import.module).collect(),
        files: book.files,
        called: book.called,
        nodes,
        blocks: book
            .blocks
            .into_iter()
            .map(|block| Block { owner: block.owner, role: block.role, steps: block.steps })
            .collect(),
        exprs,
        main: book.main.expect("a runbook without steps has been refused"),
        on_failure: book.on_failure,
        finally: book.finally,
        outputs: unspanned(book.outputs),
        timeout: book.timeout.map(|timeout| timeout.value),
        concurrency: book.concurrency,
        triggers: book.triggers,
    }
}

fn lower_step(
    step: Step,
    needs: Vec<NodeId>,
    effect: Effect,
    path: String,
    env: Vec<(String, Field)>,
    book: &Runbook,
    source: &Source,
) -> Node {
    let name = step.id.as_ref().map_or_else(|| step.display_name(), |id| id.value.clone());
    let retry = retry(&step, book);
    let timeout = timeout(&step, &book.defaults.timeout);
    let taken = taken(&step, book);
    let withholds = !taken.is_empty();
    let every = step.every.map_or(EVERY, |every| every.value);
    Node {
        id: step.id.map(|id| id.value),
        name,
        path,
        title: step.title,
        block: step.block,
        needs,
        when: step.when,
        disabled: step.disabled.map(|reason| reason.value),
        effect,
        retry,
        timeout,
        on_error: step.on_error.map_or(OnError::Fail, |on_error| on_error.value),
        on_error_next: None,
        next: None,
        catch: step
            .catch
            .into_iter()
            .map(|handler| Catch { when: handler.when, block: handler.block, next: None })
            .collect(),
        finally: step.finally.map(|block| block.value),
        undo: step.undo.map(|block| block.value),
        probe: step.probe.map(|probe| probe.value),
        taken,
        outputs: if withholds { Vec::new() } else { unspanned(step.outputs) },
        env,
        until: step.until.map(|until| Until { until: until.value, every }),
        lock: step.lock,
        at: source.location(step.span.start),
        kind: step.kind.expect("a step without a kind has been refused"),
    }
}

/// What is taken from the result of a step with secret outputs. Whatever a command writes to `$LOCKSTEP_OUTPUT` stands in
/// its result by its own name.
fn taken(step: &Step, book: &Runbook) -> Vec<Taken> {
    if step.secret_outputs.is_empty() {
        return Vec::new();
    }
    let is_secret = |name: &str| step.secret_outputs.iter().any(|secret| secret.value == name);
    let declared = step.outputs.iter().filter_map(|(name, expr)| {
        let mut path = book.expr(*expr).plain_path()?;
        if path[0] == "output" && path.len() > 1 {
            path.remove(0);
        }
        let path = path.into_iter().map(str::to_owned).collect();
        Some(Taken { name: name.value.clone(), path, secret: is_secret(&name.value) })
    });
    let is_declared = |name: &str| step.outputs.iter().any(|(declared, _)| declared.value == name);
    let others = step.secret_outputs.iter().filter(|name| !is_declared(&name.value));
    let others = others.map(|name| Taken { name: name.value.clone(), path: vec![name.value.clone()], secret: true });
    declared.chain(others).collect()
}

fn lower_jump(node: &mut Node, origin: JumpOrigin, to: Option<Next>) {
    match origin {
        JumpOrigin::Step => node.next = to,
        JumpOrigin::OnError => node.on_error_next = to,
        JumpOrigin::Catch(entry) => {
            if let Some(entry) = node.catch.get_mut(entry) {
                entry.next = to;
            }
        }
        JumpOrigin::Case(case) => {
            if let Kind::Switch(switch) = &mut node.kind
                && let Some(case) = switch.cases.iter_mut().chain(&mut switch.otherwise).nth(case)
            {
                case.next = to;
            }
        }
    }
}

/// A step's own rules, else those of `defaults` where it acts. `until` repeats in its own way.
fn retry(step: &Step, book: &Runbook) -> Vec<Retry> {
    match &step.retry {
        Some(own) => own.value.clone(),
        // A probe is asked once.
        None if step.is_acting() && step.until.is_none() && book.block(step.block).role != Role::Probe => {
            book.defaults.retry.clone()
        }
        None => Vec::new(),
    }
}

/// A step's own limits, else those of `defaults` where it acts, else the language's.
fn timeout(step: &Step, defaults: &Timeouts) -> Timeout {
    let own = &step.timeout;
    let part = |own: &Option<Spanned<Millis>>, default: &Option<Spanned<Millis>>| {
        own.as_ref().or(default.as_ref().filter(|_| step.is_acting())).map(|part| part.value)
    };
    let total = part(&own.total, &defaults.total).or(step.until.as_ref().map(|_| UNTIL_TOTAL));
    let awaits = step.kind.as_ref().is_some_and(Kind::is_awaiting);
    let longest = if awaits { Some(AWAITED) } else { step.is_acting().then_some(ATTEMPT) };
    let attempt = part(&own.attempt, &defaults.attempt).or(longest);
    Timeout { attempt, total, grace: part(&own.grace, &defaults.grace).unwrap_or(GRACE) }
}

/// The effect of every step: what it says, else its kind's, and for a block the strongest inside it.
pub fn effects(book: &Runbook) -> Vec<Effect> {
    let own = |step: &Step| match &step.kind {
        _ if step.effect.is_some() => step.effect.as_ref().map_or(Effect::Pure, |effect| effect.value),
        Some(Kind::Shell(_) | Kind::Exec(_)) => Effect::Once,
        Some(Kind::Http(http)) if matches!(http.method.as_str(), "POST" | "PATCH") => Effect::Once,
        Some(Kind::Http(_)) => Effect::Idempotent,
        Some(Kind::Call(call)) => book.called_by(call).graph.effect(),
        _ => Effect::Pure,
    };
    let mut effects: Vec<Effect> = book.steps.iter().map(own).collect();
    // A step stands behind the one that holds it, so from the back every step is done before its holder.
    for (index, step) in book.steps.iter().enumerate().rev() {
        // What compensates a step is no part of what it does.
        if let Some(holder) = book.holder(step.block)
            && book.step(holder).effect.is_none()
            && !matches!(book.block(step.block).role, Role::Undo | Role::Probe)
        {
            let holder = holder.0 as usize;
            effects[holder] = effects[holder].max(effects[index]);
        }
    }
    effects
}

/// The path of every step.
fn paths(book: &Runbook) -> Vec<String> {
    let mut paths: Vec<String> = Vec::with_capacity(book.steps.len());
    for (id, step) in book.steps() {
        let block = book.block(step.block);
        let owner = block.owner.map(|owner| paths[owner.0 as usize].as_str()).unwrap_or_default();
        let name = book.label(id);
        paths.push(match &block.role {
            Role::Main => name,
            Role::OnFailure => format!("on_failure/{name}"),
            Role::Finally => format!("finally/{name}"),
            Role::Do | Role::Round | Role::Item => format!("{owner}/{name}"),
            Role::Branch(part) | Role::Case(part) => format!("{owner}/{part}/{name}"),
            Role::Catch(0) => format!("{owner}/catch/{name}"),
            Role::Catch(index) => format!("{owner}/catch#{}/{name}", index + 1),
            Role::StepFinally => format!("{owner}/finally/{name}"),
            Role::Undo => format!("{owner}/undo/{name}"),
            Role::Probe => format!("{owner}/probe/{name}"),
        });
    }
    paths
}

/// The environment of a step: that of the steps around it, outermost first; the inner one of two names holds.
fn env(book: &Runbook, id: NodeId) -> Vec<(String, Field)> {
    let mut around: Vec<NodeId> = book.around(id).collect();
    around.reverse();
    let mut env: Vec<(String, Field)> = Vec::new();
    for step in around {
        for (name, field) in &book.step(step).env {
            env.retain(|(other, _)| *other != name.value);
            env.push((name.value.clone(), field.clone()));
        }
    }
    env
}

fn lower_expr(expr: &crate::runbook::Expression, reads: Reads, source: &Source) -> Expr {
    let starts = std::iter::once(0).chain(expr.source.match_indices('\n').map(|(at, _)| at + 1));
    let mut steps: Vec<(String, NodeId)> = reads.steps.into_iter().map(|read| (read.name, read.step)).collect();
    steps.sort();
    steps.dedup();
    Expr {
        lines: starts.map(|at| source.location(expr.locate(at, at).start)).collect(),
        source: expr.source.clone(),
        statements: expr.statements,
        condition: expr.place.is_condition(),
        steps,
        names: reads.names,
    }
}

fn unspanned<T>(entries: Vec<(Spanned<String>, T)>) -> Vec<(String, T)> {
    entries.into_iter().map(|(key, value)| (key.value, value)).collect()
}
