//! The mocks of a case, as what attempts do.

use std::collections::BTreeMap;

use lockstep_dsl::test_file::{Answer, Command, Mock, MockError, Mocks, STAND_IN, STAND_IN_OUTPUTS, Truncated};
use lockstep_dsl::value::{Map, Value};
use lockstep_engine::core::run::Answer as PageAnswer;
use lockstep_engine::rehearsal::{Act, Play, Said, Script, ended};
use lockstep_engine::worker::pages::PageRead;
use lockstep_engine::worker::{Attempt, Failure, Outcome};
use lockstep_stdlib::http;

use super::people::People;

/// The mocks of one rehearsal.
pub struct Mocked<'a> {
    mocks: &'a [Mocks],
    people: &'a People,
    /// Attempts so far, by mock and by what it counts.
    counted: BTreeMap<(usize, String), u64>,
}

impl<'a> Mocked<'a> {
    /// Nothing has begun.
    pub const fn new(mocks: &'a [Mocks], people: &'a People) -> Self {
        Self { mocks, people, counted: BTreeMap::new() }
    }

    /// The mock for the next attempt of a step: of that very path, else the first that fits.
    fn next(&mut self, path: &str) -> Option<&'a Mock> {
        let named = |mocks: &Mocks| mocks.path.value.is(path);
        let place = self
            .mocks
            .iter()
            .position(named)
            .or_else(|| self.mocks.iter().position(|mocks| mocks.path.value.matches(path)))?;
        let mocks = &self.mocks[place];
        if mocks.every {
            return mocks.attempts.first();
        }
        let counted = self.counted.entry((place, mocks.path.value.counted_as(path))).or_default();
        let mut number = *counted;
        *counted += 1;
        mocks.attempts.iter().find(|mock| {
            let times = u64::from(mock.times);
            let is_it = number < times;
            number = number.saturating_sub(times);
            is_it
        })
    }
}

impl Script for Mocked<'_> {
    fn play(&mut self, attempt: &Attempt) -> Option<Play> {
        if let Some(call) = mocked_call(&attempt.step) {
            let mock = self.next(call)?;
            return Some(Play { takes: mock.after, outcome: end_of_call(&mock.answer) });
        }
        let mock = self.next(&attempt.step)?;
        Some(Play { takes: mock.after, outcome: outcome(attempt, &mock.answer) })
    }

    fn words(&mut self, path: &str, signal: Option<&str>) -> Vec<Act> {
        let Some(mock) = self.next(path) else { return Vec::new() };
        let Answer::Word(word) = &mock.answer else { return Vec::new() };
        self.people.say(path, signal, word, mock.after)
    }

    fn page(&mut self, path: &str, read: &PageRead) -> Option<PageAnswer> {
        let mock = self.mocks.iter().find(|mocks| mocks.path.value.matches(path))?.attempts.first()?;
        match &mock.answer {
            Answer::File(text) => Some(read.read_text(&text.repeat(mock.times as usize))),
            Answer::Error(error) => Some(Err(failure(error))),
            Answer::Nothing
            | Answer::Outputs(_)
            | Answer::Json(_)
            | Answer::Command(_)
            | Answer::Response(_)
            | Answer::Word(_) => None,
        }
    }
}

/// The path of the call whose runbook a step stands in for.
pub fn mocked_call(step: &str) -> Option<&str> {
    step.strip_suffix(STAND_IN)?.strip_suffix('/')
}

/// How a run ends that was called and is not played. Outputs of which nothing is said are `()`.
fn end_of_call(answer: &Answer) -> Outcome {
    let outputs = match answer {
        Answer::Error(error) if error.kind == "lost" => return Outcome::Unknown { why: error.message.clone() },
        Answer::Error(error) => return failure(error).into(),
        Answer::Outputs(outputs) => outputs.clone(),
        Answer::Nothing
        | Answer::Json(_)
        | Answer::Command(_)
        | Answer::Response(_)
        | Answer::File(_)
        | Answer::Word(_) => Map::new(),
    };
    Outcome::Succeeded { outputs: Map::from([(STAND_IN_OUTPUTS.to_owned(), Value::Map(outputs))]) }
}

fn outcome(attempt: &Attempt, answer: &Answer) -> Outcome {
    let is_request = attempt.action == "http";
    match answer {
        Answer::Error(error) if error.kind == "lost" => Outcome::Unknown { why: error.message.clone() },
        Answer::Error(error) => failure(error).into(),
        Answer::Response(response) => http::answered(attempt, response.code, &response.headers, &response.body),
        Answer::Json(text) if is_request => http::answered(attempt, 200, &[], text),
        Answer::Nothing | Answer::Outputs(_) | Answer::File(_) | Answer::Word(_) if is_request => {
            http::answered(attempt, 200, &[], "")
        }
        Answer::Json(text) => ended(attempt, Said { stdout: text.clone(), ..Said::default() }),
        Answer::Nothing | Answer::File(_) | Answer::Word(_) => ended(attempt, Said::default()),
        Answer::Outputs(outputs) => ended(attempt, Said { outputs: outputs.clone(), ..Said::default() }),
        Answer::Command(command) => ended(attempt, said(command)),
    }
}

fn said(command: &Command) -> Said {
    let Command { exit_code, stdout, stderr, truncated, outputs } = command.clone();
    Said {
        exit_code,
        stdout,
        stdout_truncated: truncated.is_some_and(Truncated::is_of_stdout),
        stderr,
        stderr_truncated: truncated.is_some_and(Truncated::is_of_stderr),
        outputs,
    }
}

fn failure(error: &MockError) -> Failure {
    let (kind, message, data) = (error.kind.clone(), error.message.clone(), error.data.clone());
    Failure { kind, message, data, untouched: error.untouched }
}
