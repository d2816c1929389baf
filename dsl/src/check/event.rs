//! Rule: a run that a person starts has no event, and every runbook can be started by a person.

use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::runbook::Place;

use super::Case;

/// Warns of events that are read as if there always were one.
pub fn check(case: &Case, report: &mut Report) {
    for expr in &case.book.exprs {
        // What a trigger gives is worked out only where there is an event.
        let Some(analysis) = expr.analysis.as_ref().filter(|_| expr.place != Place::TriggerParam) else { continue };
        for access in &analysis.accesses {
            if access.root == "event" && !access.guarded && !access.only_compared_to_unit && !access.path.is_empty() {
                let span = expr.locate(access.span.start, access.span.end);
                let names: Vec<&str> = access.path.iter().map(|segment| segment.name.as_str()).collect();
                let diagnostic = report
                    .at(Code::EVENT_BY_HAND, span, "`event` is `()` in a run that is started by hand")
                    .help(format!("say what holds then: `event?.{} ?? \"\"`", names.join("?.")));
                report.push(diagnostic);
            }
        }
    }
}
