//! What must come of a case. What is left out is not looked at.

use super::calls::CallsExpect;
use super::pattern::PathPattern;
use super::read::{TestReader, data};
use crate::compile::keys::{Keys, quoted};
use crate::diagnostic::{Code, suggest};
use crate::source::{Span, Spanned};
use crate::value::{Map, Millis};
use crate::yaml::{Mapping, Node};

/// What must come of a case.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// Where it stands.
    pub span: Span,
    /// How the run ends.
    pub status: Option<Spanned<RunStatus>>,
    /// The steps that begin, in order.
    pub path: Option<Spanned<Vec<String>>>,
    /// Steps that do not begin.
    pub never: Vec<Spanned<PathPattern>>,
    /// Some of the steps.
    pub steps: Vec<(Spanned<PathPattern>, StepExpect)>,
    /// Some of the runbooks that it calls, by name.
    pub calls: Vec<(Spanned<String>, CallsExpect)>,
    /// Some of the outputs.
    pub outputs: Map,
    /// The error.
    pub error: Option<ErrorExpect>,
    /// How long the run takes.
    pub takes: Option<Lasts>,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// Well.
    Succeeded,
    /// Not well.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// It has not ended when the case does, and something goes on.
    Running,
    /// It goes no further by itself: a person has to say something.
    Waiting,
    /// Somebody paused it, and nobody lets it go on.
    Paused,
    /// There is no run: the parameters are wrong.
    Refused,
}

impl RunStatus {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Succeeded, Self::Failed, Self::Cancelled, Self::Running, Self::Waiting, Self::Paused, Self::Refused];

    /// As tests spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Refused => "refused",
        }
    }
}

/// What must come of a step.
#[derive(Clone, Debug, Default)]
pub struct StepExpect {
    /// How it ends.
    pub status: Option<String>,
    /// Definite attempts.
    pub attempts: Option<u32>,
    /// Whether its failure was handled.
    pub handled: Option<bool>,
    /// Its title.
    pub title: Option<String>,
    /// Some of its outputs.
    pub outputs: Map,
    /// Its error.
    pub error: Option<ErrorExpect>,
    /// How long it takes.
    pub takes: Option<Lasts>,
    /// How long after the run it begins.
    pub begins: Option<Lasts>,
    /// Parts of the input of its last attempt, as rendered.
    pub input: Map,
    /// Some of the parameters that it called a runbook with last.
    pub params: Option<Map>,
}

/// What must be true of an error.
#[derive(Clone, Debug, Default)]
pub struct ErrorExpect {
    /// Its kind.
    pub kind: Option<String>,
    /// A text that its message holds.
    pub message: Option<String>,
    /// The path of its step.
    pub step: Option<String>,
    /// Some of its data.
    pub data: Map,
}

/// A length of time, or its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Lasts {
    /// It lasts as long as this.
    pub at_least: Millis,
    /// It lasts no longer.
    pub at_most: Millis,
}

const EXPECT: Keys = Keys {
    of: "`expect`",
    known: &["status", "path", "never", "steps", "calls", "outputs", "error", "takes"],
    later: &[],
    hints: &[
        ("order", "the order in which steps begin is called `path`"),
        ("time", "how long the run takes is called `takes`"),
        ("duration", "how long the run takes is called `takes`"),
        ("output", "what the run gives is called `outputs`"),
    ],
};

/// Parts of an input.
const INPUT: &[&str] = &["argv", "script", "env", "stdin", "cwd", "method", "url", "headers", "query", "request"];

const STEP: Keys = Keys {
    of: "what is expected of a step",
    known: &[
        "status", "attempts", "handled", "title", "outputs", "error", "takes", "begins", "argv", "script", "env",
        "stdin", "cwd", "method", "url", "headers", "query", "request", "params",
    ],
    later: &[],
    hints: &[
        ("body", "the body of a request is called `request`"),
        ("json", "the body of a request is called `request`"),
        ("tries", "definite attempts are called `attempts`"),
    ],
};

const ERROR: Keys = Keys::only("`error`", &["kind", "message", "step", "data"]);
const LASTS: Keys = Keys::only("a length of time", &["at_least", "at_most"]);

/// How a step may end, and where it may be left.
const STATUSES: &[&str] =
    &["pending", "ready", "running", "waiting", "in_doubt", "succeeded", "failed", "skipped", "cancelled", "undone"];

impl TestReader<'_> {
    /// `expect`. One that looks at nothing is an error.
    pub(super) fn expect(&mut self, node: &Node) -> Option<Expect> {
        let mapping = self.inner.mapping(node, &EXPECT)?;
        let mut expect = Expect { span: node.span(), ..Expect::default() };
        if mapping.entries.is_empty() {
            self.expects_nothing(node.span());
            return None;
        }
        if let Some(node) = mapping.get("status") {
            let words = RunStatus::ALL.map(|status| (status.name(), status));
            expect.status = self.inner.choice(node, "`status`", &words);
        }
        if let Some(Node::Sequence(sequence)) = mapping.get("path") {
            // An empty one says that nothing begins.
            let steps = sequence.items.iter().filter_map(|item| self.text(item, "a path")).collect();
            expect.path = Some(Spanned::new(steps, sequence.span));
        } else if let Some(other) = mapping.get("path") {
            self.inner.wrong_type(other, "`path`", "a list of steps in the order in which they begin");
        }
        if let Some(sequence) =
            mapping.get("never").and_then(|node| self.inner.sequence(node, "`never`", "a list of steps"))
        {
            for item in &sequence.items {
                let text = self.text(item, "a path");
                expect.never.extend(text.and_then(|text| self.pattern(&text, item.span())));
            }
        }
        if let Some(steps) = mapping.get("steps").and_then(|node| self.inner.names(node, "`steps`")) {
            for (key, value) in &steps.entries {
                let path = self.pattern(&key.text, key.span);
                let step = self.step_expect(value);
                expect.steps.extend(path.zip(step));
            }
        }
        self.calls(mapping, &mut expect);
        expect.outputs = self.part(mapping, "outputs");
        expect.error = mapping.get("error").and_then(|node| self.error_expect(node));
        expect.takes = mapping.get("takes").and_then(|node| self.lasts(node, "`takes`"));
        Some(expect)
    }

    /// Reports that a case looks at nothing.
    pub(super) fn expects_nothing(&mut self, span: Span) {
        let diagnostic = self
            .inner
            .at(Code::EXPECTS_NOTHING, span, "the case expects nothing, so it cannot fail")
            .help("such as `expect: { status: succeeded }`");
        self.inner.report(diagnostic);
    }

    fn step_expect(&mut self, node: &Node) -> Option<StepExpect> {
        let mut step = StepExpect::default();
        if let Node::Scalar(_) = node {
            step.status = Some(self.step_status(node)?);
            return Some(step);
        }
        let mapping = self.inner.mapping(node, &STEP)?;
        if mapping.entries.is_empty() {
            self.expects_nothing(node.span());
            return None;
        }
        step.status = mapping.get("status").and_then(|node| self.step_status(node));
        if let Some(node) = mapping.get("attempts") {
            let attempts = self.inner.integer(node, "`attempts`", 0, i64::from(u32::MAX));
            step.attempts = attempts.and_then(|attempts| u32::try_from(attempts.value).ok());
        }
        step.handled =
            mapping.get("handled").and_then(|node| self.inner.boolean(node, "`handled`")).map(|handled| handled.value);
        step.title = mapping.get("title").and_then(|node| self.text(node, "`title`"));
        step.outputs = self.part(mapping, "outputs");
        step.error = mapping.get("error").and_then(|node| self.error_expect(node));
        step.takes = mapping.get("takes").and_then(|node| self.lasts(node, "`takes`"));
        step.begins = mapping.get("begins").and_then(|node| self.lasts(node, "`begins`"));
        step.params = mapping.get("params").and_then(|node| self.map(node, "`params`"));
        for (key, value) in mapping.entries.iter().filter(|(key, _)| INPUT.contains(&key.text.as_str())) {
            step.input.insert(key.text.clone(), data(value));
        }
        Some(step)
    }

    fn step_status(&mut self, node: &Node) -> Option<String> {
        let status = self.inner.constant(node, "the status of a step")?;
        if STATUSES.contains(&status.value.as_str()) {
            return Some(status.value);
        }
        let help = match suggest(&status.value, STATUSES.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is one of {}", quoted(STATUSES)),
        };
        let message = format!("no step is ever `{}`", status.value);
        let diagnostic = self.inner.at(Code::NOT_ONE_OF, status.span, message).help(help);
        self.inner.report(diagnostic);
        None
    }

    fn part(&mut self, mapping: &Mapping, key: &'static str) -> Map {
        mapping.get(key).and_then(|node| self.map(node, &format!("`{key}`"))).unwrap_or_default()
    }

    fn error_expect(&mut self, node: &Node) -> Option<ErrorExpect> {
        if let Node::Scalar(_) = node {
            let kind = self.inner.constant(node, "`error`")?.value;
            return Some(ErrorExpect { kind: Some(kind), ..ErrorExpect::default() });
        }
        let mapping = self.inner.mapping(node, &ERROR)?;
        let mut text = |key: &str| mapping.get(key).and_then(|node| self.text(node, &format!("`{key}`")));
        let (kind, message, step) = (text("kind"), text("message"), text("step"));
        Some(ErrorExpect { kind, message, step, data: self.part(mapping, "data") })
    }

    fn lasts(&mut self, node: &Node, what: &str) -> Option<Lasts> {
        let Node::Mapping(_) = node else {
            let exactly = self.inner.duration_or_zero(node, what)?.value;
            return Some(Lasts { at_least: exactly, at_most: exactly });
        };
        let mapping = self.inner.mapping(node, &LASTS)?;
        let mut bound = |key: &str, none: u64| match mapping.get(key) {
            Some(node) => self.inner.duration_or_zero(node, &format!("`{key}`")).map(|length| length.value),
            None => Some(Millis(none)),
        };
        let (at_least, at_most) = (bound("at_least", 0)?, bound("at_most", u64::MAX)?);
        Some(Lasts { at_least, at_most })
    }
}
