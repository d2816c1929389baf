//! Rule: a `probe` finds out whether a step took effect that may not be repeated. Any other step is simply repeated, and
//! a block has no outcome of its own.

use crate::compile::lower::effects;
use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::Effect;

use super::Case;

/// Checks every `probe`.
pub fn check(case: &Case, report: &mut Report) {
    let effects = effects(case.book);
    for (id, step) in case.book.steps() {
        let (Some(probe), Some(kind)) = (&step.probe, &step.kind) else { continue };
        let effect = effects[id.0 as usize];
        if step.is_acting() && effect == Effect::Once {
            continue;
        }
        let help = if step.is_acting() {
            format!(
                "this step has `effect: {}`, so it is repeated after an unknown outcome; leave the probe out",
                effect.name()
            )
        } else {
            format!(
                "put it on the steps inside that must run once, or leave it out: `{}` has no outcome that could be unknown",
                kind.name()
            )
        };
        let message = "a probe is for a step that acts and must run once";
        report.push(report.at(Code::PROBE_WITHOUT_MEANING, probe.span, message).help(help));
    }
}
