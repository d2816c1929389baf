//! What a step, or a run, waits for that is not its own to bring about.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::id::RunId;

/// What a step waits for that somebody outside the run must say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AwaitView {
    /// What it is.
    #[serde(flatten)]
    pub what: Awaited,
}

/// What somebody outside the run must say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Awaited {
    /// A signal.
    Signal {
        /// Its name.
        name: String,
    },
    /// That people approve.
    Approval {
        /// What is asked.
        message: String,
        /// Who may answer; empty where everybody may.
        by: Vec<String>,
        /// So many must approve.
        quorum: u32,
        /// Who has approved.
        approved: Vec<String>,
        /// When others may answer, too, RFC 3339.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        escalates: Option<String>,
    },
    /// The end of a run that it called.
    Call {
        /// That run.
        run: RunId,
        /// Its runbook.
        runbook: String,
    },
    /// A key that other steps, or other runs, hold.
    Lock {
        /// The key.
        key: String,
        /// Who holds it, those first that have held it longest, ten at most; empty where that is not told.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        holders: Vec<HolderView>,
        /// How many wait for it and come first.
        #[serde(default, skip_serializing_if = "is_none_ahead")]
        ahead: usize,
    },
    /// What a person fills in.
    Answer {
        /// What is asked.
        message: String,
        /// Who may answer; empty where everybody may.
        by: Vec<String>,
        /// What is filled in.
        fields: Vec<FieldView>,
    },
}

/// Who holds a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderView {
    /// The run.
    pub run: RunId,
    /// Its runbook.
    pub runbook: String,
    /// The path of its step that does; `None` for the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Since when, RFC 3339.
    pub since: String,
    /// Nobody carries that run: it has to be resumed, or cancelled, before it gives the key back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
const fn is_none_ahead(ahead: &usize) -> bool {
    *ahead == 0
}

/// A field that a person fills in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldView {
    /// Its name.
    pub name: String,
    /// Its type, as runbooks spell it.
    pub kind: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it may be left out.
    pub optional: bool,
    /// The values that are allowed, where not all are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Json>,
}
