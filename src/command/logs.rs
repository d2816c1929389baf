//! `lockstep logs`: what the commands of a run printed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use lockstep_engine::api::{RunView, StepView};
use lockstep_engine::core::run::StepStatus;
use lockstep_engine::worker::log::{Event, LogReader, Rest};
use lockstep_engine::worker::retired::retired;

use super::one_run::look_at;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::output::text::{harmless_bytes, harmless_line};
use crate::output::{self, Tone, words};

const EXAMPLES: &str = "\
Examples:
  lockstep logs last                    all steps, each line behind its step's path
  lockstep logs last deploy/restart     one step, its bytes as they were printed
  lockstep logs last -f                 goes on until the run has ended

On a terminal control characters are shown as signs; into a pipe or a file bytes go as they are.
Standard output and standard error come in the order in which they were read. Secrets are masked.";

/// Between two looks for more while the run goes on.
const PAUSE: Duration = Duration::from_millis(200);

/// A line without an end is printed in pieces of this many bytes.
const LINE_BYTES: usize = 64 * 1024;

/// Options of `lockstep logs`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The run.
    run: String,
    /// The path of a step, as `show` prints it, or its name where it is the only one of that name. A block stands for
    /// all steps inside.
    step: Option<String>,
    /// Go on until the run has ended.
    #[arg(short, long)]
    follow: bool,
}

/// Prints them.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let mut view = look_at(&options.run, context)?;
    if let Some(gone) = &view.gone {
        // Which step a log is of was in the history; in most cases the logs went before it.
        let folder = context.data()?.join("logs").join(view.id.to_string());
        let logs = match retired(&folder) {
            Some(at) => format!("; its logs were removed on {at}"),
            None if folder.is_dir() => format!("; what its commands printed lies in `{}`", folder.display()),
            None => String::new(),
        };
        let text = format!("[lockstep: {}{}]\n", words::gone(gone), harmless_line(&logs));
        let _ = output::print_bytes(text.as_bytes())?;
        return Ok(Ending::Succeeded);
    }
    let mut printer = Printer::new(context, several(&view, options)?);
    loop {
        // Looked at before reading, so that nothing is printed after the last look.
        let is_over = view.ended.is_some() || view.interrupted || !options.follow || is_stuck(&view);
        for step in chosen(&view, options) {
            if printer.print(step)?.is_break() {
                return Ok(Ending::Succeeded);
            }
        }
        if is_over {
            break;
        }
        pause();
        view = look_at(&options.run, context)?;
    }
    printer.finish()?;
    Ok(Ending::Succeeded)
}

#[expect(clippy::disallowed_methods, reason = "files say in no portable way that they have grown")]
fn pause() {
    std::thread::sleep(PAUSE);
}

/// The run waits for somebody: nothing more is printed until then.
fn is_stuck(view: &RunView) -> bool {
    use StepStatus::{InDoubt, Ready, Running, Waiting};
    view.steps.iter().any(|step| step.status == InDoubt || step.awaits.is_some())
        && !view.steps.iter().any(|step| matches!(step.status, Ready | Running | Waiting) && !step.logs.is_empty())
}

/// Whether lines of several steps may come; an error if there is no step that is meant.
fn several(view: &RunView, options: &Options) -> Result<bool, Failure> {
    let Some(name) = &options.step else { return Ok(true) };
    let chosen = chosen(view, options);
    if chosen.is_empty() {
        let known: Vec<_> = view.steps.iter().map(|step| format!("`{}`", harmless_line(&step.path))).collect();
        let failure = Failure::usage(format!("run {} has no step `{name}` that was reached", view.id));
        return Err(if known.is_empty() { failure } else { failure.help(format!("it has {}", known.join(", "))) });
    }
    let is_block = |step: &&StepView| chosen.iter().any(|other| other.path.starts_with(&format!("{}/", step.path)));
    Ok(chosen.iter().filter(|step| !is_block(step)).count() > 1)
}

/// The steps that are meant: all, the one with this path, those inside it, or the only one of this name.
fn chosen<'a>(view: &'a RunView, options: &Options) -> Vec<&'a StepView> {
    let Some(name) = &options.step else { return view.steps.iter().collect() };
    let inside = format!("{name}/");
    let by_path: Vec<_> =
        view.steps.iter().filter(|step| step.path == *name || step.path.starts_with(&inside)).collect();
    if !by_path.is_empty() {
        return by_path;
    }
    let by_name: Vec<_> = view.steps.iter().filter(|step| step.path.rsplit('/').next() == Some(name)).collect();
    if by_name.len() == 1 { by_name } else { Vec::new() }
}

/// Prints logs as far as they have been written, each from where it was left.
struct Printer<'a> {
    context: &'a Context,
    /// Whether each line says whose it is.
    prefixed: bool,
    on_terminal: bool,
    open: BTreeMap<String, Log>,
    /// Logs of which it was said that they are not there.
    missing: BTreeSet<String>,
}

struct Log {
    reader: LogReader,
    /// What is printed before each line.
    prefix: String,
    /// A line whose end has not been written yet.
    line: Vec<u8>,
    /// It was said that its end is missing.
    told: bool,
}

impl<'a> Printer<'a> {
    fn new(context: &'a Context, prefixed: bool) -> Self {
        Self {
            context,
            prefixed,
            on_terminal: io::stdout().is_terminal(),
            open: BTreeMap::new(),
            missing: BTreeSet::new(),
        }
    }

    /// Prints what is new in a step's logs. `Break` says that nobody reads it any more.
    fn print(&mut self, step: &StepView) -> Result<ControlFlow<()>, Failure> {
        for (attempt, path) in (1..).zip(&step.logs) {
            let is_over = attempt < step.logs.len() || step.status != StepStatus::Running;
            let flow = match self.take_log(step, path)? {
                Some(mut log) => {
                    let mut flow = self.print_log(&mut log, path)?;
                    if is_over && flow.is_continue() {
                        flow = self.mark_cut(&mut log)?;
                    }
                    self.open.insert(path.clone(), log);
                    flow
                }
                None if is_over && self.missing.insert(path.clone()) => {
                    let text = match Path::new(path).parent().and_then(retired) {
                        Some(at) => format!("the logs of this run were removed by retention on {at}"),
                        None => {
                            format!("there is no log of attempt {attempt}: it never began, or the log was removed")
                        }
                    };
                    output::print_bytes(format!("{}[lockstep: {text}]\n", self.prefix(step)).as_bytes())?
                }
                None => ControlFlow::Continue(()),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Says of the log of an attempt that is over where it breaks off, if it does.
    fn mark_cut(&self, log: &mut Log) -> Result<ControlFlow<()>, Failure> {
        let text = match log.reader.rest() {
            Rest::Ended => return Ok(ControlFlow::Continue(())),
            Rest::Nothing => "the log breaks off here: the attempt was killed, or the log was cut".to_owned(),
            Rest::Broken { path, offset } => format!(
                "the log breaks off here: what `{}` holds from byte {offset} on was cut short or is damaged",
                harmless_line(&path.to_string_lossy())
            ),
        };
        if std::mem::replace(&mut log.told, true) { Ok(ControlFlow::Continue(())) } else { self.mark(log, &text) }
    }

    /// What is printed before each line of a step.
    fn prefix(&self, step: &StepView) -> String {
        if !self.prefixed {
            return String::new();
        }
        let style = self.context.stdout;
        let name = style.paint(Tone::Strong, &harmless_line(&step.path));
        format!("{name} {} ", style.paint(Tone::Faint, "|"))
    }

    /// The log as it was left, or opened; `None` while it does not exist.
    fn take_log(&mut self, step: &StepView, path: &str) -> Result<Option<Log>, Failure> {
        if let Some(log) = self.open.remove(path) {
            return Ok(Some(log));
        }
        match LogReader::open(Path::new(path)) {
            Ok(reader) => Ok(Some(Log { reader, prefix: self.prefix(step), line: Vec::new(), told: false })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(path)(error)),
        }
    }

    fn print_log(&self, log: &mut Log, path: &str) -> Result<ControlFlow<()>, Failure> {
        while let Some(entry) = log.reader.next_entry().map_err(unreadable(path))? {
            let flow = match entry.event {
                Event::Output { bytes, .. } => self.print_bytes(log, &bytes)?,
                Event::Dropped(count) => {
                    self.mark(log, &format!("{count} bytes are not kept: the log has reached its size"))?
                }
                Event::Lost(count) => self.mark(log, &format!("{count} bytes could not be written to the log"))?,
                Event::End => self.end_line(log)?,
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn print_bytes(&self, log: &mut Log, bytes: &[u8]) -> Result<ControlFlow<()>, Failure> {
        if !self.prefixed && !self.on_terminal {
            return output::print_bytes(bytes);
        }
        log.line.extend_from_slice(bytes);
        // Whole lines, or the pieces of one that is too long to wait for its end.
        let whole = match log.line.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if log.line.len() > LINE_BYTES => log.line.len(),
            None => return Ok(ControlFlow::Continue(())),
        };
        let rest = log.line.split_off(whole);
        let lines = std::mem::replace(&mut log.line, rest);
        let mut out = Vec::with_capacity(lines.len());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            out.extend_from_slice(log.prefix.as_bytes());
            out.extend_from_slice(&self.shown(line));
            if !line.ends_with(b"\n") {
                out.push(b'\n');
            }
        }
        output::print_bytes(&out)
    }

    /// Prints a line that ended without a line end.
    fn end_line(&self, log: &mut Log) -> Result<ControlFlow<()>, Failure> {
        if log.line.is_empty() { Ok(ControlFlow::Continue(())) } else { self.print_bytes(log, b"\n") }
    }

    /// Says, on a line of its own, that something is missing here.
    fn mark(&self, log: &mut Log, text: &str) -> Result<ControlFlow<()>, Failure> {
        if self.end_line(log)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        output::print_bytes(format!("{}[lockstep: {text}]\n", log.prefix).as_bytes())
    }

    /// Prints what has no line end and will get none.
    fn finish(&mut self) -> Result<(), Failure> {
        for mut log in std::mem::take(&mut self.open).into_values() {
            if self.end_line(&mut log)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn shown(&self, line: &[u8]) -> Vec<u8> {
        if self.on_terminal { harmless_bytes(line).into_bytes() } else { line.to_vec() }
    }
}

fn unreadable(path: &str) -> impl FnOnce(io::Error) -> Failure {
    Failure::system(format!("cannot read the log `{path}`"))
}
