//! What a journaled record is about, found out without decoding the rest of it.

use serde::Deserialize;

use crate::encode::decode;
use crate::id::RunId;

/// What a record is about. The journal is indexed by it, so that one run's history is read without the others'.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A run.
    Run(RunId),
    /// The definition with this hash.
    Definition(String),
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
    #[serde(rename = "ckpt")]
    Checkpointed {},
    #[serde(rename = "rest")]
    Rested {},
}

impl Subject {
    /// What an encoded record is about; `None` for one that is about neither a run nor a definition, or that this
    /// program does not know.
    pub fn of(record: &[u8]) -> Option<Self> {
        match decode::<Glance>(record).ok()? {
            Glance::Defined { hash } => Some(Self::Definition(hash)),
            Glance::Created { run } | Glance::Changed { run } => Some(Self::Run(run)),
            Glance::Checkpointed {} | Glance::Rested {} => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use lockstep_dsl::value::Map;

    use super::*;
    use crate::core::run::{Change, Record};
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
        };
        let changed = Record::Changed { run, change: Change::CancelRequested { by: "ben".into(), undo: false } };
        let checkpointed = Record::Checkpointed { lsn: Lsn(3), generation: 1, digest: [4; 32] };
        assert_eq!(Subject::of(&encode(&created)), Some(Subject::Run(run)));
        assert_eq!(Subject::of(&encode(&changed)), Some(Subject::Run(run)));
        assert_eq!(Subject::of(&encode(&checkpointed)), None);
        assert_eq!(Subject::of(b"no record"), None);
    }
}
