//! A trial: a runbook with commands of all three effects, a witness outside of the engine, and the oracle that judges by
//! the witness, by what was said on standard output, and by what the folder says afterwards.
//!
//! The oracle gives a violation back as a text instead of failing the test, so that suites that plant a bug can ask for
//! one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::Value as Json;

use crate::harness::{Case, Process};

/// The steps that act, in their order, and their effects.
pub const STEPS: [(&str, &str); 6] =
    [("s0", "once"), ("s1", "idempotent"), ("s2", "pure"), ("s3", "once"), ("s4", "idempotent"), ("s5", "once")];

/// More than it takes to bring any run to its end: each step may be in doubt once.
const SETTLING: usize = 4 * STEPS.len();

/// The name of a runbook that is no part of the trial.
pub const FILLER: &str = "filler";

/// A promise that was broken, for people.
pub type Violation = String;

/// A case, and what was said of its run.
pub struct Trial {
    pub case: Case,
    id: Option<String>,
    succeeded: BTreeSet<String>,
    ended: Option<String>,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing was stored, said or done.
    NeverWas,
    /// The run has ended.
    Ended {
        /// `succeeded`, or another status.
        status: String,
        /// How many steps a person had to resolve.
        doubts: usize,
    },
}

impl Trial {
    /// A runbook that was not run yet.
    pub fn new() -> Self {
        Self::of(Case::new())
    }

    /// The runbook in this case.
    pub fn of(case: Case) -> Self {
        let case = case.runbook(&runbook()).file("lib.sh", "echo from the pinned file\n");
        Self { case, id: None, succeeded: BTreeSet::new(), ended: None }
    }

    /// The command that runs the runbook.
    pub fn run_command(&self) -> Command {
        self.case.run_command(&["--json"])
    }

    /// The command that resumes what was left.
    pub fn resume_command(&self) -> Command {
        self.case.command(["resume", "--json"])
    }

    /// Lets a command run to its end, however it ends, and hears what it says of the run.
    pub fn play(&mut self, command: Command) -> Option<i32> {
        let outcome = Process::start(command).outcome(&self.case);
        let (code, said) = (outcome.code(), outcome.stdout.clone());
        self.hear(&said);
        code
    }

    /// Takes note of what was said. A line that was cut off was not said.
    pub fn hear(&mut self, said: &str) {
        for line in said.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let event: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
            let text = |name: &str| event[name].as_str().map(str::to_owned);
            match event["type"].as_str() {
                Some("started") => self.id = text("id"),
                Some("step") if event["status"] == "succeeded" => self.succeeded.extend(text("path")),
                Some("run") => self.ended = text("status").filter(|status| ENDED.contains(&status.as_str())),
                _ => {}
            }
        }
    }

    /// Brings the run to its end, as its operators would, and judges.
    ///
    /// # Errors
    /// A promise was broken.
    pub fn settle(&mut self) -> Result<End, Violation> {
        let mut doubted = BTreeSet::new();
        for _ in 0..SETTLING {
            let Some((id, view)) = self.look()? else { return Ok(End::NeverWas) };
            self.keeps(&view, &doubted)?;
            if view["ended"] != Json::Null {
                self.judge(&id, &view, &doubted)?;
                let status = view["status"].as_str().unwrap_or_default().to_owned();
                return Ok(End::Ended { status, doubts: doubted.len() });
            }
            match steps(&view).find(|step| step["status"] == "in_doubt") {
                Some(step) => {
                    if step["reason"].as_str().is_none_or(str::is_empty) {
                        return Err(format!("a step is in doubt without a reason: {step:#}"));
                    }
                    let path = step["path"].as_str().unwrap_or_default().to_owned();
                    self.go_on(&["resolve", &id, &path, "done", "--json"])?;
                    doubted.insert(path);
                }
                None => self.go_on(&["resume", "--json"])?,
            }
        }
        Err(format!("the run comes to no end: {}", self.look()?.map(|(_, view)| view).unwrap_or_default()))
    }

    /// The one run, if there is one.
    fn look(&self) -> Result<Option<(String, Json)>, Violation> {
        let listed = self.ask(&["runs", "--json"])?;
        let rows = lines(&listed)?;
        let own = rows.iter().filter(|row| row["runbook"] != FILLER);
        let ids: Vec<String> = own.filter_map(|run| Some(run["id"].as_str()?.to_owned())).collect();
        match ids.as_slice() {
            [] => match (&self.id, self.witness().is_empty()) {
                (Some(id), _) => Err(format!("run {id} was said to have started, and is gone")),
                (None, false) => Err(format!("there is no run, and something was done: {:?}", self.witness())),
                (None, true) => Ok(None),
            },
            [id] => {
                let view = self.ask(&["show", id, "--json"])?;
                Ok(Some((id.clone(), serde_json::from_str(&view).map_err(|error| format!("{error}: {view}"))?)))
            }
            several => Err(format!("one run was asked for, there are {several:?}")),
        }
    }

    /// A verb that must work.
    fn ask(&self, arguments: &[&str]) -> Result<String, Violation> {
        let outcome = self.case.lockstep(arguments);
        match outcome.code() {
            Some(0) => Ok(outcome.stdout.clone()),
            code => Err(format!("`lockstep {}` exits with {code:?}:\n{}", arguments.join(" "), outcome.stderr)),
        }
    }

    /// A verb that lets the run go on, to wherever it comes.
    fn go_on(&mut self, arguments: &[&str]) -> Result<(), Violation> {
        let outcome = self.case.lockstep(arguments);
        let (code, said, errors) = (outcome.code(), outcome.stdout.clone(), outcome.stderr.clone());
        self.hear(&said);
        match code {
            Some(0 | 1 | 3 | 4) => Ok(()),
            code => Err(format!("`lockstep {}` exits with {code:?}:\n{errors}", arguments.join(" "))),
        }
    }

    /// What was said stays true.
    fn keeps(&self, view: &Json, doubted: &BTreeSet<String>) -> Result<(), Violation> {
        if self.id.as_ref().is_some_and(|id| view["id"] != **id) {
            return Err(format!("{:?} was said to have started, and there is another run: {view}", self.id));
        }
        if let Some(status) = &self.ended
            && view["status"] != **status
        {
            return Err(format!("the run was said to have {status}, and {view}"));
        }
        for path in &self.succeeded {
            let step = steps(view).find(|step| step["path"] == **path);
            if step.is_none_or(|step| step["status"] != "succeeded") {
                return Err(format!("step {path} was said to have succeeded, and {view}"));
            }
        }
        let witness = self.witness();
        for step in steps(view).filter(|step| step["status"] == "succeeded") {
            let path = step["path"].as_str().unwrap_or_default();
            let acts = STEPS.iter().any(|(name, _)| *name == path);
            if acts && !doubted.contains(path) && !witness.iter().any(|line| line.word == "end" && line.step == path) {
                return Err(format!("step {path} has succeeded without having ended: {witness:?}"));
            }
        }
        Ok(())
    }

    /// What the witness saw agrees with what the folder says, and the folder with itself.
    fn judge(&self, id: &str, view: &Json, doubted: &BTreeSet<String>) -> Result<(), Violation> {
        let history = lines(&self.ask(&["history", id, "--json"])?)?;
        self.judge_end(view)?;
        self.judge_effects(&history, view, doubted)?;
        // The image is a cache: without it the journal says the same.
        fs::remove_dir_all(self.case.data().join("state")).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(format!("the checkpoint cannot be removed: {error}")),
        })?;
        let Some((_, rebuilt)) = self.look()? else { return Err("without the checkpoint the run is gone".to_owned()) };
        if rebuilt != *view {
            return Err(format!("without the checkpoint the run is another: {rebuilt}\ninstead of {view}"));
        }
        Ok(())
    }

    /// A run whose commands all end well has succeeded, unless one of its steps says that it could not run, and why.
    fn judge_end(&self, view: &Json) -> Result<(), Violation> {
        if view["status"] == "succeeded" {
            return Ok(());
        }
        let error = &view["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default();
        let (kind, message, path) = (text("kind"), text("message"), text("step"));
        let not_begun = NOT_BEGUN.iter().any(|says| message.contains(says));
        let is_declared = match kind {
            "lost" => message.starts_with("the outcome stayed unknown: "),
            "failed" => not_begun,
            "invalid" => message.contains("was learned and cannot be kept: "),
            _ => false,
        };
        let named = steps(view).find(|step| step["path"] == path);
        if view["status"] != "failed" || !is_declared || named.is_none_or(|step| step["status"] != "failed") {
            return Err(format!("the run has not succeeded, and does not say why: {error}, {view:#}"));
        }
        let has_begun = self.witness().iter().any(|line| line.word == "begin" && line.step == path);
        let once = STEPS.iter().any(|(step, effect)| *step == path && *effect == "once");
        if once && has_begun && not_begun {
            return Err(format!("{path} began, and it is said that it has not: {error}"));
        }
        Ok(())
    }

    fn judge_effects(&self, history: &[Json], view: &Json, doubted: &BTreeSet<String>) -> Result<(), Violation> {
        let witness = self.witness();
        let seen = || {
            witness.iter().fold(String::new(), |mut text, line| {
                let _ = writeln!(text, "{line:?}");
                text
            })
        };
        let granted: BTreeSet<String> = history
            .iter()
            .filter(|record| record["what"] == "starting")
            .map(|record| record["detail"]["token"].to_string())
            .collect();
        let (mut tokens, mut keys) = (BTreeSet::new(), BTreeMap::new());
        for (place, line) in witness.iter().enumerate() {
            match line.word.as_str() {
                "overlap" => return Err(format!("two processes of {} lived at once:\n{}", line.step, seen())),
                "begin" => {}
                _ => continue,
            }
            if !tokens.insert(&line.token) {
                return Err(format!("token {} began twice:\n{}", line.token, seen()));
            }
            if !granted.contains(&line.token) {
                return Err(format!("token {} began, and nothing says that it was to:\n{}", line.token, seen()));
            }
            if *keys.entry(&line.step).or_insert(&line.key) != &line.key {
                return Err(format!("{} began with two keys:\n{}", line.step, seen()));
            }
            let number = STEPS.iter().position(|(name, _)| *name == line.step).unwrap_or_default();
            if let Some((before, _)) = number.checked_sub(1).map(|before| STEPS[before]) {
                let ended = witness[..place].iter().any(|line| line.word == "end" && line.step == before);
                if !ended && !doubted.contains(before) {
                    return Err(format!("{} began before {before} had ended:\n{}", line.step, seen()));
                }
            }
        }
        if keys.values().collect::<BTreeSet<_>>().len() != keys.len() {
            return Err(format!("two steps have one key: {keys:?}"));
        }
        for (step, effect) in STEPS {
            let begins = witness.iter().filter(|line| line.word == "begin" && line.step == step).count();
            if effect == "once" && begins > 1 {
                return Err(format!("{step} is `once`, and began {begins} times:\n{}", seen()));
            }
            if effect != "once" && doubted.contains(step) {
                return Err(format!("{step} is `{effect}`, and was in doubt"));
            }
            if begins == 0 && view["status"] == "succeeded" && !doubted.contains(step) {
                return Err(format!("the run has succeeded, and {step} never began:\n{}", seen()));
            }
        }
        Ok(())
    }

    /// What the commands wrote down, in their order.
    fn witness(&self) -> Vec<Line> {
        self.case.read("witness").lines().map(Line::of).collect()
    }
}

/// What is said of a command that certainly has not begun.
const NOT_BEGUN: [&str; 5] = [
    "the run's files cannot be written: ",
    "the command could not be begun: ",
    "cannot start the command's supervisor: ",
    "cannot make the attempt's folder ",
    "cannot write the script ",
];

const ENDED: [&str; 3] = ["succeeded", "failed", "cancelled"];

/// One line of the witness.
#[derive(Debug)]
struct Line {
    word: String,
    step: String,
    key: String,
    token: String,
}

impl Line {
    fn of(text: &str) -> Self {
        let mut words = text.split(' ').map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        Self { word: next(), step: next(), key: next(), token: next() }
    }
}

fn lines(text: &str) -> Result<Vec<Json>, Violation> {
    text.lines().map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))).collect()
}

fn steps(view: &Json) -> impl Iterator<Item = &Json> {
    view["steps"].as_array().into_iter().flatten()
}

/// Each command notes its begin and its end, with its key and its token, and whether another process of its step lives.
fn runbook() -> String {
    let mut text = String::from("defaults: { timeout: 1m }\nsteps:\n");
    for (step, effect) in STEPS {
        let _ = write!(
            text,
            "  - id: {step}
    effect: {effect}
    shell: |
      if [ -e pid.{step} ] && read -r pid token < pid.{step} &&
        grep -qzs \"^LOCKSTEP_TOKEN=$token\\$\" \"/proc/$pid/environ\"; then echo 'overlap {step}' >> witness; fi
      echo \"$$ $LOCKSTEP_TOKEN\" > pid.{step}
      echo \"begin {step} $LOCKSTEP_KEY $LOCKSTEP_TOKEN\" >> witness
      echo 'a line of {step}'
      echo \"end {step} $LOCKSTEP_KEY $LOCKSTEP_TOKEN\" >> witness
"
        );
    }
    text.push_str(
        "  - { id: counted, set: { done: 6 } }\n  - { id: pinned, effect: pure, shell: { file: ./lib.sh } }\n",
    );
    text.push_str(
        "  - { id: learned, effect: pure, shell: 'echo \"{ \\\"token\\\": \\\"t0ken\\\" }\" > $LOCKSTEP_OUTPUT', secret_outputs: [token] }\n",
    );
    text.push_str("outputs: { done: vars.done }\n");
    text
}
