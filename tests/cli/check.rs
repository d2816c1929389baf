//! `lockstep check` and `lockstep graph`: what can be said without running anything.

use serde_json::Value as Json;

use crate::harness::Case;

const GOOD: &str = "runbook: good\nsteps: [{ id: a, shell: 'true' }, { id: b, needs: [], shell: 'true' }]\n";
const BAD: &str = "runbook: bad\nsteps: [{ shel: 'true' }, { id: b, needs: [c], shell: 'true' }]\n";

#[test]
fn folders_are_checked_without_tests_and_all_errors_are_said() {
    let case = Case::new()
        .file("books/good.yaml", GOOD)
        .file("books/deep/bad.yaml", BAD)
        .file("books/good.test.yaml", "not a runbook")
        .file("books/notes.txt", "no");
    case.lockstep(["check", "books"]).exits(2).prints("did you mean `shell`?").prints("`c`").says("in 2 files");
    case.lockstep(["check", "books/good.yaml"]).exits(0).prints("1 runbook checked, no errors");
    case.lockstep(["check", "books/good.yaml", "missing.yaml"]).exits(2).prints("no such file");
    let case = case.file("empty/readme", "");
    case.lockstep(["check", "empty"]).exits(2).prints("no runbook");
    assert!(!case.data().exists(), "a check needs no data folder");
}

#[test]
fn a_name_means_one_runbook() {
    let case = Case::new().file("books/a.yaml", GOOD).file("books/b.yaml", GOOD);
    case.lockstep(["check", "books"]).exits(2).prints("runbook `good` is also in `books/a.yaml`");
    case.lockstep(["check", "books/a.yaml", "books/a.yaml"]).exits(0);
}

#[test]
fn as_json_every_diagnostic_is_a_line_with_its_place() {
    let case = Case::new().file("bad.yaml", BAD);
    let outcome = case.lockstep(["check", "--json", "bad.yaml", "missing.yaml"]);
    let lines = outcome.exits(2).events();
    let first = &lines[0];
    assert_eq!((&first["type"], &first["file"], &first["line"]), (&"diagnostic".into(), &"bad.yaml".into(), &2.into()));
    assert!(first["code"].as_str().is_some_and(|code| code.starts_with("LS")));
    assert!(lines.iter().any(|line| line["type"] == "error" && line["file"] == "missing.yaml"));
    let last: &Json = lines.last().unwrap();
    assert_eq!(last["type"], "check");
    assert_eq!(last["errors"], lines.len() - 1);
}

#[test]
fn a_graph_is_text_or_a_drawing() {
    let text = "runbook: drawn\nparams: { host: string }\nsteps:
  - { id: first, exec: [echo, '${{ params.host }}'] }
  - id: fan
    parallel: { branches: { left: [{ id: l, shell: 'true', when: 'params.host != \"x\"' }], right: [{ id: r, wait: 1s }] } }
    catch: [{ steps: [{ id: mend, shell: 'true' }] }]
  - { id: last, needs: [first], shell: 'true', retry: 3 }
finally: [{ id: tidy, shell: 'true' }]
outputs: { out: steps.first.stdout }
";
    let case = Case::new().file("drawn.yaml", text);
    for format in ["text", "mermaid", "dot"] {
        let outcome = case.lockstep(["graph", "drawn.yaml", "--format", format]);
        // The content hash changes with every field that graphs gain.
        let (first, rest) = outcome.exits(0).stdout.split_once('\n').unwrap();
        insta::assert_snapshot!(format!("graph_{format}"), format!("{}\n{rest}", first.split("  ").next().unwrap()));
    }
    case.lockstep(["graph", "missing.yaml"]).exits(2);
}
