//! Follows runs until they have ended or can go no further, whoever hosts them.
//!
//! Everything that can happen (an event, a signal, a host that goes away, the answer to a cancel) arrives in one loop and
//! is handled by one method. The runs go on whatever happens to what is printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use lockstep_engine::api::{Event, Reply, Request, RunView, StepView};
use lockstep_engine::id::RunId;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::host::{Session, Update};
use crate::interrupt::{Interrupts, Wish};
use crate::output::text::{count, harmless_line};
use crate::output::words;
use crate::output::{Watcher, event_run};
use crate::stepping::{Stepper, Word};

/// Between two drawings of what moves.
const TICK: Duration = Duration::from_millis(100);

/// A host whose guests are done this soon does not speak of waiting for them.
const HARDLY_A_WAIT: Duration = Duration::from_millis(200);

/// Runs listed to count those of guests.
const COUNTED_RUNS: usize = 10_000;

/// An answer that takes longer waits for something that a person should know of: an engine that takes up a run ends
/// what a former one left running, and gives it its grace.
const A_WHILE: Duration = Duration::from_secs(1);

/// Events that wait to be printed. Beyond it they wait with the engine, which drops lines of output first.
const UNHEARD: usize = 256;

/// Follows runs.
pub struct Follower<'a> {
    context: &'a Context,
    session: Session,
    interrupts: Interrupts,
    output: Box<dyn Watcher>,
    /// Whether a person looks on, who can be waited for.
    patient: bool,
    /// Asks that person about each step.
    stepper: Option<Stepper>,
    runs: BTreeMap<RunId, Followed>,
    /// The cancel that was asked for, and whether it is durable for all runs.
    cancel: Cancel,
    /// Why nothing is printed any more.
    unprinted: Option<Failure>,
    /// Counts places at the folder, so that what is heard from a host that has gone is told apart.
    generation: u32,
    /// The move of the session after which the runs were last asked to go on.
    resumed: u32,
    ears: mpsc::Sender<Heard>,
    heard: mpsc::Receiver<Heard>,
}

/// What is known of a run that is followed.
#[derive(Debug, Default)]
struct Followed {
    ending: Option<Ending>,
    started: bool,
    status: Option<(String, Option<String>)>,
    steps: BTreeMap<String, StepView>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    NotAsked,
    Asked { unanswered: usize },
}

/// Something that another task heard.
#[derive(Debug)]
enum Heard {
    Event {
        generation: u32,
        event: Box<Event>,
    },
    /// A run's events have come to an end, and perhaps too early.
    Silence {
        generation: u32,
        run: RunId,
    },
    /// The answer to a cancel.
    Cancelled {
        result: Result<(), String>,
    },
}

/// Whether to go on following.
enum Then {
    GoOn,
    Leave,
}

impl<'a> Follower<'a> {
    /// Follows nothing yet, but hears signals already.
    pub fn new(context: &'a Context, session: Session, json: bool) -> Result<Self, Failure> {
        let (ears, heard) = mpsc::channel(UNHEARD);
        Ok(Self {
            context,
            session,
            interrupts: Interrupts::listen()?,
            output: crate::output::watcher(context, json),
            patient: crate::output::is_on_terminal(json),
            stepper: None,
            runs: BTreeMap::new(),
            cancel: Cancel::NotAsked,
            unprinted: None,
            generation: 0,
            resumed: 0,
            ears,
            heard,
        })
    }

    /// Does not stay while a run waits for somebody, whoever looks on.
    #[must_use]
    pub fn impatient(mut self) -> Self {
        self.patient = false;
        self
    }

    /// Asks at the terminal for each step, in a run that is paused from its beginning.
    pub fn ask_for_each_step(&mut self) -> Result<(), Failure> {
        self.stepper = Some(Stepper::new()?);
        Ok(())
    }

    /// Asks for something before following. A signal ends the waiting for the answer.
    pub async fn call(&mut self, request: Request) -> Result<Reply, Failure> {
        let takes_up = matches!(
            request,
            Request::Resume { .. }
                | Request::Cancel { .. }
                | Request::Retry { .. }
                | Request::RetryEdited { .. }
                | Request::Resolve { .. }
                | Request::Signal { .. }
                | Request::Pause { .. }
                | Request::Unpause { .. }
                | Request::Permit { .. }
                | Request::Skip { .. }
                | Request::Vote { .. }
                | Request::Answer { .. }
        );
        let answer = self.session.call(request);
        tokio::pin!(answer);
        let mut patience = std::pin::pin!(sleep(A_WHILE));
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                _ = self.interrupts.next() => return Err(Failure::Interrupted),
                () = &mut patience, if takes_up && !patience.is_elapsed() => {
                    self.output.note("lockstep: waiting until the commands that were left running have ended");
                }
            }
        }
    }

    /// One run, whole, by the name that a person gave it.
    pub async fn view(&mut self, run: &str) -> Result<RunView, Failure> {
        match self.call(Request::Show { run: run.to_owned() }).await? {
            Reply::Run(view) => Ok(*view),
            other => panic!("a request to show a run is answered by the run, not by {other:?}"),
        }
    }

    /// Whether the engine runs in this process.
    pub const fn is_host(&self) -> bool {
        self.session.is_host()
    }

    /// Follows these runs to their end, stays for guests where there are any, and gives the folder up.
    pub async fn follow(mut self, runs: &[RunId]) -> Result<Ending, Failure> {
        self.runs = runs.iter().map(|run| (*run, Followed::default())).collect();
        self.watch_all().await?;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.runs.values().any(|run| run.ending.is_none()) {
            let then = tokio::select! {
                biased;
                wish = self.interrupts.next() => self.obey(wish),
                Some(heard) = self.heard.recv() => self.hear(heard).await?,
                key = pressed(&mut self.stepper) => self.press(key).await?,
                _ = ticks.tick() => {
                    self.output.tick();
                    Then::GoOn
                }
            };
            if matches!(then, Then::Leave) {
                // What is said of a cancel should be true, but nobody is kept here for it.
                let _ = timeout(A_WHILE, self.hear_answers()).await;
                self.say_goodbye();
                return Ok(Ending::StillOpen);
            }
            self.ask_for_next_step().await?;
        }
        self.end().await
    }

    /// Ends when every cancel that was asked for is answered.
    async fn hear_answers(&mut self) {
        while matches!(self.cancel, Cancel::Asked { unanswered: 1.. }) {
            match self.heard.recv().await {
                Some(Heard::Cancelled { result }) => self.answered(result),
                Some(Heard::Event { .. } | Heard::Silence { .. }) => {}
                None => return,
            }
        }
    }

    async fn hear(&mut self, heard: Heard) -> Result<Then, Failure> {
        match heard {
            Heard::Event { generation, event } if generation == self.generation => self.event(&event),
            Heard::Silence { generation, run } if generation == self.generation => {
                if self.runs.get(&run).is_some_and(|run| run.ending.is_none()) {
                    return self.take_over().await;
                }
            }
            Heard::Event { .. } | Heard::Silence { .. } => {}
            Heard::Cancelled { result } => self.answered(result),
        }
        Ok(Then::GoOn)
    }

    fn answered(&mut self, cancel: Result<(), String>) {
        if let Cancel::Asked { unanswered } = &mut self.cancel {
            *unanswered = unanswered.saturating_sub(1);
        }
        if let Err(message) = cancel {
            self.output.note(&format!("lockstep: the cancel was not taken: {message}"));
        }
    }

    /// A key was pressed: perhaps the word for a step.
    async fn press(&mut self, key: u8) -> Result<Then, Failure> {
        let Some(run) = self.open_ids().first().map(RunId::to_string) else { return Ok(Then::GoOn) };
        let word = self.stepper.as_mut().and_then(|stepper| stepper.word(key, &run, &self.context.by));
        match word {
            Some(Word::Cancel) if self.cancel == Cancel::NotAsked => return Ok(self.obey(Wish::Cancel)),
            Some(Word::Ask(request)) => match self.session.call(request).await {
                Ok(_) => {}
                // It is asked again, or another step is next by now.
                Err(Failure::Refused(refusal)) => self.output.note(&format!("lockstep: {refusal}")),
                Err(failure) => return Err(failure),
            },
            Some(Word::Cancel) | None => {}
        }
        Ok(Then::GoOn)
    }

    /// Asks about the step that is next, where another one is by now.
    async fn ask_for_next_step(&mut self) -> Result<(), Failure> {
        if !self.stepper.as_ref().is_some_and(Stepper::is_stale) {
            return Ok(());
        }
        let Some(run) = self.open_ids().first().map(RunId::to_string) else { return Ok(()) };
        let Reply::Run(view) = self.session.call(Request::Show { run }).await? else { return Ok(()) };
        if let Some(question) = self.stepper.as_mut().and_then(|stepper| stepper.question(&view)) {
            self.output.note(&question);
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) {
        if let Some(stepper) = &mut self.stepper {
            stepper.heard(event);
        }
        let Some(run) = self.runs.get_mut(&event_run(event)) else { return };
        if run.is_news(event) {
            if self.patient
                && self.stepper.is_none()
                && let Some(told) = what_to_type(event, self.context)
            {
                self.output.note(&told);
            }
            let printed = if self.unprinted.is_none() { self.output.event(event) } else { Ok(()) };
            self.unprinted = printed.err().or(self.unprinted.take());
        }
    }

    fn obey(&mut self, wish: Wish) -> Then {
        match (wish, self.cancel) {
            (Wish::Cancel, Cancel::NotAsked) => {
                self.ask_for_cancel();
                let which = self.open_runs();
                self.output.note(&format!("lockstep: cancelling {which}; once more leaves it to be resumed"));
                Then::GoOn
            }
            (Wish::Cancel, Cancel::Asked { .. }) | (Wish::Leave, _) => Then::Leave,
        }
    }

    /// Asks for all open runs to be cancelled, beside what goes on here.
    fn ask_for_cancel(&mut self) {
        let open: Vec<_> = self.runs.iter().filter(|(_, run)| run.ending.is_none()).map(|(id, _)| *id).collect();
        self.cancel = Cancel::Asked { unanswered: open.len() };
        for run in open {
            let (caller, ears) = (self.session.caller(), self.ears.clone());
            let request = Request::Cancel { run: run.to_string(), by: self.context.by.clone(), undo: false };
            tokio::spawn(async move {
                let result = match caller.call(&request).await {
                    Ok(Reply::Refused(refusal)) => Err(refusal.message),
                    Ok(_) => Ok(()),
                    // The host has gone; the next one is asked again.
                    Err(_) => return,
                };
                // Nobody hears it who has left.
                let _ = ears.send(Heard::Cancelled { result }).await;
            });
        }
    }

    fn say_goodbye(&mut self) {
        let open: Vec<_> = self.runs.iter().filter(|(_, run)| run.ending.is_none()).map(|(id, _)| *id).collect();
        let state = match self.cancel {
            Cancel::NotAsked => "it was not cancelled",
            Cancel::Asked { unanswered: 0 } => "the cancel stands",
            Cancel::Asked { .. } => "the cancel was not acknowledged yet",
        };
        for run in open {
            let next = if self.session.is_host() {
                format!("`{}` goes on with it", self.context.command(&format!("resume {run}")))
            } else {
                let place = if self.session.is_guest_of_server() { "the server" } else { "another terminal's process" };
                format!("it goes on in {place}; `{}` looks at it", self.context.command(&format!("show {run}")))
            };
            self.output.note(&format!("lockstep: left run {run}; {state}; {next}"));
        }
    }

    /// The host has gone: takes a new place and goes on there. Who does not want to wait for a server says so by a signal.
    async fn take_over(&mut self) -> Result<Then, Failure> {
        if let Some(failure) = self.session.stopped().await {
            return Err(failure);
        }
        if self.session.is_guest_of_server() {
            self.output.note("lockstep: the server has gone; waiting for it to come back, Ctrl-C leaves");
        }
        tokio::select! {
            reopened = self.session.reopen() => reopened?,
            _ = self.interrupts.next() => return Ok(Then::Leave),
        }
        if self.session.is_host() {
            self.output.note("lockstep: the process that held the data folder has gone; this one goes on in its place");
        }
        if self.cancel != Cancel::NotAsked {
            self.cancel_where_it_was_lost().await?;
        }
        self.watch_all().await?;
        Ok(Then::GoOn)
    }

    /// Sees to it that the runs go on where they are, however often the host changes meanwhile.
    async fn resume_all(&mut self) -> Result<(), Failure> {
        while self.resumed != self.session.moves() {
            let place = self.session.moves();
            for run in self.open_ids() {
                self.session.call(Request::Resume { run: run.to_string(), by: self.context.by.clone() }).await?;
            }
            self.resumed = place;
        }
        Ok(())
    }

    async fn cancel_where_it_was_lost(&mut self) -> Result<(), Failure> {
        for run in self.open_ids() {
            let Reply::Run(view) = self.session.call(Request::Show { run: run.to_string() }).await? else { continue };
            if view.cancelled_by.is_none() && view.ended.is_none() {
                self.session
                    .call(Request::Cancel { run: run.to_string(), by: self.context.by.clone(), undo: false })
                    .await?;
            }
        }
        self.cancel = Cancel::Asked { unanswered: 0 };
        Ok(())
    }

    /// Watches the open runs. A host may go away between any two requests: what is watched with the next one before its
    /// runs were resumed there would be said to be cut off.
    async fn watch_all(&mut self) -> Result<(), Failure> {
        let updates = 'place: loop {
            self.resume_all().await?;
            let mut updates = Vec::new();
            for run in self.open_ids() {
                updates.push((run, self.session.watch(&run.to_string(), self.patient).await?));
                if self.resumed != self.session.moves() {
                    continue 'place;
                }
            }
            break updates;
        };
        self.generation += 1;
        for (run, update) in updates {
            tokio::spawn(pass_on(update, run, self.generation, self.ears.clone()));
        }
        Ok(())
    }

    /// Everything has been heard: the last drawing, then the guests, then the folder.
    async fn end(mut self) -> Result<Ending, Failure> {
        let ending = self.runs.values().filter_map(|run| run.ending).fold(Ending::Succeeded, Ending::and);
        if self.unprinted.is_none() {
            self.unprinted = self.output.close().err();
        }
        loop {
            if matches!(self.stay_for_guests().await, Then::Leave) {
                return Ok(ending);
            }
            match self.session.close().await? {
                Some(session) => self.session = session,
                None => return self.unprinted.map_or(Ok(ending), Err),
            }
        }
    }

    async fn stay_for_guests(&mut self) -> Then {
        if timeout(HARDLY_A_WAIT, self.session.idle()).await.is_ok() {
            return Then::GoOn;
        }
        let others = self.count_going_on().await;
        self.output.note(&format!(
            "lockstep: waiting for {} of other terminals, which this process carries",
            count(others, "run")
        ));
        let mut warned = false;
        loop {
            tokio::select! {
                () = self.session.idle() => return Then::GoOn,
                wish = self.interrupts.next() => {
                    if warned || wish == Wish::Leave {
                        return Then::Leave;
                    }
                    warned = true;
                    self.output.note(
                        "lockstep: once more leaves; their terminals then take these runs over, \
                         and commands that run now may be in doubt",
                    );
                }
            }
        }
    }

    async fn count_going_on(&mut self) -> usize {
        let request = Request::Runs { limit: COUNTED_RUNS, status: None, runbook: None };
        match self.session.call(request).await {
            Ok(Reply::Runs(rows)) => {
                rows.iter().filter(|row| row.ended.is_none() && !row.interrupted && !row.in_doubt).count()
            }
            // A number in a message is not worth failing for.
            Ok(_) | Err(_) => 1,
        }
    }

    fn open_ids(&self) -> Vec<RunId> {
        self.runs.iter().filter(|(_, run)| run.ending.is_none()).map(|(id, _)| *id).collect()
    }

    fn open_runs(&self) -> String {
        match self.open_ids().as_slice() {
            [one] => format!("run {one}"),
            several => count(several.len(), "run"),
        }
    }
}

impl Followed {
    /// Notes an event, and says whether it is one that was not heard before: a run that is watched anew tells its
    /// state again.
    fn is_news(&mut self, event: &Event) -> bool {
        match event {
            Event::Started { .. } => !std::mem::replace(&mut self.started, true),
            Event::Step { step, .. } => {
                let before = self.steps.insert(step.path.clone(), (**step).clone());
                before.as_ref() != Some(&**step)
            }
            Event::Output { .. } => true,
            Event::Status { status, reason, .. } => {
                let now = Some((status.clone(), reason.clone()));
                std::mem::replace(&mut self.status, now.clone()) != now
            }
            Event::Run { status, .. } => self.ending.replace(Ending::of_run(status)).is_none(),
        }
    }
}

/// The next key, where keys are taken.
async fn pressed(stepper: &mut Option<Stepper>) -> u8 {
    match stepper {
        Some(stepper) => stepper.key().await,
        None => std::future::pending().await,
    }
}

/// What a person can type for a step that has begun to wait for somebody, or a run that was paused.
fn what_to_type(event: &Event, context: &Context) -> Option<String> {
    let (id, step) = match event {
        Event::Step { id, step, .. } => (id, step),
        Event::Status { id, status, .. } if status == "paused" => {
            let resume = context.command(&format!("resume {id}"));
            return Some(format!(
                "lockstep: run {id} is paused: what runs ends, nothing new begins\n  {resume}   go on"
            ));
        }
        Event::Started { .. } | Event::Output { .. } | Event::Status { .. } | Event::Run { .. } => return None,
    };
    let awaits = step.awaits.as_deref()?;
    let mut text = format!("lockstep: step `{}` waits for {}", harmless_line(&step.path), words::awaited(awaits));
    for (command, what) in words::commands(*id, step) {
        let _ = write!(text, "\n  {}   {what}", context.command(&command));
    }
    Some(text)
}

async fn pass_on(mut update: Update, run: RunId, generation: u32, ears: mpsc::Sender<Heard>) {
    while let Some(event) = update.next().await {
        if ears.send(Heard::Event { generation, event: Box::new(event) }).await.is_err() {
            return;
        }
    }
    // Nobody hears it who has left.
    let _ = ears.send(Heard::Silence { generation, run }).await;
}
