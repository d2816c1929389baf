//! What stands in the file of a case. `cases/README.md` says the same to people.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// What is promised, in a sentence.
    #[serde(rename = "case")]
    _case: String,
    /// The runbook's text.
    pub runbook: String,
    /// Files beside it.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Answers of a web server; its address is the parameter `server`.
    pub server: Option<Vec<Answer>>,
    /// Parameters of the only run.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Environment of the only run.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The groups that who acts is in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What is said to the only run, one thing after the other, once it can go no further by itself.
    #[serde(default)]
    pub acts: Vec<Act>,
    /// What must come of the only run.
    pub expect: Option<Expect>,
    /// In place of these three, several runs.
    #[serde(default)]
    pub runs: Vec<Run>,
}

/// One of several runs of the same runbook.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Parameters, as on the command line.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Environment of the program.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What is said to it.
    #[serde(default)]
    pub acts: Vec<Act>,
    /// What must come of it.
    pub expect: Expect,
}

impl CaseFile {
    /// The runs of this case.
    pub fn runs(&self) -> Vec<Run> {
        let Some(expect) = &self.expect else {
            assert!(!self.runs.is_empty(), "a case without `expect` and `runs` expects nothing");
            return self.runs.clone();
        };
        assert!(self.runs.is_empty(), "a case has `expect` or `runs`, not both");
        vec![Run {
            params: self.params.clone(),
            environment: self.environment.clone(),
            acts: self.acts.clone(),
            expect: expect.clone(),
        }]
    }
}

/// What must come of a run. What is left out is not looked at.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// How it ends.
    pub status: Status,
    /// All its outputs.
    pub outputs: Option<BTreeMap<String, Json>>,
    /// Its error.
    pub error: Option<ErrorPart>,
    /// Some of its steps, by path.
    #[serde(default)]
    pub steps: BTreeMap<String, StepPart>,
    /// Paths that are of no step.
    #[serde(default)]
    pub no_steps: Vec<String>,
    /// These steps start in this order.
    #[serde(default)]
    pub order: Vec<String>,
    /// Standard error holds these.
    #[serde(default)]
    pub says: Vec<String>,
    /// The log of a step holds this.
    #[serde(default)]
    pub logs: BTreeMap<String, String>,
    /// What files hold afterwards; `null` for none.
    #[serde(default)]
    pub files: BTreeMap<String, Option<String>>,
    /// Texts that are not printed, logged or stored.
    #[serde(default)]
    pub nowhere: Vec<String>,
    /// All that the server was asked for.
    pub requests: Option<Vec<Request>>,
}

/// Something that is said to a run that waits.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// A signal with this name.
    pub signal: Option<String>,
    /// What it carries.
    pub payload: Option<Json>,
    /// A yes to the step with this path.
    pub approve: Option<String>,
    /// A no to it.
    pub reject: Option<String>,
    /// What is said to a yes or no.
    pub comment: Option<String>,
    /// An answer to the step with this path.
    pub answer: Option<String>,
    /// The fields of the answer, as texts of the command line.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// The step with this path is skipped.
    pub skip: Option<String>,
    /// Nothing new begins.
    #[serde(default)]
    pub pause: bool,
    /// It goes on after that.
    #[serde(default)]
    pub resume: bool,
    /// Why it is skipped or paused.
    pub reason: Option<String>,
    /// It is refused, with this text.
    pub refused: Option<String>,
}

impl Act {
    /// The command that says it.
    pub fn command(&self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let comment = self.comment.iter().flat_map(|comment| words(&["--comment", comment]));
        let reason = self.reason.iter().flat_map(|reason| words(&["--reason", reason]));
        match (&self.signal, &self.approve, &self.reject, &self.answer) {
            (None, None, None, None) => match (&self.skip, self.pause, self.resume) {
                (Some(step), false, false) => {
                    words(&["skip", "last", step, "--json"]).into_iter().chain(reason).collect()
                }
                (None, true, false) => words(&["pause", "last", "--json"]).into_iter().chain(reason).collect(),
                (None, false, true) => words(&["resume", "last", "--json"]),
                _ => panic!("an act says one thing"),
            },
            (Some(name), None, None, None) => {
                let payload = self.payload.as_ref().unwrap_or(&Json::Null).to_string();
                words(&["signal", "last", name, "--payload", &payload, "--json"])
            }
            (None, Some(step), None, None) => {
                words(&["approve", "last", step, "--json"]).into_iter().chain(comment).collect()
            }
            (None, None, Some(step), None) => {
                words(&["reject", "last", step, "--json"]).into_iter().chain(comment).collect()
            }
            (None, None, None, Some(step)) => {
                let fields = self.fields.iter().flat_map(|(name, text)| words(&["-p", &format!("{name}={text}")]));
                words(&["answer", "last", step, "--json"]).into_iter().chain(fields).collect()
            }
            _ => panic!("an act says one thing"),
        }
    }
}

/// How a run ends. Each has its exit code.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// 0.
    Succeeded,
    /// 1.
    Failed,
    /// 2: there is no run.
    Refused,
    /// 3: it is open still.
    Waiting,
}

impl Status {
    /// The exit code, and the status as the run has it.
    pub fn parts(self) -> (i32, Option<&'static str>) {
        match self {
            Self::Succeeded => (0, Some("succeeded")),
            Self::Failed => (1, Some("failed")),
            Self::Refused => (2, None),
            Self::Waiting => (3, Some("waiting")),
        }
    }
}

/// Part of a step.
#[derive(Clone, Default, Deserialize)]
#[serde(try_from = "Json")]
pub struct StepPart(pub StepFields);

/// The fields of a step that are looked at.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepFields {
    /// Its status.
    pub status: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Definite attempts.
    pub attempts: Option<u32>,
    /// Whether its failure was handled.
    pub handled: Option<bool>,
    /// Its title, templates filled in.
    pub title: Option<String>,
    /// Some of its outputs.
    #[serde(default)]
    pub outputs: BTreeMap<String, Json>,
    /// Its error.
    pub error: Option<ErrorPart>,
    /// It takes at least so many milliseconds.
    pub at_least_ms: Option<i64>,
    /// It takes less than so many milliseconds.
    pub under_ms: Option<i64>,
}

impl TryFrom<Json> for StepPart {
    type Error = serde_json::Error;

    /// A bare text is the status.
    fn try_from(json: Json) -> Result<Self, serde_json::Error> {
        match json {
            Json::String(status) => Ok(Self(StepFields { status: Some(status), ..StepFields::default() })),
            other => serde_json::from_value(other).map(Self),
        }
    }
}

/// Part of an error.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorPart {
    /// Its kind.
    pub kind: Option<String>,
    /// What its message holds.
    pub message: Option<String>,
    /// The path of its step.
    pub step: Option<String>,
    /// The attempt.
    pub attempt: Option<u32>,
    /// Some of its data.
    #[serde(default)]
    pub data: BTreeMap<String, Json>,
    /// What it came on top of.
    pub cause: Option<Box<ErrorPart>>,
}

/// An answer of the server.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// For this path. Several of one path are given one after the other, the last again and again.
    pub path: String,
    /// The status code.
    #[serde(default = "ok")]
    pub code: u16,
    /// Headers; `{server}` in one is the server's address.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// In place of an answer: keep silent, or close the connection.
    pub instead: Option<Instead>,
}

fn ok() -> u16 {
    200
}

/// What a bad server does.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instead {
    /// Reads the request and never answers.
    Silence,
    /// Reads the request and closes the connection.
    Close,
}

/// A request that must have arrived.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its path with the query.
    pub path: String,
    /// Some of its headers, names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Option<String>,
}
