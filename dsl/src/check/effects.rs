//! Rule: nothing runs twice by accident. What would repeat a step that must run once is refused, unless the runbook says
//! that repeating it does no harm.

use crate::compile::lower::effects;
use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::{Effect, Kind, NodeId, Role};
use crate::runbook::{Runbook, Step};
use crate::source::Span;

use super::Case;

/// Checks what repeats steps.
pub fn check(case: &Case, report: &mut Report) {
    let effects = effects(case.book);
    let effect = |id: NodeId| effects[id.0 as usize];
    for (id, step) in case.book.steps() {
        if step.kind.is_none() {
            continue;
        }
        if let Some(until) = &step.until
            && effect(id) == Effect::Once
        {
            let message = "`until` repeats a step that must run once";
            let diagnostic = repeated(case, id, &effects, report.at(Code::UNTIL_OF_ONCE, until.span, message));
            report.push(
                diagnostic.help("if it may be repeated, say so: `effect: idempotent`, or `pure` where it only looks"),
            );
        }
        // A block that says `pure` while a step in it acts once says nothing about repeating that step, and of one that
        // says `once` itself nothing can be undone but by its own `undo`.
        let may_repeat = step.effect.as_ref().is_some_and(|effect| effect.value == Effect::Idempotent);
        let says_once = step.effect.as_ref().is_some_and(|effect| effect.value == Effect::Once) && step.undo.is_none();
        let repeats_once = says_once || (!may_repeat && holds_once(case, id, &effects));
        if let (Some(Kind::Call(call)), Some(retry)) = (&step.kind, &step.retry)
            && !may_repeat
            && step.undo.is_none()
            && let Some(once) = case.book.called_by(call).graph.once()
            && retry.value.iter().any(|rule| rule.attempts > 1)
        {
            let target = &case.book.called_by(call).target;
            let message =
                format!("a retry of this call would repeat step `{}` of `{target}`, which must run once", once.path);
            report.push(
                report
                    .at(Code::RETRY_OF_ONCE, retry.span, message)
                    .help("retry the steps one by one there, or say there how what they did is undone")
                    .help("if the whole runbook may be run again, say so: `effect: idempotent`"),
            );
        }
        if let Some(retry) = step.retry.as_ref().filter(|_| step.is_block())
            && repeats_once
            && retry.value.iter().any(|rule| rule.attempts > 1)
        {
            let message = "a retry of this block would repeat a step that must run once";
            let diagnostic = repeated(case, id, &effects, report.at(Code::RETRY_OF_ONCE, retry.span, message));
            report.push(
                diagnostic
                    .help("retry the steps one by one, where a definite failure is known to have done nothing")
                    .help("or say how what it did is taken back before the block begins again: `undo: [...]`")
                    .help("if the whole block may be repeated, say so: `effect: idempotent`"),
            );
        }
        meaningless(case, id, report);
    }
}

/// Whether a step inside must run once.
fn holds_once(case: &Case, id: NodeId, effects: &[Effect]) -> bool {
    case.book.steps().any(|(inner, step)| {
        let says_once = step.effect.as_ref().is_some_and(|effect| effect.value == Effect::Once);
        let acts_once = acts_once(case.book, step) && effects[inner.0 as usize] == Effect::Once;
        (acts_once || says_once) && is_repeated(case.book, inner, id)
    })
}

/// Whether a step acts, itself or by a run that it calls and that would repeat what must run once.
fn acts_once(book: &Runbook, step: &Step) -> bool {
    match &step.kind {
        Some(Kind::Call(call)) => book.called_by(call).graph.once().is_some(),
        Some(_) | None => step.is_acting(),
    }
}

/// Whether a retry of a block repeats a step inside it that nothing undoes before, and nobody says that it may.
fn is_repeated(book: &Runbook, inner: NodeId, block: NodeId) -> bool {
    let between = || book.around(inner).take_while(|id| *id != block);
    let is_undone = between().chain([block]).any(|id| book.step(id).undo.is_some());
    let undoes = between().any(|id| book.block(book.step(id).block).role == Role::Undo);
    let may_repeat = between()
        .skip(1)
        .any(|id| book.step(id).effect.as_ref().is_some_and(|effect| effect.value == Effect::Idempotent));
    book.is_inside(inner, block) && !is_undone && !undoes && !may_repeat
}

/// Points at the step inside that must run once.
fn repeated(
    case: &Case,
    id: NodeId,
    effects: &[Effect],
    diagnostic: crate::diagnostic::Diagnostic,
) -> crate::diagnostic::Diagnostic {
    let inner = case.book.steps().find(|(inner, step)| {
        acts_once(case.book, step) && effects[inner.0 as usize] == Effect::Once && is_repeated(case.book, *inner, id)
    });
    match inner {
        Some((inner, step)) => {
            let span: Span = step.id.as_ref().map_or(step.span, |id| id.span);
            diagnostic.also(span, format!("`{}` has `effect: once`", case.book.label(inner)))
        }
        None => diagnostic,
    }
}

/// Warns of an effect on a step that has none.
fn meaningless(case: &Case, id: NodeId, report: &mut Report) {
    let step = case.book.step(id);
    let (Some(effect), Some(kind)) = (&step.effect, &step.kind) else { return };
    if step.is_acting() || step.is_block() || matches!(kind, Kind::Call(_)) || effect.value == Effect::Pure {
        return;
    }
    let message =
        format!("`{}` changes nothing in the world, so `effect: {}` says nothing", kind.name(), effect.value.name());
    report.push(report.at(Code::EFFECT_WITHOUT_MEANING, effect.span, message).help("leave it out"));
}
