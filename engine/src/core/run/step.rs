//! The life of one step: ready, begun, tried, tried again, handled, ended.

use lockstep_dsl::graph::{Effect, Field, Kind, OnError, Retry};
use lockstep_dsl::value::{Map, Millis, Value};

use super::pause::Hold;
use super::record::{Change, Delay, Question, Settlement, Skip, StepStatus, StopCause};
use super::state::Phase;
use super::turn::{Turn, Work};
use crate::fault::{self, Bug};
use crate::id::{StepNo, Token};
use crate::limits::LOST_ATTEMPTS;
use crate::worker::Outcome;

impl Turn<'_> {
    /// All that the step needs has ended.
    pub fn ready(&mut self, step: StepNo) {
        if matches!(self.phase(step), Phase::Inside) {
            // A `retry` of the run opened it again, and what it needs came first.
            self.enter_again(step);
            return;
        }
        if !matches!(self.phase(step), Phase::Pending) {
            return;
        }
        let activation = self.run.step(step).activation;
        if let Some(halt) = self.run.activations[activation].halt.filter(|_| !fault::planted(Bug::HaltIgnored)) {
            self.not_reached(step, halt.cause.inward());
            return;
        }
        if self.run.waiver(step).is_some() {
            self.skip(step, Skip::Person);
            return;
        }
        if self.run.holds(step) {
            return;
        }
        if self.run.step(step).reopens {
            // It has been asked before.
            self.lock_first(step);
            return;
        }
        let node = self.run.node_of(step);
        match (&node.disabled, node.when) {
            (Some(_), _) => self.skip(step, Skip::Disabled),
            (None, Some(_)) => self.ask(step, Question::When),
            (None, None) => self.begin(step),
        }
    }

    /// The step's block stops before the step could begin. One that had begun before a `retry` of the run was stopped.
    pub fn not_reached(&mut self, step: StepNo, cause: StopCause) {
        if self.run.step(step).reopens {
            self.stopped(step, cause);
        } else {
            self.skip(step, Skip::Unreached);
        }
    }

    /// The step will not run.
    pub fn skip(&mut self, step: StepNo, why: Skip) {
        self.emit(Change::Skipped { step, why });
        self.ended(step);
    }

    /// The step runs from here on.
    pub fn begin(&mut self, step: StepNo) {
        if self.run.holds(step) {
            self.emit(Change::Held { step, what: Hold::Begin, input: None });
            return;
        }
        self.emit(Change::Begun { step });
        match &self.run.node_of(step).title {
            None | Some(Field::Const(_)) => self.lock_first(step),
            Some(Field::Expr(_) | Field::Text(_) | Field::List(_) | Field::Map(_)) => self.ask(step, Question::Title),
        }
    }

    /// The step's title is known, or cannot be worked out.
    pub fn titled(&mut self, step: StepNo, title: Option<String>) {
        self.emit(Change::Titled { step, title });
        self.lock_first(step);
    }

    /// Starts a try of the step.
    pub fn attempt(&mut self, step: StepNo) {
        match &self.run.node_of(step).kind {
            Kind::Do(_) | Kind::Parallel(_) => {
                for block in self.run.node_of(step).kind.blocks() {
                    self.activate(block, Some(step));
                }
            }
            Kind::Repeat(_) => self.before_round(step),
            Kind::Call(_) => {
                if !self.call_again(step) {
                    self.ask(step, Question::Input);
                }
            }
            Kind::Shell(_)
            | Kind::Exec(_)
            | Kind::Http(_)
            | Kind::Script(_)
            | Kind::Set(_)
            | Kind::Assert { .. }
            | Kind::WaitFor(_)
            | Kind::WaitUntil(_)
            | Kind::AwaitSignal(_)
            | Kind::Approve(_)
            | Kind::Ask(_)
            | Kind::Switch(_)
            | Kind::Foreach(_)
            | Kind::Fail { .. }
            | Kind::Finish { .. } => self.ask(step, Question::Input),
        }
    }

    /// Gives an attempt to a worker; `None` repeats the input of the attempt before.
    pub fn grant(&mut self, step: StepNo, input: Option<Map>) {
        if self.run.holds(step) {
            self.emit(Change::Held { step, what: Hold::Attempt, input });
            return;
        }
        let again = fault::planted(Bug::TokenReused) && input.is_none();
        let token = Token(self.run.token.0 + u64::from(!again));
        self.emit(Change::Starting { step, token, input });
    }

    /// A step that needs no worker did what it should.
    pub fn done(&mut self, step: StepNo, outputs: Map) {
        self.settle(step, Settlement::Done { outputs });
        self.succeeded(step);
    }

    /// A try ended well.
    pub fn succeeded(&mut self, step: StepNo) {
        let node = self.run.node_of(step);
        if node.until.is_some() {
            self.ask(step, Question::Until);
        } else if node.outputs.is_empty() {
            self.finish(step);
        } else {
            self.ask(step, Question::Outputs);
        }
    }

    /// `until` holds: the step has ended well, whatever its last try came to.
    pub fn until_holds(&mut self, step: StepNo) {
        if self.run.step(step).error.is_some() {
            self.settle(step, Settlement::Done { outputs: Map::new() });
        }
        if self.run.node_of(step).outputs.is_empty() {
            self.finish(step);
        } else {
            self.ask(step, Question::Outputs);
        }
    }

    /// `until` does not hold yet.
    pub fn next_round(&mut self, step: StepNo) {
        if self.is_halted(step) {
            self.stopped(step, StopCause::Failure);
            return;
        }
        let every = self.run.node_of(step).until.map_or(Millis(0), |until| until.every);
        let until = self.now.time.saturating_add(every.0);
        self.emit(Change::Delayed { step, until, why: Delay::Until, rule: None });
    }

    /// A try failed; its error and result are in the state. First comes `until`, then retry, catch, `on_error`.
    pub fn failed(&mut self, step: StepNo) {
        let has_until = self.run.node_of(step).until.is_some();
        let kind = self.run.step(step).error.as_ref().map(|error| error.kind.clone()).unwrap_or_default();
        let is_try = kind != "invalid" && kind != "cancelled";
        if has_until && is_try {
            self.ask(step, Question::Until);
        } else if is_try && !self.is_halted(step) {
            self.retry_from(step, 0);
        } else {
            self.catch_from(step, 0);
        }
    }

    /// Looks for a retry entry from this one on.
    pub fn retry_from(&mut self, step: StepNo, from: u32) {
        let entry = self.run.node_of(step).retry.get(from as usize).map(|entry| entry.when.is_some());
        match entry {
            None => self.catch_from(step, 0),
            Some(true) => self.ask(step, Question::Retry(from)),
            Some(false) => self.try_again(step, from),
        }
    }

    /// The retry entry is for this error: another try, if any is left.
    pub fn try_again(&mut self, step: StepNo, entry: u32) {
        let tries = self.tries(step, entry);
        let Some(retry) = self.run.node_of(step).retry.get(entry as usize).cloned() else {
            self.catch_from(step, 0);
            return;
        };
        let most = retry.attempts + u32::from(fault::planted(Bug::OneTryTooMany));
        if tries >= most || self.is_halted(step) {
            self.catch_from(step, 0);
            return;
        }
        if self.undo_before_retry(step, entry) {
            return;
        }
        self.delay_retry(step, entry, &retry);
    }

    /// The tries that count against a rule of `retry`: all of them, or where there are several rules those that ended in
    /// a failure that this one is for, with the one that has just ended.
    fn tries(&self, step: StepNo, entry: u32) -> u32 {
        let state = self.run.step(step);
        if self.run.node_of(step).retry.len() > 1 {
            state.by_rule.get(&entry).copied().unwrap_or(0) + 1
        } else {
            state.attempts - state.forgiven
        }
    }

    /// The next try comes after the delay that its `retry` says.
    pub fn delay_retry(&mut self, step: StepNo, entry: u32, retry: &Retry) {
        let tries = self.tries(step, entry);
        let rule = (self.run.node_of(step).retry.len() > 1).then_some(entry);
        let delay = self.backoff(step, retry, tries);
        let delay = if fault::planted(Bug::TimersTooEarly) { Millis(delay.0 / 2) } else { delay };
        let until = self.now.time.saturating_add(delay.0);
        self.emit(Change::Delayed { step, until, why: Delay::Retry, rule });
    }

    /// The delay before the next try, `tries` having failed: exponential, capped, and with full jitter (a number between
    /// 0 and that) where asked for. The core knows no randomness: the jitter is a hash of the run, step and try.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "delays are far below 2^53 ms, and the cast back saturates"
    )]
    fn backoff(&self, step: StepNo, retry: &Retry, tries: u32) -> Millis {
        let exponent = i32::try_from(tries.saturating_sub(1)).unwrap_or(i32::MAX);
        let delay = retry.delay.0 as f64 * retry.factor.powi(exponent);
        let delay = delay.clamp(0.0, retry.max_delay.0 as f64) as u64;
        if !retry.jitter {
            return Millis(delay);
        }
        let seed = format!("{}/{}/{}", self.run.id, step.0, self.run.step(step).attempts);
        let hash = blake3::hash(seed.as_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hash.as_bytes()[..8]);
        Millis(u64::from_le_bytes(bytes) % delay.saturating_add(1).max(1))
    }

    /// A delay is over.
    pub fn delay_over(&mut self, step: StepNo) {
        let Phase::Delayed { why, .. } = *self.phase(step) else { return };
        match Hold::after(why) {
            Some(what) if self.run.holds(step) => self.emit(Change::Held { step, what, input: None }),
            Some(_) | None => self.next_try(step, why),
        }
    }

    /// What comes behind a delay.
    pub fn next_try(&mut self, step: StepNo, why: Delay) {
        match why {
            Delay::Wait => self.done(step, Map::new()),
            Delay::Retry if self.run.node_of(step).kind.is_acting() && !self.run.step(step).input.is_empty() => {
                self.grant(step, None);
            }
            Delay::Round => self.before_round(step),
            Delay::Retry | Delay::Until => self.attempt(step),
        }
    }

    /// The outcome of an attempt is unknown.
    pub fn lost(&mut self, step: StepNo, why: String) {
        if self.run.node_of(step).effect == Effect::Once && !fault::planted(Bug::OnceRepeated) {
            self.probe_or_doubt(step, why);
        } else if self.run.step(step).lost <= LOST_ATTEMPTS && !self.is_halted(step) {
            self.grant(step, None);
        } else {
            let error = self.error(step, "lost", format!("the outcome stayed unknown: {why}"));
            self.settle_error(step, error);
            self.catch_from(step, 0);
        }
    }

    /// An attempt that was asked to stop ended.
    pub fn stopped_attempt(&mut self, step: StepNo, cause: StopCause, outcome: Outcome) {
        let once = self.run.node_of(step).effect == Effect::Once;
        match (self.prevailing(step, cause), outcome) {
            (StopCause::Timeout, Outcome::Unknown { why }) if once => self.probe_or_doubt(step, why),
            (StopCause::Total, Outcome::Unknown { why }) if once => self.emit(Change::Doubted { step, why }),
            (cause, outcome) => {
                let data = match outcome {
                    Outcome::Failed { error, .. } => error.data,
                    Outcome::Succeeded { .. } | Outcome::Unknown { .. } => Value::Null,
                };
                self.stopped_with(step, cause, data);
            }
        }
    }

    /// The step was stopped before it came to a result of its own.
    pub fn stopped(&mut self, step: StepNo, cause: StopCause) {
        self.stopped_with(step, self.prevailing(step, cause), Value::Null);
    }

    /// What stops a step for good takes the place of a limit of time that it had reached before: it was called off, and
    /// neither handles that nor tries again.
    fn prevailing(&self, step: StepNo, cause: StopCause) -> StopCause {
        match cause {
            StopCause::Timeout | StopCause::Total => self.called_off(step).unwrap_or(cause),
            StopCause::Cancel
            | StopCause::Enclosing
            | StopCause::RunTimeout
            | StopCause::Failure
            | StopCause::Won
            | StopCause::Finish
            | StopCause::Break => cause,
        }
    }

    fn stopped_with(&mut self, step: StepNo, cause: StopCause, data: Value) {
        let before = self.run.step(step).error.clone();
        let mut error = self.stop_error(step, cause);
        error.data = data;
        self.settle(step, Settlement::Stopped { cause });
        match cause {
            StopCause::Timeout | StopCause::Total => {
                if cause == StopCause::Total {
                    error.cause = before;
                }
                self.settle_error(step, error);
                if cause == StopCause::Timeout { self.failed(step) } else { self.catch_from(step, 0) }
            }
            StopCause::Cancel
            | StopCause::Enclosing
            | StopCause::RunTimeout
            | StopCause::Failure
            | StopCause::Won
            | StopCause::Finish
            | StopCause::Break => {
                self.finish(step);
            }
        }
    }

    /// Looks for a handler from this catch entry on.
    pub fn catch_from(&mut self, step: StepNo, from: u32) {
        let entry = self.run.node_of(step).catch.get(from as usize).map(|entry| entry.when.is_some());
        match entry {
            None => self.finish(step),
            Some(true) => self.ask(step, Question::Catch(from)),
            Some(false) => self.handle(step, from),
        }
    }

    /// This catch entry handles the failure.
    pub fn handle(&mut self, step: StepNo, entry: u32) {
        let entry = self.run.node_of(step).catch.get(entry as usize).map(|entry| (entry.block, entry.next));
        if let Some((block, next)) = entry {
            self.lead(step, next);
            self.activate(block, Some(step));
        }
    }

    /// The step's result is final: its own `finally` comes, then its end.
    pub fn finish(&mut self, step: StepNo) {
        let finally = self.run.node_of(step).finally;
        match finally {
            Some(block) if !self.run.step(step).finalised => self.activate(block, Some(step)),
            _ => self.end(step),
        }
    }

    /// The step ends as its result says.
    fn end(&mut self, step: StepNo) {
        let state = self.run.step(step);
        let handler_ended_well = state.handler.is_some_and(|handler| {
            let handler = &self.run.activations[handler];
            handler.open == 0 && handler.errors.is_empty() && handler.halt.is_none()
        });
        let (mut status, mut handled, mut error) = match &state.result {
            Some(Settlement::Done { .. }) | None => (StepStatus::Succeeded, false, None),
            Some(Settlement::Failed { error }) => {
                let handled = handler_ended_well || self.run.node_of(step).on_error == OnError::Continue;
                (StepStatus::Failed, handled, Some(error.clone()))
            }
            Some(Settlement::Stopped { cause }) => {
                (StepStatus::Cancelled, false, Some(Box::new(self.stop_error(step, *cause))))
            }
        };
        let is_well = status == StepStatus::Succeeded || handled;
        let mut next = if is_well { self.goes_on(step, handled && !handler_ended_well) } else { None };
        if let Some(too_often) = next.and_then(|next| self.beyond_limit(step, next)) {
            self.settle_error(step, too_often.clone());
            (status, handled, error, next) = (StepStatus::Failed, false, Some(Box::new(too_often)), None);
        }
        let is_failure = status == StepStatus::Failed && !handled;
        self.emit(Change::Ended { step, status, handled, error, outputs: Map::new() });
        match next {
            Some(next) => self.follow(step, next),
            None => self.ended(step),
        }
        if is_failure && self.run.node_of(step).on_error != OnError::Late && !fault::planted(Bug::HaltIgnored) {
            self.stop_steps(self.run.step(step).activation, false, StopCause::Failure);
        }
    }

    /// Notes what can go on now that the step has ended.
    pub fn ended(&mut self, step: StepNo) {
        let no = self.run.step(step).activation;
        if self.run.activations[no].open == 0 {
            self.push(Work::Over(no));
            return;
        }
        for freed in self.run.freed_by(step).into_iter().rev() {
            self.push(Work::Ready(freed));
        }
    }

    /// Whether the step's block starts nothing any more.
    pub fn is_halted(&self, step: StepNo) -> bool {
        self.run.activations[self.run.step(step).activation].halt.is_some()
    }

    /// A `finish` step ends the run well.
    pub fn finish_run(&mut self, step: StepNo, outputs: Option<Map>) {
        debug_assert!(matches!(self.run.node_of(step).kind, Kind::Finish { .. }));
        self.emit(Change::Finishing { outputs });
        self.done(step, Map::new());
        let main = self.run.latest.get(&(None, self.run.graph.main)).copied();
        if let Some(main) = main {
            self.stop_activation(main, true, StopCause::Finish);
        }
    }
}
