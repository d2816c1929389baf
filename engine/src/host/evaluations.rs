//! Evaluates what takes long, and reads pages of files, on threads with a known stack; evaluations under a deadline.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;

use crate::core::run::{Answer, Question};
use crate::driver::Input;
use crate::eval::{Evaluation, Evaluator};
use crate::id::{RunId, StepNo};
use crate::limits::{EVALUATION_DEADLINE, EVALUATION_STACK_BYTES, MAX_EVALUATIONS};
use crate::worker::Failure;
use crate::worker::pages::PageRead;

/// What must not hold the driver up.
#[derive(Debug)]
pub(super) enum Work {
    /// A long evaluation.
    Evaluate(Box<Evaluation>),
    /// A page of a file.
    ReadPage(Box<PageRead>),
}

impl Work {
    /// Whose question this answers.
    fn question(&self) -> (RunId, Option<StepNo>, Question) {
        match self {
            Self::Evaluate(evaluation) => (evaluation.run.id, evaluation.step, evaluation.question),
            Self::ReadPage(read) => (read.run, Some(read.step), Question::Page),
        }
    }

    fn answer(&self, evaluator: &Evaluator) -> Answer {
        match self {
            Self::Evaluate(evaluation) => {
                let begun = Instant::now();
                evaluator.answer(evaluation, &|| begun.elapsed() > EVALUATION_DEADLINE)
            }
            Self::ReadPage(read) => read.read(),
        }
    }
}

/// Evaluations that go on, and those that wait for one of them to end.
pub(super) struct Evaluations {
    evaluator: Evaluator,
    done: UnboundedSender<Input>,
    waiting: VecDeque<Work>,
    going: usize,
}

impl Evaluations {
    /// None yet. Every answer goes to `done`, as the driver takes it.
    pub fn new(evaluator: Evaluator, done: UnboundedSender<Input>) -> Self {
        Self { evaluator, done, waiting: VecDeque::new(), going: 0 }
    }

    /// Takes one more.
    pub fn add(&mut self, work: Work) {
        self.waiting.push_back(work);
        self.fill();
    }

    /// Says that one has ended: its answer has been taken from the channel.
    pub fn ended(&mut self) {
        self.going = self.going.saturating_sub(1);
        self.fill();
    }

    fn fill(&mut self) {
        while self.going < MAX_EVALUATIONS {
            let Some(next) = self.waiting.pop_front() else { return };
            let evaluator = self.evaluator.clone();
            let done = self.done.clone();
            let (run, step, question) = next.question();
            let work = move || {
                let evaluate = || next.answer(&evaluator);
                let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(evaluate))
                    .unwrap_or_else(|_| Err(limit("a bug in lockstep: evaluating the expression failed")));
                // The engine has stopped if nobody takes the answer.
                let _ = done.send(Input::Evaluated { run, step, question, answer });
            };
            let thread =
                std::thread::Builder::new().name("lockstep-evaluation".to_owned()).stack_size(EVALUATION_STACK_BYTES);
            if let Err(error) = thread.spawn(work) {
                let answer = Err(limit(&format!("no thread for a long evaluation: {error}")));
                let _ = self.done.send(Input::Evaluated { run, step, question, answer });
            }
            self.going += 1;
        }
    }
}

fn limit(message: &str) -> Failure {
    Failure {
        kind: "limit".to_owned(),
        message: message.to_owned(),
        data: lockstep_dsl::value::Value::Null,
        untouched: false,
    }
}
