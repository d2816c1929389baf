//! Steps: the common keys, and one file for every kind.
//!
//! To add a kind: a file here with its keys and its reader, a line in [`KINDS`], a variant of [`Kind`], and what it gives
//! in `check/outputs.rs`.

mod approve;
mod ask;
mod assert;
mod r#await;
mod call;
mod command;
mod common;
mod r#do;
mod exec;
mod fail;
mod finish;
mod foreach;
mod http;
mod lock;
mod parallel;
mod people;
mod probe;
mod repeat;
mod retry;
mod script;
mod set;
mod shell;
mod switch;
mod timeout;
mod wait;

use crate::compile::keys::{Keys, quoted, shorten};
use crate::compile::reader::Reader;
use crate::diagnostic::{Code, suggest};
use crate::graph::{BlockId, Kind, NodeId};
use crate::runbook::{Owner, Step, Timeouts};
use crate::source::Spanned;
use crate::yaml::{Mapping, Node, Scalar};

pub use lock::read_concurrency;
pub use retry::read as read_retry;
pub use timeout::read as read_timeouts;

/// A kind that this version runs.
struct KindReader {
    name: &'static str,
    /// Its options, for people who write them beside the kind instead of inside.
    options: &'static [&'static str],
    read: fn(&mut Reader, &Node, NodeId) -> Option<Kind>,
}

const KINDS: &[KindReader] = &[
    KindReader { name: "shell", options: shell::KEYS.known, read: shell::read },
    KindReader { name: "exec", options: exec::KEYS.known, read: exec::read },
    KindReader { name: "script", options: &[], read: script::read },
    KindReader { name: "http", options: http::KEYS.known, read: http::read },
    KindReader { name: "set", options: &[], read: set::read },
    KindReader { name: "assert", options: assert::KEYS.known, read: assert::read },
    KindReader { name: "wait", options: wait::KEYS.known, read: wait::read },
    KindReader { name: "await", options: r#await::KEYS.known, read: r#await::read },
    KindReader { name: "approve", options: approve::KEYS.known, read: approve::read },
    KindReader { name: "ask", options: ask::KEYS.known, read: ask::read },
    KindReader { name: "call", options: call::KEYS.known, read: call::read },
    KindReader { name: "do", options: &[], read: r#do::read },
    KindReader { name: "parallel", options: parallel::KEYS.known, read: parallel::read },
    KindReader { name: "foreach", options: foreach::KEYS.known, read: foreach::read },
    KindReader { name: "repeat", options: repeat::KEYS.known, read: repeat::read },
    KindReader { name: "switch", options: switch::KEYS.known, read: switch::read },
    KindReader { name: "fail", options: fail::KEYS.known, read: fail::read },
    KindReader { name: "finish", options: &[], read: finish::read },
];

/// The keys that every step may have.
const COMMON: Keys = Keys {
    of: "a step",
    known: &[
        "id",
        "title",
        "when",
        "needs",
        "disabled",
        "effect",
        "retry",
        "timeout",
        "on_error",
        "catch",
        "finally",
        "outputs",
        "secret_outputs",
        "env",
        "until",
        "every",
        "undo",
        "probe",
        "next",
        "lock",
    ],
    later: &[
        ("target", "every step runs on this machine"),
        ("targets", "every step runs on this machine"),
        ("queue", "every step runs on this machine"),
        ("rollout", "every step runs on this machine"),
    ],
    hints: &[
        ("goto", "where it goes on is called `next`"),
        ("name", "a step has an `id` to refer to it and a `title` for people"),
        ("if", "a condition is called `when`"),
        ("depends_on", "what must have ended before is called `needs`"),
        ("retries", "write `retry: 3` for three tries in all"),
        ("ignore_errors", "write `on_error: continue`"),
        ("continue-on-error", "write `on_error: continue`"),
        ("mutex", "what only one may hold at a time is called `lock`"),
        ("concurrency", "how many steps do it at a time is said by `lock: { key, limit }`"),
        ("environment", "the environment is called `env`"),
    ],
};

/// Kinds of other tools, each with the kind that is meant.
const FOREIGN_KINDS: &[(&str, &str)] = &[
    ("run", "shell"),
    ("command", "exec"),
    ("cmd", "shell"),
    ("bash", "shell"),
    ("sh", "shell"),
    ("steps", "do"),
    ("block", "do"),
    ("sleep", "wait"),
    ("uses", "do"),
    ("rhai", "script"),
    ("curl", "http"),
    ("request", "http"),
    ("vars", "set"),
    ("set_fact", "set"),
    ("loop", "foreach"),
    ("workflow", "call"),
    ("runbook", "call"),
];

/// What a step's map says about its kind.
enum Found<'n> {
    Supported(&'static KindReader, &'n Scalar, &'n Node),
    /// It has been reported.
    Reported,
}

impl Reader<'_> {
    /// One step. It is kept also when it is wrong, so that its id is known.
    pub fn step(&mut self, node: &Node, block: BlockId, position: usize) -> Option<NodeId> {
        let Node::Mapping(mapping) = node else {
            self.wrong_type(node, "a step", "a map with one kind, such as `- shell: uptime`");
            return None;
        };
        let id = NodeId(u32::try_from(self.book.steps.len()).expect("the budget of nodes is far below 2^32"));
        self.book.steps.push(Step::empty(mapping.span, block, position));
        let step = self.owned_by(Owner::Step(id), |reader| reader.step_map(mapping, id, block, position));
        if let Some(own) = &step.id {
            self.book.ids.entry(block).or_default().entry(own.value.clone()).or_insert(id);
        }
        self.book.steps[id.0 as usize] = step;
        Some(id)
    }

    fn step_map(&mut self, mapping: &Mapping, id: NodeId, block: BlockId, position: usize) -> Step {
        let mut step = Step::empty(mapping.span, block, position);
        if let Found::Supported(reader, key, value) = self.find_kind(mapping) {
            step.span = key.span;
            step.kind = (reader.read)(self, value, id);
        }
        self.common_keys(mapping, id, &mut step);
        step
    }

    /// Finds the one key of kind, and reports every key that is neither one nor common.
    fn find_kind<'n>(&mut self, mapping: &'n Mapping) -> Found<'n> {
        let kinds: Vec<&(Scalar, Node)> = mapping.entries.iter().filter(|(key, _)| is_kind(&key.text)).collect();
        let supported = |name: &str| KINDS.iter().find(|kind| kind.name == name);
        let unknown: Vec<&Scalar> = mapping
            .entries
            .iter()
            .map(|(key, _)| key)
            .filter(|key| !is_kind(&key.text) && !COMMON.known.contains(&key.text.as_str()))
            .collect();
        match kinds.as_slice() {
            [] => {
                self.no_kind(mapping, &unknown);
                Found::Reported
            }
            [(key, value)] => {
                let kind = supported(&key.text);
                for other in unknown {
                    self.foreign_key(other, &key.text, kind);
                }
                let Some(kind) = kind else {
                    self.later_kind(key);
                    return Found::Reported;
                };
                Found::Supported(kind, key, value)
            }
            [(first, _), (second, _), ..] => {
                let message = format!("a step does one thing, and this one has `{}` and `{}`", first.text, second.text);
                let diagnostic = self
                    .at(Code::TWO_KINDS, second.span, message)
                    .also(first.span, "the first kind")
                    .help("make two steps of it");
                self.report(diagnostic);
                Found::Reported
            }
        }
    }

    fn no_kind(&mut self, mapping: &Mapping, unknown: &[&Scalar]) {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let meant = unknown.iter().find_map(|key| {
            let foreign = FOREIGN_KINDS.iter().find(|(name, _)| *name == key.text).map(|(_, kind)| *kind);
            foreign.or_else(|| suggest(&key.text, names.iter().copied())).map(|kind| (*key, kind))
        });
        for other in unknown.iter().filter(|key| meant.is_none_or(|(meant, _)| !std::ptr::eq(**key, meant))) {
            self.check_key(other, &COMMON);
        }
        let diagnostic = match meant {
            Some((key, kind)) => self
                .at(Code::UNKNOWN_KIND, key.span, format!("there is no kind of step called `{}`", shorten(&key.text)))
                .help(format!("did you mean `{kind}`?")),
            // An unknown key is most likely the misspelt kind: it has been reported, and one diagnostic is enough.
            None if !unknown.is_empty() => return,
            None => {
                let span = mapping.entries.first().map_or(mapping.span, |(key, _)| key.span);
                self.at(Code::NO_KIND, span, "a step has no kind, so it does nothing")
                    .help(format!("add one of {}", quoted(&names)))
            }
        };
        self.report(diagnostic);
    }

    /// A key that is neither common nor a kind, on a step of a known kind.
    fn foreign_key(&mut self, key: &Scalar, kind: &str, reader: Option<&KindReader>) {
        if !reader.is_some_and(|reader| reader.options.contains(&key.text.as_str())) {
            return self.check_key(key, &COMMON);
        }
        let diagnostic = self
            .at(Code::MISPLACED_KEY, key.span, format!("`{}` belongs inside `{kind}`", key.text))
            .help(format!("all options of a kind stand inside its value: `{kind}: {{ …, {}: … }}`", key.text));
        self.report(diagnostic);
    }

    fn later_kind(&mut self, key: &Scalar) {
        let instead = "actions come with the standard library; use `exec` or `http` meanwhile";
        self.not_supported(key.span, &format!("`{}`", shorten(&key.text)), instead);
    }
}

/// Whether a key makes a step some kind, of this version or an action's.
fn is_kind(key: &str) -> bool {
    KINDS.iter().any(|kind| kind.name == key) || is_action(key)
}

/// Whether a key has the form of an action's name: `slack/post`.
fn is_action(key: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
    };
    key.contains('/') && key.split('/').all(is_part)
}

/// Which kinds have a key among their options, for people who write a common key inside a kind.
pub const COMMON_INSIDE: &[(&str, &str)] = &[
    ("env", "`env` stands beside the kind, not inside it"),
    ("timeout", "`timeout` stands beside the kind, not inside it"),
    ("retry", "`retry` stands beside the kind, not inside it"),
    ("when", "`when` stands beside the kind, not inside it"),
    ("id", "`id` stands beside the kind, not inside it"),
    ("effect", "`effect` stands beside the kind, not inside it"),
    ("outputs", "`outputs` stands beside the kind, not inside it"),
    ("on_error", "`on_error` stands beside the kind, not inside it"),
    ("until", "`until` stands beside the kind, not inside it"),
    ("next", "`next` stands beside the kind, not inside it"),
    ("probe", "`probe` stands beside the kind, not inside it"),
    ("undo", "`undo` stands beside the kind, not inside it"),
    ("every", "`every` stands beside the kind, not inside it"),
    ("lock", "`lock` stands beside the kind, not inside it"),
];

impl Step {
    /// A step of which nothing is known but where it stands.
    pub fn empty(span: crate::source::Span, block: BlockId, position: usize) -> Self {
        Self {
            span,
            id: None,
            title: None,
            block,
            position,
            kind: None,
            needs: None,
            when: None,
            disabled: None,
            effect: None,
            retry: None,
            timeout: Timeouts::default(),
            on_error: None,
            catch: Vec::new(),
            finally: None,
            undo: None,
            probe: None,
            outputs: Vec::new(),
            secret_outputs: Vec::new(),
            env: Vec::new(),
            until: None,
            every: None,
            lock: None,
        }
    }
}

/// Puts a list of spanned keys and fields into the graph's form.
pub fn unspanned<T>(entries: Vec<(Spanned<String>, T)>) -> Vec<(String, T)> {
    entries.into_iter().map(|(key, value)| (key.value, value)).collect()
}
