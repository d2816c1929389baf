//! Answers the core's questions, so that what follows from them is part of the same frame.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use lockstep_dsl::graph::{Amount, Kind};

use super::Driver;
use super::backing::Backing;
use super::batch::Batch;
use super::effect::{Effect, Turn};
use super::quarantine::panic_message;
use crate::core::run::{Question, Run};
use crate::eval::{Evaluation, Verdict};
use crate::fault::{self, Bug};
use crate::id::{RunId, StepNo};
use crate::limits::{MAX_ANSWERS_A_TURN, MAX_PURE_STEPS_A_TURN, MAX_ROUNDS_A_TURN, SOFT_FRAME_BYTES};
use crate::worker::pages::PageRead;

impl<B: Backing> Driver<B> {
    /// Answers what the runs ask, and what they ask next, within the bounds of a turn.
    pub(super) fn answer_questions(&mut self, batch: &mut Batch, turn: &mut Turn) {
        // An answer may let other runs ask: those that are called, and those that called.
        for round in 0..MAX_ROUNDS_A_TURN {
            self.hand_out_keys(batch);
            let mut asking: Vec<RunId> = self.state.asking().filter(|id| self.asks(*id)).collect();
            if asking.is_empty() || (round > 0 && batch.more) {
                return;
            }
            if fault::planted(Bug::OrderByHash) {
                asking = asking.into_iter().collect::<HashSet<_>>().into_iter().collect();
            }
            for run in asking {
                self.answer_run(run, batch, turn);
            }
        }
        batch.more |= self.state.asking().any(|id| self.asks(id)) || self.state.has_notices();
    }

    /// Whether the run asks something that is not being evaluated elsewhere.
    fn asks(&self, id: RunId) -> bool {
        self.state.run(id).is_some_and(|run| self.next_question(&run).is_some())
    }

    fn answer_run(&mut self, id: RunId, batch: &mut Batch, turn: &mut Turn) {
        let mut pure_steps = 0;
        for _ in 0..MAX_ANSWERS_A_TURN {
            let Some(run) = self.state.run(id) else { return };
            let Some((step, question)) = self.next_question(&run) else { return };
            if pure_steps == MAX_PURE_STEPS_A_TURN || batch.bytes >= SOFT_FRAME_BYTES {
                break;
            }
            if let (Some(step), Question::Page) = (step, question) {
                let read = page_read(&run, step);
                self.evaluating.insert((id, Some(step), question));
                turn.effects.extend(read.map(|read| Effect::ReadPage(Box::new(read))));
                continue;
            }
            pure_steps += usize::from(is_pure_step(&run, step, question));
            let now = self.now.wall;
            let evaluate = || self.evaluator.answer_quickly(&run, step, question, now);
            let verdict = match catch_unwind(AssertUnwindSafe(evaluate)) {
                Ok(verdict) => verdict,
                Err(panic) => {
                    self.quarantine(id, panic_message(panic.as_ref()), batch);
                    return;
                }
            };
            match verdict {
                Verdict::Answer(answer) => {
                    if let Err(why) = self.answered(id, step, question, answer, batch) {
                        tracing::error!(run = %id, ?question, %why, "an answer is refused");
                        return;
                    }
                }
                Verdict::TakesLong => {
                    let evaluation = Evaluation { run: Run::clone(&run), step, question, now: self.now.wall };
                    self.evaluating.insert((id, step, question));
                    turn.effects.push(Effect::Evaluate(Box::new(evaluation)));
                }
            }
        }
        batch.more = true;
    }

    fn next_question(&self, run: &Run) -> Option<(Option<StepNo>, Question)> {
        run.questions.iter().find(|(step, question)| !self.evaluating.contains(&(run.id, *step, *question))).copied()
    }
}

/// The page that a step asks for.
fn page_read(run: &Run, no: StepNo) -> Option<PageRead> {
    let step = run.step(no);
    let Kind::Foreach(plan) = &run.node_of(no).kind else { return None };
    let items = step.looping.as_ref()?;
    let pages = items.file.as_ref()?;
    let is_percent = |amount: Amount| matches!(amount, Amount::Percent(_));
    Some(PageRead {
        run: run.id,
        step: no,
        path: Path::new(run.cwd.as_deref().unwrap_or_default()).join(&pages.path),
        form: pages.form,
        at: pages.at,
        identity: pages.identity,
        columns: pages.columns.clone(),
        count: items.count.is_none() && (is_percent(plan.concurrency) || is_percent(plan.tolerate)),
    })
}

/// Whether the answer lets a step come to its end without a worker.
fn is_pure_step(run: &Run, step: Option<StepNo>, question: Question) -> bool {
    question == Question::Input && step.is_some_and(|step| !run.node_of(step).kind.is_acting())
}
