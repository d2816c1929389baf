//! Evaluates what takes long, on threads with a known stack and under a deadline.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;

use crate::driver::Input;
use crate::eval::{Evaluation, Evaluator};
use crate::limits::{EVALUATION_DEADLINE, EVALUATION_STACK_BYTES, MAX_EVALUATIONS};
use crate::worker::Failure;

/// Evaluations that go on, and those that wait for one of them to end.
pub(super) struct Evaluations {
    evaluator: Evaluator,
    done: UnboundedSender<Input>,
    waiting: VecDeque<Box<Evaluation>>,
    going: usize,
}

impl Evaluations {
    /// None yet. Every answer goes to `done`, as the driver takes it.
    pub fn new(evaluator: Evaluator, done: UnboundedSender<Input>) -> Self {
        Self { evaluator, done, waiting: VecDeque::new(), going: 0 }
    }

    /// Takes one more.
    pub fn add(&mut self, evaluation: Box<Evaluation>) {
        self.waiting.push_back(evaluation);
        self.fill();
    }

    /// Says that one has ended: its answer has been taken from the channel.
    pub fn ended(&mut self) {
        self.going = self.going.saturating_sub(1);
        self.fill();
    }

    fn fill(&mut self) {
        while self.going < MAX_EVALUATIONS {
            let Some(evaluation) = self.waiting.pop_front() else { return };
            let evaluator = self.evaluator.clone();
            let done = self.done.clone();
            let (run, step, question) = (evaluation.run.id, evaluation.step, evaluation.question);
            let work = move || {
                let begun = Instant::now();
                let expired = || begun.elapsed() > EVALUATION_DEADLINE;
                let evaluate = || evaluator.answer(&evaluation, &expired);
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
    Failure { kind: "limit".to_owned(), message: message.to_owned(), data: lockstep_dsl::value::Value::Null }
}
