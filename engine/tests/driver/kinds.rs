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

const FOREACH: &str = "
runbook: foreach
steps:
  - id: each
    foreach:
      in: 0..4
      concurrency: 2
      tolerate: 1
      do:
        - { id: a, exec: [a, '${{ item }}'] }
        - { id: b, exec: [b, '${{ index }}'], effect: idempotent }
  - id: after
    exec: [after, '${{ steps.each.succeeded }}']
";

#[test]
fn a_foreach_survives_a_crash_after_any_append() {
    let case = crash::everywhere(|| Case::of(FOREACH).step("each[1]/b", [Does::Exits(3)]));
    assert_eq!(case.path().iter().filter(|path| path.starts_with("each[")).count(), 8);
}

const REPEAT: &str = "
runbook: repeat
steps:
  - id: poll
    repeat:
      until: index == 2
      every: 1m
      do:
        - { id: a, exec: [a] }
        - { id: b, exec: [b], effect: idempotent }
  - id: after
    exec: [after, '${{ steps.poll.rounds }}']
";

#[test]
fn a_repeat_survives_a_crash_after_any_append() {
    let case = crash::everywhere(|| Case::of(REPEAT));
    assert_eq!(case.path(), ["poll[0]/a", "poll[0]/b", "poll[1]/a", "poll[1]/b", "poll[2]/a", "poll[2]/b", "after"]);
}

#[test]
fn a_foreach_over_a_file_goes_on_with_the_same_items_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts");
    let hosts: Vec<String> = (0..2_500).map(|number| format!("host-{number}")).collect();
    std::fs::write(&path, hosts.join("\n")).unwrap();
    let runbook = format!(
        "
runbook: file
steps:
  - id: each
    foreach:
      in: {{ lines: {} }}
      concurrency: 1%
      results: none
      do: [{{ id: x, script: item }}]
  - {{ id: after, exec: [after, '${{{{ steps.each.succeeded }}}}'] }}
",
        path.display()
    );
    let case = crash::everywhere(|| Case::of(&runbook));
    assert_eq!(case.path(), ["after"]);
    let after = case.begun.iter().find(|begun| begun.step == "after").expect("it ran");
    assert!(format!("{:?}", after.input).contains("2500"), "{:?}", after.input);
}
