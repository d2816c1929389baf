//! A process of its own for each command, so that the command outlives the engine.
//!
//! The supervisor is the same program, entered by a hidden argument before anything else of it starts. It owns the
//! pipes of the command, writes its log, ends it when asked to, and writes down how it ended. It knows nothing of runs,
//! retries or journals, and never decides whether a command may run.
//!
//! The engine and the supervisor meet in the attempt's folder (`spool`). The engine writes `task`, takes a lock on
//! that file, and starts the supervisor with *that file as its standard input*: the lock belongs to the open file, so it
//! is held exactly as long as a supervisor lives, whatever becomes of the engine, and no process number is ever trusted.
//! A supervisor may also have been started before, *ready* and told nothing; then it is given that file (`handover`).
//! Standard output is a socket to the engine that started it, its *line*: what must not lie on a disk comes in by it,
//! a zero goes out whenever the log has grown, and its end says that there is nothing more to come. When it breaks, the
//! supervisor goes on all the same; an engine that comes later looks at the log and at the folder.
//!
//! # What a crash leaves, and what follows from it
//!
//! Taken in this order, by `worker::recover`:
//!
//! | in the folder | what has happened | what follows |
//! |---|---|---|
//! | a valid `exit` | the command has ended, perhaps long ago | that is its outcome |
//! | `task` is locked | the supervisor lives: the engine died, or was stopped | attach: wait for `exit`, pass on requests to stop |
//! | another boot of the machine, no `exit` | power was lost, or the host started anew | unknown |
//! | neither `begun` nor a log | the engine died before the supervisor was told all, or the supervisor before the start | it certainly has not begun: it is started, also `once`, with the same token |
//! | `begun`, no `exit`, no lock | the supervisor was killed alone | all that is left of the command is ended and awaited, then: unknown |
//! | an `exit` that is damaged, or of a newer program | the disk, or a downgrade | unknown |
//!
//! What an *unknown* outcome leads to is the step's `effect`, and not decided here.
//!
//! # When things end at once
//!
//! * The engine dies while it tells the supervisor what to run: the line breaks before all was said, and nothing begins.
//! * The engine ends, or dies, without having needed the supervisor that was ready: its line breaks, and it ends.
//! * The supervisor dies between `begun` and the start of the command: unknown, though nothing ran. The other order could
//!   run a command that nobody knows of.
//! * The supervisor has written `exit`, and the engine dies before it has committed the outcome: the next one takes it
//!   from there. The folder is removed only when the outcome is durable in the journal, which is the acknowledgement the
//!   supervisor waits for; without one it syncs the record itself, so that a loss of power does not lose it.
//! * The supervisor is asked to end by SIGTERM, as a machine does that is shut down: it ends the command as if the engine
//!   had asked for that, with its grace, and writes down how it ended. The next engine finds an end instead of a doubt.
//! * The disk is full: the command goes on without a log. An engine that listens is told how it ended over the line;
//!   `exit` is written again and again until there is room, or the outcome is durable. An engine that comes meanwhile
//!   finds the supervisor alive.

pub(crate) mod descendants;
pub(crate) mod exit;
pub(crate) mod handover;
pub(crate) mod limits;
pub(crate) mod process;
pub(crate) mod spool;
pub(crate) mod task;

mod attend;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use lockstep_dsl::value::Map;
use signal_hook::consts::SIGTERM as TERM;

use self::limits::{ACKNOWLEDGE, FIRST_LOOK, HEAR, WRITE_AGAIN};
use self::process::Launch;
use self::spool::Spool;
use self::task::{FORMAT, Private, Task};
use crate::worker::mask::Masker;
use crate::worker::output;
use crate::worker::sink::Sink;
use crate::worker::{Failure, Outcome};

/// The hidden argument by which a program becomes a supervisor; the attempt's folder follows.
pub const ARGUMENT: &str = "__supervise";

/// Runs the supervisor if that is what this process was started as. To be asked first of all in `main`: a supervisor
/// needs nothing of what a program sets up for itself.
pub fn entered() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != ARGUMENT {
        return None;
    }
    Some(main(arguments.next()))
}

/// Runs the supervisor of the command in this folder, started by an engine; without one, of the folder that the engine
/// names when it needs it.
fn main(folder: Option<OsString>) -> ExitCode {
    let folder = match folder {
        Some(folder) => Ok(Some(PathBuf::from(folder))),
        None => wait_for_folder(),
    };
    match folder.and_then(|folder| folder.map_or(Ok(()), |folder| supervise(&Spool::new(folder)))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The engine hears it if it is still there; nothing has begun.
            let _ = line().and_then(|mut line| line.write_all(error.to_string().as_bytes()));
            ExitCode::FAILURE
        }
    }
}

/// From what the engine says to the acknowledged end. An error means that the command certainly has not begun.
fn supervise(spool: &Spool) -> io::Result<()> {
    let task = read_task()?;
    let mut line = line()?;
    let private = Private::read(&mut line)?;
    // From here on the engine may be gone or asleep, and is not waited for.
    line.set_nonblocking(true)?;
    let stop = spool.stop_pipe()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // Whoever ends this process in an orderly way, as a machine that is shut down does, asks for the command to be ended.
    signal_hook::low_level::pipe::register(TERM, stop.try_clone()?)?;
    if attend::asked(&stop) {
        leave(spool, &Failure::new("cancelled", "stopped before the command was started").untouched().into(), &line);
        return Ok(());
    }
    spool.mark_begun()?;
    let outcome = run(spool, &task, private, &stop, &line);
    leave(spool, &outcome, &line);
    Ok(())
}

/// Waits to be told the folder; the task that comes with it becomes standard input. `None`: no supervisor is needed.
fn wait_for_folder() -> io::Result<Option<PathBuf>> {
    let Some((task, folder)) = handover::receive(&mut line()?)? else { return Ok(None) };
    rustix::stdio::dup2_stdin(task)?;
    Ok(Some(folder))
}

/// The task, from the file that is standard input: its lock is this process's life.
fn read_task() -> io::Result<Task> {
    use std::os::unix::fs::FileExt as _;
    let file = std::fs::File::from(rustix::stdio::stdin().try_clone_to_owned()?);
    let mut text = vec![0; usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?];
    file.read_exact_at(&mut text, 0)?;
    let task: Task = serde_json::from_slice(&text)?;
    if task.format != FORMAT {
        return Err(io::Error::other(format!("the task has format {}, this program knows {FORMAT}", task.format)));
    }
    Ok(task)
}

fn line() -> io::Result<UnixStream> {
    Ok(rustix::stdio::stdout().as_fd().try_clone_to_owned()?.into())
}

/// Runs the command to its end.
fn run(spool: &Spool, task: &Task, private: Private, stop: &std::fs::File, line: &UnixStream) -> Outcome {
    let Private { env, stdin, mask } = private;
    let masker = match Masker::new(mask.iter().map(String::as_str)) {
        Ok(masker) => masker,
        Err(error) => {
            return Failure::new("limit", format!("cannot search for the secrets of the run: {error}"))
                .untouched()
                .into();
        }
    };
    let mut sink = Sink::silent(&task.log, &masker);
    if task.withholding.is_some() {
        sink = sink.withholding();
    }
    let nudge = || {
        // A byte that finds no room is not needed: others are on their way.
        let _ = (&mut &*line).write(&[0]);
    };
    let launch = Launch { argv: &task.argv, env: &env, cwd: task.cwd.as_deref(), stdin: stdin.is_some() };
    let process = match process::start(&launch) {
        Ok(process) => process,
        Err(error) => {
            let mut failure = Failure::failed(masker.text(&error.to_string())).untouched();
            sink.say(&failure.message);
            sink.end();
            failure.data = output::error_data(None, None, &Map::new());
            return failure.into();
        }
    };
    drop(env);
    let grace = Duration::from_millis(task.grace_ms);
    let status = attend::attend(process, stdin, stop, grace, |stream, bytes| {
        sink.take(stream, bytes);
        nudge();
    });
    let Some(withholding) = &task.withholding else { return conclude(spool, status, &task.expect, sink, &masker) };
    // What it holds is told by parts, each of which is masked then.
    withholding.keep(conclude(spool, status, &task.expect, sink, &Masker::nothing()), &mask)
}

fn conclude(spool: &Spool, status: io::Result<ExitStatus>, expect: &[i64], sink: Sink, masker: &Masker) -> Outcome {
    let (stdout, stderr) = sink.finish();
    let status = match status {
        Ok(status) => status,
        Err(error) => return Outcome::Unknown { why: format!("the system lost track of the process: {error}") },
    };
    let mut outputs = output::outputs(stdout, stderr);
    let from_file = output::add_file(&spool.output(), masker, &mut outputs);
    let end = output::Exit { code: status.code().map(i64::from), signal: process::signal_name(status) };
    output::outcome(end, expect, outputs, from_file)
}

/// Writes down how the command ended, lets the engine know, and stays until that is durable.
fn leave(spool: &Spool, outcome: &Outcome, line: &UnixStream) {
    if let Err(error) = spool.write_exit(outcome) {
        tell(line, outcome);
        if !write_later(spool, outcome, error) {
            return;
        }
    }
    // Both ends of it, so that the engine sees it close while this process still waits.
    let _ = line.shutdown(Shutdown::Both);
    if !is_acknowledged(spool) {
        // The engine is gone or slow. What cannot be synced is unknown after a loss of power, as it was before.
        let _ = spool.sync_exit();
    }
}

/// Tells an engine that listens how the command ended, since there is no room to write it down.
fn tell(mut line: &UnixStream, outcome: &Outcome) {
    let prepared = line.set_nonblocking(false).and_then(|()| line.set_write_timeout(Some(HEAR)));
    // One that is gone finds it written down when there is room.
    let _ = prepared.and_then(|()| line.write_all(&exit::encode(outcome)));
    let _ = line.shutdown(Shutdown::Both);
}

/// Tries until there is room. Says whether somebody still wants to know: the folder is there.
#[expect(clippy::disallowed_methods, reason = "nothing tells when a disk has room")]
fn write_later(spool: &Spool, outcome: &Outcome, mut error: io::Error) -> bool {
    while error.kind() != io::ErrorKind::NotFound {
        std::thread::sleep(WRITE_AGAIN);
        match spool.write_exit(outcome) {
            Ok(()) => return true,
            Err(again) => error = again,
        }
    }
    false
}

/// Waits for the engine to remove the record, as it does when the outcome is durable in its journal.
#[expect(clippy::disallowed_methods, reason = "it takes as long as a commit, and to watch the folder would cost more")]
fn is_acknowledged(spool: &Spool) -> bool {
    let (mut waited, mut look) = (Duration::ZERO, FIRST_LOOK);
    while waited < ACKNOWLEDGE {
        std::thread::sleep(look);
        if !spool.has_exit() {
            return true;
        }
        waited += look;
        look *= 2;
    }
    false
}
