//! Reads the top level of a runbook.

use std::collections::BTreeMap;

use crate::diagnostic::Code;
use crate::graph::Role;
use crate::runbook::{Defaults, Owner, Place};
use crate::source::Spanned;
use crate::step::{read_concurrency, read_retry, read_timeouts};
use crate::yaml::{Mapping, Node};

use super::keys::Keys;
use super::reader::Reader;

const RUNBOOK: Keys = Keys {
    of: "a runbook",
    known: &[
        "runbook",
        "description",
        "owner",
        "labels",
        "params",
        "imports",
        "files",
        "env",
        "defaults",
        "triggers",
        "concurrency",
        "timeout",
        "steps",
        "on_failure",
        "finally",
        "outputs",
    ],
    later: &[],
    hints: &[
        ("name", "the name of a runbook stands under `runbook`"),
        ("inputs", "inputs are declared under `params`"),
        ("parameters", "inputs are declared under `params`"),
        ("vars", "a `set` step sets variables; fixed inputs are `params` with a `default`"),
        ("jobs", "what a runbook does stands under `steps`"),
        ("tasks", "what a runbook does stands under `steps`"),
        ("on", "what starts a runbook by itself stands under `triggers`"),
        ("schedule", "a schedule is one of the `triggers`: `triggers: [{ cron: '0 3 * * *' }]`"),
        ("schedules", "schedules are `triggers`: `triggers: [{ cron: '0 3 * * *' }]`"),
        ("cron", "a schedule is one of the `triggers`: `triggers: [{ cron: '0 3 * * *' }]`"),
        ("environment", "the environment is called `env`"),
        ("on_error", "steps for a run that failed stand under `on_failure`"),
    ],
};

const DEFAULTS: Keys = Keys {
    of: "`defaults`",
    known: &["timeout", "retry"],
    later: &[("target", "every step runs on this machine"), ("queue", "every step runs on this machine")],
    hints: &[("env", "the environment of all commands is the runbook's own `env`")],
};

impl Reader<'_> {
    /// Reads the whole file.
    pub fn runbook(&mut self, mapping: &Mapping) {
        self.check_keys(mapping, &RUNBOOK);
        self.header(mapping);
        // Parameters and imports come first, wherever they stand, since expressions refer to them.
        if let Some(node) = mapping.get("params") {
            self.params(node);
        }
        if let Some(node) = mapping.get("imports") {
            self.imports(node);
        }
        if let Some(node) = mapping.get("files") {
            self.pinned_files(node);
        }
        self.owned_by(Owner::Runbook, |reader| reader.body(mapping));
    }

    fn header(&mut self, mapping: &Mapping) {
        let name = self.required(mapping, "a runbook", "runbook", "runbook: storage/disk-cleanup");
        self.book.name = name.and_then(|node| self.constant(node, "`runbook`"));
        self.book.description =
            mapping.get("description").and_then(|node| self.constant(node, "`description`")).map(|text| text.value);
        self.book.owner = mapping.get("owner").and_then(|node| self.constant(node, "`owner`")).map(|text| text.value);
        if let Some(node) = mapping.get("labels") {
            self.book.labels = self.labels(node);
        }
    }

    fn labels(&mut self, node: &Node) -> BTreeMap<String, String> {
        let Some(mapping) = self.names(node, "`labels`") else { return BTreeMap::new() };
        let mut labels = BTreeMap::new();
        for (key, value) in &mapping.entries {
            if let Some(value) = self.constant(value, &format!("label `{}`", key.text)) {
                labels.insert(key.text.clone(), value.value);
                self.book.label_spans.push(Spanned::new(key.text.clone(), key.span));
            }
        }
        labels
    }

    fn body(&mut self, mapping: &Mapping) {
        if let Some(node) = mapping.get("env") {
            self.book.env = self.texts(node, "`env`", Place::Env);
        }
        if let Some(node) = mapping.get("defaults") {
            self.book.defaults = self.defaults(node);
        }
        self.book.timeout = mapping.get("timeout").and_then(|node| self.run_timeout(node));
        self.book.concurrency = mapping.get("concurrency").and_then(|node| read_concurrency(self, node));
        if let Some(node) = mapping.get("triggers") {
            self.triggers(node);
        }
        let steps = self.required(mapping, "a runbook", "steps", "steps: [{ shell: uptime }]");
        self.book.main = steps.and_then(|node| self.block(node, "`steps`", None, Role::Main));
        if let Some(node) = mapping.get("on_failure") {
            self.book.on_failure = self.block(node, "`on_failure`", None, Role::OnFailure);
        }
        if let Some(node) = mapping.get("finally") {
            self.book.finally = self.block(node, "`finally`", None, Role::Finally);
        }
        if let Some(node) = mapping.get("outputs") {
            self.book.outputs = self.expressions(node, "`outputs`", Place::RunOutputs);
        }
    }

    fn defaults(&mut self, node: &Node) -> Defaults {
        let Some(mapping) = self.mapping(node, &DEFAULTS) else { return Defaults::default() };
        Defaults {
            timeout: mapping.get("timeout").map(|node| read_timeouts(self, node)).unwrap_or_default(),
            retry: mapping.get("retry").and_then(|node| read_retry(self, node)).unwrap_or_default(),
        }
    }

    fn run_timeout(&mut self, node: &Node) -> Option<Spanned<crate::value::Millis>> {
        if let Node::Mapping(mapping) = node {
            let diagnostic = self
                .at(Code::WRONG_TYPE, mapping.span, "the `timeout` of a runbook must be one length of time")
                .help("such as `timeout: 2h`; parts of a step's timeout stand at the step or under `defaults`");
            self.report(diagnostic);
            return None;
        }
        self.duration(node, "`timeout`")
    }
}
