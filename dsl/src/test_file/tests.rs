//! Paths as tests name them, and what a file of cases becomes.

use super::{Answer, PathPattern, RunStatus, read};
use crate::expr::Sandbox;
use crate::source::Source;

fn pattern(text: &str) -> PathPattern {
    PathPattern::parse(text).expect("a path")
}

#[test]
fn a_mark_that_is_left_out_is_not_looked_at() {
    for (text, path, matches) in [
        ("a", "a", true),
        ("a", "a~2", true),
        ("a~1", "a", true),
        ("a~1", "a~2", false),
        ("a~2", "a~2", true),
        ("a~*", "a~3", true),
        ("each/a", "each[7]/a", true),
        ("each[*]/a", "each[7]/a", true),
        ("each[6]/a", "each[7]/a", false),
        ("each[7]/a", "each~2[7]/a", true),
        ("a", "a/b", false),
        ("a/b", "a", false),
        ("shell#3", "shell#3", true),
    ] {
        assert_eq!(pattern(text).matches(path), matches, "{text} {path}");
    }
    for text in ["", "a//b", "each[x]/a", "a~x", "[1]", "a[1][2]"] {
        assert_eq!(PathPattern::parse(text), None, "{text}");
    }
}

#[test]
fn attempts_are_counted_over_what_a_path_leaves_open() {
    for (text, path, counted) in [
        ("a", "a~2", "a"),
        ("a~*", "a~2", "a~2"),
        ("each/a", "each[7]/a", "each/a"),
        ("each[*]/a", "each[7]/a", "each[7]/a"),
        ("each[*]/a", "each[7]/a~2", "each[7]/a"),
    ] {
        assert_eq!(pattern(text).counted_as(path), counted, "{text} {path}");
    }
    assert_eq!(pattern("each[*]/a~2").names(), "each/a");
}

#[test]
fn what_the_file_says_for_all_cases_gives_way_to_what_a_case_says() {
    let text = "
test: a/b
params: { x: 1, y: 2 }
mock: { s: { stdout: one }, t: [{ exit_code: 1, times: 3 }, { json: { k: 1 }, after: 2m }] }
cases:
  - name: first
    params: { y: 3 }
    mock: { s: { error: { kind: lost, message: gone } } }
    expect: { status: waiting, takes: { at_most: 1h }, outputs: { n: 1 } }
";
    let file = read(&Source::new("a.test.yaml", text), &Sandbox::new(&[])).expect("it can be read");
    let case = &file.cases[0];
    let names: Vec<_> = case.params.iter().map(|(name, _)| name.value.as_str()).collect();
    assert_eq!(names, ["y", "x"]);
    let paths: Vec<_> = case.mocks.iter().map(|mocks| mocks.path.value.to_string()).collect();
    assert_eq!(paths, ["s", "s", "t"]);
    assert!(matches!(&case.mocks[0].attempts[0].answer, Answer::Error(error) if error.message == "gone"));
    let [first, second] = case.mocks[2].attempts.as_slice() else { panic!("two attempts") };
    assert_eq!((first.times, second.after.0), (3, 120_000));
    assert!(matches!(&second.answer, Answer::Json(text) if text == "{\"k\":1}"));
    assert_eq!(case.expect.status.as_ref().map(|status| status.value), Some(RunStatus::Waiting));
    assert_eq!(case.expect.takes.map(|takes| (takes.at_least.0, takes.at_most.0)), Some((0, 3_600_000)));
}
