//! What simulations have reached, counted by name, and the names there are.
//!
//! A list of names and the match that gives them are one piece of text, so that a new variant neither compiles without
//! a name nor goes without being demanded.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::trouble::Trouble;
use crate::core::run::{Change, Question, Record};
use crate::driver::Effect;
use crate::encode::decode;

/// Gives every variant a name, and lists the names.
macro_rules! names {
    ($(#[$doc:meta])* $list:ident, $name:ident, $of:ty, { $($pattern:pat => $text:literal,)* }) => {
        $(#[$doc])*
        pub const $list: &[&str] = &[$($text),*];

        const fn $name(value: $of) -> &'static str {
            match value {
                $($pattern => $text,)*
            }
        }
    };
}

names!(
    /// Every kind of effect of the driver.
    EFFECTS, effect_name, &Effect, {
        Effect::Answer(..) => "answer",
        Effect::Start { .. } => "start",
        Effect::Recover { .. } => "recover",
        Effect::Stop(..) => "stop",
        Effect::Forget(..) => "forget",
        Effect::Evaluate(_) => "evaluate",
        Effect::ReadPage(_) => "read page",
        Effect::Ended(_) => "ended",
    }
);

names!(
    /// Every kind of record that is not a change of a run.
    RECORDS, record_name, &Record, {
        Record::Defined { .. } => "defined",
        Record::Created { .. } => "created",
        Record::Changed { .. } => "changed",
        Record::Checkpointed { .. } => "checkpointed",
        Record::Scheduled { .. } => "scheduled",
        Record::SchedulesHeld { .. } => "schedules held",
        Record::Rested { .. } => "rested",
        Record::Lost { .. } => "lost",
        Record::Removed { .. } => "removed",
    }
);

names!(
    /// Every kind of change of a run.
    CHANGES, change_name, &Change, {
        Change::Started => "started",
        Change::Activated { .. } => "activated",
        Change::Asked { .. } => "asked",
        Change::Skipped { .. } => "skipped",
        Change::Begun { .. } => "begun",
        Change::Titled { .. } => "titled",
        Change::Starting { .. } => "starting",
        Change::Stopping { .. } => "stopping",
        Change::Reported { .. } => "reported",
        Change::Settled { .. } => "settled",
        Change::Delayed { .. } => "delayed",
        Change::Doubted { .. } => "doubted",
        Change::Probed { .. } => "probed",
        Change::Resolved { .. } => "resolved",
        Change::Halted { .. } => "halted",
        Change::Ended { .. } => "ended",
        Change::Led { .. } => "led",
        Change::Revisited { .. } => "revisited",
        Change::Undoing { .. } => "undoing",
        Change::Undone { .. } => "undone",
        Change::UndoHalted => "undo halted",
        Change::CancelRequested { .. } => "cancel requested",
        Change::Finishing { .. } => "finishing",
        Change::Concluded { .. } => "concluded",
        Change::Finished { .. } => "finished",
        Change::Retried { .. } => "retried",
        Change::Edited { .. } => "edited",
        Change::Awaited { .. } => "awaited",
        Change::Signalled { .. } => "signalled",
        Change::Received { .. } => "received",
        Change::Paused { .. } => "paused",
        Change::Unpaused { .. } => "unpaused",
        Change::Permitted { .. } => "permitted",
        Change::Held { .. } => "held",
        Change::Waived { .. } => "waived",
        Change::Voted { .. } => "voted",
        Change::Escalated { .. } => "escalated",
        Change::Wanted { .. } => "wanted",
        Change::Locked { .. } => "locked",
        Change::Called { again: false, .. } => "called",
        Change::Called { again: true, .. } => "called again",
        Change::Returned { .. } => "returned",
        Change::FilledIn { .. } => "filled in",
        Change::Looped { .. } => "looped",
        Change::Paged { .. } => "paged",
        Change::ItemStarted { .. } => "item started",
        Change::ItemEnded { .. } => "item ended",
        Change::LoopHalted { .. } => "loop halted",
        Change::LoopOver { .. } => "loop over",
        Change::Restored { .. } => "restored",
        Change::Quarantined { .. } => "quarantined",
    }
);

names!(
    /// Every question to the evaluator.
    QUESTIONS, question_name, Question, {
        Question::When => "when",
        Question::Title => "title",
        Question::Lock => "lock",
        Question::Input => "input",
        Question::Outputs => "outputs",
        Question::Until => "until",
        Question::Retry(_) => "retry",
        Question::Catch(_) => "catch",
        Question::RunOutputs => "run outputs",
        Question::While => "while",
        Question::Round => "round",
        Question::Page => "page",
        Question::Probe => "probe",
    }
);

/// Clients pause whole runs.
const NO_PAUSE: &str = "clients let a run go on after a pause, never a single step";

/// No random runbook calls another.
const NO_CALLS: &str = "random runbooks call no others yet";

/// Nor does one hold keys.
const NO_LOCKS: &str = "random runbooks hold no keys yet";

/// What no seed has to reach, and why.
const NOT_DEMANDED: &[(&str, &str)] = &[
    ("quarantined", "only a bug of ours leads there"),
    ("lost", "a person accepts a loss while no engine runs"),
    ("removed", "runs are removed after days, on behalf of who holds the driver"),
    ("scheduled", "clients enroll no runbook: `engine/tests/driver/play.rs` plays schedules"),
    ("schedules held", "clients enroll no runbook"),
    ("permitted", NO_PAUSE),
    ("wanted", NO_LOCKS),
    ("locked", NO_LOCKS),
    ("lock", NO_LOCKS),
    ("called", NO_CALLS),
    ("called again", NO_CALLS),
    ("returned", NO_CALLS),
    ("escalated", "random runbooks ask everybody at once"),
    ("led", "in random runbooks steps alone say where they go on, not their cases and handlers"),
    ("edited", "a world's clients start runbooks and correct none"),
    ("restored", "a world has one folder, which is never restored from a backup"),
];

/// Every way from one status of a step to another.
pub const TRANSITIONS: &[(&str, &str)] = &[
    ("pending", "ready"),
    ("pending", "running"),
    ("pending", "skipped"),
    ("ready", "running"),
    ("ready", "skipped"),
    ("running", "skipped"),
    ("running", "waiting"),
    ("running", "in_doubt"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("waiting", "running"),
    ("in_doubt", "running"),
    ("in_doubt", "skipped"),
    ("waiting", "skipped"),
    ("failed", "pending"),
    ("failed", "running"),
    ("cancelled", "pending"),
    ("cancelled", "running"),
    ("skipped", "pending"),
    ("succeeded", "undone"),
    ("failed", "undone"),
    ("cancelled", "undone"),
];

/// What a report is called that ends a doubt.
pub const OUT_OF_DOUBT: &str = "late report ends a doubt";

/// How often each thing was reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// What went wrong and really hit, and other events of the world.
    pub troubles: BTreeMap<&'static str, u64>,
    /// Effects of the driver.
    pub effects: BTreeMap<&'static str, u64>,
    /// Records of the journal.
    pub records: BTreeMap<&'static str, u64>,
    /// Changes of runs.
    pub changes: BTreeMap<&'static str, u64>,
    /// Questions to the evaluator.
    pub questions: BTreeMap<&'static str, u64>,
    /// Steps from one status to another.
    pub transitions: BTreeMap<(&'static str, &'static str), u64>,
    /// Kinds of steps that began.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Answers to clients.
    pub replies: BTreeMap<String, u64>,
    /// How runs ended.
    pub outcomes: BTreeMap<String, u64>,
}

impl Coverage {
    /// Something went wrong.
    pub fn trouble(&mut self, name: &'static str) {
        self.troubles(name, 1);
    }

    /// Something went wrong so often.
    pub fn troubles(&mut self, name: &'static str, times: u64) {
        *self.troubles.entry(name).or_default() += times;
    }

    /// An effect is carried out.
    pub fn effect(&mut self, effect: &Effect) {
        count(&mut self.effects, effect_name(effect));
    }

    /// A record is in the journal.
    pub fn record(&mut self, bytes: &[u8]) {
        let Ok(record) = decode::<Record>(bytes) else { return };
        count(&mut self.records, record_name(&record));
        match &record {
            Record::Defined { graph, .. } => {
                graph.nodes.iter().for_each(|node| count(&mut self.kinds, node.kind.name()));
            }
            Record::Changed { change, .. } => {
                count(&mut self.changes, change_name(change));
                match change {
                    Change::Asked { question, .. } => count(&mut self.questions, question_name(*question)),
                    Change::Finished { outcome, .. } => {
                        *self.outcomes.entry(outcome.name().to_owned()).or_default() += 1;
                    }
                    _ => {}
                }
            }
            Record::Created { .. }
            | Record::Checkpointed { .. }
            | Record::Scheduled { .. }
            | Record::SchedulesHeld { .. }
            | Record::Rested { .. }
            | Record::Lost { .. }
            | Record::Removed { .. } => {}
        }
    }

    /// A step goes from one status to another.
    pub fn transition(&mut self, from: &'static str, to: &'static str) {
        if from != to {
            *self.transitions.entry((from, to)).or_default() += 1;
        }
    }

    /// A client is answered.
    pub fn reply(&mut self, reply: &Json) {
        let name = match reply {
            Json::String(name) => name.clone(),
            Json::Object(map) => match map.iter().next() {
                Some((name, inner)) if name == "refused" => {
                    format!("refused: {}", inner.get("kind").and_then(Json::as_str).unwrap_or_default())
                }
                Some((name, _)) => name.clone(),
                None => return,
            },
            _ => return,
        };
        *self.replies.entry(name).or_default() += 1;
    }

    /// Adds what another simulation has reached.
    pub fn add(&mut self, other: &Self) {
        add(&mut self.troubles, &other.troubles);
        add(&mut self.effects, &other.effects);
        add(&mut self.records, &other.records);
        add(&mut self.changes, &other.changes);
        add(&mut self.questions, &other.questions);
        add(&mut self.transitions, &other.transitions);
        add(&mut self.kinds, &other.kinds);
        add(&mut self.replies, &other.replies);
        add(&mut self.outcomes, &other.outcomes);
    }

    /// What the registries name and was not reached.
    pub fn missing(&self) -> Vec<String> {
        let troubles = Trouble::all().into_iter().map(|(_, trouble)| trouble.name());
        let troubles: Vec<&'static str> = troubles.chain([OUT_OF_DOUBT]).collect();
        let kinds = [
            "shell", "exec", "script", "http", "set", "assert", "wait", "do", "switch", "parallel", "foreach",
            "repeat", "fail", "finish", "await", "approve", "ask",
        ];
        let demanded: [(&str, &[&'static str], &BTreeMap<&'static str, u64>); 6] = [
            ("trouble", &troubles, &self.troubles),
            ("effect", EFFECTS, &self.effects),
            ("record", RECORDS, &self.records),
            ("change", CHANGES, &self.changes),
            ("question", QUESTIONS, &self.questions),
            ("kind of step", &kinds, &self.kinds),
        ];
        let named = demanded.into_iter().flat_map(|(what, names, reached)| {
            let unreached = names
                .iter()
                .filter(|name| NOT_DEMANDED.iter().all(|(known, _)| known != *name) && !reached.contains_key(**name));
            unreached.map(move |name| format!("{what} `{name}`"))
        });
        let steps = TRANSITIONS.iter().filter(|way| !self.transitions.contains_key(*way));
        named.chain(steps.map(|(from, to)| format!("a step from {from} to {to}"))).collect()
    }

    /// The tables, for people.
    pub fn lines(&self) -> Vec<String> {
        let table = |name: &str, rows: Vec<(String, u64)>| {
            let rows: Vec<String> = rows.into_iter().map(|(name, count)| format!("{name} {count}")).collect();
            format!("{name}: {}", rows.join(" · "))
        };
        let named = |map: &BTreeMap<&'static str, u64>| map.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        let owned = |map: &BTreeMap<String, u64>| map.iter().map(|(k, v)| (k.clone(), *v)).collect();
        let ways = self.transitions.iter().map(|((from, to), count)| (format!("{from}→{to}"), *count)).collect();
        vec![
            table("faults that hit", named(&self.troubles)),
            table("effects", named(&self.effects)),
            table("changes", named(&self.changes)),
            table("questions", named(&self.questions)),
            table("kinds of steps", named(&self.kinds)),
            table("steps went", ways),
            table("answers", owned(&self.replies)),
            table("runs", owned(&self.outcomes)),
        ]
    }
}

fn count(map: &mut BTreeMap<&'static str, u64>, name: &'static str) {
    *map.entry(name).or_default() += 1;
}

fn add<K: Clone + Ord>(map: &mut BTreeMap<K, u64>, other: &BTreeMap<K, u64>) {
    for (name, count) in other {
        *map.entry(name.clone()).or_default() += count;
    }
}
