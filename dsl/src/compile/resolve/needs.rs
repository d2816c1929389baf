//! What each step needs: what `needs` names, or the step before it.

use crate::diagnostic::{Code, Diagnostic, suggest};
use crate::graph::NodeId;
use crate::runbook::{Runbook, Step};
use crate::source::Spanned;

use super::super::keys::shorten;
use super::super::report::Report;

/// Per step, the steps of its own block that it needs.
pub fn resolve(book: &Runbook, report: &mut Report) -> Vec<Vec<NodeId>> {
    let before = before(book);
    book.steps()
        .zip(before)
        .map(|((id, step), before)| match &step.needs {
            Some(names) => named(book, id, step, names, report),
            None => before.into_iter().collect(),
        })
        .collect()
}

/// Per step, the step before it in its block.
fn before(book: &Runbook) -> Vec<Option<NodeId>> {
    let mut before = vec![None; book.steps.len()];
    for block in &book.blocks {
        for pair in block.steps.windows(2) {
            before[pair[1].0 as usize] = Some(pair[0]);
        }
    }
    before
}

fn named(book: &Runbook, id: NodeId, step: &Step, names: &[Spanned<String>], report: &mut Report) -> Vec<NodeId> {
    let mut needs: Vec<NodeId> = Vec::new();
    for name in names {
        match book.find(step.block, &name.value) {
            Some(needed) if needed == id => {
                let message = format!("step `{}` needs itself", name.value);
                report.push(report.at(Code::NEEDS_ITSELF, name.span, message).help("leave it out of `needs`"));
            }
            Some(needed) if needs.contains(&needed) => {
                let message = format!("`needs` names `{}` twice", name.value);
                report.push(report.at(Code::NEEDS_TWICE, name.span, message));
            }
            Some(needed) => needs.push(needed),
            None if report.is_full() => {}
            None => report.push(not_found(book, step, id, name, report)),
        }
    }
    needs
}

fn not_found(book: &Runbook, step: &Step, id: NodeId, name: &Spanned<String>, report: &Report) -> Diagnostic {
    let label = book.label(id);
    let shown = shorten(&name.value);
    let elsewhere = book.steps().find(|(_, other)| other.id.as_ref().is_some_and(|own| own.value == name.value));
    if let Some((other, found)) = elsewhere {
        let diagnostic = report
            .at(
                Code::NEEDS_OTHER_BLOCK,
                name.span,
                format!("step `{label}` needs `{shown}`, which is in another block"),
            )
            .also(found.id.as_ref().map_or(found.span, |id| id.span), "it stands here");
        // The step of this block that holds the other can be needed in its place.
        let holder = book.around(other).find(|around| book.step(*around).block == step.block && *around != id);
        return match holder.and_then(|holder| book.step(holder).id.as_ref()) {
            Some(holder) => diagnostic.help(format!("need the whole block: `needs: [{}]`", holder.value)),
            None => diagnostic.help("`needs` names steps of the same block"),
        };
    }
    let diagnostic = report.at(Code::NEEDS_UNKNOWN, name.span, format!("step `{label}` needs unknown step `{shown}`"));
    let ids =
        book.block(step.block).steps.iter().filter_map(|id| book.step(*id).id.as_ref()).map(|id| id.value.as_str());
    match suggest(&name.value, ids) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("`needs` names steps of the same block by their `id`"),
    }
}
