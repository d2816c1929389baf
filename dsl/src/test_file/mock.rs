//! What steps do in place of acting.

use super::pattern::PathPattern;
use super::read::{TestReader, data};
use super::word::Word;
use crate::compile::keys::Keys;
use crate::diagnostic::Code;
use crate::source::{Span, Spanned};
use crate::value::{Map, Millis, Value};
use crate::yaml::{Mapping, Node};

/// What the attempts of steps do.
#[derive(Clone, Debug)]
pub struct Mocks {
    /// Of which steps.
    pub path: Spanned<PathPattern>,
    /// Attempt by attempt.
    pub attempts: Vec<Mock>,
    /// Whether it is said for every attempt, not attempt by attempt.
    pub every: bool,
}

/// What one attempt does.
#[derive(Clone, Debug)]
pub struct Mock {
    /// Where it stands.
    pub span: Span,
    /// How long it takes.
    pub after: Millis,
    /// So many attempts in a row do this.
    pub times: u32,
    /// How it ends.
    pub answer: Answer,
}

/// How an attempt ends.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With nothing to say, well.
    Nothing,
    /// A command prints, and exits.
    Command(Command),
    /// A command writes these to `$LOCKSTEP_OUTPUT`, or a run that was called ends with them.
    Outputs(Map),
    /// A command prints this, or a server answers with it.
    Json(String),
    /// A server answers.
    Response(Response),
    /// It ends by an error.
    Error(MockError),
    /// The file that a `foreach` runs over holds this.
    File(String),
    /// This is said to a step that waits for somebody.
    Word(Word),
}

/// What a command prints, and how it ends.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its exit code.
    pub exit_code: i64,
    /// What it prints.
    pub stdout: String,
    /// What it prints beside it.
    pub stderr: String,
    /// Where it printed more before that, which is not kept.
    pub truncated: Option<Truncated>,
    /// What it writes to `$LOCKSTEP_OUTPUT`.
    pub outputs: Map,
}

/// Of which of a command's streams only the end is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncated {
    /// Of standard output.
    Stdout,
    /// Of standard error.
    Stderr,
    /// Of both.
    Both,
}

impl Truncated {
    /// Whether it is standard output.
    pub const fn is_of_stdout(self) -> bool {
        matches!(self, Self::Stdout | Self::Both)
    }

    /// Whether it is standard error.
    pub const fn is_of_stderr(self) -> bool {
        matches!(self, Self::Stderr | Self::Both)
    }
}

/// The answer of a server.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub code: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// An error that an attempt ends by.
#[derive(Clone, Debug)]
pub struct MockError {
    /// Its kind; of `lost` nobody knows whether the effect took place.
    pub kind: String,
    /// Its message.
    pub message: String,
    /// Its data.
    pub data: Value,
    /// Whether it is certain that the attempt had no effect.
    pub untouched: bool,
}

const MOCK: Keys = Keys {
    of: "a mock",
    known: &[
        "exit_code",
        "stdout",
        "stderr",
        "truncated",
        "json",
        "outputs",
        "code",
        "headers",
        "body",
        "error",
        "file",
        "approve",
        "reject",
        "answer",
        "payload",
        "by",
        "comment",
        "after",
        "times",
    ],
    later: &[],
    hints: &[
        ("exit", "the exit code is called `exit_code`"),
        ("status", "the status code of an answer is called `code`"),
        ("output", "what a command prints is called `stdout`"),
        ("fail", "write `exit_code: 1`, or `error: failed`"),
        ("delay", "how long an attempt takes is called `after`"),
        ("takes", "how long an attempt takes is called `after`"),
    ],
};

const ERROR: Keys = Keys::only("`error`", &["kind", "message", "data", "untouched"]);

/// Keys of one form of answer.
const COMMAND: &[&str] = &["exit_code", "stdout", "stderr", "truncated", "outputs"];
const PRINTED: &[&str] = &["exit_code", "stdout", "stderr", "truncated"];
const RESPONSE: &[&str] = &["code", "headers", "body"];

impl TestReader<'_> {
    /// `mock`: by path, one mock for every attempt or a list attempt by attempt.
    pub(super) fn mocks(&mut self, node: &Node) -> Vec<Mocks> {
        let Some(mapping) = self.inner.names(node, "`mock`") else { return Vec::new() };
        let mut all = Vec::new();
        for (key, value) in &mapping.entries {
            let Some(path) = self.pattern(&key.text, key.span) else { continue };
            let (nodes, every) = match value {
                Node::Sequence(sequence) => (sequence.items.as_slice(), false),
                Node::Scalar(_) | Node::Mapping(_) => (std::slice::from_ref(value), true),
            };
            let attempts = nodes.iter().filter_map(|node| self.mock(node)).collect();
            all.push(Mocks { path, attempts, every });
        }
        all
    }

    fn mock(&mut self, node: &Node) -> Option<Mock> {
        let mapping = self.inner.mapping(node, &MOCK)?;
        let after = mapping.get("after").and_then(|node| self.inner.duration_or_zero(node, "`after`"));
        let times = mapping.get("times").and_then(|node| self.inner.integer(node, "`times`", 1, 1_000_000));
        let times = times.and_then(|times| u32::try_from(times.value).ok()).unwrap_or(1);
        let answer = self.answer(mapping)?;
        Some(Mock { span: node.span(), after: after.map_or(Millis(0), |after| after.value), times, answer })
    }

    fn answer(&mut self, mapping: &Mapping) -> Option<Answer> {
        if let Some(said) = self.word(mapping).ok()? {
            return Some(said);
        }
        let has = |keys: &[&str]| mapping.entries.iter().find(|(key, _)| keys.contains(&key.text.as_str()));
        let command = has(COMMAND).map(|(key, _)| key);
        let response = has(RESPONSE).map(|(key, _)| key);
        let others = ["error", "file"].map(|name| has(&[name]).map(|(key, _)| key));
        let json = has(&["json"]).map(|(key, _)| key);
        let forms: Vec<_> = [command, response].into_iter().chain(others).flatten().collect();
        if let [first, second, ..] = forms.as_slice() {
            let message = format!("an attempt cannot end both by `{}` and by `{}`", first.text, second.text);
            let diagnostic = self
                .inner
                .at(Code::MOCK_FORM, second.span, message)
                .also(first.span, "the other one")
                .help("several attempts are a list: `[{ exit_code: 1 }, { stdout: done }]`");
            self.inner.report(diagnostic);
            return None;
        }
        if let Some(node) = mapping.get("error") {
            return self.mock_error(node).map(Answer::Error);
        }
        if let Some(node) = mapping.get("file") {
            return Some(Answer::File(self.text(node, "`file`")?));
        }
        if response.is_some() {
            return self.response(mapping).map(Answer::Response);
        }
        if command.is_none() {
            let json = json.and_then(|_| mapping.get("json"));
            return Some(json.map_or(Answer::Nothing, |json| Answer::Json(data(json).to_json().to_string())));
        }
        if command.is_some_and(|key| key.text == "outputs") && json.is_none() && has(PRINTED).is_none() {
            return self.map(mapping.get("outputs")?, "`outputs`").map(Answer::Outputs);
        }
        let exit_code = mapping.get("exit_code").map(|node| self.inner.integer(node, "`exit_code`", 0, 255));
        let outputs = mapping.get("outputs").and_then(|node| self.map(node, "`outputs`"));
        let truncated = mapping.get("truncated").and_then(|node| {
            let streams = [("stdout", Truncated::Stdout), ("stderr", Truncated::Stderr), ("both", Truncated::Both)];
            self.inner.choice(node, "`truncated`", &streams)
        });
        Some(Answer::Command(Command {
            exit_code: exit_code.map_or(Some(0), |code| code.map(|code| code.value))?,
            stdout: self.said(mapping, "stdout")?,
            stderr: mapping.get("stderr").map_or(Some(String::new()), |node| self.text(node, "`stderr`"))?,
            truncated: truncated.map(|truncated| truncated.value),
            outputs: outputs.unwrap_or_default(),
        }))
    }

    fn response(&mut self, mapping: &Mapping) -> Option<Response> {
        let code = match mapping.get("code") {
            Some(node) => u16::try_from(self.inner.integer(node, "`code`", 100, 599)?.value).ok()?,
            None => 200,
        };
        let mut headers = Vec::new();
        if let Some(node) = mapping.get("headers") {
            for (key, value) in &self.inner.names(node, "`headers`")?.entries {
                headers.push((key.text.to_lowercase(), self.text(value, "a header field")?));
            }
        }
        Some(Response { code, headers, body: self.said(mapping, "body")? })
    }

    /// Text, or JSON in its place.
    fn said(&mut self, mapping: &Mapping, key: &'static str) -> Option<String> {
        match (mapping.get(key), mapping.entries.iter().find(|(key, _)| key.text == "json")) {
            (Some(_), Some((json, _))) => {
                let message = format!("`{key}` and `json` are two forms of the same");
                let diagnostic = self.inner.at(Code::MOCK_FORM, json.span, message).help("leave one of them out");
                self.inner.report(diagnostic);
                None
            }
            (Some(node), None) => self.text(node, &format!("`{key}`")),
            (None, Some((_, node))) => Some(data(node).to_json().to_string()),
            (None, None) => Some(String::new()),
        }
    }

    fn mock_error(&mut self, node: &Node) -> Option<MockError> {
        if let Node::Scalar(_) = node {
            let kind = self.inner.constant(node, "`error`")?.value;
            return Some(MockError { message: message(&kind).to_owned(), kind, data: Value::Null, untouched: false });
        }
        let mapping = self.inner.mapping(node, &ERROR)?;
        let kind = self.inner.required(mapping, "`error`", "kind", "kind: timeout")?;
        let kind = self.inner.constant(kind, "`kind`")?.value;
        let message = match mapping.get("message") {
            Some(node) => self.text(node, "`message`")?,
            None => message(&kind).to_owned(),
        };
        let untouched = mapping.get("untouched").and_then(|node| self.inner.boolean(node, "`untouched`"));
        let data = mapping.get("data").map_or(Value::Null, data);
        Some(MockError { kind, message, data, untouched: untouched.is_some_and(|untouched| untouched.value) })
    }
}

/// What is said of an error of a kind where the test does not say it.
fn message(kind: &str) -> &'static str {
    match kind {
        "lost" => "the worker is gone",
        "timeout" => "no answer in time",
        "cancelled" => "stopped",
        _ => "mocked",
    }
}
