//! Rule: an expression reads only steps that can have ended before it is asked. Reading one that may not have run is
//! allowed, and warned about where nothing stands by for the case that it has not.

use crate::compile::report::Report;
use crate::compile::resolve::outputs::{self, FIELDS};
use crate::compile::resolve::{Relation, StepRead};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{BlockId, ExprId, Kind, NodeId, OnError, Role};
use crate::runbook::{Expression, Owner, Place};
use crate::source::Span;

use super::Case;

/// Checks every step that an expression reads.
pub fn check(case: &Case, report: &mut Report) {
    for (expr, id) in case.book.exprs.iter().zip((0u32..).map(ExprId)) {
        for read in &case.reads(id).steps {
            let found = match expr.owner {
                Owner::Step(reader) => by_step(case, expr, id, reader, read, report),
                Owner::Runbook => {
                    let main = case.book.main;
                    unguarded(case, id, read, report, || absence(case, read.step, main))
                }
                Owner::Param(_) => None,
            };
            if let Some(diagnostic) = found {
                report.push(diagnostic);
            }
        }
    }
}

fn by_step(
    case: &Case,
    expr: &Expression,
    id: ExprId,
    reader: NodeId,
    read: &StepRead,
    report: &Report,
) -> Option<Diagnostic> {
    let book = case.book;
    let label = book.label(read.step);
    // A step's own result stands under bare names, and what is inside it has ended with it.
    if book.is_inside(read.step, reader) {
        if expr.place.sees_inside() {
            let inner =
                book.around(read.step).map(|id| book.step(id).block).find(|block| book.holder(*block) == Some(reader));
            return unguarded(case, id, read, report, || match expr.place {
                Place::RepeatWhile => {
                    Some((place(case, read.step), "it has not run before the first round".to_owned()))
                }
                _ => absence(case, read.step, inner),
            });
        }
        let message = format!("`steps.{}` stands inside this step and has not run yet", read.name);
        return Some(report.at(Code::READS_ITSELF, read.span, message));
    }
    let at = |code: Code, message: String| {
        report.at(code, read.span, message).also(place(case, read.step), "it stands here")
    };
    match case.order.relation(book, reader, read.step) {
        Relation::Before | Relation::Perhaps if disabled(case, read.step).is_some() => None,
        Relation::Before => {
            unguarded(case, id, read, report, || absence(case, read.step, common_block(case, reader, read.step)))
        }
        Relation::Perhaps => unguarded(case, id, read, report, || {
            let own = book.is_inside(reader, read.step);
            let reason = if own { "it may not have ended well" } else { "it may not have come to this step" };
            Some((place(case, read.step), reason.to_owned()))
        }),
        Relation::Itself => {
            let diagnostic = report.at(Code::READS_ITSELF, read.span, format!("step `{label}` reads its own result"));
            Some(match (&book.step(reader).kind, &read.field) {
                (Some(kind), Some(field))
                    if expr.place.sees_result() && outputs::of_result(kind).contains(&field.as_str()) =>
                {
                    diagnostic.help(format!("its own result has bare names here: write `{field}`"))
                }
                _ => diagnostic.help("it has none before it has ended"),
            })
        }
        Relation::Around => Some(
            at(Code::READS_AROUND, format!("step `{label}` has not ended: this step stands inside it"))
                .help("hand the value down through a `set` step, or read the steps of the block itself"),
        ),
        Relation::After => Some(
            at(Code::READS_LATER, format!("step `{label}` has not run when this is asked: it comes later"))
                .help("move it up, or order the steps with `needs`"),
        ),
        Relation::Beside => Some(
            at(Code::READS_BESIDE, format!("nothing says that step `{label}` has ended when this is asked"))
                .help(beside_help(case, reader, read.step)),
        ),
        Relation::Unknown => None,
    }
}

/// What orders two steps that may run at the same time.
fn beside_help(case: &Case, reader: NodeId, read: NodeId) -> String {
    let book = case.book;
    let needed = common_block(case, reader, read)
        .and_then(|block| book.around(read).find(|id| book.step(*id).block == block))
        .filter(|id| !book.is_inside(reader, *id))
        .and_then(|id| book.step(id).id.as_ref());
    let in_branch =
        |id: NodeId| book.around(id).any(|id| matches!(book.block(book.step(id).block).role, Role::Branch(_)));
    match needed {
        Some(id) => format!("add `{}` to the `needs` of this step", id.value),
        None if in_branch(reader) && in_branch(read) => {
            "branches run at the same time: read it after the `parallel` step".to_owned()
        }
        None => "order the two with `needs`".to_owned(),
    }
}

/// The warning for an output of a step that may not have run, read as if it always had.
fn unguarded(
    case: &Case,
    id: ExprId,
    read: &StepRead,
    report: &Report,
    reason: impl FnOnce() -> Option<(Span, String)>,
) -> Option<Diagnostic> {
    let field = read.field.as_deref()?;
    if read.guarded || FIELDS.contains(&field) || asks_first(case, id, read.step) {
        return None;
    }
    let (span, reason) = reason()?;
    let label = case.book.label(read.step);
    let message = format!("step `{label}` may not have run, and then its output `{field}` is `()`");
    Some(report.at(Code::MAY_NOT_HAVE_RUN, read.span, message).also(span, reason).help(format!(
        "say what holds then: `steps.{}.{field} ?? {}`",
        read.name,
        instead_of(field)
    )))
}

/// A value of the type that an output has, to stand in for it.
pub fn instead_of(field: &str) -> &'static str {
    match field {
        "exit_code" | "code" => "-1",
        "lines" => "[]",
        "headers" => "#{}",
        _ => "\"\"",
    }
}

/// Whether the expression itself or a condition around it asks about the step before it is read.
fn asks_first(case: &Case, id: ExprId, read: NodeId) -> bool {
    let book = case.book;
    let asks =
        |reads: &StepRead| reads.step == read && reads.field.as_deref().is_some_and(|field| FIELDS.contains(&field));
    if case.reads(id).steps.iter().any(asks) {
        return true;
    }
    let Owner::Step(reader) = book.expr(id).owner else { return false };
    let conditions: Vec<ExprId> =
        book.around(reader).filter_map(|id| book.step(id).when).filter(|when| *when != id).collect();
    let same = |when: &ExprId| {
        let own = &book.expr(*when).source;
        book.around(read).filter_map(|id| book.step(id).when).any(|other| book.expr(other).source == *own)
    };
    conditions.iter().any(|when| same(when) || case.reads(*when).steps.iter().any(|reads| reads.step == read))
}

/// Why a step may not have run though its turn has passed, looking no further out than a block.
fn absence(case: &Case, read: NodeId, within: Option<BlockId>) -> Option<(Span, String)> {
    let book = case.book;
    for id in book.around(read) {
        let step = book.step(id);
        if step.disabled.is_some() {
            return None;
        }
        if let Some(when) = step.when
            && book.expr(when).source.trim() != "true"
        {
            return Some((book.expr(when).span(), "it runs only when this holds".to_owned()));
        }
        if Some(step.block) != within && case.order.is_passed_over(book, id) {
            return Some((step.span, "a `next` before it may pass it over".to_owned()));
        }
        if matches!(book.block(step.block).role, Role::Catch(_)) {
            return Some((step.span, "it runs only after a failure".to_owned()));
        }
        if let Role::Case(_) = book.block(step.block).role {
            return Some((step.span, "it stands in one case of several".to_owned()));
        }
        if let Some(Kind::Repeat(repeat)) = &step.kind
            && let Some(goes_on) = repeat.goes_on
            && id != read
        {
            return Some((book.expr(goes_on).span(), "where this does not hold at once there is no round".to_owned()));
        }
        let is_handled = step.on_error.as_ref().is_some_and(|on_error| on_error.value != OnError::Fail);
        if id != read && (is_handled || !step.catch.is_empty()) {
            return Some((step.span, "a failure in this block is handled, so not all of it may have run".to_owned()));
        }
        if id != read && matches!(&step.kind, Some(Kind::Parallel(parallel)) if parallel.wins.is_some()) {
            return Some((step.span, "not all branches of it have to end".to_owned()));
        }
        if Some(step.block) == within {
            break;
        }
    }
    None
}

/// The step itself or one around it that is disabled.
pub fn disabled(case: &Case, id: NodeId) -> Option<NodeId> {
    case.book.around(id).find(|id| case.book.step(*id).disabled.is_some())
}

/// The innermost block in which both steps stand, themselves or inside others.
fn common_block(case: &Case, one: NodeId, other: NodeId) -> Option<BlockId> {
    let blocks: Vec<BlockId> = case.book.around(one).map(|id| case.book.step(id).block).collect();
    case.book.around(other).map(|id| case.book.step(id).block).find(|block| blocks.contains(block))
}

/// Where a step is pointed at.
fn place(case: &Case, id: NodeId) -> Span {
    let step = case.book.step(id);
    step.id.as_ref().map_or(step.span, |id| id.span)
}
