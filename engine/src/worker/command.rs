//! The actions `shell` and `exec`: a process of its own group, with a declared environment.
//!
//! A script runs exactly as written, from a file in the attempt's folder; an argument list reaches the program element
//! by element. When the process ends, the attempt ends. What it left running in the background goes on, but has no
//! reader any more: output is awaited for [`DRAIN`] at most while something else holds the pipes. When the attempt is
//! stopped, its whole group ends.
//!
//! Secrets are given in the environment and by standard input only, and are never written to the disk.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::process::ExitStatus;
use std::time::Duration;

use lockstep_dsl::value::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::input::{Input, Program, reads_stdin};
use super::limits::{DRAIN, ERROR_STDERR_BYTES, PIPE_BYTES};
use super::mask::Masker;
use super::output;
use super::process::{self, Group, Launch};
use super::secret::Secrets;
use super::sink::Sink;
use super::{Action, Attempt, Failure, OnProgress, Outcome, StopSignal, Stream};

/// `shell`: a script, by `/bin/sh -eu` where no interpreter is named.
#[derive(Clone, Copy, Debug)]
pub struct Shell;

/// `exec`: a program with arguments; no shell sees them.
#[derive(Clone, Copy, Debug)]
pub struct Exec;

impl Action for Shell {
    fn name(&self) -> &'static str {
        "shell"
    }

    fn run<'a>(
        &'a self,
        attempt: &'a Attempt,
        stop: StopSignal,
        progress: OnProgress,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(run(attempt, stop, progress))
    }
}

impl Action for Exec {
    fn name(&self) -> &'static str {
        "exec"
    }

    fn run<'a>(
        &'a self,
        attempt: &'a Attempt,
        stop: StopSignal,
        progress: OnProgress,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(run(attempt, stop, progress))
    }
}

async fn run(attempt: &Attempt, stop: StopSignal, progress: OnProgress) -> Outcome {
    let mut secrets = Secrets::of(attempt);
    let input = match Input::parse(&attempt.input, &mut secrets) {
        Ok(input) => input,
        Err(failure) => return failure.into(),
    };
    secrets.also_mask(&attempt.secrets);
    let masker = match secrets.masker() {
        Ok(masker) => masker,
        Err(failure) => return failure.into(),
    };
    let mut sink = Sink::new(&attempt.log, &masker, progress);
    match supervise(attempt, input, stop, &mut sink).await {
        Ok((status, expect)) => conclude(attempt, status, &expect, sink, &masker),
        Err(mut failure) => {
            failure.message = masker.text(&failure.message);
            sink.take(Stream::Stderr, failure.message.as_bytes());
            sink.end();
            failure.data = data(None, None, "");
            failure.into()
        }
    }
}

/// Runs the command to its end. An error means that it certainly has not begun.
async fn supervise(
    attempt: &Attempt,
    input: Input,
    mut stop: StopSignal,
    sink: &mut Sink,
) -> Result<(io::Result<ExitStatus>, Vec<i64>), Failure> {
    let (argv, stdin) = prepare(attempt, input.program, input.stdin)?;
    if stop.is_asked() {
        return Err(Failure::new("cancelled", "stopped before the command was started"));
    }
    let mut env = input.env;
    env.extend(own_variables(attempt));
    let launch = Launch { argv: &argv, env: &env, cwd: input.cwd.as_deref(), stdin: stdin.is_some() };
    let mut group = process::start(&launch).map_err(|error| Failure::failed(error.to_string()))?;
    drop(env);

    let pipes = (group.child.stdout.take(), group.child.stderr.take());
    let feed = feed(group.child.stdin.take(), stdin);
    let grace = Duration::from_millis(attempt.grace.0);
    let status = {
        let mut output = pin!(collect(pipes, sink));
        let mut feed = pin!(feed);
        let mut end = pin!(end(&mut group, &mut stop, grace));
        let (mut all_read, mut all_written) = (false, false);
        let status = loop {
            tokio::select! {
                () = &mut output, if !all_read => all_read = true,
                () = &mut feed, if !all_written => all_written = true,
                status = &mut end => break status,
            }
        };
        if !all_read && tokio::time::timeout(DRAIN, output).await.is_err() {
            tracing::debug!(step = attempt.step, "something that the command left behind still holds its output");
        }
        status
    };
    Ok((status, input.expect))
}

/// Makes the attempt's folder and what is in it; gives the argument list and what standard input is.
fn prepare(
    attempt: &Attempt,
    program: Program,
    stdin: Option<String>,
) -> Result<(Vec<String>, Option<String>), Failure> {
    let folder = &attempt.folder;
    make_folder(folder)
        .and_then(|()| std::fs::write(folder.join("output"), ""))
        .map_err(|error| Failure::failed(format!("cannot make the attempt's folder {}: {error}", folder.display())))?;
    let (interpreter, path) = match program {
        Program::Argv(argv) => return Ok((argv, stdin)),
        Program::Script { text, interpreter: Some(interpreter) } if reads_stdin(&interpreter) => {
            return Ok((interpreter, Some(text)));
        }
        Program::Script { text, interpreter } => {
            let path = folder.join("script");
            std::fs::write(&path, text)
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

/// Only the engine's user looks into it: a script may hold what is nobody else's business.
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn absolute_text(path: &Path) -> Result<String, Failure> {
    let text = std::path::absolute(path).ok().and_then(|path| path.into_os_string().into_string().ok());
    text.ok_or_else(|| Failure::failed(format!("the path {} is not UTF-8", path.display())))
}

/// What every command is told about its attempt. These win over declared variables of the same name.
fn own_variables(attempt: &Attempt) -> Vec<(String, String)> {
    let path = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let mut variables = vec![
        ("LOCKSTEP_KEY", attempt.key.clone()),
        ("LOCKSTEP_TOKEN", attempt.token.0.to_string()),
        ("LOCKSTEP_ATTEMPT", attempt.number.to_string()),
        ("LOCKSTEP_RUN", attempt.run.to_string()),
        ("LOCKSTEP_STEP", attempt.step.clone()),
        ("LOCKSTEP_OUTPUT", path(&attempt.folder.join("output"))),
    ];
    if let Some(files) = &attempt.files {
        variables.push(("LOCKSTEP_FILES", path(files)));
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Ends with the leader, or, when the attempt is stopped, with the whole group.
async fn end(group: &mut Group, stop: &mut StopSignal, grace: Duration) -> io::Result<ExitStatus> {
    tokio::select! {
        biased;
        status = group.wait() => return status,
        () = stop.wait() => {}
    }
    group.end(grace).await
}

/// Writes standard input. A command that does not read it all has its reasons.
async fn feed(pipe: Option<ChildStdin>, text: Option<String>) {
    if let (Some(mut pipe), Some(text)) = (pipe, text) {
        let _ = pipe.write_all(text.as_bytes()).await;
    }
}

/// Reads both streams to their ends.
async fn collect((stdout, stderr): (Option<ChildStdout>, Option<ChildStderr>), sink: &mut Sink) {
    let (mut stdout, mut stderr) = (stdout, stderr);
    let (mut out, mut err) = (vec![0; PIPE_BYTES], vec![0; PIPE_BYTES]);
    while stdout.is_some() || stderr.is_some() {
        tokio::select! {
            count = read(&mut stdout, &mut out) => sink.take(Stream::Stdout, &out[..count]),
            count = read(&mut stderr, &mut err) => sink.take(Stream::Stderr, &err[..count]),
        }
    }
}

/// Reads what there is, and forgets a pipe that has come to its end. Never ends for one that has.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    let Some(open) = pipe else { return std::future::pending().await };
    let count = open.read(buffer).await.unwrap_or(0);
    if count == 0 {
        *pipe = None;
    }
    count
}

fn conclude(attempt: &Attempt, status: io::Result<ExitStatus>, expect: &[i64], sink: Sink, masker: &Masker) -> Outcome {
    let (stdout, stderr) = sink.finish();
    let status = match status {
        Ok(status) => status,
        Err(error) => return Outcome::Unknown { why: format!("the system lost track of the process: {error}") },
    };
    let mut outputs = output::outputs(stdout, stderr);
    let code = status.code().map(i64::from);
    outputs.insert("exit_code".to_owned(), code.map_or(Value::Null, Value::Int));
    let from_file = output::add_file(&attempt.folder.join("output"), masker, &mut outputs);

    let signal = process::signal_name(status);
    let mut error = match (code, &signal) {
        (Some(code), _) if expect.contains(&code) => match from_file {
            Ok(()) => return Outcome::Succeeded { outputs },
            Err(failure) => failure,
        },
        (Some(code), _) => Failure::failed(format!("exit code {code}")),
        (None, Some(signal)) => Failure::failed(format!("killed by {signal}")),
        (None, None) => Failure::failed("the process ended without an exit code"),
    };
    let stderr = if let Some(Value::String(text)) = outputs.get("stderr") { text.as_str() } else { "" };
    error.data = data(code, signal, stderr);
    Outcome::Failed { error, outputs }
}

/// What an error of a command knows.
fn data(exit_code: Option<i64>, signal: Option<String>, stderr: &str) -> Value {
    Value::Map(Map::from([
        ("exit_code".to_owned(), exit_code.map_or(Value::Null, Value::Int)),
        ("signal".to_owned(), signal.map_or(Value::Null, Value::String)),
        ("stderr".to_owned(), Value::from(output::last_bytes(stderr, ERROR_STDERR_BYTES))),
    ]))
}
