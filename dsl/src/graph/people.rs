//! Kinds that wait for a person.

use serde::{Deserialize, Serialize};

use super::{Field, Param};
use crate::value::Millis;

/// `approve`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approve {
    /// What is asked.
    pub message: Field,
    /// Who may answer, each as `user:ana` or `group:sre`; `None` for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Field>,
    /// So many different people must approve.
    pub quorum: u32,
    /// Whether who asked for the run may approve too.
    pub own: bool,
    /// Who may answer as well when nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalate>,
}

/// `escalate` of an `approve`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Escalate {
    /// After this time.
    pub after: Millis,
    /// Who.
    pub to: Field,
}

/// `ask`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// What is asked.
    pub message: Field,
    /// What is filled in, in file order; none where something is only to be confirmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Param>,
    /// Who may answer, as of an `approve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Field>,
}
