//! The driver over a real folder whose parts are lost, spoilt or put back: it opens with everything, or says what is wrong.

#![expect(clippy::unwrap_used, reason = "a test whose own preparations fail should stop right there")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::graph::Graph;
use lockstep_dsl::value::{Map, Timestamp, Value};
use lockstep_engine::api::{Beginning, Reply, Request, Start};
use lockstep_engine::clock::ManualClock;
use lockstep_engine::driver::{Caller, Driver, Effect, Input, Places};
use lockstep_engine::eval::Evaluator;
use lockstep_engine::host::ReadOnly;
use lockstep_engine::id::RunId;
use lockstep_engine::store::{Folder, OpenError};

use crate::case;

const NOON: Timestamp = Timestamp(1_700_000_000_000);

fn graph(wait: &str) -> Graph {
    let text = format!(
        "
runbook: pure
params:
  note: {{ type: string, default: \"\" }}
steps:
  - id: begin
    set: {{ x: 1 }}
  - id: pause
    wait: {wait}
  - id: end
    set: {{ x: 2 }}
"
    );
    case::graph(&text)
}

/// An engine over a folder, with a clock that stands still until it is moved.
pub struct Engine {
    pub driver: Driver<Folder>,
    clock: ManualClock,
}

impl Engine {
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let folder = Folder::open(path)?;
        let places = Places { logs: folder.logs_dir(), spool: folder.spool_dir() };
        let clock = ManualClock::new(NOON);
        let evaluator = Evaluator::new(Arc::new(Sandbox::new(&[])));
        Ok(Self { driver: Driver::open(folder, Box::new(clock.clone()), evaluator, places)?, clock })
    }

    pub fn ask(&mut self, request: Request) -> Reply {
        let turn = self.driver.turn([Input::Request { caller: Caller(1), request }]);
        let answer = turn.effects.into_iter().find_map(|effect| match effect {
            Effect::Answer(_, reply) => Some(reply),
            _ => None,
        });
        answer.expect("a request is answered in its turn")
    }

    pub fn start(&mut self, number: u32, wait: &str) {
        self.start_noting(number, wait, "");
    }

    /// Starts a run that carries a text with it.
    pub fn start_noting(&mut self, number: u32, wait: &str, note: &str) {
        let id = RunId::new(NOON.0, number);
        let start = Start {
            id,
            graph: Arc::new(graph(wait)),
            params: Map::from([("note".to_owned(), Value::from(note))]),
            by: "user:ana".to_owned(),
            cwd: None,
            environment: None,
            beginning: Beginning::default(),
        };
        assert!(matches!(self.ask(Request::Start(Box::new(start))), Reply::Started { run } if run == id));
    }

    pub fn pass(&mut self, millis: u64) {
        self.clock.advance(millis);
        while self.driver.turn([]).again {}
        self.driver.tend();
    }
}

/// What is told of every run: its row, its view, its history.
pub fn told(mut ask: impl FnMut(Request) -> Reply) -> Vec<String> {
    let Reply::Runs(rows) = ask(Request::Runs { limit: 100, status: None, runbook: None }) else { panic!("no rows") };
    let mut told = Vec::new();
    for row in rows {
        let run = row.id.to_string();
        told.push(serde_json::to_string(&row).unwrap());
        told.push(serde_json::to_string(&ask(Request::Show { run: run.clone() })).unwrap());
        told.push(serde_json::to_string(&ask(Request::History { run })).unwrap());
    }
    told
}

/// Runs that have ended, runs that wait, two bases, and records behind them.
fn prepare(path: &Path) -> Vec<String> {
    let mut engine = Engine::open(path).unwrap();
    for round in 0..3_u32 {
        (0..4).for_each(|number| engine.start(round * 10 + number, "1s"));
        engine.start(round * 10 + 9, "100h");
        engine.pass(2_000);
        if round < 2 {
            engine.driver.make_base();
        }
    }
    engine.pass(6_000);
    engine.driver.close([]);
    drop(engine);
    let mut engine = Engine::open(path).unwrap();
    let told = told(|request| engine.ask(request));
    assert_eq!(told.len(), 45);
    assert!(!told.iter().any(|told| told.contains("refused")), "{told:#?}");
    told
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn bases(path: &Path) -> Vec<std::path::PathBuf> {
    let mut bases: Vec<_> = fs::read_dir(path.join("bases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    bases.sort();
    bases
}

type Damage = fn(&Path);

fn flip(file: &Path, place: usize) {
    let mut bytes = fs::read(file).unwrap();
    let place = place % bytes.len();
    bytes[place] ^= 4;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_folder_without_its_image_or_with_a_spoilt_one_tells_the_same() {
    let place = tempfile::tempdir().unwrap();
    let expected = prepare(place.path());
    let damages: [(&str, Damage); 6] = [
        ("without an image", |path| fs::remove_dir_all(path.join("state")).unwrap()),
        ("with an empty image", |path| fs::write(path.join("state/db"), b"").unwrap()),
        ("with a spoilt image", |path| flip(&path.join("state/db"), 3000)),
        ("without bases", |path| fs::remove_dir_all(path.join("bases")).unwrap()),
        ("without image and newest base", |path| {
            fs::remove_dir_all(path.join("state")).unwrap();
            fs::remove_file(&bases(path)[1]).unwrap();
        }),
        ("without image and with a spoilt base", |path| {
            fs::remove_dir_all(path.join("state")).unwrap();
            flip(&bases(path)[1], 500);
            flip(&bases(path)[0], 100);
        }),
    ];
    for (what, damage) in damages {
        let copied = tempfile::tempdir().unwrap();
        copy(place.path(), copied.path());
        damage(copied.path());
        let looked = ReadOnly::open(copied.path()).unwrap();
        let interrupted = |told: &str| told.replace("\"interrupted\":false", "\"interrupted\":true");
        let seen = told(|request| looked.call(&request));
        assert_eq!(seen.len(), expected.len(), "{what}");
        let mut engine = Engine::open(copied.path()).unwrap();
        let seen = told(|request| engine.ask(request));
        assert_eq!(
            seen.iter().map(|told| interrupted(told)).collect::<Vec<_>>(),
            expected.iter().map(|told| interrupted(told)).collect::<Vec<_>>(),
            "{what}"
        );
    }
}

#[test]
fn an_emptied_journal_is_not_an_empty_one() {
    let place = tempfile::tempdir().unwrap();
    prepare(place.path());
    for entry in fs::read_dir(place.path().join("journal")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for refused in [Engine::open(place.path()).err(), ReadOnly::open(place.path()).err()] {
        let refused = refused.expect("it does not open");
        assert!(matches!(&refused, OpenError::Damaged { path, .. } if path.ends_with("HEAD")), "{refused}");
    }
    fs::remove_dir(place.path().join("journal")).unwrap();
    assert!(Engine::open(place.path()).is_err());
}
