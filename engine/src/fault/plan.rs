//! What is to happen at which point, as the environment says.
//!
//! ```text
//! LOCKSTEP_FAULTS=journal.append=after:crash@3;head.write=before:error
//! LOCKSTEP_FAULTS_TRACE=/tmp/trace
//! ```
//!
//! An action happens at the n-th passing of its point in this process, counted from 1, or at every one where no `@n`
//! says which. With a trace, each passing appends a line to that file: process, point, side, number and the action taken,
//! or `-`. A plan that cannot be read ends the process: a suite must not take it for one that did nothing.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

use super::Point;

/// The variable that holds the plan.
pub const FAULTS: &str = "LOCKSTEP_FAULTS";
/// The variable that names the file for the trace.
pub const TRACE: &str = "LOCKSTEP_FAULTS_TRACE";

/// The variable that names the file which ends a hang.
pub const RELEASE: &str = "LOCKSTEP_FAULTS_RELEASE";

/// The variable that says, in milliseconds, how long what may hang is waited for at the most.
pub const PATIENCE: &str = "LOCKSTEP_FAULTS_PATIENCE";

/// How long a delay is: longer than anything waits by chance, shorter than any deadline.
const DELAY: Duration = Duration::from_millis(300);
/// How often what hangs looks whether it may go on.
const LOOK: Duration = Duration::from_millis(5);

/// Which side of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// It has not been done.
    Before,
    /// It has been done.
    After,
}

/// What happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The process is killed, as by `kill -9`.
    Crash,
    /// The write fails with EIO.
    Error,
    /// The write fails with ENOSPC.
    NoSpace,
    /// Nothing happens for a while.
    Delay,
    /// The thread panics.
    Panic,
    /// Nothing happens before the file is there that the environment names; never, where it names none.
    Hang,
}

impl Side {
    const ALL: [Self; 2] = [Self::Before, Self::After];

    /// As a plan and a trace name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

impl Action {
    const ALL: [Self; 6] = [Self::Crash, Self::Error, Self::NoSpace, Self::Delay, Self::Panic, Self::Hang];

    /// As a plan and a trace name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Error => "error",
            Self::NoSpace => "nospace",
            Self::Delay => "delay",
            Self::Panic => "panic",
            Self::Hang => "hang",
        }
    }
}

/// One line of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    point: Point,
    side: Side,
    action: Action,
    /// At which passing; at each where there is none.
    number: Option<u64>,
}

/// Takes note that a point is passed, and does what the plan says.
///
/// # Errors
/// Where the plan says so.
pub(super) fn pass(point: Point, side: Side) -> io::Result<()> {
    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    let Some(plan) = PLAN.get_or_init(Plan::of_environment) else { return Ok(()) };
    match plan.take(point, side) {
        None => Ok(()),
        Some(Action::Crash) => crash(),
        Some(Action::Error) => Err(Errno::IO.into()),
        Some(Action::NoSpace) => Err(Errno::NOSPC.into()),
        Some(Action::Delay) => {
            delay();
            Ok(())
        }
        Some(Action::Panic) => panic!("planted at {}", point.name()),
        Some(Action::Hang) => {
            hang();
            Ok(())
        }
    }
}

/// How long what may hang is waited for: as long as the environment says, if that is shorter.
pub(super) fn patience(usual: Duration) -> Duration {
    let Ok(millis) = std::env::var(PATIENCE) else { return usual };
    let millis = millis.parse().unwrap_or_else(|_| panic!("{PATIENCE}={millis}: not a number of milliseconds"));
    usual.min(Duration::from_millis(millis))
}

struct Plan {
    entries: Vec<Entry>,
    passed: Mutex<BTreeMap<(Point, Side), u64>>,
    trace: Option<File>,
}

impl Plan {
    /// `None` where the environment asks for nothing.
    fn of_environment() -> Option<Self> {
        let (faults, trace) = (std::env::var(FAULTS).ok(), std::env::var_os(TRACE));
        if faults.is_none() && trace.is_none() {
            return None;
        }
        let entries = parse(faults.as_deref().unwrap_or_default()).unwrap_or_else(|why| panic!("{FAULTS}: {why}"));
        let trace = trace.map(|path| {
            let opened = OpenOptions::new().append(true).create(true).open(&path);
            opened.unwrap_or_else(|error| panic!("{TRACE}={}: {error}", path.display()))
        });
        Some(Self { entries, passed: Mutex::default(), trace })
    }

    /// Counts, and says what is to happen.
    fn take(&self, point: Point, side: Side) -> Option<Action> {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let count = passed.entry((point, side)).or_default();
        *count += 1;
        let is_meant = |entry: &&Entry| {
            (entry.point, entry.side) == (point, side) && entry.number.is_none_or(|number| number == *count)
        };
        let action = self.entries.iter().find(is_meant).map(|entry| entry.action);
        if let Some(mut trace) = self.trace.as_ref() {
            let process = getpid().as_raw_nonzero();
            let action = action.map_or("-", Action::name);
            let line = format!("{process} {} {} {count} {action}\n", point.name(), side.name());
            // One write, so that lines of several processes do not mix. A trace on a full disk has a gap.
            let _ = trace.write_all(line.as_bytes());
        }
        action
    }
}

fn parse(text: &str) -> Result<Vec<Entry>, String> {
    text.split(';').filter(|entry| !entry.is_empty()).map(entry).collect()
}

fn entry(text: &str) -> Result<Entry, String> {
    let wrong = || format!("`{text}` is not `point=side:action` or `point=side:action@number`");
    let (point, what) = text.split_once('=').ok_or_else(wrong)?;
    let (side, action) = what.split_once(':').ok_or_else(wrong)?;
    let (action, number) = match action.split_once('@') {
        Some((action, number)) => (action, Some(number.parse().map_err(|_| wrong())?)),
        None => (action, None),
    };
    let find_point = Point::ALL.iter().copied().find(|known| known.name() == point);
    Ok(Entry {
        point: find_point.ok_or_else(|| format!("there is no point `{point}`"))?,
        side: Side::ALL.into_iter().find(|known| known.name() == side).ok_or_else(wrong)?,
        action: Action::ALL.into_iter().find(|known| known.name() == action).ok_or_else(wrong)?,
        number,
    })
}

/// No destructor runs and no buffer is written.
fn crash() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    // The signal may reach another thread first.
    loop {
        std::thread::park();
    }
}

#[expect(clippy::disallowed_methods, reason = "being slow is what is asked for")]
fn delay() {
    std::thread::sleep(DELAY);
}

#[expect(clippy::disallowed_methods, reason = "waiting for somebody outside is what is asked for")]
fn hang() {
    let release = std::env::var_os(RELEASE);
    while !release.as_ref().is_some_and(|release| Path::new(release).exists()) {
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        Plan { entries: parse(text).unwrap(), passed: Mutex::default(), trace: None }
    }

    #[test]
    fn an_action_is_taken_at_its_passing_or_at_every_one() {
        let plan = plan("journal.append=after:crash@2;head.write=before:error;");
        let passes = |point, side| [(); 3].map(|()| plan.take(point, side));
        assert_eq!(passes(Point::JournalAppend, Side::Before), [None; 3]);
        assert_eq!(passes(Point::JournalAppend, Side::After), [None, Some(Action::Crash), None]);
        assert_eq!(passes(Point::HeadWrite, Side::Before), [Some(Action::Error); 3]);
    }

    #[test]
    fn a_plan_that_cannot_be_read_is_refused() {
        for text in ["journal.append", "journal.append=after", "nowhere=after:crash", "head.write=beside:crash"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("head.write=after:explode").is_err() && parse("head.write=after:crash@x").is_err());
    }
}
