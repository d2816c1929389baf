//! What came of a rehearsal.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_dsl::graph::{BlockId, NodeId};
use lockstep_dsl::value::Map;

use crate::api::RunView;

/// What came of a rehearsal.
#[derive(Clone, Debug)]
pub struct Story {
    /// How it ended.
    pub end: End,
    /// The run at the end; `None` where it was refused.
    pub run: Option<Box<RunView>>,
    /// Steps that began, in order; of those that began at the same moment, in the order of the file.
    pub begun: Vec<Begun>,
    /// Attempts that began, in order.
    pub attempts: Vec<Attempted>,
    /// Runbooks that were called, in order.
    pub called: Vec<Called>,
    /// Milliseconds from the run's beginning to its end.
    pub elapsed: u64,
    /// Durable writes.
    pub writes: u64,
    /// What was reached of the runbook and of those that it called, by their files.
    pub reached: BTreeMap<String, Reached>,
    /// What must never happen and did.
    pub broken: Vec<String>,
    /// What people were refused that they asked for.
    pub refused: Vec<String>,
}

impl Story {
    /// The paths of the steps that began and hold no others.
    pub fn path(&self) -> Vec<&str> {
        self.begun.iter().filter(|begun| !begun.is_block).map(|begun| begun.path.as_str()).collect()
    }
}

/// How a rehearsal ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing more happens by itself: the run has ended, or waits for a person.
    Rest,
    /// The run was refused, for this reason.
    Refused(String),
    /// The script says nothing of this.
    Missing(Missing),
    /// It went on and on.
    Endless,
}

/// What a script says nothing of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The step's path.
    pub step: String,
    /// Its kind: `shell`, `http`, `foreach` for a file that is not there.
    pub kind: String,
    /// The number of its attempt.
    pub attempt: u32,
}

/// A step that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its path.
    pub path: String,
    /// Milliseconds after the run's beginning.
    pub at: u64,
    /// Whether it holds other steps.
    pub is_block: bool,
    /// Its place in the file, with the item and the visit of every block around it.
    pub(super) place: Vec<u64>,
    /// How often it and what is around it were visited again.
    pub(super) laps: u64,
}

/// An attempt that began.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempted {
    /// The step's path.
    pub path: String,
    /// `LOCKSTEP_ATTEMPT`.
    pub number: u32,
    /// `LOCKSTEP_KEY`.
    pub key: String,
    /// `shell`, `exec`, `http`.
    pub action: String,
    /// The input, rendered; secrets are references.
    pub input: Map,
    /// Milliseconds after the run's beginning.
    pub at: u64,
}

/// A runbook that was called.
#[derive(Clone, Debug, PartialEq)]
pub struct Called {
    /// The path of the step that called it.
    pub path: String,
    /// Its name.
    pub runbook: String,
    /// Its parameters as they were given; secrets are references.
    pub params: Map,
}

/// What was reached of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Blocks whose steps came to be.
    pub blocks: BTreeSet<BlockId>,
    /// Steps that ran.
    pub ran: BTreeSet<NodeId>,
    /// Steps whose `when` did not hold.
    pub passed_over: BTreeSet<NodeId>,
    /// Steps that failed.
    pub failed: BTreeSet<NodeId>,
}

impl Reached {
    /// Adds what was reached by another run.
    pub fn merge(&mut self, other: &Self) {
        self.blocks.extend(&other.blocks);
        self.ran.extend(&other.ran);
        self.passed_over.extend(&other.passed_over);
        self.failed.extend(&other.failed);
    }
}

/// Steps that begin at the same moment stand in the order of the file; one that is visited again begins anew behind what
/// it goes back to.
pub(super) fn in_order(mut begun: Vec<Begun>) -> Vec<Begun> {
    let mut from = 0;
    while from < begun.len() {
        let first = &begun[from];
        let (at, mut laps) = (first.at, first.laps);
        let mut to = from + 1;
        while to < begun.len() && begun[to].at == at {
            if begun[to].laps > laps && begun[from..to].iter().any(|before| before.laps < begun[to].laps) {
                break;
            }
            laps = laps.max(begun[to].laps);
            to += 1;
        }
        begun[from..to].sort_by(|a, b| a.place.cmp(&b.place));
        from = to;
    }
    begun
}
