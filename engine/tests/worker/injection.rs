//! Data never becomes code: payloads arrive byte for byte, and none runs.

use std::fmt::Write as _;

use lockstep_dsl::value::Value;

use crate::payloads::payloads;
use crate::support::Case;

fn witness() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("witness").display().to_string();
    (folder, path)
}

fn text(value: &Value) -> &str {
    if let Value::String(text) = value { text } else { panic!("{value:?}") }
}

#[tokio::test]
async fn the_payloads_are_harmful() {
    // The test of the test: taken for code, one of them leaves its witness.
    let (_folder, path) = witness();
    Case::shell(&payloads(&path)[1..2].concat()).run().await;
    Case::shell(&format!("echo {}", payloads(&path)[0])).run().await;
    assert!(std::path::Path::new(&path).exists());
}

#[tokio::test]
async fn arguments_arrive_byte_for_byte() {
    let (_folder, path) = witness();
    let all = payloads(&path);
    // All at once, each ended by a NUL, so that none can be cut or joined unseen.
    let argv: Vec<&str> = ["printf", "%s\\0"].into_iter().chain(all.iter().map(String::as_str)).collect();
    let outputs = Case::exec(&argv).outputs().await;
    let arrived: Vec<&str> = text(&outputs["stdout"]).split_terminator('\0').collect();
    assert_eq!(arrived, all);
    assert!(!std::path::Path::new(&path).exists());
}

#[tokio::test]
async fn variables_arrive_byte_for_byte() {
    let (_folder, path) = witness();
    let all = payloads(&path);
    let mut case = Case::exec(&["env", "-0"]);
    let mut script = "printf '%s\\0'".to_owned();
    for (number, payload) in all.iter().enumerate() {
        case = case.env(&format!("P{number:03}"), Value::from(payload.as_str()));
        let _ = write!(script, " \"$P{number:03}\"");
    }
    let env = case.outputs().await;
    let arrived: Vec<&str> = text(&env["stdout"])
        .split_terminator('\0')
        .filter_map(|variable| variable.strip_prefix('P')?.split_once('=').filter(|(name, _)| name.len() == 3))
        .map(|(_, value)| value)
        .collect();
    for payload in &all {
        assert!(arrived.contains(&payload.as_str()), "{payload}");
    }

    // Also to a script that uses them as it should.
    let mut case = Case::shell(&script);
    for (number, payload) in all.iter().enumerate() {
        case = case.env(&format!("P{number:03}"), Value::from(payload.as_str()));
    }
    let outputs = case.outputs().await;
    let arrived: Vec<&str> = text(&outputs["stdout"]).split_terminator('\0').collect();
    assert_eq!(arrived, all);
    assert!(!std::path::Path::new(&path).exists());
}

#[tokio::test]
async fn standard_input_arrives_byte_for_byte() {
    let (_folder, path) = witness();
    let all = payloads(&path);
    let joined = all.join("\0");
    let outputs = Case::exec(&["cat"]).input("stdin", Value::from(joined.as_str())).outputs().await;
    assert_eq!(text(&outputs["stdout"]), joined);
    let list = Value::List(all.iter().map(|payload| Value::from(payload.as_str())).collect());
    let outputs = Case::exec(&["cat"]).input("stdin", list.clone()).outputs().await;
    assert_eq!(outputs["json"], list);
    assert!(!std::path::Path::new(&path).exists());
}
