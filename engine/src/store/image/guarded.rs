//! A value on a thread of its own, so that neither its panic nor its hang is ours.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::fault;

/// How long dropping waits for the value to be dropped.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

type Question<T> = Box<dyn FnOnce(&mut T) + Send>;

/// Why a value could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotMade {
    /// For people.
    pub why: String,
    /// It was waited for in vain.
    pub hangs: bool,
}

/// Asks a value questions. After one that panicked or was not answered in time, no more may be asked.
pub struct Guarded<T> {
    questions: Option<Sender<Question<T>>>,
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl<T: 'static> Guarded<T> {
    /// Makes the value on a new thread.
    pub fn start(
        name: &str,
        deadline: Duration,
        make: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<Self, NotMade> {
        let failed = |why| NotMade { why, hangs: false };
        let (questions, asked) = channel::<Question<T>>();
        let (report, outcome) = channel();
        let (end, ended) = channel::<()>();
        let body = move || {
            // Dropped when the thread ends, however that comes about.
            let _end = end;
            let mut value = match catch_unwind(AssertUnwindSafe(make)) {
                Ok(Ok(value)) => value,
                Ok(Err(why)) => return drop(report.send(Err(why))),
                Err(_) => return drop(report.send(Err("it panicked".to_owned()))),
            };
            if report.send(Ok(())).is_err() {
                return;
            }
            for question in asked {
                if catch_unwind(AssertUnwindSafe(|| question(&mut value))).is_err() {
                    break;
                }
            }
            let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        let thread = thread.map_err(|error| failed(format!("no thread can be started: {error}")))?;
        let guarded = Self { questions: Some(questions), ended, thread: Some(thread) };
        match outcome.recv_timeout(fault::patience(deadline)) {
            Ok(report) => report.map(|()| guarded).map_err(failed),
            Err(error) => Err(NotMade { why: no_answer(error), hangs: error == RecvTimeoutError::Timeout }),
        }
    }

    /// Asks one question and waits for the answer.
    pub fn ask<R: Send + 'static>(
        &mut self,
        deadline: Duration,
        question: impl FnOnce(&mut T) -> Result<R, String> + Send + 'static,
    ) -> Result<R, String> {
        let asker = self.asker().ok_or("it panicked before")?;
        asker.try_ask(deadline, question).unwrap_or_else(|error| {
            self.questions = None;
            Err(no_answer(error))
        })
    }

    /// Something that asks from another thread; `None` once no more may be asked.
    pub fn asker(&self) -> Option<Asker<T>> {
        self.questions.clone().map(Asker)
    }
}

/// Asks a guarded value from another thread.
pub struct Asker<T>(Sender<Question<T>>);

impl<T: 'static> Asker<T> {
    /// Asks one question and waits for the answer.
    pub fn ask<R: Send + 'static>(
        &self,
        deadline: Duration,
        question: impl FnOnce(&mut T) -> Result<R, String> + Send + 'static,
    ) -> Result<R, String> {
        self.try_ask(deadline, question).unwrap_or_else(|error| Err(no_answer(error)))
    }

    /// Asks one question whose answer goes elsewhere, and does not wait; `None` when no more may be asked. Where the answer
    /// never comes, the sender is dropped.
    pub fn send<R: Send + 'static>(
        &self,
        question: impl FnOnce(&mut T) -> Result<R, String> + Send + 'static,
        answer: Sender<Result<R, String>>,
    ) -> Option<()> {
        let question = move |value: &mut T| drop(answer.send(question(value)));
        self.0.send(Box::new(question)).ok()
    }

    fn try_ask<R: Send + 'static>(
        &self,
        deadline: Duration,
        question: impl FnOnce(&mut T) -> Result<R, String> + Send + 'static,
    ) -> Result<Result<R, String>, RecvTimeoutError> {
        let (answer, answered) = channel();
        self.send(question, answer).ok_or(RecvTimeoutError::Disconnected)?;
        answered.recv_timeout(deadline)
    }
}

pub(super) fn no_answer(error: RecvTimeoutError) -> String {
    match error {
        RecvTimeoutError::Timeout => "it does not answer".to_owned(),
        RecvTimeoutError::Disconnected => "it panicked".to_owned(),
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        self.questions = None;
        let thread = self.thread.take();
        if matches!(self.ended.recv_timeout(fault::patience(CLOSE_DEADLINE)), Err(RecvTimeoutError::Disconnected)) {
            // It has ended, so this does not wait; what it panicked with has been reported.
            let _ = thread.map(JoinHandle::join);
        }
    }
}

impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const LATE: Duration = Duration::from_secs(20);

    #[test]
    fn a_panic_is_an_answer_and_the_last_one() {
        let mut guarded = Guarded::start("test", LATE, || Ok(1)).unwrap();
        assert_eq!(guarded.ask(LATE, |value| Ok(*value)), Ok(1));
        assert!(guarded.ask::<()>(LATE, |_| panic!("expected by this test")).is_err());
        assert!(guarded.ask(LATE, |value| Ok(*value)).is_err());
        assert!(Guarded::<()>::start("test", LATE, || panic!("expected by this test")).is_err());
    }

    #[test]
    fn a_hang_ends_with_the_deadline() {
        let (release, released) = channel::<()>();
        let hang = move |(): &mut ()| {
            let _ = released.recv();
            Ok(())
        };
        let mut guarded = Guarded::start("test", LATE, || Ok(())).unwrap();
        assert!(guarded.ask(SOON, hang).is_err());
        assert!(guarded.ask(LATE, |()| Ok(())).is_err(), "it is not asked again");
        let (end, ended) = channel::<()>();
        let hang = move || {
            let _ = ended.recv();
            Ok(())
        };
        assert!(matches!(Guarded::start("test", SOON, hang), Err(NotMade { hangs: true, .. })));
        assert!(matches!(
            Guarded::<()>::start("test", LATE, || panic!("expected by this test")),
            Err(NotMade { hangs: false, .. })
        ));
        drop((release, end));
    }
}
