//! The actions `shell` and `exec`: a command with a declared environment, under a supervisor that outlives the engine.
//!
//! A script runs exactly as written, from a file in the attempt's folder; an argument list reaches the program element
//! by element. When the process ends, the attempt ends; what it left running in the background goes on. When the attempt
//! is stopped, everything that descends from it ends.
//!
//! Values of variables, standard input and secrets are given to the supervisor over its line, never by the disk.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use lockstep_dsl::value::Map;

use super::follow::Follower;
use super::input::{Input, Program, reads_stdin};
use super::launch::{Launcher, Line, News};
use super::learned::Withholding;
use super::recover::{Left, left};
use super::secret::Secrets;
use super::sink::Sink;
use super::{Action, Attempt, Failure, OnProgress, Outcome, Recovered, StopSignal, Stream, leftover, output};
use crate::supervisor::limits::ATTACHED_POLL;
use crate::supervisor::spool::Spool;
use crate::supervisor::task::{FORMAT, Private, Task, boot};

/// `shell`: a script, by `/bin/sh -eu` where no interpreter is named.
#[derive(Clone, Debug)]
pub struct Shell(Launcher);

/// `exec`: a program with arguments; no shell sees them.
#[derive(Clone, Debug)]
pub struct Exec(Launcher);

type Ends<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

impl Shell {
    /// Scripts under supervisors that are started so.
    pub const fn new(launcher: Launcher) -> Self {
        Self(launcher)
    }
}

impl Exec {
    /// Programs under supervisors that are started so.
    pub const fn new(launcher: Launcher) -> Self {
        Self(launcher)
    }
}

impl Action for Shell {
    fn name(&self) -> &'static str {
        "shell"
    }

    fn uses_folder(&self) -> bool {
        true
    }

    fn get_ready(&self) {
        self.0.get_ready();
    }

    fn run<'a>(&'a self, attempt: &'a Attempt, stop: StopSignal, progress: OnProgress) -> Ends<'a> {
        Box::pin(run(&self.0, attempt, stop, progress))
    }

    fn recover<'a>(&'a self, of: Recovered<'a>, stop: StopSignal, progress: OnProgress) -> Ends<'a> {
        Box::pin(recover(&self.0, of, stop, progress))
    }
}

impl Action for Exec {
    fn name(&self) -> &'static str {
        "exec"
    }

    fn uses_folder(&self) -> bool {
        true
    }

    fn get_ready(&self) {
        self.0.get_ready();
    }

    fn run<'a>(&'a self, attempt: &'a Attempt, stop: StopSignal, progress: OnProgress) -> Ends<'a> {
        Box::pin(run(&self.0, attempt, stop, progress))
    }

    fn recover<'a>(&'a self, of: Recovered<'a>, stop: StopSignal, progress: OnProgress) -> Ends<'a> {
        Box::pin(recover(&self.0, of, stop, progress))
    }
}

/// Runs a command that has not begun.
async fn run(launcher: &Launcher, attempt: &Attempt, stop: StopSignal, progress: OnProgress) -> Outcome {
    let mut secrets = Secrets::of(attempt);
    let input = match Input::parse(&attempt.input, &mut secrets) {
        Ok(input) => input,
        Err(failure) => return failure.untouched().into(),
    };
    secrets.also_mask(attempt);
    let spool = match absolute(&attempt.folder) {
        Ok(folder) => Spool::new(folder),
        Err(failure) => return refuse(attempt, &secrets, failure, progress),
    };
    let (task, private) = match prepare(&spool, attempt, input, &secrets) {
        Ok(prepared) => prepared,
        Err(failure) => return refuse(attempt, &secrets, failure, progress),
    };
    if stop.is_asked() {
        let failure = Failure::new("cancelled", "stopped before the command was started");
        return refuse(attempt, &secrets, failure, progress);
    }
    let mut line = match launcher.start(&spool, &task, &private).await {
        Ok(line) => line,
        Err(error) => {
            let failure = Failure::failed(format!("cannot start the command's supervisor: {error}"));
            return refuse(attempt, &secrets, failure, progress);
        }
    };
    drop(private);
    let mut watch = Watch::new(&spool, attempt, stop, progress.clone());
    watch.hear(&mut line).await;
    if let Some(outcome) = line.outcome() {
        line.release();
        return outcome;
    }
    match watch.end(true).await {
        Left::Ended(outcome) => {
            line.release();
            outcome
        }
        Left::NotBegun(_) => {
            let failure = Failure::failed(format!("the command could not be begun: {}", line.why().await));
            refuse(attempt, &secrets, failure, progress)
        }
        Left::Unknown(why) => lost(attempt, &format!("{why} ({})", line.why().await)).await,
    }
}

/// Finds out how a command ended that a former engine started, waits for its end, or starts it if it has not begun.
async fn recover(launcher: &Launcher, of: Recovered<'_>, stop: StopSignal, progress: OnProgress) -> Outcome {
    let attempt = of.attempt;
    let spool = match absolute(&attempt.folder) {
        Ok(folder) => Spool::new(folder),
        Err(failure) => return Outcome::Unknown { why: failure.message },
    };
    let mut watch = Watch::new(&spool, attempt, stop.clone(), progress.clone());
    watch.follower.skip().await;
    match watch.end(of.this_boot).await {
        Left::Ended(outcome) => outcome,
        Left::NotBegun(lock) => {
            drop(lock);
            run(launcher, attempt, stop, progress).await
        }
        Left::Unknown(why) => lost(attempt, &why).await,
    }
}

/// Watches a supervisor from this side.
struct Watch<'a> {
    spool: &'a Spool,
    attempt: &'a Attempt,
    stop: StopSignal,
    /// Whether the request to stop was passed on, and how: the pipe is held open until the end.
    asked: Option<std::io::Result<std::fs::File>>,
    follower: Follower,
}

impl<'a> Watch<'a> {
    fn new(spool: &'a Spool, attempt: &'a Attempt, stop: StopSignal, progress: OnProgress) -> Self {
        Self { spool, attempt, stop, asked: None, follower: Follower::new(attempt.log.clone(), progress) }
    }

    /// Follows what a supervisor says that this engine has started, until there is nothing more to come.
    async fn hear(&mut self, line: &mut Line) {
        loop {
            tokio::select! {
                () = self.stop.wait(), if self.asked.is_none() => self.pass_on_stop(),
                news = line.news() => match news {
                    News::More => self.follower.follow().await,
                    News::Over => return,
                },
            }
        }
    }

    /// Waits until the folder says what has become of the command.
    async fn end(&mut self, this_boot: bool) -> Left {
        loop {
            match left(self.spool, &self.attempt.log, this_boot) {
                Ok(Some(left)) => {
                    self.follower.follow().await;
                    return left;
                }
                Ok(None) => {}
                Err(error) => return Left::Unknown(format!("the attempt's folder cannot be read: {error}")),
            }
            tokio::select! {
                () = self.stop.wait(), if self.asked.is_none() => self.pass_on_stop(),
                () = tokio::time::sleep(ATTACHED_POLL) => {}
            }
            self.follower.follow().await;
        }
    }

    fn pass_on_stop(&mut self) {
        let asked = self.spool.ask_to_stop();
        if let Err(error) = &asked {
            tracing::warn!(step = self.attempt.step, %error, "a command cannot be asked to stop");
        }
        self.asked = Some(asked);
    }
}

/// Ends all that is left of a command of which nobody knows how it ended.
async fn lost(attempt: &Attempt, why: &str) -> Outcome {
    let grace = Duration::from_millis(attempt.grace.0);
    let ended = leftover::end_leftovers(attempt.run, attempt.token, grace).await;
    let left = match ended {
        0 => String::new(),
        1 => "; 1 process that it had left was ended".to_owned(),
        _ => format!("; {ended} processes that it had left were ended"),
    };
    Outcome::Unknown { why: format!("{why}{left}") }
}

/// The outcome of an attempt that certainly has not begun, in its log too.
fn refuse(attempt: &Attempt, secrets: &Secrets, mut failure: Failure, progress: OnProgress) -> Outcome {
    let masker = match secrets.masker() {
        Ok(masker) => masker,
        Err(failure) => return failure.untouched().into(),
    };
    failure.message = masker.text(&failure.message);
    let mut sink = Sink::new(&attempt.log, &masker, progress);
    sink.take(Stream::Stderr, failure.message.as_bytes());
    sink.end();
    failure.data = output::error_data(None, None, &Map::new());
    failure.untouched().into()
}

/// Makes the attempt's folder and what is in it; gives what its supervisor is to be told.
fn prepare(spool: &Spool, attempt: &Attempt, input: Input, secrets: &Secrets) -> Result<(Task, Private), Failure> {
    let folder = spool.path().display();
    spool.create().map_err(|error| Failure::failed(format!("cannot make the attempt's folder {folder}: {error}")))?;
    let (argv, stdin) = command_line(spool, attempt, input.program, input.stdin)?;
    let mut env = input.env;
    env.extend(own_variables(spool, attempt));
    let task = Task {
        format: FORMAT,
        boot: boot(),
        run: attempt.run,
        token: attempt.token,
        step: attempt.step.clone(),
        argv,
        cwd: input.cwd,
        expect: input.expect,
        log: absolute_text(&attempt.log)?.into(),
        grace_ms: attempt.grace.0,
        withholding: withholding(attempt)?,
    };
    Ok((task, Private { env, stdin, mask: secrets.values()? }))
}

/// How the result is told, for a supervisor that may stand in another folder.
fn withholding(attempt: &Attempt) -> Result<Option<Withholding>, Failure> {
    let absolute = |one: Withholding| Ok(Withholding { folder: absolute(&one.folder)?, ..one });
    Withholding::of(attempt).map(absolute).transpose()
}

/// The argument list, and what standard input is.
fn command_line(
    spool: &Spool,
    attempt: &Attempt,
    program: Program,
    stdin: Option<String>,
) -> Result<(Vec<String>, Option<String>), Failure> {
    let (interpreter, path) = match program {
        Program::Argv(argv) => return Ok((argv, stdin)),
        Program::Script { text, interpreter: Some(interpreter) } if reads_stdin(&interpreter) => {
            return Ok((interpreter, Some(text)));
        }
        Program::Script { text, interpreter } => {
            let path = spool.script();
            spool
                .write_script(&text)
                .map_err(|error| Failure::failed(format!("cannot write the script {}: {error}", path.display())))?;
            (interpreter, path)
        }
        Program::File { name, interpreter } => {
            let Some(files) = &attempt.files else {
                return Err(Failure::invalid(format!("the run has no files, so there is no `{name}`")));
            };
            let path = files.join(&name);
            if !path.is_file() {
                return Err(Failure::invalid(format!("the run's files hold no `{name}`")));
            }
            (interpreter, path)
        }
    };
    let mut argv = interpreter.unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-eu".to_owned()]);
    argv.push(absolute_text(&path)?);
    Ok((argv, stdin))
}

fn absolute(path: &Path) -> Result<std::path::PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::failed(format!("cannot tell where {} is: {error}", path.display())))
}

fn absolute_text(path: &Path) -> Result<String, Failure> {
    let text = absolute(path)?.into_os_string().into_string();
    text.map_err(|path| Failure::failed(format!("the path {} is not UTF-8", path.display())))
}

/// What every command is told about its attempt. These win over declared variables of the same name.
fn own_variables(spool: &Spool, attempt: &Attempt) -> Vec<(String, String)> {
    let path = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let mut variables = vec![
        ("LOCKSTEP_KEY", attempt.key.clone()),
        ("LOCKSTEP_TOKEN", attempt.token.0.to_string()),
        ("LOCKSTEP_ATTEMPT", attempt.number.to_string()),
        ("LOCKSTEP_RUN", attempt.run.to_string()),
        ("LOCKSTEP_STEP", attempt.step.clone()),
        ("LOCKSTEP_OUTPUT", path(&spool.output())),
    ];
    if let Some(files) = &attempt.files {
        variables.push(("LOCKSTEP_FILES", path(files)));
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
