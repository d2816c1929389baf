//! How a command ended, and why one could not begin.

use lockstep_dsl::value::{Millis, Value};
use lockstep_engine::worker::{Outcome, Stopper};

use crate::support::{Case, action, field};

#[tokio::test]
async fn an_exit_code_that_is_expected_is_a_success() {
    let outputs = Case::shell("exit 3").input("expect", Value::List(vec![0.into(), 3.into()])).outputs().await;
    assert_eq!(outputs["exit_code"], Value::Int(3));
    let (error, _) = Case::shell("exit 0").input("expect", Value::List(vec![3.into()])).failure().await;
    assert_eq!(error.message, "exit code 0");
}

#[tokio::test]
async fn a_failure_keeps_what_the_command_produced() {
    let case = Case::shell("echo out; echo err >&2; echo '{\"a\": 1}' > \"$LOCKSTEP_OUTPUT\"; exit 7");
    let (error, outputs) = case.failure().await;
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("failed", "exit code 7"));
    assert_eq!(field(&error.data, "exit_code"), Value::Int(7));
    assert_eq!(field(&error.data, "signal"), Value::Null);
    assert_eq!(field(&error.data, "stderr"), Value::from("err"));
    assert_eq!(outputs["stdout"], Value::from("out"));
    assert_eq!(outputs["a"], Value::Int(1));
}

#[tokio::test]
async fn a_script_ends_at_its_first_error_and_unset_name() {
    assert_eq!(Case::shell("false\necho on").failure().await.1["stdout"], Value::from(""));
    assert!(Case::shell("echo $absent").failure().await.0.message.starts_with("exit code "));
}

#[tokio::test]
async fn death_by_signal_is_no_exit_code() {
    let (error, outputs) = Case::shell("kill -KILL $$").failure().await;
    assert_eq!(error.message, "killed by SIGKILL");
    assert_eq!(field(&error.data, "exit_code"), Value::Null);
    assert_eq!(field(&error.data, "signal"), Value::from("SIGKILL"));
    assert_eq!(outputs["exit_code"], Value::Null);
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let case = Case::exec(&["x"]);
    let plain = case.path("plain");
    std::fs::write(&plain, "text").unwrap();
    let plain = plain.display().to_string();
    let odd = case.path("odd");
    std::fs::copy("/bin/sh", &odd).unwrap();
    std::fs::write(&odd, "#!/no/such/interpreter\n").unwrap();
    let odd = odd.display().to_string();
    let folder = case.folder.path().display().to_string();
    let long = "x".repeat(200_000);
    for (argv, why) in [
        (vec!["no-such-program", "a"], "cannot start `no-such-program`: no such program in PATH".to_owned()),
        (vec!["./no-such"], "cannot start `./no-such`: no such file".to_owned()),
        (vec![&plain], format!("cannot start `{plain}`: permission denied: the file is not executable")),
        (vec![&folder], format!("cannot start `{folder}`: it is a folder")),
        (vec![&odd], format!("cannot start `{odd}`: the interpreter that its first line names does not exist")),
        (
            vec!["echo", &long],
            "cannot start `echo`: its arguments and environment are longer than the system allows".to_owned(),
        ),
    ] {
        let case = Case::exec(&argv);
        let (error, _) = case.failure().await;
        assert_eq!((error.kind.as_str(), error.message), ("failed", why.clone()));
        assert_eq!(field(&error.data, "exit_code"), Value::Null);
        assert_eq!(case.lines(), [why]);
    }
}

#[tokio::test]
async fn the_working_folder_is_checked() {
    let case = Case::exec(&["pwd"]);
    let here = case.folder.path().canonicalize().unwrap().display().to_string();
    let outputs = Case::exec(&["pwd"]).input("cwd", Value::from(here.as_str())).outputs().await;
    assert_eq!(outputs["stdout"], Value::from(here));
    let (error, _) = Case::exec(&["pwd"]).input("cwd", Value::from("/no/such")).failure().await;
    assert_eq!(error.message, "cannot start in `/no/such`: no such folder");
    let (error, _) = Case::exec(&["pwd"]).input("cwd", Value::from("/etc/passwd")).failure().await;
    assert_eq!(error.message, "cannot start in `/etc/passwd`: it is no folder");
}

#[tokio::test]
async fn a_program_is_found_from_the_working_folder_and_the_declared_path() {
    let case = Case::exec(&["./tool"]);
    std::os::unix::fs::symlink("/bin/echo", case.path("tool")).unwrap();
    let folder = Value::from(case.folder.path().display().to_string());
    let case = case.input("cwd", folder.clone());
    assert_eq!(case.outputs().await["stdout"], Value::from(""));
    let outputs = Case::exec(&["tool", "found"]).env("PATH", folder).outputs().await;
    assert_eq!(outputs["stdout"], Value::from("found"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_means_that_nothing_began() {
    let mut case = Case::shell("true");
    case.attempt.folder = "/dev/null/attempt".into();
    let (error, _) = case.failure().await;
    assert_eq!(error.kind, "failed");
    assert!(error.message.starts_with("cannot make the attempt's folder /dev/null/attempt: "), "{}", error.message);
}

#[tokio::test]
async fn what_was_stopped_before_it_began_never_begins() {
    let case = Case::shell("echo begun");
    let (stopper, stop) = Stopper::new();
    stopper.stop();
    let outcome = action("shell").run(&case.attempt, stop, case.progress()).await;
    assert!(matches!(outcome, Outcome::Failed { error, .. } if error.kind == "cancelled"));
    assert!(case.lines().iter().all(|line| line != "begun"));
}

#[tokio::test]
async fn a_background_process_does_not_keep_the_step() {
    // It keeps the pipes open, and goes on after the attempt has ended.
    let case = Case::shell("sleep 1000 & echo $!");
    let outputs = case.outputs().await;
    let Value::String(pid) = &outputs["stdout"] else { panic!("text") };
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives on");
    assert_eq!(case.attempt.grace, Millis(10_000));
}
