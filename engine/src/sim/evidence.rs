//! What a checker is given: what was journaled, what happened in the world, what clients were told.
//!
//! Nothing here is a type of the engine: records are decoded to plain JSON, so that the checker reads the journal's
//! bytes with eyes of its own.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::runbook::Runbook;

/// Everything that is known of a simulation.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// What was planned for each run, by the run's id.
    pub plans: BTreeMap<String, Runbook>,
    /// The journal from its beginning.
    pub journal: Vec<Record>,
    /// Hashes over the first so many of its frames.
    pub frame_hashes: Vec<[u8; 32]>,
    /// The time of every turn.
    pub moments: Vec<Moment>,
    /// What began and ended in the world, in order.
    pub witness: Vec<Witnessed>,
    /// What clients asked, and what they were told.
    pub asked: Vec<Asked>,
    /// The journal as it was found at each opening.
    pub openings: Vec<Opening>,
    /// States that should have been the same and were not.
    pub differences: Vec<String>,
    /// Attempts whose folder the engine gave up, and the end of the journal at that time.
    pub forgotten: Vec<(AttemptId, u64)>,
    /// Attempts that were started or taken up while this engine had them already.
    pub granted_twice: Vec<AttemptId>,
    /// Why the simulation was given up, where it was.
    pub broken: Option<String>,
    /// How much was to go wrong.
    pub troubles: usize,
    /// Commands that were alive at the end.
    pub left_alive: Vec<AttemptId>,
    /// Runs that were open at the end, and how they stood.
    pub left_open: Vec<(String, String)>,
}

/// A turn's time and the world's.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Engine time.
    pub time: u64,
    /// Which boot of the machine.
    pub boot: u64,
    /// Milliseconds of true time.
    pub now: u64,
    /// Which engine.
    pub engine: u64,
    /// Whether the journal holds a moment of this boot, from which the next engine goes on.
    pub anchored: bool,
}

/// A run and a token.
pub type AttemptId = (String, u64);

/// One record of the journal.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its position.
    pub lsn: u64,
    /// Number of its frame.
    pub frame: u64,
    /// Engine time of its frame.
    pub time: u64,
    /// Boot of its frame.
    pub boot: u64,
    /// The run; empty for records of no run.
    pub run: String,
    /// Its name, as it is stored: `new`, `go`, `end`, ...
    pub what: String,
    /// The rest.
    pub body: Json,
}

impl Record {
    /// Reads one as it is stored.
    ///
    /// # Errors
    /// The bytes are no record.
    pub fn read(lsn: u64, frame: u64, (time, boot): (u64, u64), bytes: &[u8]) -> Result<Self, String> {
        // The first byte is the version of what follows.
        let stored: Json =
            rmp_serde::from_slice(bytes.get(1..).unwrap_or_default()).map_err(|error| error.to_string())?;
        let (mut what, mut body) = tagged(stored).ok_or("a record has a name")?;
        let mut run = body.get("run").and_then(Json::as_str).unwrap_or_default().to_owned();
        if what == "run" {
            let change = body.get_mut("change").map(Json::take).unwrap_or_default();
            (what, body) = tagged(change).ok_or("a change has a name")?;
        } else if what != "new" {
            run = String::new();
        }
        Ok(Self { lsn, frame, time, boot, run, what, body })
    }

    /// A number in it.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.body.get(name).and_then(Json::as_u64)
    }

    /// A text in it.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Json::as_str)
    }

    /// The step that it is about.
    pub fn step(&self) -> Option<u64> {
        self.number("step")
    }
}

/// The name of a variant, and what is in it.
pub fn tagged(stored: Json) -> Option<(String, Json)> {
    match stored {
        Json::String(name) => Some((name, Json::Null)),
        Json::Object(map) => map.into_iter().next(),
        _ => None,
    }
}

/// Something that happened in the world.
#[derive(Clone, Debug)]
pub struct Witnessed {
    /// Milliseconds of true time.
    pub now: u64,
    /// The end of what was durable at that moment.
    pub durable: u64,
    /// Which attempt.
    pub attempt: AttemptId,
    /// Its step's path.
    pub path: String,
    /// Its key.
    pub key: String,
    /// Its number.
    pub number: u64,
    /// What happened.
    pub what: Happened,
}

/// What happened to a command or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It began.
    Began,
    /// It ended well.
    Succeeded,
    /// It ended, and not well.
    Failed,
    /// It was killed, and nobody was told how far it had come.
    Died,
    /// It ended and nobody was told.
    Unheard,
}

/// A request of a client.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whom it names as the one who asks: no two requests name the same.
    pub by: String,
    /// `start`, `cancel`, `show`, ...
    pub what: &'static str,
    /// The run.
    pub run: String,
    /// The end of what was durable when it was asked.
    pub asked_at: u64,
    /// The answer; `None` when it was lost.
    pub answer: Option<Answer>,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The end of what was durable when it was given.
    pub durable: u64,
    /// The answer, as it is sent.
    pub reply: Json,
}

/// What an opening found.
#[derive(Clone, Debug)]
pub struct Opening {
    /// How many frames.
    pub frames: usize,
    /// A hash over all of them.
    pub hash: [u8; 32],
}
