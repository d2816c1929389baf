//! Reads a file of cases.

use std::collections::BTreeMap;

use super::mock::Mocks;
use super::pattern::PathPattern;
use super::{Act, Case, TestFile, What};
use crate::compile::NoFiles;
use crate::compile::keys::{Keys, quoted, shorten};
use crate::compile::reader::Reader;
use crate::diagnostic::{Code, Diagnostic};
use crate::expr::Sandbox;
use crate::graph::Param;
use crate::param::{Given, from_node};
use crate::scalar;
use crate::source::{Source, Span, Spanned};
use crate::value::{Map, Timestamp, Value};
use crate::yaml::{self, Mapping, Node};

const FILE: Keys = Keys {
    of: "a file of tests",
    known: &["test", "params", "mock", "begins", "by", "groups", "cases"],
    later: &[],
    hints: &[
        ("runbook", "the runbook that is tested stands under `test`"),
        ("tests", "the cases stand under `cases`"),
        ("mocks", "what steps do stands under `mock`"),
    ],
};

const CASE: Keys = Keys {
    of: "a case",
    known: &["name", "params", "mock", "begins", "by", "groups", "acts", "until", "expect"],
    later: &[],
    hints: &[
        ("case", "what a case is called stands under `name`"),
        ("mocks", "what steps do stands under `mock`"),
        ("assert", "what must come of it stands under `expect`"),
        ("start", "when the run begins stands under `begins`"),
    ],
};

const ACT: Keys = Keys {
    of: "an act",
    known: &[
        "after", "by", "cancel", "retry", "pause", "resume", "signal", "payload", "approve", "reject", "comment",
        "answer", "fields", "skip", "reason", "done", "outputs", "failed", "rerun",
    ],
    later: &[],
    hints: &[
        ("resolve", "write `done: PATH`, `failed: PATH` or `rerun: PATH`"),
        ("at", "how long after the run's beginning stands under `after`"),
    ],
};

/// The one thing that an act is.
const ACTS: &[&str] =
    &["cancel", "retry", "pause", "resume", "signal", "approve", "reject", "answer", "skip", "done", "failed", "rerun"];

/// Reads a file of cases. The sandbox knows which words expressions cannot use as names.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(source: &Source, sandbox: &Sandbox) -> Result<TestFile, Vec<Diagnostic>> {
    let tree = yaml::parse(source)?;
    let mut reader = TestReader { inner: Reader::new(source, &NoFiles, sandbox) };
    let file = reader.file(&tree);
    let (_, report) = reader.inner.finish();
    report.into_result()?;
    file.ok_or_else(Vec::new)
}

/// The reader of runbooks, which knows how to be strict.
pub(super) struct TestReader<'a> {
    pub inner: Reader<'a>,
}

/// What a file says for all its cases.
#[derive(Default)]
struct Shared {
    params: Vec<(Spanned<String>, Given)>,
    mocks: Vec<Mocks>,
    begins: Option<Timestamp>,
    by: Option<String>,
    groups: BTreeMap<String, Vec<String>>,
}

impl TestReader<'_> {
    fn file(&mut self, mapping: &Mapping) -> Option<TestFile> {
        self.inner.check_keys(mapping, &FILE);
        let runbook = self.inner.required(mapping, "a file of tests", "test", "test: storage/disk-cleanup");
        let runbook = runbook.and_then(|node| self.inner.constant(node, "`test`"));
        let shared = self.shared(mapping);
        let cases = self.inner.required(
            mapping,
            "a file of tests",
            "cases",
            "cases: [{ name: it works, expect: { status: succeeded } }]",
        )?;
        let sequence = self.inner.sequence(cases, "`cases`", "a list of cases")?;
        let mut names: BTreeMap<String, Span> = BTreeMap::new();
        let mut all = Vec::new();
        for node in &sequence.items {
            let Some(case) = self.case(node, &shared) else { continue };
            if let Some(first) = names.insert(case.name.value.clone(), case.name.span) {
                let message = format!("a second case is called `{}`", shorten(&case.name.value));
                let diagnostic = self
                    .inner
                    .at(Code::CASE_TWICE, case.name.span, message)
                    .also(first, "the first one")
                    .help("say what this one shows that the other does not");
                self.inner.report(diagnostic);
            }
            all.push(case);
        }
        Some(TestFile { runbook: runbook?, cases: all })
    }

    fn shared(&mut self, mapping: &Mapping) -> Shared {
        Shared {
            params: mapping.get("params").map(|node| self.params(node)).unwrap_or_default(),
            mocks: mapping.get("mock").map(|node| self.mocks(node)).unwrap_or_default(),
            begins: mapping.get("begins").and_then(|node| self.begins(node)),
            by: mapping.get("by").and_then(|node| self.text(node, "`by`")),
            groups: mapping.get("groups").map(|node| self.groups(node)).unwrap_or_default(),
        }
    }

    fn case(&mut self, node: &Node, shared: &Shared) -> Option<Case> {
        let mapping = self.inner.mapping(node, &CASE)?;
        let name = self.inner.required(mapping, "a case", "name", "name: cleans after approval");
        let name = name.and_then(|node| self.inner.constant(node, "`name`"));
        let own = self.shared(mapping);
        let mut params = own.params;
        let given: Vec<String> = params.iter().map(|(name, _)| name.value.clone()).collect();
        params.extend(shared.params.iter().filter(|(name, _)| !given.contains(&name.value)).cloned());
        let mut mocks = own.mocks;
        mocks.extend(shared.mocks.iter().cloned());
        let acts = match mapping.get("acts") {
            Some(node) => {
                let sequence = self.inner.sequence(node, "`acts`", "a list of what people do")?;
                sequence.items.iter().filter_map(|node| self.act(node)).collect()
            }
            None => Vec::new(),
        };
        let Some(expect) = mapping.get("expect") else {
            self.expects_nothing(name.as_ref().map_or(mapping.span, |name| name.span));
            return None;
        };
        let expect = self.expect(expect)?;
        let until = mapping.get("until").and_then(|node| self.inner.duration_or_zero(node, "`until`"));
        let until = until.map(|until| until.value);
        let (begins, by) = (own.begins.or(shared.begins), own.by.or_else(|| shared.by.clone()));
        let mut groups = shared.groups.clone();
        groups.extend(own.groups);
        Some(Case { name: name?, params, begins, by, groups, mocks, acts, until, expect })
    }

    fn params(&mut self, node: &Node) -> Vec<(Spanned<String>, Given)> {
        let Some(mapping) = self.inner.any_mapping(node, "`params`") else { return Vec::new() };
        let given = |(key, value): &(yaml::Scalar, Node)| {
            (Spanned::new(key.text.clone(), key.span), Given::Node(value.clone()))
        };
        mapping.entries.iter().map(given).collect()
    }

    fn begins(&mut self, node: &Node) -> Option<Timestamp> {
        let scalar = self.inner.scalar(node, "`begins`", "a time such as `2030-01-31T08:00:00Z`")?;
        match scalar::time(&scalar.text) {
            Ok(time) => Some(time),
            Err(error) => {
                self.inner.bad_scalar(Code::TIME, scalar, "`begins`", &error);
                None
            }
        }
    }

    fn act(&mut self, node: &Node) -> Option<Act> {
        let mapping = self.inner.mapping(node, &ACT)?;
        let after = self.inner.required(mapping, "an act", "after", "after: 30m");
        let after = after.and_then(|node| self.inner.duration_or_zero(node, "`after`"));
        let by = mapping.get("by").and_then(|node| self.text(node, "`by`"));
        let mut whats = mapping.entries.iter().filter(|(key, _)| ACTS.contains(&key.text.as_str()));
        let (Some((key, value)), None) = (whats.next(), whats.next()) else {
            let span = Span::new(node.span().start, node.span().start + 1);
            let diagnostic = self
                .inner
                .at(Code::ACT_FORM, span, format!("an act is exactly one of {}", quoted(ACTS)))
                .help("such as `{ after: 5m, cancel: true }` or `{ after: 1h, done: charge, outputs: { id: 7 } }`");
            self.inner.report(diagnostic);
            return None;
        };
        let what = match key.text.as_str() {
            word @ ("cancel" | "retry" | "pause" | "resume") => {
                self.inner.choice(value, &format!("`{word}`"), &[("true", ())])?;
                match word {
                    "cancel" => What::Cancel,
                    "retry" => What::Retry,
                    "pause" => What::Pause,
                    _ => What::Resume,
                }
            }
            "signal" => What::Signal {
                name: self.text(value, "`signal`")?,
                payload: mapping.get("payload").map_or(Value::Null, data),
            },
            other => {
                let step = self.inner.constant(value, &format!("`{other}`"))?;
                match other {
                    "done" => {
                        let outputs = mapping.get("outputs").and_then(|node| self.map(node, "`outputs`"));
                        What::Done { step, outputs: outputs.unwrap_or_default() }
                    }
                    "approve" | "reject" => {
                        let comment = mapping.get("comment").and_then(|node| self.text(node, "`comment`"));
                        What::Vote { step, yes: other == "approve", comment }
                    }
                    "answer" => {
                        let fields = mapping.get("fields").map(|node| self.fields(node, "`fields`"));
                        What::Answer { step, fields: fields.unwrap_or_else(|| Some(BTreeMap::new()))? }
                    }
                    "skip" => {
                        let reason = self.inner.required(mapping, "a skip", "reason", "reason: it was done by hand")?;
                        What::Skip { step, reason: self.text(reason, "`reason`")? }
                    }
                    "failed" => What::Failed(step),
                    _ => What::Rerun(step),
                }
            }
        };
        Some(Act { span: node.span(), after: after?.value, by, what })
    }

    /// A path of steps.
    pub(super) fn pattern(&mut self, text: &str, span: Span) -> Option<Spanned<PathPattern>> {
        if let Some(pattern) = PathPattern::parse(text) {
            return Some(Spanned::new(pattern, span));
        }
        let diagnostic = self
            .inner
            .at(Code::PATH, span, format!("`{}` is no path of a step", shorten(text)))
            .help("a path is as in `lockstep show`: `fan/left/a`, `each[2]/a`, `each[*]/a`, `a~2`");
        self.inner.report(diagnostic);
        None
    }

    /// Text; a plain number is its text.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        self.inner.scalar(node, what, "text").map(|scalar| scalar.text.clone())
    }

    /// A map of data.
    pub(super) fn map(&mut self, node: &Node, what: &str) -> Option<Map> {
        self.inner.any_mapping(node, what)?;
        match data(node) {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }
}

/// A node as data: plain text is what it looks like.
pub(super) fn data(node: &Node) -> Value {
    from_node(&Param::any(""), node).unwrap_or(Value::Null)
}
