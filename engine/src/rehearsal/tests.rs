//! What a rehearsal must be able to tell, and what it must not let pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_dsl::compile::{NoFiles, compile};
use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::source::Source;
use lockstep_dsl::value::{Map, Millis, Timestamp, Value};

use super::*;
use crate::core::run::{Answer, Resolution};
use crate::eval::Evaluator;
use crate::worker::pages::PageRead;
use crate::worker::{Attempt, Outcome};

/// Exit codes by path, attempt by attempt, the last one again and again; requests give them as codes.
#[derive(Default)]
struct Codes(BTreeMap<&'static str, Vec<i64>>);

impl Script for Codes {
    fn words(&mut self, _: &str, _: Option<&str>) -> Vec<Act> {
        Vec::new()
    }

    fn play(&mut self, attempt: &Attempt) -> Option<Play> {
        let codes = self.0.get_mut(attempt.step.as_str())?;
        let code = if codes.len() > 1 { codes.remove(0) } else { codes[0] };
        let outcome = match (attempt.action.as_str(), code) {
            ("http", _) => Outcome::Succeeded { outputs: Map::from([("code".to_owned(), Value::Int(code))]) },
            (_, -1) => Outcome::Unknown { why: "nobody knows".to_owned() },
            (_, code) => ended(attempt, Said { exit_code: code, stdout: format!("{code}\n"), ..Said::default() }),
        };
        Some(Play { takes: Millis(10), outcome })
    }

    fn page(&mut self, _: &str, _: &PageRead) -> Option<Answer> {
        None
    }
}

fn setting(steps: &str) -> Setting {
    let text = format!("runbook: a\n{steps}");
    let compiled = compile(&Source::new("a.yaml", text), &NoFiles, &Sandbox::new(&[])).expect("it compiles");
    Setting {
        graph: Arc::new(compiled.graph),
        params: Map::new(),
        begin: Timestamp(1_700_000_000_000),
        by: "user:ana".to_owned(),
        acts: Vec::new(),
        until: None,
        trouble: None,
    }
}

fn play(setting: &Setting, codes: &[(&'static str, &[i64])]) -> Story {
    let mut script = Codes(codes.iter().map(|(path, codes)| (*path, codes.to_vec())).collect());
    rehearse(setting, &Evaluator::new(Arc::new(Sandbox::new(&[]))), &mut script)
}

/// The same with every write as the last of an engine, before and after what follows from it.
fn troubled(setting: &Setting, codes: &[(&'static str, &[i64])], loss: Loss) -> Vec<Story> {
    let writes = play(setting, codes).writes;
    let troubles =
        (1..=writes).flat_map(|write| [false, true].map(|after_effects| Some(Trouble { write, after_effects, loss })));
    troubles.map(|trouble| play(&Setting { trouble, ..setting.clone() }, codes)).collect()
}

fn status(story: &Story) -> &str {
    story.run.as_ref().map_or("none", |run| run.status.as_str())
}

#[test]
fn three_days_pass_in_no_time_and_are_told() {
    let setting =
        setting("steps: [{ id: a, shell: x, retry: { attempts: 2, delay: 1h, jitter: none } }, { wait: 3d }]");
    let story = play(&setting, &[("a", &[1, 0])]);
    assert_eq!((status(&story), story.elapsed), ("succeeded", 3_600_000 + 3 * 86_400_000 + 20));
    assert_eq!(story.path(), ["a", "wait#2"]);
    assert_eq!(story.attempts.len(), 2);
    assert_eq!(story.broken, [""; 0]);
}

#[test]
fn what_the_script_does_not_know_ends_the_rehearsal() {
    let story = play(&setting("steps: [{ id: a, shell: x }, { id: b, exec: [y] }]"), &[("a", &[0])]);
    let missing = Missing { step: "b".to_owned(), kind: "exec".to_owned(), attempt: 1 };
    assert_eq!(story.end, End::Missing(missing));
}

#[test]
fn steps_of_one_moment_stand_in_the_order_of_the_file() {
    let text = "
steps:
  - id: fan
    parallel:
      branches:
        left: [{ id: a, set: { x: 1 } }, { id: b, set: { y: 1 } }]
        right: [{ id: c, set: { z: 1 } }]
";
    assert_eq!(play(&setting(text), &[]).path(), ["fan/left/a", "fan/left/b", "fan/right/c"]);
}

#[test]
fn coverage_knows_what_was_passed_over_and_what_failed() {
    let text = "
steps:
  - { id: a, shell: x, on_error: continue }
  - { id: b, shell: y, when: 'false' }
  - { id: c, switch: { value: '1', cases: { '1': [{ set: { x: 1 } }], '2': [{ set: { x: 2 } }] } } }
";
    let setting = setting(text);
    let story = play(&setting, &[("a", &[1])]);
    let names = |nodes: &std::collections::BTreeSet<lockstep_dsl::graph::NodeId>| {
        nodes.iter().map(|node| setting.graph.node(*node).name.clone()).collect::<Vec<_>>().join(" ")
    };
    let reached = &story.reached["a.yaml"];
    assert_eq!(names(&reached.ran), "a c set#1");
    assert_eq!(names(&reached.passed_over), "b");
    assert_eq!(names(&reached.failed), "a");
    assert_eq!(reached.blocks.len(), 2);
}

#[test]
fn people_resolve_and_cancel() {
    let mut resolved = setting("steps: [{ id: a, shell: x }, { id: b, shell: y }]");
    let how = Resolution::Done { outputs: Map::new() };
    let what = What::Resolve { step: "a".to_owned(), how };
    resolved.acts.push(Act { after: Millis(60_000), by: "user:ben".to_owned(), what });
    let story = play(&resolved, &[("a", &[-1]), ("b", &[0])]);
    assert_eq!((status(&story), story.elapsed), ("succeeded", 60_010));

    let mut cancelled = setting("steps: [{ id: a, wait: 1h }]");
    cancelled.acts.push(Act { after: Millis(60_000), by: "user:ben".to_owned(), what: What::Cancel });
    let story = play(&cancelled, &[]);
    assert_eq!((status(&story), story.elapsed), ("cancelled", 60_000));
}

#[test]
fn an_engine_that_is_killed_anywhere_goes_the_same_way() {
    let text = "
steps:
  - id: fan
    parallel:
      branches:
        left: [{ id: a, shell: x, retry: 2 }]
        right: [{ id: b, http: { method: POST, url: 'http://localhost' } }, { id: c, shell: y, effect: pure }]
  - { id: d, shell: z }
";
    let codes: &[(&'static str, &[i64])] =
        &[("fan/left/a", &[1, 0]), ("fan/right/b", &[200]), ("fan/right/c", &[0]), ("d", &[0])];
    let setting = setting(text);
    let whole = play(&setting, codes);
    assert_eq!(status(&whole), "succeeded");
    let stories = troubled(&setting, codes, Loss::Engine);
    assert!(stories.len() > 10, "{} writes", stories.len() / 2);
    for (number, story) in stories.iter().enumerate() {
        assert_eq!((status(story), story.path()), ("succeeded", whole.path()), "trouble {number}: {story:#?}");
        assert_eq!(story.broken, [""; 0], "trouble {number}");
    }
}

#[test]
fn a_lost_host_leaves_a_step_in_doubt_and_never_runs_it_twice() {
    let setting = setting("steps: [{ id: a, shell: x }, { id: b, shell: y, effect: pure }]");
    let codes: &[(&'static str, &[i64])] = &[("a", &[0]), ("b", &[0])];
    let mut ends: Vec<String> = Vec::new();
    for story in troubled(&setting, codes, Loss::Host) {
        assert_eq!(story.broken, [""; 0], "{story:#?}");
        ends.push(status(&story).to_owned());
    }
    assert!(ends.iter().any(|end| end == "waiting") && ends.iter().any(|end| end == "succeeded"), "{ends:?}");
}

#[cfg(feature = "proof")]
#[test]
fn a_step_that_runs_twice_is_told() {
    use crate::fault::{self, Bug};
    assert!(
        fault::is_caught(Bug::OnceRepeated, a_lost_host_leaves_a_step_in_doubt_and_never_runs_it_twice),
        "the planted bug passes unnoticed"
    );
}
