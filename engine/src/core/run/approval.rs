//! `approve`: what people say to it.
//!
//! A step that an approval guards starts only after a quorum of different people who may approve; one no ends it, and no
//! answer is never a yes. Every yes and no is journaled with the right by which it counts.

use lockstep_dsl::graph::Kind;
use lockstep_dsl::value::{Map, Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::decide::Refused;
use super::record::Change;
use super::state::{Run, Timer};
use super::turn::Turn;
use crate::clock::Stamp;
use crate::fault::{self, Bug};
use crate::id::StepNo;

/// What people have said of a step so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Those who have approved, in order.
    #[serde(default)]
    pub votes: Vec<Vote>,
    /// Whether others may answer, too, since nobody has for long.
    #[serde(default)]
    pub escalated: bool,
}

/// What one person has said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: String,
    /// What they said to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Who says something, and the groups they belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// `user:ana`.
    pub name: String,
    /// `sre`.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl Person {
    /// Whether an entry of a list means them: `user:ana`, `group:sre`.
    pub fn is(&self, entry: &str) -> bool {
        match entry.strip_prefix("group:") {
            Some(group) => self.groups.iter().any(|own| own == group),
            None => self.name == entry,
        }
    }
}

impl Turn<'_> {
    /// A person says yes or no.
    pub fn vote(&mut self, path: &str, yes: bool, person: &Person, comment: Option<String>) -> Result<(), Refused> {
        let step = self.asked(path, "approval", |kind| matches!(kind, Kind::Approve(_)))?;
        let Kind::Approve(plan) = &self.run.node_of(step).kind else { return Ok(()) };
        let (own, quorum) = (plan.own, plan.quorum as usize);
        let right = self.right(step, person)?;
        let by = person.name.clone();
        if yes && !own && by == self.run.by {
            return Err(Refused::NotNow(format!(
                "{by} asked for this run, so somebody else must approve step `{path}`"
            )));
        }
        if yes && self.votes(step).iter().any(|vote| vote.by == by) {
            return Err(Refused::NotNow(format!("{by} has approved step `{path}` already")));
        }
        self.emit(Change::Voted { step, yes, by: by.clone(), right, comment: comment.clone() });
        if !yes {
            let said = comment.as_ref().map_or_else(String::new, |comment| format!(": {comment}"));
            let mut error = self.error(step, "rejected", format!("rejected by {by}{said}"));
            let comment = comment.map_or(Value::Null, Value::String);
            error.data = Value::Map(Map::from([("by".to_owned(), Value::String(by)), ("comment".to_owned(), comment)]));
            self.settle_error(step, error);
            self.catch_from(step, 0);
        } else if self.votes(step).len() >= quorum || fault::planted(Bug::QuorumNotCounted) {
            let outputs = self.run.approved(step);
            self.done(step, outputs);
        }
        Ok(())
    }

    fn votes(&self, step: StepNo) -> &[Vote] {
        self.run.step(step).approval.as_ref().map_or(&[], |approval| &approval.votes)
    }
}

impl Run {
    pub(super) fn note_vote(&mut self, no: StepNo, yes: bool, by: &str, comment: Option<&str>, at: Stamp) {
        let vote = Vote { by: by.to_owned(), comment: comment.map(str::to_owned), at: at.wall };
        if yes && let Some(approval) = &mut self.step_mut(no).approval {
            approval.votes.push(vote);
        }
    }

    pub(super) fn escalate(&mut self, no: StepNo) {
        self.disarm(Timer::Escalate(no));
        if let Some(approval) = &mut self.step_mut(no).approval {
            approval.escalated = true;
        }
    }

    /// What an approved step gives: who approved, and what they said to it.
    fn approved(&self, no: StepNo) -> Map {
        let votes = self.step(no).approval.as_ref().map_or(&[][..], |approval| &approval.votes);
        let names: Vec<&str> = votes.iter().map(|vote| vote.by.as_str()).collect();
        let comments: Vec<&str> = votes.iter().filter_map(|vote| vote.comment.as_deref()).collect();
        let comment = if comments.is_empty() { Value::Null } else { Value::String(comments.join("\n")) };
        let approvals = votes.iter().map(|vote| {
            let comment = vote.comment.clone().map_or(Value::Null, Value::String);
            Value::Map(Map::from([
                ("by".to_owned(), Value::String(vote.by.clone())),
                ("comment".to_owned(), comment),
                ("at".to_owned(), Value::Time(vote.at)),
            ]))
        });
        Map::from([
            ("by".to_owned(), Value::String(names.join(", "))),
            ("comment".to_owned(), comment),
            ("approvals".to_owned(), Value::List(approvals.collect())),
        ])
    }
}
