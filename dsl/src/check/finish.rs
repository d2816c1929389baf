//! Rule: `finish` ends the run well, so it cannot stand where the run is at its end already, nor in one branch while
//! others run. What stands behind a step that always ends everything is never reached.

use std::collections::BTreeSet;

use crate::compile::report::Report;
use crate::compile::resolve::Relation;
use crate::diagnostic::Code;
use crate::graph::{Kind, NodeId, Role};
use crate::runbook::Step;

use super::Case;

/// Checks every `finish` and `fail`.
pub fn check(case: &Case, report: &mut Report) {
    let mut told = BTreeSet::new();
    for (id, step) in case.book.steps() {
        if let Some(Kind::Finish { .. }) = step.kind {
            place(case, id, step, report);
        }
        if ends_everything(step) && told.insert(step.block) {
            unreachable(case, id, step, report);
        }
    }
}

fn place(case: &Case, id: NodeId, step: &Step, report: &mut Report) {
    for around in case.book.around(id) {
        let block = case.book.block(case.book.step(around).block);
        let diagnostic = match &block.role {
            Role::Branch(branch) => report
                .at(
                    Code::FINISH_IN_BRANCH,
                    step.span,
                    format!("branch `{branch}` cannot finish the run: others are running"),
                )
                .help("to end the branch put `next: end` on a step of it"),
            Role::Round | Role::Item => report
                .at(
                    Code::FINISH_IN_BRANCH,
                    step.span,
                    "the body of a loop cannot finish the run: the loop has not ended",
                )
                .help("end the loop with `next: break`, and `finish` behind it"),
            Role::OnFailure => report
                .at(
                    Code::FINISH_TOO_LATE,
                    step.span,
                    "the run has failed when `on_failure` begins, and cannot be finished well",
                )
                .help("handle the failure where it happens, in a `catch`, and `finish` there"),
            Role::Finally | Role::StepFinally => report
                .at(Code::FINISH_TOO_LATE, step.span, "`finally` runs however things ended, and cannot change that")
                .help("finish the run among its `steps`"),
            Role::Undo => report
                .at(
                    Code::FINISH_TOO_LATE,
                    step.span,
                    "the run does not end well when something is undone, and `finish` cannot change that",
                )
                .help("finish the run among its `steps`"),
            Role::Main | Role::Do | Role::Case(_) | Role::Catch(_) | Role::Probe => continue,
        };
        report.push(diagnostic);
        return;
    }
}

/// Whether nothing of the block comes after a step.
fn ends_everything(step: &Step) -> bool {
    let always = step.when.is_none() && step.disabled.is_none();
    match step.kind {
        Some(Kind::Finish { .. }) => always,
        Some(Kind::Fail { .. }) => always && step.on_error.is_none() && step.catch.is_empty(),
        _ => false,
    }
}

fn unreachable(case: &Case, id: NodeId, step: &Step, report: &mut Report) {
    let behind = case
        .book
        .block(step.block)
        .steps
        .iter()
        .copied()
        .find(|other| *other != id && case.order.relation(case.book, *other, id) == Relation::Before);
    let (Some(behind), Some(kind)) = (behind, &step.kind) else { return };
    let message = format!("step `{}` is never reached", case.book.label(behind));
    let diagnostic = report
        .at(Code::UNREACHABLE_STEP, case.book.step(behind).span, message)
        .also(step.span, format!("`{}` always ends it here", kind.name()))
        .help("give it a `when`, or delete what comes behind it");
    report.push(diagnostic);
}
