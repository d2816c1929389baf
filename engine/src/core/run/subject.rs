//! What a journaled record is about, found out without decoding the rest of it.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::encode::decode;
use crate::id::RunId;

/// What a record is about. The journal is indexed by it, so that one run's history is read without the others'.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A run.
    Run(RunId),
    /// The definition with this hash.
    Definition(String),
    /// Whatever there is: records were lost, and nobody can say better whose they were.
    Everything,
}

/// What a record is about, as far as a glance tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A run came to be.
    Creation(RunId),
    /// A run changed.
    Change(RunId),
    /// A definition, by its hash.
    Definition(String),
    /// Records were lost.
    Loss,
    /// Neither a run nor a definition: a schedule, or the store itself.
    Nothing,
}

/// The parts of [`Record`](super::Record) that say whose it is; everything else in the bytes is passed over.
#[derive(Deserialize)]
enum Glance {
    #[serde(rename = "def")]
    Defined { hash: String },
    #[serde(rename = "new")]
    Created { run: RunId },
    #[serde(rename = "run")]
    Changed { run: RunId },
    #[serde(rename = "sched")]
    Scheduled {},
    #[serde(rename = "clock")]
    SchedulesHeld {},
    #[serde(rename = "ckpt")]
    Checkpointed {},
    #[serde(rename = "rest")]
    Rested {},
    #[serde(rename = "remove")]
    Removed {},
    #[serde(rename = "lost")]
    Lost {
        #[serde(default)]
        loss: Option<IgnoredAny>,
    },
}

impl About {
    /// What an encoded record is about; `None` for bytes that are no record of this program.
    pub fn of(record: &[u8]) -> Option<Self> {
        Some(match decode::<Glance>(record).ok()? {
            Glance::Defined { hash } => Self::Definition(hash),
            Glance::Created { run } => Self::Creation(run),
            Glance::Changed { run } => Self::Change(run),
            Glance::Lost { loss: Some(_) } => Self::Loss,
            Glance::Scheduled {}
            | Glance::SchedulesHeld {}
            | Glance::Checkpointed {}
            | Glance::Rested {}
            | Glance::Removed {}
            | Glance::Lost { loss: None } => Self::Nothing,
        })
    }
}

impl Subject {
    /// What an encoded record is about; `None` for one that is about neither a run nor a definition, or that this
    /// program does not know.
    pub fn of(record: &[u8]) -> Option<Self> {
        match About::of(record)? {
            About::Definition(hash) => Some(Self::Definition(hash)),
            About::Creation(run) | About::Change(run) => Some(Self::Run(run)),
            About::Loss => Some(Self::Everything),
            About::Nothing => None,
        }
    }

    /// Whether a record which is about this is to be read by who asks for `other`.
    pub fn concerns(&self, other: &Self) -> bool {
        matches!(self, Self::Everything) || self == other
    }
}

#[cfg(test)]
mod tests {
    use lockstep_dsl::value::{Map, Timestamp};

    use super::*;
    use crate::core::run::{Change, Loss, Record};
    use crate::encode::encode;
    use crate::id::Lsn;

    #[test]
    fn a_glance_at_a_record_says_whose_it_is() {
        let run = RunId::new(1_700_000_000_000, 9);
        let created = Record::Created {
            run,
            definition: "ab".into(),
            params: Map::new(),
            by: "ana".into(),
            cwd: None,
            caller: None,
            file: None,
            tick: None,
        };
        let changed = Record::Changed { run, change: Change::CancelRequested { by: "ben".into(), undo: false } };
        let checkpointed = Record::Checkpointed { lsn: Lsn(3), generation: 1, digest: [4; 32] };
        assert_eq!(Subject::of(&encode(&created)), Some(Subject::Run(run)));
        assert_eq!(Subject::of(&encode(&changed)), Some(Subject::Run(run)));
        assert_eq!(Subject::of(&encode(&checkpointed)), None);
        assert_eq!(Subject::of(b"no record"), None);
        let loss = Loss {
            first: Lsn(4),
            last: Lsn(6),
            file: "journal/0000000001.segment".into(),
            offset: 400,
            what: "the frame's hash does not match".into(),
            runs: vec![run],
            until: Lsn(9),
            by: "user:ana".into(),
            at: Timestamp(1_700_000_000_000),
            kept: "journal.damaged-1".into(),
        };
        let everything = Subject::of(&encode(&Record::Lost { loss: Some(Box::new(loss)) })).unwrap();
        assert!(everything.concerns(&Subject::Run(run)) && !Subject::Run(run).concerns(&everything));
        assert_eq!(Subject::of(&encode(&Record::Lost { loss: None })), None);
    }
}
