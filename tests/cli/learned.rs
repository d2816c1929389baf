//! What a step learns that is secret: where it lies while the run needs it, that it outlives the engine, and that it goes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::harness::Case;

const TOKEN: &str = "l34rned-t0ken-4711";

/// The same, as `base64` prints it.
const ENCODED: &str = "bDM0cm5lZC10MGtlbi00NzEx";

/// The same in hexadecimal.
const HEXADECIMAL: &str = "6c3334726e65642d74306b656e2d34373131";

/// A script that prints the token to everything a command can print to, without holding it itself.
const LOGIN: &str = r#"
token="l34rned-t0ken-$((4700 + 11))"
echo "$token"; echo "$token" >&2; printf %s "$token" | base64
echo login >> log
echo "{ \"token\": \"$token\", \"expires\": 60 }" > "$LOCKSTEP_OUTPUT"
"#;

/// Logs in, waits for `before`, and then needs the token.
fn runbook(before: &str) -> String {
    let login = LOGIN.replace('\n', "\n        ");
    format!(
        "steps:
  - id: login
    shell: |{login}
    outputs: {{ token: output.token }}
    secret_outputs: [token]
  - {{ id: between, effect: idempotent, shell: \"{before}\" }}
  - id: needs_it
    shell: 'test \"$TOKEN\" = \"l34rned-t0ken-$((4700 + 11))\"; echo \"used $TOKEN\" >> log; echo \"is $TOKEN\"'
    env: {{ TOKEN: '${{{{ steps.login.token }}}}' }}
"
    )
}

/// The files below a folder in which the token stands, in any form.
fn holders(folder: &Path) -> Vec<PathBuf> {
    let forms = [TOKEN, ENCODED, HEXADECIMAL];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holders(&path));
        } else if path.is_file() {
            let bytes = fs::read(&path).expect("a file");
            let holds = |form: &&str| bytes.windows(form.len()).any(|window| window == form.as_bytes());
            found.extend(forms.iter().any(holds).then_some(path));
        }
    }
    found
}

/// Everything that can be asked of the run, without the token.
fn is_told_nowhere(case: &Case) {
    for verb in [&["show", "last"][..], &["show", "last", "--json"], &["logs", "last"], &["history", "last", "--json"]]
    {
        let outcome = case.lockstep(verb);
        for said in [&outcome.stdout, &outcome.stderr] {
            assert!(!said.contains(TOKEN) && !said.contains(ENCODED), "{verb:?}: {said}");
        }
    }
}

/// The only file of the data folder that holds the token, which nobody else can read.
fn only_file(case: &Case) -> PathBuf {
    let found = holders(case.data());
    let [file] = found.as_slice() else { panic!("the token stands in {found:?}") };
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(file), mode(file.parent().expect("a folder"))), (0o600, 0o700));
    assert!(file.starts_with(case.data().join("spool")), "{}", file.display());
    file.clone()
}

#[test]
fn what_a_step_learned_is_there_after_a_crash_and_gone_with_the_run() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&runbook(&gate.script()));
    let run = case.start();
    gate.arrival();
    only_file(&case);
    run.kill();
    only_file(&case);
    gate.open();
    let outcome = case.lockstep(["resume", "--json"]);
    outcome.exits(0).does_not_print(TOKEN);
    assert_eq!(case.read("log"), format!("login\nused {TOKEN}\n"));
    case.lockstep(["logs", "last", "needs_it"]).prints("is ***");
    case.lockstep(["logs", "last", "login"]).prints("what this step says is withheld: it has secret outputs");
    assert_eq!(holders(case.data()), [] as [PathBuf; 0]);
    is_told_nowhere(&case);
}

#[test]
fn a_run_that_failed_is_retried_with_what_it_has_learned() {
    let case = Case::new().runbook(&runbook("test -e open"));
    case.run().fails("failed");
    let file = only_file(&case);
    is_told_nowhere(&case);
    // Whoever opens the folder next tidies up, and leaves it.
    case.lockstep(["doctor"]).exits(0);
    fs::write(case.path("other.yaml"), "runbook: other\nsteps: [{ shell: 'true' }]\n").expect("a file");
    case.lockstep(["run", "other.yaml", "--json"]).exits(0);
    assert_eq!(only_file(&case), file);
    let failed = case.runs().into_iter().find(|run| run["status"] == "failed").expect("a run that failed");
    fs::write(case.path("open"), "").expect("a file");
    case.lockstep(["retry", failed["id"].as_str().expect("an id"), "--json"]).exits(0);
    assert_eq!(case.read("log"), format!("login\nused {TOKEN}\n"));
    assert_eq!(holders(case.data()), [] as [PathBuf; 0]);
}

#[test]
fn a_person_says_where_a_secret_output_is_read_and_never_what_it_is() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.file("token", format!("{TOKEN}\n")).runbook(&format!(
        "steps:
  - {{ id: login, shell: \"{}\", secret_outputs: [token] }}
  - {{ id: needs_it, shell: 'echo \"used $TOKEN\" >> log', env: {{ TOKEN: '${{{{ steps.login.token }}}}' }} }}
",
        gate.script()
    ));
    let run = case.start();
    gate.arrival();
    case.kill_supervisors();
    gate.open();
    run.outcome(&case).exits(3);
    let plain = format!("token={TOKEN}");
    let refused = case.lockstep(["resolve", "last", "login", "done", "--output", &plain]);
    refused.exits(2).says("output `token` is a secret and is not given itself; write `env:NAME` or `file:PATH`");
    assert_eq!(holders(case.data()), [] as [PathBuf; 0]);
    let read = format!("token=file:{}", case.path("token").display());
    case.lockstep(["resolve", "last", "login", "done", "--output", &read, "--json"]).exits(0);
    assert_eq!(case.read("log"), format!("used {TOKEN}\n"));
    assert_eq!(holders(case.data()), [] as [PathBuf; 0]);
    is_told_nowhere(&case);
}

#[test]
fn a_run_is_recorded_without_what_it_has_learned() {
    let case = Case::new().runbook(&runbook("true"));
    case.run().succeeds();
    let recorded = case.lockstep(["test", "record", "last", "runbook.yaml"]);
    recorded.exits(0).does_not_print(TOKEN);
    recorded.prints("expires: 60, token: '***'");
    fs::write(case.path("runbook.test.yaml"), &recorded.stdout).expect("a file");
    case.lockstep(["test", "runbook.yaml", "--crash-everywhere"]).exits(0).prints("1 case in 1 file, all hold");
}
