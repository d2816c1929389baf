//! Everything that a data folder answers, in a form that can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use lockstep_dsl::expr::Sandbox;
use lockstep_engine::api::{RefusalKind, Reply, Request};
use lockstep_engine::host::{self, Options, ReadOnly, Storage};
use lockstep_engine::worker::log::{LogReader, Rest};
use serde_json::Value as Json;

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

    /// Why an engine did not open the folder.
    pub fn refusal(&self) -> Option<&str> {
        self.engine.as_ref().err().map(String::as_str)
    }

    /// Whether everything is as it was recorded but what is about these runs, which are listed all the same unless all
    /// of their records were at these positions.
    pub fn but_for(
        &self,
        runs: &BTreeSet<String>,
        positions: &[RangeInclusive<u64>],
        recorded: &Self,
    ) -> Result<(), String> {
        let gone = |run: &str| recorded.records_of(run).iter().all(|lsn| positions.iter().any(|gap| gap.contains(lsn)));
        for (now, was) in [(&self.engine, &recorded.engine), (&self.look, &recorded.look)] {
            let (now, was) = (now.as_ref().map_err(Clone::clone)?, was.as_ref().expect("the original opens"));
            for (name, was) in was {
                let now = now.get(name);
                if name == "runs" {
                    same_rows(now, was, runs, &gone)?;
                } else if now.is_none() && name.rsplit(' ').next().is_some_and(gone) {
                    // Nobody can know any more that it ever was.
                } else if name.rsplit(' ').next().is_some_and(|run| runs.contains(run)) {
                    now.ok_or_else(|| format!("`{name}` is not asked any more"))?.as_ref().map_err(Clone::clone)?;
                } else if now != Some(was) {
                    return Err(format!("`{name}` was {was:?} and is {now:?}"));
                }
            }
        }
        Ok(())
    }

    /// Whether a run had records at these positions, or on both sides of them.
    pub fn reaches_into(&self, run: &str, positions: &[RangeInclusive<u64>]) -> bool {
        let rows = self.history(run);
        let lsns = rows.iter().filter_map(|row| row["lsn"].as_u64());
        let Some((first, last)) = lsns.clone().min().zip(lsns.max()) else {
            // One that is not known was never acknowledged.
            return true;
        };
        // Of one whose beginning was removed nobody tells where it ended.
        let last = if rows.iter().all(|row| row["what"] == "removed") { u64::MAX } else { last };
        positions.iter().any(|gap| first <= *gap.end() && last >= *gap.start())
    }

    /// Whether a run that is not among these, and whose steps are told, has the same definition.
    pub fn is_defined_for_others(&self, run: &str, but: &BTreeSet<String>) -> bool {
        let engine = self.engine.as_ref().expect("the original opens");
        let shown = engine.iter().filter_map(|(name, answer)| {
            let view: Json = serde_json::from_str(answer.as_ref().ok()?).ok()?;
            Some((name.strip_prefix("show ")?, view))
        });
        let (own, others): (Vec<_>, Vec<_>) = shown.partition(|(id, _)| *id == run);
        let same = |view: &Json| own.iter().any(|(_, own)| own["definition"] == view["definition"]);
        others.iter().any(|(id, view)| !but.contains(*id) && view["gone"].is_null() && same(view))
    }

    /// What is told of a run; nothing where it is not listed.
    fn history(&self, run: &str) -> Vec<Json> {
        let engine = self.engine.as_ref().expect("the original opens");
        let Some(Ok(rows)) = engine.get(&format!("history {run}")) else { return Vec::new() };
        serde_json::from_str(rows).expect("rows")
    }

    /// The positions of what is told of a run; none where nothing is.
    fn records_of(&self, run: &str) -> Vec<u64> {
        self.history(run).iter().filter_map(|row| row["lsn"].as_u64()).collect()
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

/// Whether two lists hold the same rows but those of these runs, which stand in both; only what is gone need not.
fn same_rows(
    now: Option<&Answer>,
    was: &Answer,
    but: &BTreeSet<String>,
    gone: &dyn Fn(&str) -> bool,
) -> Result<(), String> {
    let rows = |answer: &Answer| -> Result<BTreeMap<String, Json>, String> {
        let rows: Vec<Json> =
            serde_json::from_str(answer.as_ref().map_err(Clone::clone)?).map_err(|error| error.to_string())?;
        Ok(rows.into_iter().map(|row| (row["id"].as_str().unwrap_or_default().to_owned(), row)).collect())
    };
    let (now, was) = (rows(now.ok_or("nothing is listed")?)?, rows(was)?);
    for (id, row) in &was {
        match now.get(id) {
            Some(now) if now == row || but.contains(id) => {}
            None if gone(id) => {}
            now => return Err(format!("run {id} was listed as {row} and is {now:?}")),
        }
    }
    match now.keys().find(|id| !was.contains_key(*id)) {
        None => Ok(()),
        Some(id) => Err(format!("run {id} was not listed before")),
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
        let options = Options {
            data: data.to_owned(),
            actions: Vec::new(),
            expected: None,
            sandbox,
            resume: false,
            storage: Storage::default(),
        };
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
