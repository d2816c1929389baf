//! Kinds that choose and repeat, with the engine dying after every single append.

use crate::case::{Case, Does};
use crate::crash;

const SWITCH: &str = "
runbook: switch
params: { mode: { type: string, default: hard } }
steps:
  - id: look
    exec: [look]
    effect: idempotent
  - id: how
    switch:
      value: steps.look.stdout
      cases:
        soft: [{ id: clean, exec: [clean] }]
        hard: [{ id: drain, exec: [drain] }, { id: clean, exec: [clean], effect: idempotent }]
  - id: after
    exec: [after, '${{ steps.how.clean.status }}']
";

fn switch() -> Case {
    Case::of(SWITCH).step("look", [Does::Prints("hard")])
}

#[test]
fn a_switch_survives_a_crash_after_any_append() {
    let case = crash::everywhere(switch);
    assert_eq!(case.path(), ["look", "how/hard/drain", "how/hard/clean", "after"]);
}
