//! Rule: nothing runs twice by accident. What would repeat a step that must run once is refused, unless the runbook says
//! that repeating it does no harm.

use crate::compile::lower::effects;
use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::{Effect, NodeId};
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
        // A block that says `pure` while a step in it acts once says nothing about repeating that step.
        let says_pure = step.effect.as_ref().is_some_and(|effect| effect.value == Effect::Pure);
        let repeats_once = effect(id) == Effect::Once || (says_pure && holds_once(case, id, &effects));
        if let Some(retry) = step.retry.as_ref().filter(|_| step.is_block())
            && repeats_once
            && retry.value.iter().any(|rule| rule.attempts > 1)
        {
            let message = "a retry of this block would repeat a step that must run once";
            let diagnostic = repeated(case, id, &effects, report.at(Code::RETRY_OF_ONCE, retry.span, message));
            report.push(
                diagnostic
                    .help("retry the steps one by one, where a definite failure is known to have done nothing")
                    .help("if the whole block may be repeated, say so: `effect: idempotent`"),
            );
        }
        meaningless(case, id, report);
    }
}

/// Whether a step inside must run once.
fn holds_once(case: &Case, id: NodeId, effects: &[Effect]) -> bool {
    case.book.steps().any(|(inner, step)| {
        case.book.is_inside(inner, id) && step.is_acting() && effects[inner.0 as usize] == Effect::Once
    })
}

/// Points at the step inside that must run once.
fn repeated(
    case: &Case,
    id: NodeId,
    effects: &[Effect],
    diagnostic: crate::diagnostic::Diagnostic,
) -> crate::diagnostic::Diagnostic {
    let inner = case.book.steps().find(|(inner, step)| {
        case.book.is_inside(*inner, id) && step.is_acting() && effects[inner.0 as usize] == Effect::Once
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
    if step.is_acting() || step.is_block() || effect.value == Effect::Pure {
        return;
    }
    let message =
        format!("`{}` changes nothing in the world, so `effect: {}` says nothing", kind.name(), effect.value.name());
    report.push(report.at(Code::EFFECT_WITHOUT_MEANING, effect.span, message).help("leave it out"));
}
