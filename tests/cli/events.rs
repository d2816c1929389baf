//! `lockstep event match`: what operators and programs learn of a pattern.

use crate::harness::Case;

const ALARM: &str = r#"{ "source": "aws.cloudwatch", "detail": { "state": { "value": "ALARM" }, "load": [1, 7] } }"#;

#[test]
fn a_pattern_matches_or_the_fields_in_the_way_are_named() {
    let case = Case::new().file("alarm.json", ALARM).file(
        "pattern.yaml",
        "source: [{ prefix: aws. }]\ndetail: { state: { value: [ALARM] }, load: [{ numeric: ['>', 5] }] }\n",
    );
    case.lockstep(["event", "match", "pattern.yaml", "alarm.json"]).exits(0).prints("matches\n");
    let pattern = r#"{"source": ["aws.ec2"], "detail": {"state": {"value": ["OK"]}, "load": [7]}}"#;
    let outcome = case.lockstep(["event", "match", pattern, ALARM]);
    assert_eq!(outcome.exits(1).stdout, "does not match: no wanted value at `detail.state.value`, `source`\n");
    let outcome = case.lockstep(["event", "match", pattern, ALARM, "--json"]);
    assert_eq!(outcome.exits(1).stdout, "{\"matches\":false,\"misses\":[\"detail.state.value\",\"source\"]}\n");
    let outcome = case.lockstep(["event", "match", "pattern.yaml", ALARM, "--json"]);
    assert_eq!(outcome.exits(0).stdout, "{\"matches\":true,\"misses\":[]}\n");
    let split = r#"{"x": [{"a": 1}, {"b": 1}]}"#;
    let outcome = case.lockstep(["event", "match", r#"{"x": {"a": [1], "b": [1]}}"#, split]);
    assert_eq!(outcome.exits(1).stdout, "does not match: no single element of a list has all that is wanted\n");
}

#[test]
fn what_is_wrong_is_said_all_at_once_and_with_its_place() {
    let case = Case::new().file("broken.yaml", "a: [\n");
    let outcome = case.lockstep(["event", "match", r#"{"a": [{"prefx": "x"}], "b": []}"#, "{}"]);
    outcome
        .exits(2)
        .says("error: `a[0].prefx`: there is no such operator")
        .says("error: `b`: an empty list")
        .says("2 errors in the pattern");
    case.lockstep(["event", "match", "{", "{}"]).exits(2).says("the pattern cannot be read").says("is JSON");
    case.lockstep(["event", "match", "broken.yaml", "{}"]).exits(2).says("`broken.yaml`");
    case.lockstep(["event", "match", "nowhere.yaml", "{}"]).exits(2).says("nowhere.yaml");
    case.lockstep(["event", "match", r#"{"a": [1]}"#, "-"]).exits(1);
}
