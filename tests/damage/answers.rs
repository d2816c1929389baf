//! Everything that a data folder answers, in a form that can be compared.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use lockstep_dsl::expr::Sandbox;
use lockstep_engine::api::{RefusalKind, Reply, Request};
use lockstep_engine::host::{self, Options, ReadOnly, Storage};
use lockstep_engine::worker::log::{LogReader, Rest};

use super::specimen::{Specimen, content, placeless};

/// One answer: text, or the error in its place.
type Answer = Result<String, String>;

/// What a folder says.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Opened as an engine opens it.
    engine: Result<BTreeMap<String, Answer>, String>,
    /// Looked at without a lock.
    look: Result<BTreeMap<String, Answer>, String>,
    /// Its logs, read to where they end.
    logs: BTreeMap<String, Answer>,
    /// The journal's files as the opening left them, if it was refused.
    pub journal: Option<BTreeMap<String, Vec<u8>>>,
}

/// What came of a harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every answer is what it was.
    Intact,
    /// Every answer is what it was, or an error that says so.
    Reported {
        /// Whether an engine opens the folder.
        opened: bool,
    },
    /// Some answer is another one.
    Lost(String),
}

impl Answers {
    /// Asks everything.
    pub fn of(data: &Path) -> Self {
        let look = look(data);
        let engine = engine(data);
        let journal = engine.is_err().then(|| content(&data.join("journal")));
        let logs = content(&data.join("logs"))
            .into_keys()
            .filter(|name| Path::new(name).extension().is_some_and(|end| end == "log"));
        let logs = logs.map(|name| (name.clone(), log(&data.join("logs").join(&name)))).collect();
        Self { engine, look, logs, journal }
    }

    /// Compares with what was recorded.
    pub fn against(&self, recorded: &Self) -> Verdict {
        let mut reported = false;
        let mut opened = true;
        for (now, was, is_engine) in [(&self.engine, &recorded.engine, true), (&self.look, &recorded.look, false)] {
            let was = was.as_ref().expect("the original opens");
            match now {
                Err(error) if error.contains("its thread has ended") => {
                    return Verdict::Lost(format!("the engine panicked: {error}"));
                }
                Err(_) => {
                    reported = true;
                    opened &= !is_engine;
                }
                Ok(now) => match compare(now, was) {
                    Ok(errors) => reported |= errors,
                    Err(what) => return Verdict::Lost(what),
                },
            }
        }
        let logs: BTreeMap<_, _> = recorded
            .logs
            .keys()
            .map(|name| (name.clone(), self.logs.get(name).cloned().unwrap_or_else(|| Err("missing".to_owned()))))
            .collect();
        match compare(&logs, &recorded.logs) {
            Ok(errors) => reported |= errors,
            Err(what) => return Verdict::Lost(what),
        }
        if reported { Verdict::Reported { opened } } else { Verdict::Intact }
    }

    /// Whether the real program says of the original what was recorded.
    pub fn told_by_program(&self, specimen: &Specimen) -> Result<(), String> {
        let look = self.look.as_ref().map_err(Clone::clone)?;
        let case = specimen.case();
        for row in case.runs() {
            let id = row["id"].as_str().unwrap_or_default().to_owned();
            let shown = case.lockstep(["show", &id, "--json"]);
            let recorded = look.get(&format!("show {id}"));
            let agrees = match recorded {
                Some(Ok(view)) => {
                    serde_json::from_str(&shown.stdout).is_ok_and(|json| placeless(&json, case.data()) == *view)
                }
                Some(Err(error)) => shown.code() == Some(5) && shown.stderr.contains(error),
                None => false,
            };
            if !agrees {
                return Err(format!("`show {id}` says {} {}, and not {recorded:?}", shown.stdout, shown.stderr));
            }
        }
        Ok(())
    }
}

/// Whether every answer is as it was, or an error; says whether there are errors.
fn compare(now: &BTreeMap<String, Answer>, was: &BTreeMap<String, Answer>) -> Result<bool, String> {
    let mut errors = false;
    for (name, was) in was {
        match (now.get(name), was) {
            (Some(now), was) if now == was => {}
            (Some(Err(error)), _) if error.contains("panic") || error.contains("without saying why") => {
                return Err(format!("`{name}`: {error}"));
            }
            (Some(Err(_)), _) => errors = true,
            (now, was) => return Err(format!("`{name}` was {was:?} and is {now:?}")),
        }
    }
    match now.keys().find(|name| !was.contains_key(*name)) {
        None => Ok(errors),
        Some(name) => Err(format!("`{name}` was not there before")),
    }
}

/// Opens the folder as a command that runs something does, and asks for all that is in it.
fn engine(data: &Path) -> Result<BTreeMap<String, Answer>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let sandbox = Arc::new(Sandbox::new(&[]));
        let options =
            Options { data: data.to_owned(), actions: Vec::new(), sandbox, resume: false, storage: Storage::default() };
        let engine = host::open(options).await.map_err(|error| named(&error.to_string(), data))?;
        let mut answers = BTreeMap::new();
        let mut next = vec![list()];
        while let Some((name, request)) = next.pop() {
            let reply = engine.call(request).await;
            next.extend(follow_up(&reply));
            answers.insert(name, answer(reply, data));
        }
        engine.close().await.map_err(|error| error.to_string())?;
        Ok(answers)
    })
}

/// Looks at the folder as a command that only looks does.
fn look(data: &Path) -> Result<BTreeMap<String, Answer>, String> {
    let folder = ReadOnly::open(data).map_err(|error| named(&error.to_string(), data))?;
    let mut answers = BTreeMap::new();
    let mut next = vec![list()];
    while let Some((name, request)) = next.pop() {
        let reply = folder.call(&request);
        next.extend(follow_up(&reply));
        answers.insert(name, answer(reply, data));
    }
    Ok(answers)
}

fn list() -> (String, Request) {
    ("runs".to_owned(), Request::Runs { limit: 1_000, status: None, runbook: None })
}

/// What is asked of each run of a list.
fn follow_up(reply: &Reply) -> Vec<(String, Request)> {
    let Reply::Runs(rows) = reply else { return Vec::new() };
    let of = |id: String| {
        let (show, history) = (Request::Show { run: id.clone() }, Request::History { run: id.clone() });
        [(format!("show {id}"), show), (format!("history {id}"), history)]
    };
    rows.iter().flat_map(|row| of(row.id.to_string())).collect()
}

fn answer(reply: Reply, data: &Path) -> Answer {
    let json = match reply {
        Reply::Runs(rows) => serde_json::to_value(rows),
        Reply::Run(view) => serde_json::to_value(view),
        Reply::History(rows) => serde_json::to_value(rows),
        Reply::Refused(refusal) if refusal.kind == RefusalKind::Store => return Err(refusal.message),
        other => panic!("an answer to a question: {other:?}"),
    };
    Ok(placeless(&json.expect("answers have a JSON form"), data))
}

/// An error of the opening, which must say which file it is about.
fn named(error: &str, data: &Path) -> String {
    assert!(error.contains(&*data.to_string_lossy()), "no file is named: {error}");
    error.to_owned()
}

/// A log, whole or as far as it goes.
fn log(path: &Path) -> Answer {
    let read = || {
        let mut reader = LogReader::open(path)?;
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            entries.push(format!("{entry:?}"));
        }
        Ok((entries, reader.rest()))
    };
    match read() {
        Ok((entries, Rest::Ended)) => Ok(entries.join("\n")),
        Ok((entries, rest)) => Err(format!("{rest:?} after {} entries", entries.len())),
        Err(error) => Err(std::io::Error::to_string(&error)),
    }
}
