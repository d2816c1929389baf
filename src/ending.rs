//! What comes of a command, and the exit code that says so.

use std::io;
use std::path::PathBuf;

use lockstep_engine::api::{Refusal, RefusalKind};
use lockstep_engine::backup::BackupError;
use lockstep_engine::store::OpenError;

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It did what was asked; a run that it followed succeeded.
    Succeeded,
    /// The run failed.
    RunFailed,
    /// The run is open still: it waits for somebody, is in doubt, or was left to be resumed.
    StillOpen,
    /// A case does not hold, or too little is covered.
    TestFailed,
    /// A pattern does not match.
    NoMatch,
    /// The run was cancelled.
    RunCancelled,
    /// The data folder is out of order, and nothing is lost.
    OutOfOrder,
    /// The data folder has lost something.
    Damaged,
}

/// Why a command could not do its work. The messages are whole sentences for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was asked for makes no sense; the text says why and what to do instead.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do instead.
        help: Vec<String>,
    },
    /// A runbook, or the parameters for it, are wrong, and all that is wrong was printed.
    #[error("{0}")]
    Invalid(String),
    /// A file named on the command line cannot be read.
    #[error("cannot read `{}`: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The engine says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The data folder cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A backup cannot be taken, or put back.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Somebody holds the data folder but does not answer.
    #[error("`{}` is in use by {}, {why}", folder.display(), process_name(*holder))]
    Unanswered {
        /// The data folder.
        folder: PathBuf,
        /// Who took the folder last.
        holder: Option<u32>,
        /// What that process does not do.
        why: String,
    },
    /// The server that held the folder has gone.
    #[error("the server of `{}` has ended and did not come back", .0.display())]
    ServerGone(PathBuf),
    /// The process that holds the folder went away in the middle of a request.
    #[error("the process that holds the data folder ended before it answered: {0}")]
    AnswerLost(String),
    /// The operating system would not let us work.
    #[error("{doing}: {source}")]
    System {
        /// What could not be done: `cannot listen on ...`.
        doing: String,
        /// Why.
        source: io::Error,
    },
    /// A signal came before the answer did.
    #[error("interrupted before there was an answer; what was asked for may still be done")]
    Interrupted,
    /// We panicked; it was said already.
    #[error("a bug in lockstep")]
    Bug,
}

fn process_name(id: Option<u32>) -> String {
    id.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
}

/// The exit code, for every way a command can end.
pub fn exit_code(result: &Result<Ending, Failure>) -> u8 {
    match result {
        Ok(Ending::Succeeded) => 0,
        Ok(Ending::RunFailed | Ending::TestFailed | Ending::NoMatch | Ending::OutOfOrder) => 1,
        Err(
            Failure::Usage { .. }
            | Failure::Invalid(_)
            | Failure::Unreadable { .. }
            | Failure::Refused(Refusal { kind: RefusalKind::Invalid, .. })
            | Failure::Backup(BackupError::Occupied(_)),
        ) => 2,
        Ok(Ending::StillOpen) | Err(Failure::Interrupted) => 3,
        Ok(Ending::RunCancelled) => 4,
        Ok(Ending::Damaged)
        | Err(
            Failure::Refused(Refusal { kind: RefusalKind::Store, .. })
            | Failure::Store(_)
            | Failure::Backup(BackupError::NotWhole { .. } | BackupError::Store(_))
            | Failure::Unanswered { .. }
            | Failure::ServerGone(_)
            | Failure::AnswerLost(_)
            | Failure::System { .. },
        ) => 5,
        Err(Failure::Bug) => 70,
    }
}

impl Ending {
    /// What the end of a run makes of the command that followed it.
    pub fn of_run(status: &str) -> Self {
        match status {
            "succeeded" => Self::Succeeded,
            "failed" => Self::RunFailed,
            "cancelled" => Self::RunCancelled,
            _ => Self::StillOpen,
        }
    }

    /// The ending of a command that followed several runs: the one that needs a person most.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let urgency = |ending| match ending {
            Self::Succeeded => 0,
            Self::RunCancelled => 1,
            Self::RunFailed | Self::TestFailed | Self::NoMatch | Self::OutOfOrder => 2,
            Self::StillOpen => 3,
            Self::Damaged => 4,
        };
        if urgency(other) > urgency(self) { other } else { self }
    }
}

impl Failure {
    /// A wrong use of the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: Vec::new() }
    }

    /// Adds what to do instead.
    #[must_use]
    pub fn help(mut self, line: impl Into<String>) -> Self {
        match &mut self {
            Self::Usage { help, .. } | Self::Refused(Refusal { help, .. }) => help.push(line.into()),
            Self::Invalid(_)
            | Self::Unreadable { .. }
            | Self::Store(_)
            | Self::Backup(_)
            | Self::Unanswered { .. }
            | Self::ServerGone(_)
            | Self::AnswerLost(_)
            | Self::System { .. }
            | Self::Interrupted
            | Self::Bug => {}
        }
        self
    }

    /// Makes a [`Failure::System`] of an error of the operating system.
    pub fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::System { doing, source }
    }

    /// Prints it on standard error, with what to do about it.
    pub fn report(&self) {
        if matches!(self, Self::Bug) {
            return;
        }
        let mut text = format!("error: {self}");
        for help in self.advice() {
            text.push_str("\nhelp: ");
            text.push_str(&help);
        }
        // Standard error may be gone; there is nobody left to tell then.
        let _ = crate::output::say(&text);
    }

    fn advice(&self) -> Vec<String> {
        match self {
            Self::Usage { help, .. } | Self::Refused(Refusal { help, .. }) => help.clone(),
            Self::Store(OpenError::Locked { .. }) | Self::Unanswered { .. } => {
                vec!["wait for that process or end it; `--data DIR` names another folder".to_owned()]
            }
            Self::Store(OpenError::Damaged { .. }) => {
                vec![
                    "nothing was changed; keep a copy of the folder, and see what `lockstep doctor` says of it"
                        .to_owned(),
                ]
            }
            Self::Store(OpenError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
                vec!["`--data DIR` or LOCKSTEP_DATA names a folder that you may write to".to_owned()]
            }
            Self::Store(OpenError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
                vec!["make room on that disk; what was acknowledged is safe, `lockstep resume` goes on".to_owned()]
            }
            Self::ServerGone(_) => {
                vec!["its runs are safe: they go on when `lockstep serve` is started again".to_owned()]
            }
            Self::AnswerLost(_) | Self::Interrupted => vec!["`lockstep show RUN` says whether it was done".to_owned()],
            Self::Backup(BackupError::Occupied(_)) => {
                vec!["name a folder that is empty, or not there yet".to_owned()]
            }
            Self::Backup(BackupError::NotWhole { .. }) => {
                vec!["`lockstep backup DIR` takes another one; `lockstep doctor` examines the folder".to_owned()]
            }
            Self::Store(OpenError::Newer { .. } | OpenError::Io { .. })
            | Self::Backup(BackupError::Store(_))
            | Self::Invalid(_)
            | Self::Unreadable { .. }
            | Self::System { .. }
            | Self::Bug => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_the_code_that_the_documentation_promises() {
        let refused = |kind| Err(Failure::Refused(Refusal { kind, message: String::new(), help: Vec::new() }));
        let store = |error| Err(Failure::Store(error));
        let io = || io::Error::from(io::ErrorKind::StorageFull);
        for (result, code) in [
            (Ok(Ending::Succeeded), 0),
            (Ok(Ending::RunFailed), 1),
            (Ok(Ending::OutOfOrder), 1),
            (Ok(Ending::TestFailed), 1),
            (Ok(Ending::NoMatch), 1),
            (Ok(Ending::Damaged), 5),
            (Err(Failure::usage("")), 2),
            (Err(Failure::Invalid(String::new())), 2),
            (Err(Failure::Unreadable { path: PathBuf::new(), reason: String::new() }), 2),
            (refused(RefusalKind::Invalid), 2),
            (Ok(Ending::StillOpen), 3),
            (Err(Failure::Interrupted), 3),
            (Ok(Ending::RunCancelled), 4),
            (refused(RefusalKind::Store), 5),
            (store(OpenError::Locked { path: String::new() }), 5),
            (store(OpenError::Newer { path: String::new(), found: 2, known: 1 }), 5),
            (store(OpenError::Damaged { path: String::new(), offset: 0, what: String::new() }), 5),
            (store(OpenError::Io { action: "", path: String::new(), source: io() }), 5),
            (Err(BackupError::Occupied(String::new()).into()), 2),
            (Err(BackupError::NotWhole { path: String::new(), what: String::new() }.into()), 5),
            (Err(Failure::Unanswered { folder: PathBuf::new(), holder: None, why: String::new() }), 5),
            (Err(Failure::ServerGone(PathBuf::new())), 5),
            (Err(Failure::AnswerLost(String::new())), 5),
            (Err(Failure::System { doing: String::new(), source: io() }), 5),
            (Err(Failure::Bug), 70),
        ] {
            assert_eq!(exit_code(&result), code, "{result:?}");
        }
    }

    #[test]
    fn of_several_runs_the_one_that_needs_a_person_decides() {
        assert_eq!(Ending::Succeeded.and(Ending::RunFailed), Ending::RunFailed);
        assert_eq!(Ending::StillOpen.and(Ending::RunFailed), Ending::StillOpen);
        assert_eq!(Ending::RunCancelled.and(Ending::Succeeded), Ending::RunCancelled);
    }
}
