//! The outcome of a command that did not run, exactly as that of one that did.

use lockstep_dsl::value::Map;

use crate::worker::input::Input;
use crate::worker::learned::Withholding;
use crate::worker::output::{Exit, Tail, add, outcome, outputs};
use crate::worker::secret::Secrets;
use crate::worker::{Attempt, Failure, Outcome};

/// What a command says, and how it ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Its exit code.
    pub exit_code: i64,
    /// What it prints.
    pub stdout: String,
    /// There was more before that, which is not kept.
    pub stdout_truncated: bool,
    /// What it prints beside it.
    pub stderr: String,
    /// There was more before that, which is not kept.
    pub stderr_truncated: bool,
    /// What it writes to `$LOCKSTEP_OUTPUT`.
    pub outputs: Map,
}

/// The outcome of an attempt whose command says this. What no command can be made of fails as it does when one is run.
pub fn ended(attempt: &Attempt, said: Said) -> Outcome {
    let input = match Input::parse(&attempt.without_secrets().input, &mut Secrets::new()) {
        Ok(input) => input,
        Err(failure) => return failure.untouched().into(),
    };
    let mut given = outputs(tail(&said.stdout, said.stdout_truncated), tail(&said.stderr, said.stderr_truncated));
    let written = add(said.outputs, &mut given);
    let exit = Exit { code: Some(said.exit_code), signal: None };
    let ended = outcome(exit, &input.expect, given, written);
    match Withholding::of(attempt) {
        Some(withholding) => withholding.rehearse(ended),
        None => ended,
    }
}

/// The outcome of an attempt that was stopped before its end: a command heeds SIGTERM; of a request it is not known
/// whether it had its effect, which matters where that must not be repeated.
pub(super) fn stopped(attempt: &Attempt) -> Outcome {
    if is_command(attempt) {
        let exit = Exit { code: None, signal: Some("SIGTERM".to_owned()) };
        return outcome(exit, &[], outputs(Tail::default(), Tail::default()), Ok(()));
    }
    if attempt.once {
        return Outcome::Unknown { why: "stopped while the answer was awaited".to_owned() };
    }
    Failure::new("cancelled", "stopped while the answer was awaited").into()
}

/// Whether the attempt is a command, whose supervisor outlives an engine.
pub(super) fn is_command(attempt: &Attempt) -> bool {
    matches!(attempt.action.as_str(), "shell" | "exec")
}

fn tail(text: &str, truncated: bool) -> Tail {
    let mut tail = Tail::default();
    if truncated {
        tail.cut();
    }
    tail.push(text.as_bytes());
    tail
}
