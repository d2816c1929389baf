//! What a command is given: environment, files, standard input, secrets.

use lockstep_dsl::value::{Map, SecretPart, SecretText, Value};
use lockstep_engine::worker::Stream;

use crate::support::{Case, field, secret};

#[tokio::test]
async fn nothing_is_inherited_but_the_named_variables() {
    let case = Case::exec(&["env"]).env("DECLARED", Value::from("yes")).env("LOCKSTEP_TOKEN", Value::from("forged"));
    let outputs = case.outputs().await;
    let Value::List(lines) = &outputs["lines"] else { panic!("lines") };
    let mut names = Vec::new();
    for line in lines {
        let Value::String(line) = line else { panic!("text") };
        let (name, value) = line.split_once('=').unwrap();
        match name {
            "DECLARED" => assert_eq!(value, "yes"),
            "LOCKSTEP_KEY" => assert_eq!(value, "the-key"),
            "LOCKSTEP_ATTEMPT" => assert_eq!(value, "2"),
            "LOCKSTEP_TOKEN" => assert_eq!(value, case.attempt.token.0.to_string()),
            "LOCKSTEP_RUN" => assert_eq!(value, case.attempt.run.to_string()),
            "LOCKSTEP_STEP" => assert_eq!(value, "block/step"),
            "LOCKSTEP_OUTPUT" => assert!(value.starts_with('/')),
            _ => assert!(["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"].contains(&name), "{name} was inherited"),
        }
        names.push(name.to_owned());
    }
    // Cargo sets this one for the engine.
    assert!(!names.iter().any(|name| name == "CARGO_PKG_NAME"));
    assert!(names.iter().any(|name| name == "PATH") && names.iter().any(|name| name == "LOCKSTEP_KEY"));
}

#[tokio::test]
async fn the_output_file_gives_outputs() {
    let case = Case::shell(r#"printf '{"url": "http://x", "n": [1]}' > "$LOCKSTEP_OUTPUT""#);
    let outputs = case.outputs().await;
    assert_eq!(outputs["url"], Value::from("http://x"));
    assert_eq!(outputs["n"], Value::List(vec![Value::Int(1)]));
    let (error, outputs) = Case::shell(r#"echo x=1 > "$LOCKSTEP_OUTPUT""#).failure().await;
    assert_eq!(error.kind, "invalid");
    assert!(error.message.starts_with("`$LOCKSTEP_OUTPUT` holds no JSON: "), "{}", error.message);
    assert_eq!(outputs["exit_code"], Value::Int(0));
}

#[tokio::test]
async fn a_script_runs_exactly_as_written() {
    let script = "cat <<'EOF'\n${{ params.x }} $HOME `id` \\n ä\r\nEOF\n";
    assert_eq!(Case::shell(script).outputs().await["stdout"], Value::from("${{ params.x }} $HOME `id` \\n ä\r"));
}

#[tokio::test]
async fn a_script_may_name_its_interpreter() {
    let list = |words: &[&str]| Value::List(words.iter().map(|word| Value::from(*word)).collect());
    let case = Case::shell("echo ${0##*/} $-").input("interpreter", list(&["/bin/sh", "-e"]));
    assert_eq!(case.outputs().await["stdout"], Value::from("script e"));
    let case = Case::shell("echo from $0").input("interpreter", list(&["/bin/sh", "-s", "-"]));
    assert_eq!(case.outputs().await["stdout"], Value::from("from /bin/sh"));
}

#[tokio::test]
async fn a_script_may_be_a_file_of_the_run() {
    let mut case = Case::new("shell").input("file", Value::from("fix.sh"));
    let (error, _) = case.failure().await;
    assert_eq!(
        (error.kind.as_str(), error.message.as_str()),
        ("invalid", "the run has no files, so there is no `fix.sh`")
    );
    let files = case.path("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("fix.sh"), "echo fixed; ls \"$LOCKSTEP_FILES\"").unwrap();
    case.attempt.files = Some(files);
    assert_eq!(case.outputs().await["stdout"], Value::from("fixed\nfix.sh"));
    let case = case.input("file", Value::from("other.sh"));
    assert_eq!(case.failure().await.0.message, "the run's files hold no `other.sh`");
}

#[tokio::test]
async fn standard_input_is_what_was_given_or_nothing() {
    assert_eq!(Case::exec(&["cat"]).outputs().await["stdout"], Value::from(""));
    let map = Value::Map(Map::from([("a".to_owned(), Value::List(vec![Value::from("ä\n")]))]));
    let outputs = Case::exec(&["cat"]).input("stdin", map.clone()).outputs().await;
    assert_eq!(outputs["json"], map);
    // More than a pipe holds, while as much comes back.
    let long = "0123456789abcdef".repeat(15_000);
    let outputs = Case::exec(&["cat"]).input("stdin", Value::from(long.as_str())).outputs().await;
    assert_eq!(outputs["stdout"], Value::from(long.as_str()));
    // A command that reads nothing of it is not to blame.
    Case::exec(&["true"]).input("stdin", Value::from(long)).outputs().await;
}

#[tokio::test]
async fn a_secret_reaches_the_command_and_nothing_else() {
    let case = Case::shell(
        "test \"$TOKEN\" = 'Bearer hunter22hunter22'; given=$(cat); test \"$given\" = hunter22hunter22
        echo \"$TOKEN\"; echo \"$given\" >&2; printf '{\"t\": \"%s\"}' \"$given\" > \"$LOCKSTEP_OUTPUT\"
        printf hunter22; sync; echo hunter22 | od -An -tx1 | tr -d ' '; printf %s \"$given\" | base64; exit 3",
    );
    let token = case.secret("token", "hunter22hunter22\n");
    let bearer = SecretText(vec![SecretPart::Plain("Bearer ".to_owned()), SecretPart::Reference(token.clone())]);
    let case = case.env("TOKEN", Value::Secret(bearer)).input("stdin", secret(token));
    let (error, outputs) = case.failure().await;
    assert_eq!(error.message, "exit code 3");
    assert_eq!(outputs["t"], Value::from("***"));
    assert_eq!(field(&error.data, "stderr"), Value::from("***"));
    let Value::String(stdout) = &outputs["stdout"] else { panic!("text") };
    assert!(stdout.starts_with("Bearer ***\n") && stdout.ends_with("***"), "{stdout}");

    let whole = b"hunter22hunter22";
    std::fs::remove_file(case.path("token")).unwrap();
    // The file that the command itself wrote into is its own.
    std::fs::remove_file(case.attempt.folder.join("output")).unwrap();
    for file in [&case.attempt.log, &case.attempt.folder.join("script")] {
        let bytes = std::fs::read(file).unwrap();
        let script = file.ends_with("script");
        assert!(script || !bytes.windows(whole.len()).any(|window| window == whole), "in {}", file.display());
    }
    assert!(!case.lines().join("\n").contains("hunter22hunter22"));
}

#[tokio::test]
async fn secrets_of_the_run_are_masked_where_they_are_not_used() {
    let mut case = Case::shell("echo learned-elsewhere");
    let other = case.secret("other", "learned-elsewhere");
    case.attempt.secrets = vec![other, lockstep_dsl::value::SecretRef::File("/no/such".to_owned())];
    assert_eq!(case.outputs().await["stdout"], Value::from("***"));
    assert_eq!(case.logged(Stream::Stdout), b"***\n");
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_stops_the_attempt_before_it_begins() {
    let case = Case::shell("echo begun").env("T", secret(lockstep_dsl::value::SecretRef::Store("db".to_owned())));
    let (error, _) = case.failure().await;
    assert_eq!(error.kind, "invalid");
    assert_eq!(error.message, "cannot read secret `store:db`: the secret store is not supported yet");
    assert!(case.lines().is_empty());
}
