//! Holds what came of a case against what is expected, and says every difference.

use lockstep_dsl::test_file::{
    CallParams, CallsExpect, Case, ErrorExpect, Expect, Lasts, PathPattern, RunStatus, StepExpect,
};
use lockstep_dsl::value::{Map, Millis, Value};
use lockstep_engine::api::{ErrorView, RunView, StepView};
use lockstep_engine::rehearsal::{Attempted, Called, End, Missing, Story};
use serde_json::Value as Json;

use super::script::mocked_call;
use crate::output::text::count;

/// What differs, one line or several each; nothing when the case holds.
pub fn judge(case: &Case, story: &Story) -> Vec<String> {
    let mut judge = Judge { story, differences: Vec::new() };
    judge.end(&case.expect);
    judge.differences.extend(story.broken.iter().cloned());
    judge.differences.extend(story.refused.iter().map(|why| format!("what a person asked for was refused: {why}")));
    if let Some(run) = &story.run
        && !matches!(story.end, End::Missing(_) | End::Endless)
    {
        judge.run(&case.expect, run);
    }
    judge.differences
}

/// Why a rehearsal did not come to its end; `None` where it did.
pub fn broke_off(end: &End) -> Option<String> {
    match end {
        End::Rest => None,
        End::Missing(missing) => Some(no_mock(missing)),
        End::Endless => Some("the run goes on and on: too many turns for a test".to_owned()),
        End::Refused(why) => Some(format!("the run was refused: {why}")),
    }
}

struct Judge<'a> {
    story: &'a Story,
    differences: Vec<String>,
}

impl Judge<'_> {
    fn end(&mut self, expect: &Expect) {
        let expected = expect.status.as_ref().map(|status| status.value);
        match &self.story.end {
            End::Refused(why) if expected == Some(RunStatus::Refused) => {
                let message = expect.error.as_ref().and_then(|error| error.message.as_ref());
                if let Some(message) = message.filter(|message| !why.contains(*message)) {
                    self.differences.push(format!("error.message: expected a text with {message:?}, found {why:?}"));
                }
            }
            End::Missing(_) | End::Endless | End::Refused(_) => self.differences.extend(broke_off(&self.story.end)),
            End::Rest => {
                let found = self.story.run.as_ref().map_or("refused", |run| run.status.as_str());
                if let Some(expected) = expected
                    && expected.name() != found
                {
                    let why = self.story.run.as_ref().map(|run| why(run)).unwrap_or_default();
                    self.differences.push(format!("status: expected {}, found {found}{why}", expected.name()));
                }
            }
        }
    }

    fn run(&mut self, expect: &Expect, run: &RunView) {
        if let Some(path) = &expect.path {
            self.path(&path.value);
        }
        for never in &expect.never {
            let began = self.story.begun.iter().find(|begun| never.value.matches(&begun.path));
            if let Some(begun) = began {
                self.differences.push(format!("never: `{}` began after {}", begun.path, Millis(begun.at)));
            }
        }
        for (path, step) in &expect.steps {
            self.steps(&path.value, step, run);
        }
        for (runbook, calls) in &expect.calls {
            self.calls(&runbook.value, calls);
        }
        for (name, value) in &expect.outputs {
            self.equal(&format!("outputs.{name}"), &value.to_json(), run.outputs.get(name));
        }
        if let Some(error) = &expect.error {
            self.error("error", error, run.error.as_ref());
        }
        if let Some(takes) = &expect.takes {
            self.lasts("takes", takes, Some(self.story.elapsed));
        }
    }

    fn path(&mut self, expected: &[String]) {
        let found = self.story.path();
        if found == expected {
            return;
        }
        let same = found.iter().zip(expected).take_while(|(found, expected)| **found == **expected).count();
        let at = |path: Option<&str>| path.map_or("nothing more".to_owned(), |path| format!("`{path}`"));
        self.differences.push(format!(
            "path: step {} should be {}, and is {}\n  expected [{}]\n  found    [{}]",
            same + 1,
            at(expected.get(same).map(String::as_str)),
            at(found.get(same).copied()),
            expected.join(", "),
            found.join(", "),
        ));
    }

    fn steps(&mut self, path: &PathPattern, expected: &StepExpect, run: &RunView) {
        let found: Vec<&StepView> = run.steps.iter().filter(|step| path.matches(&step.path)).collect();
        // Without marks the last visit is meant, as in expressions.
        let exact = found.iter().filter(|step| path.is(&step.path)).count();
        let meant = if exact > 0 && found.len() > 1 { vec![*found.last().unwrap_or(&found[0])] } else { found };
        if meant.is_empty() {
            self.differences.push(format!("steps.{path}: it never came to be"));
        }
        for step in meant {
            self.step(&format!("steps.{}", step.path), expected, step);
        }
    }

    fn step(&mut self, what: &str, expected: &StepExpect, step: &StepView) {
        if let Some(status) = &expected.status
            && status != step.status.name()
        {
            let error = step.error.as_ref().map(|error| format!(": {}", said(error))).unwrap_or_default();
            let reason = step.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            self.differences.push(format!("{what}: expected {status}, found {}{reason}{error}", step.status.name()));
        }
        if let Some(attempts) = expected.attempts {
            self.equal(&format!("{what}.attempts"), &attempts.into(), Some(&step.attempts.into()));
        }
        if let Some(handled) = expected.handled {
            self.equal(&format!("{what}.handled"), &handled.into(), Some(&step.handled.into()));
        }
        if let Some(title) = &expected.title {
            self.equal(
                &format!("{what}.title"),
                &title.as_str().into(),
                step.title.as_deref().map(Json::from).as_ref(),
            );
        }
        for (name, value) in &expected.outputs {
            self.equal(&format!("{what}.outputs.{name}"), &value.to_json(), step.outputs.get(name));
        }
        if let Some(error) = &expected.error {
            self.error(&format!("{what}.error"), error, step.error.as_ref());
        }
        let begun = self.story.begun.iter().rev().find(|begun| begun.path == step.path).map(|begun| begun.at);
        if let Some(begins) = &expected.begins {
            self.lasts(&format!("{what}.begins"), begins, begun);
        }
        if let Some(takes) = &expected.takes {
            self.lasts(&format!("{what}.takes"), takes, took(step));
        }
        if let Some(params) = &expected.params {
            let called = self.story.called.iter().rev().find(|called| called.path == step.path);
            match called {
                Some(called) => self.params(what, params, &called.params),
                None => self.differences.push(format!("{what}: it called nothing")),
            }
        }
        if !expected.input.is_empty() {
            self.input(what, &expected.input, &step.path);
        }
    }

    fn calls(&mut self, runbook: &str, expected: &CallsExpect) {
        let story = self.story;
        let found: Vec<&Called> = story.called.iter().filter(|called| called.runbook == runbook).collect();
        let what = format!("calls.{runbook}");
        let listed = match &expected.params {
            Some(CallParams::InOrder(calls)) => Some(calls.len()),
            Some(CallParams::Each(_)) | None => None,
        };
        if let Some(times) = expected.times.into_iter().chain(listed).find(|times| *times != found.len()) {
            let (times, found) = (count(times, "call"), count(found.len(), "call"));
            self.differences.push(format!("{what}: expected {times}, found {found}"));
        }
        for (place, called) in found.iter().enumerate() {
            let params = match &expected.params {
                Some(CallParams::Each(params)) => Some(params),
                Some(CallParams::InOrder(calls)) => calls.get(place),
                None => None,
            };
            if let Some(params) = params {
                self.params(&format!("{what}[{place}]"), params, &called.params);
            }
        }
    }

    /// Some of the parameters of one call.
    fn params(&mut self, what: &str, expected: &Map, found: &Map) {
        for (name, value) in expected {
            let found = found.get(name).map(Value::to_json_with_references);
            self.equal(&format!("{what}.params.{name}"), &value.to_json(), found.as_ref());
        }
    }

    fn input(&mut self, what: &str, expected: &Map, path: &str) {
        let Some(attempt) = self.story.attempts.iter().rev().find(|attempt| attempt.path == path) else {
            self.differences.push(format!("{what}: no attempt of it was made"));
            return;
        };
        let found = input(attempt);
        for (name, value) in expected {
            match value.to_json() {
                Json::Object(map) if matches!(name.as_str(), "env" | "headers" | "query") => {
                    for (key, value) in map {
                        // Header names are the same in any case, and plain numbers are text there.
                        let key = if name == "headers" { key.to_lowercase() } else { key };
                        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        self.equal(&format!("{what}.{name}.{key}"), &text.into(), found[name.as_str()].get(&key));
                    }
                }
                Json::Array(list) if name == "argv" => {
                    let texts = list.into_iter().map(|one| match one {
                        Json::String(text) => text,
                        other => other.to_string(),
                    });
                    self.equal(&format!("{what}.argv"), &texts.collect::<Vec<_>>().into(), found.get("argv"));
                }
                other => self.equal(&format!("{what}.{name}"), &other, found.get(name)),
            }
        }
    }

    fn error(&mut self, what: &str, expected: &ErrorExpect, found: Option<&ErrorView>) {
        let Some(found) = found else {
            self.differences.push(format!("{what}: expected an error, found none"));
            return;
        };
        if let Some(kind) = expected.kind.as_ref().filter(|kind| **kind != found.kind) {
            self.differences.push(format!("{what}: expected {kind}, found {}", said(found)));
        }
        if let Some(message) = expected.message.as_ref().filter(|message| !found.message.contains(*message)) {
            self.differences
                .push(format!("{what}.message: expected a text with {message:?}, found {:?}", found.message));
        }
        if let Some(step) = &expected.step {
            self.equal(&format!("{what}.step"), &step.as_str().into(), Some(&found.step.as_str().into()));
        }
        for (name, value) in &expected.data {
            self.equal(&format!("{what}.data.{name}"), &value.to_json(), found.data.get(name));
        }
    }

    fn lasts(&mut self, what: &str, expected: &Lasts, found: Option<u64>) {
        let Some(found) = found else {
            self.differences.push(format!("{what}: it never began or never ended"));
            return;
        };
        if found < expected.at_least.0 || found > expected.at_most.0 {
            let expected = if expected.at_least == expected.at_most {
                expected.at_least.to_string()
            } else if expected.at_most.0 == u64::MAX {
                format!("at least {}", expected.at_least)
            } else {
                format!("{} to {}", expected.at_least, expected.at_most)
            };
            self.differences.push(format!("{what}: expected {expected}, found {}", Millis(found)));
        }
    }

    fn equal(&mut self, what: &str, expected: &Json, found: Option<&Json>) {
        match found {
            Some(found) if same(expected, found) => {}
            Some(found) => self.differences.push(format!("{what}: expected {expected}, found {found}")),
            None => self.differences.push(format!("{what}: expected {expected}, found nothing")),
        }
    }
}

/// Whether two values are the same; 1 and 1.0 are.
fn same(expected: &Json, found: &Json) -> bool {
    match (expected, found) {
        (Json::Number(expected), Json::Number(found)) => {
            expected == found || expected.as_f64().zip(found.as_f64()).is_some_and(|(a, b)| a.total_cmp(&b).is_eq())
        }
        (Json::Array(expected), Json::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| same(expected, found))
        }
        (Json::Object(expected), Json::Object(found)) => {
            expected.len() == found.len()
                && expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| same(value, found)))
        }
        (expected, found) => expected == found,
    }
}

/// What to add to the test, word for word.
fn no_mock(missing: &Missing) -> String {
    let Missing { step, kind, attempt } = missing;
    if let Some(call) = mocked_call(step) {
        return format!("one more call by `{call}` has no mock; add another one to its list: `{{ outputs: {{}} }}`");
    }
    let example = match kind.as_str() {
        "http" => "{ code: 200 }",
        "foreach" => "{ file: \"a\\nb\\n\" }",
        _ => "{ stdout: '' }",
    };
    if *attempt > 1 {
        return format!("attempt {attempt} of `{step}` has no mock; add another one to its list: `{example}`");
    }
    format!("`{step}` acts and has no mock; add `{step}: {example}` under `mock`")
}

fn why(run: &RunView) -> String {
    run.error.as_ref().map(|error| format!(": {}{}", at_step(error), said(error))).unwrap_or_default()
}

fn at_step(error: &ErrorView) -> String {
    if error.step.is_empty() { String::new() } else { format!("`{}` ", error.step) }
}

fn said(error: &ErrorView) -> String {
    format!("{} ({})", error.kind, error.message)
}

fn took(step: &StepView) -> Option<u64> {
    let time =
        |text: &Option<String>| text.as_deref()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond);
    u64::try_from(time(&step.ended)? - time(&step.started)?).ok()
}

/// The input of an attempt as tests name its parts; secrets are their references.
fn input(attempt: &Attempted) -> Json {
    let mut found = serde_json::Map::new();
    for (name, value) in &attempt.input {
        match (name.as_str(), value.to_json_with_references()) {
            ("headers" | "query", Json::Array(pairs)) => {
                let pair = |pair: Json| {
                    let key = pair[0].as_str().unwrap_or_default().to_owned();
                    (if name == "headers" { key.to_lowercase() } else { key }, pair[1].clone())
                };
                found.insert(name.clone(), Json::Object(pairs.into_iter().map(pair).collect()));
            }
            ("argv", Json::Array(argv)) => {
                let text = |one: Json| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
                found.insert(name.clone(), argv.into_iter().map(text).collect::<Vec<_>>().into());
            }
            ("body", body) => {
                found.insert("request".to_owned(), body["value"].clone());
            }
            (_, value) => {
                found.insert(name.clone(), value);
            }
        }
    }
    Json::Object(found)
}
