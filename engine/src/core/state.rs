//! The state of a shard: every open run and the definitions they use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_dsl::value::Map;

use super::lock::Locks;
use super::run::{
    Caller, Change, Claim, Definition, Edit, Input, Kept, Look, Loss, Opening, Record, Refused, Run, decide,
};
use super::schedule::{ClockJump, Schedule, ScheduleChange, ScheduleName, Schedules, Tick};
use crate::clock::Stamp;
use crate::id::{RunId, StepNo};
use crate::limits::{MAX_STEPS_PACKED_AT_ONCE, MIN_PACKED_WAIT_MS};

/// Every open run, the definitions they use, and the runs that ended since the caller last let go of them.
#[derive(Debug, Default)]
pub struct State {
    definitions: BTreeMap<String, Arc<Definition>>,
    runs: BTreeMap<RunId, Kept>,
    /// How many of them go on by themselves.
    restless: usize,
    /// Runs that have begun to wait since [`State::pack_waiting`].
    resting: Vec<RunId>,
    /// The first timer of every run that has one.
    due: BTreeSet<(u64, RunId)>,
    /// Runs for which the evaluator owes an answer.
    asking: BTreeSet<RunId>,
    /// What runs want and hold of each other.
    pub(super) locks: Locks,
    /// What starts runs by itself.
    schedules: Schedules,
    /// The indexes are not kept: see [`State::cold`].
    cold: bool,
}

/// What the indexes over all runs say of one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Indexed {
    due: Option<u64>,
    restless: bool,
    waiting: bool,
}

impl Indexed {
    fn of(run: &Run) -> Self {
        Self { due: run.timers.first().map(|(due, _)| *due), restless: !run.is_at_rest(), waiting: run.is_waiting() }
    }
}

/// Something to decide about.
#[derive(Clone, Debug)]
pub enum Command {
    /// A run is to be.
    Create {
        /// Its id, never used before.
        run: RunId,
        /// Its definition.
        graph: Arc<Graph>,
        /// [`Graph::hash`] of it.
        hash: String,
        /// Resolved parameters.
        params: Map,
        /// Who asks.
        by: String,
        /// The folder in which its commands run.
        cwd: Option<String>,
        /// How it begins.
        opening: Opening,
        /// The step that calls it.
        caller: Option<Caller>,
        /// The key that it shares with other runs.
        key: Option<String>,
        /// The tick that starts it.
        tick: Option<Tick>,
    },
    /// A run that did not end well goes on under another definition.
    Edit {
        /// The run.
        run: RunId,
        /// The definition.
        graph: Arc<Graph>,
        /// Its hash, and what comes with it.
        edit: Box<Edit>,
        /// The definitions of the runs with which it goes on, by [`Run::recalled`].
        called: BTreeMap<RunId, String>,
    },
    /// A runbook says what starts it by itself; its schedules follow that from now on.
    Enroll {
        /// Its definition.
        graph: Arc<Graph>,
        /// [`Graph::hash`] of it.
        hash: String,
        /// Who, or what, enrolls it.
        by: String,
        /// The folder in which commands of its runs run.
        cwd: Option<String>,
    },
    /// A runbook is not there any more: nothing of it is due.
    Withdraw {
        /// Its name.
        runbook: String,
        /// Who, or what, says so.
        by: String,
    },
    /// A tick came to an end or waits, or a person has a word with a schedule.
    Schedule {
        /// The schedule.
        schedule: ScheduleName,
        /// What follows for it.
        change: ScheduleChange,
    },
    /// The wall clock is not believed any more, or again.
    HoldSchedules(Option<ClockJump>),
    /// Something happened to a run.
    Run(RunId, Input),
}

impl State {
    /// Decides what follows from a command and applies it: the records, in order, are what the journal must hold before
    /// anything is done or answered because of it.
    ///
    /// # Errors
    /// The command cannot be followed; nothing has changed.
    pub fn decide(&mut self, command: Command, now: Stamp) -> Result<Vec<Record>, Refused> {
        match command {
            Command::Create { run, graph, hash, params, by, cwd, opening, caller, key, tick } => {
                let mut records = Vec::with_capacity(4);
                // Also where the definition says the same: one text can lie in two files, and which of them the definition
                // names that is read later depends on who journaled it, and who knew of it then.
                let file = caller.is_none().then(|| graph.file.clone());
                records.extend(self.journal_definition(&hash, &graph, now));
                let tick = tick.map(Box::new);
                let record = Record::Created { run, definition: hash, params, by, cwd, caller, file, tick };
                self.apply(&record, now);
                records.push(record);
                records.extend(self.run_decision(run, Input::Start { opening, key }, now)?);
                Ok(records)
            }
            Command::Edit { run, graph, edit, called } => {
                self.run(run).ok_or(Refused::NoSuchRun)?.may_be_edited((&graph, &edit.definition), &called)?;
                let by = edit.by.clone();
                let mut records: Vec<Record> =
                    self.journal_definition(&edit.definition, &graph, now).into_iter().collect();
                let record = Record::Changed { run, change: Change::Edited { edit } };
                self.apply(&record, now);
                records.push(record);
                records.extend(self.run_decision(run, Input::Retry { by }, now)?);
                Ok(records)
            }
            Command::Enroll { graph, hash, by, cwd } => {
                let changes = self.schedules.enroll(&graph, &hash, &by, cwd.as_deref(), now.wall);
                let is_used = changes.iter().any(|(_, change)| matches!(change, ScheduleChange::Enrolled(_)));
                let definition = if is_used { self.journal_definition(&hash, &graph, now) } else { None };
                Ok(definition.into_iter().chain(self.change_schedules(changes, now)).collect())
            }
            Command::Withdraw { runbook, by } => {
                let changes = self.schedules.withdraw(&runbook, &by, now.wall, |_| true);
                Ok(self.change_schedules(changes, now))
            }
            Command::Schedule { schedule, change } => {
                if self.schedules.get(&schedule).is_none() {
                    return Err(Refused::NotNow(format!("there is no schedule `{schedule}`")));
                }
                Ok(self.change_schedules(vec![(schedule, change)], now))
            }
            Command::HoldSchedules(held) => {
                let record = Record::SchedulesHeld { held };
                self.apply(&record, now);
                Ok(vec![record])
            }
            Command::Run(run, input) => self.run_decision(run, input, now),
        }
    }

    fn change_schedules(&mut self, changes: Vec<(ScheduleName, ScheduleChange)>, now: Stamp) -> Vec<Record> {
        let applied = changes.into_iter().map(|(schedule, change)| {
            self.schedules.apply(&schedule, &change, now);
            Record::Scheduled { schedule, change }
        });
        applied.collect()
    }

    /// The record of a definition that is not known yet; applied.
    fn journal_definition(&mut self, hash: &str, graph: &Arc<Graph>, now: Stamp) -> Option<Record> {
        if self.definitions.contains_key(hash) {
            return None;
        }
        let record = Record::Defined { hash: hash.to_owned(), graph: Box::new(graph.as_ref().clone()) };
        self.apply(&record, now);
        Some(record)
    }

    fn run_decision(&mut self, id: RunId, input: Input, now: Stamp) -> Result<Vec<Record>, Refused> {
        let run = self.runs.get_mut(&id).ok_or(Refused::NoSuchRun)?.open();
        let before = Indexed::of(run);
        run.claims.line_up(self.locks.next_place());
        let mut changes = Vec::new();
        let result = decide(run, input, now, &mut changes);
        let (after, asks) = (Indexed::of(run), !run.questions.is_empty());
        note_claims(&mut self.locks, run);
        note_tick(&mut self.schedules, run);
        self.reindex(id, before, after, asks);
        result.map(|()| changes.into_iter().map(|change| Record::Changed { run: id, change }).collect())
    }

    /// Applies one record. The same for live work and for replay; `at` is the stamp of the record's frame.
    ///
    /// # Panics
    /// A record that does not fit the state means that the journal is not what this program wrote.
    pub fn apply(&mut self, record: &Record, at: Stamp) {
        match record {
            Record::Defined { hash, graph } => {
                self.define(hash.clone(), Arc::new(graph.as_ref().clone()));
            }
            Record::Created { run, definition, params, by, cwd, caller, file, tick } => {
                let known = self.definitions.get(definition).expect("a definition is journaled before its runs");
                let mut new = Run::new(*run, definition.clone(), params.clone(), by.clone(), at.wall);
                new.cwd.clone_from(cwd);
                new.caller = *caller;
                new.file.clone_from(file);
                new.tick.clone_from(tick);
                new.attach(Arc::clone(&known.graph), Arc::clone(&known.links));
                self.keep(new);
            }
            Record::Changed { run, change } => self.change(*run, change, at),
            Record::Scheduled { schedule, change } => self.schedules.apply(schedule, change, at),
            Record::SchedulesHeld { held } => self.schedules.hold(held.as_ref()),
            Record::Lost { loss: Some(loss) } => loss.runs.iter().for_each(|run| self.lose(*run, loss)),
            Record::Removed { runs } => runs.iter().for_each(|run| drop(self.release(*run))),
            Record::Checkpointed { .. } | Record::Rested { .. } | Record::Lost { loss: None } => {}
        }
    }

    /// Stops a run of which records were lost, if it is open.
    pub fn lose(&mut self, id: RunId, loss: &Loss) {
        let Some(kept) = self.runs.get_mut(&id).filter(|kept| !kept.is_ended()) else { return };
        let run = kept.open();
        let before = Indexed::of(run);
        run.lose(loss);
        let after = Indexed::of(run);
        note_claims(&mut self.locks, run);
        note_tick(&mut self.schedules, run);
        self.reindex(id, before, after, false);
    }

    fn change(&mut self, id: RunId, change: &Change, at: Stamp) {
        let kept = self.runs.get_mut(&id).expect("a change is of a run that was created and not let go of");
        let run = kept.open();
        let before = Indexed::of(run);
        if let Change::Edited { edit } = change {
            let known = self.definitions.get(&edit.definition).expect("a definition is journaled before its runs");
            run.adopt(edit, known, at.wall);
        } else {
            run.apply(change, at);
        }
        let (after, asks) = (Indexed::of(run), !run.questions.is_empty());
        note_claims(&mut self.locks, run);
        note_tick(&mut self.schedules, run);
        self.reindex(id, before, after, asks);
    }

    /// Keeps the indexes over all runs in step with one of them.
    fn reindex(&mut self, id: RunId, before: Indexed, after: Indexed, asks: bool) {
        if after.waiting && !before.waiting {
            self.resting.push(id);
        }
        if self.cold {
            return;
        }
        if before.due != after.due {
            if let Some(due) = before.due {
                self.due.remove(&(due, id));
            }
            if let Some(due) = after.due {
                self.due.insert((due, id));
            }
        }
        match (before.restless, after.restless) {
            (false, true) => self.restless += 1,
            (true, false) => self.restless -= 1,
            (true, true) | (false, false) => {}
        }
        if asks {
            self.asking.insert(id);
        } else {
            self.asking.remove(&id);
        }
    }

    /// Takes in a run that is not there yet.
    fn keep(&mut self, mut run: Run) {
        note_all_claims(&mut self.locks, &mut run);
        note_tick(&mut self.schedules, &run);
        let (id, indexed, asks) = (run.id, Indexed::of(&run), !run.questions.is_empty());
        let twice = self.runs.insert(id, Kept::Open(Box::new(run)));
        assert!(twice.is_none(), "run {id} is there already");
        self.reindex(id, Indexed::default(), indexed, asks);
    }

    /// Packs the runs that have begun to wait for longer than a moment and are not long. Called once a turn.
    pub fn pack_waiting(&mut self, now: Stamp) {
        for id in std::mem::take(&mut self.resting) {
            let Some(Kept::Open(run)) = self.runs.get(&id) else { continue };
            let soon = run.timers.first().is_some_and(|(due, _)| *due < now.time.saturating_add(MIN_PACKED_WAIT_MS));
            // Its items may wait while further ones are read.
            let asks = !run.questions.is_empty();
            if run.is_waiting() && !asks && !soon && run.steps.len() <= MAX_STEPS_PACKED_AT_ONCE {
                self.pack(id);
            }
        }
    }

    /// Packs a run that waits, however long it is: for who has just encoded it anyway.
    pub fn pack(&mut self, id: RunId) {
        let Some(kept) = self.runs.get_mut(&id) else { return };
        if let Kept::Open(run) = kept
            && run.is_waiting()
            && let Some(definition) = self.definitions.get(&run.definition)
        {
            kept.pack(definition);
        }
    }

    /// A run as it is kept, to be encoded.
    pub fn kept(&mut self, id: RunId) -> Option<&mut Kept> {
        self.runs.get_mut(&id)
    }

    /// Whether no run goes on by itself.
    pub fn is_at_rest(&self) -> bool {
        self.restless == 0
    }

    /// Makes a definition known without a record: it was read from the image.
    pub fn define(&mut self, hash: String, graph: Arc<Graph>) {
        self.definitions.insert(hash.clone(), Definition::new(hash, graph));
    }

    /// An empty state in which runs are only put together: what is due or asked for is not known of them until they are
    /// taken out ([`State::withdraw_open`]) and admitted one by one.
    pub fn cold() -> Self {
        Self { cold: true, ..Self::default() }
    }

    /// The definition with this hash, as runs share it.
    pub fn known(&self, hash: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(hash)
    }

    /// The definition with this hash.
    pub fn definition(&self, hash: &str) -> Option<&Arc<Graph>> {
        self.definitions.get(hash).map(|known| &known.graph)
    }

    /// Takes in a run that was read from the image; its definition must be known.
    pub fn admit(&mut self, mut run: Run) {
        let known = self.definitions.get(&run.definition).expect("an image holds the definitions of its runs");
        run.attach(Arc::clone(&known.graph), Arc::clone(&known.links));
        self.keep(run);
    }

    /// Takes in a run that was read from the image as the image holds it, into a state that is cold; its claims and
    /// its tick stand beside it.
    pub fn admit_cold(&mut self, id: RunId, kept: Kept, claims: &[(Option<StepNo>, Claim)], tick: Option<&Tick>) {
        assert!(self.cold, "the indexes over all runs know nothing of a run that was not looked at");
        for (step, claim) in claims {
            self.locks.note((id, *step), Some(claim), false);
        }
        if let Some(tick) = tick {
            self.schedules.note_run(tick, id, true);
        }
        self.runs.insert(id, kept);
    }

    /// Takes in a run that was taken out as it was kept.
    pub fn admit_kept(&mut self, mut kept: Kept) {
        // It is taken in because something is to happen to it.
        let run = kept.open();
        note_all_claims(&mut self.locks, run);
        note_tick(&mut self.schedules, run);
        let (id, indexed, asks) = (run.id, Indexed::of(run), !run.questions.is_empty());
        self.runs.insert(id, kept);
        self.reindex(id, Indexed::default(), indexed, asks);
    }

    /// A run that is open, or ended and not yet let go of.
    pub fn run(&self, id: RunId) -> Option<Look<'_>> {
        self.runs.get(&id).map(Kept::look)
    }

    /// The schedules.
    pub const fn schedules(&self) -> &Schedules {
        &self.schedules
    }

    /// Lets schedules be due from now on: see [`Schedules::is_armed`]. Says how many cannot be followed.
    pub(crate) fn arm_schedules(&mut self) -> usize {
        self.schedules.arm()
    }

    /// The schedules, where what is not part of their state is to be changed.
    pub(crate) const fn schedules_mut(&mut self) -> &mut Schedules {
        &mut self.schedules
    }

    /// Takes in a schedule that was read from the image.
    pub(crate) fn admit_schedule(&mut self, name: ScheduleName, schedule: Schedule) {
        self.schedules.admit(name, schedule);
    }

    /// Whether there is such a run.
    pub fn has(&self, id: RunId) -> bool {
        self.runs.contains_key(&id)
    }

    /// All of them, by id. Looks into each: for lists.
    pub fn runs(&self) -> impl Iterator<Item = Look<'_>> {
        self.runs.values().map(Kept::look)
    }

    /// The ids of all of them.
    pub fn ids(&self) -> impl Iterator<Item = RunId> + '_ {
        self.runs.keys().copied()
    }

    /// Lets go of a run that has ended, once the image holds it.
    pub fn release(&mut self, id: RunId) -> Option<Run> {
        match self.runs.get(&id)? {
            Kept::Open(run) if run.is_ended() => {}
            Kept::Open(_) | Kept::Packed(_) => return None,
        }
        self.asking.remove(&id);
        self.runs.remove(&id).map(Kept::into_run)
    }

    /// Takes a run out whatever it does, with its timers and questions: nothing happens to it until it is admitted
    /// again.
    pub fn withdraw(&mut self, id: RunId) -> Option<Run> {
        let run = self.runs.remove(&id)?.into_run();
        self.locks.forget_run(id);
        if let Some(tick) = &run.tick {
            self.schedules.note_run(tick, id, false);
        }
        self.reindex(id, Indexed::of(&run), Indexed::default(), false);
        Some(run)
    }

    /// Takes out every run that has not ended, packed. What they hold stays held.
    pub fn withdraw_open(&mut self) -> BTreeMap<RunId, Kept> {
        let all = std::mem::take(&mut self.runs).into_iter();
        let (ended, open): (Vec<_>, Vec<_>) = all.partition(|(_, kept)| kept.is_ended());
        // What has ended is in no index.
        self.runs = ended.into_iter().collect();
        let mut open: BTreeMap<_, _> = open.into_iter().collect();
        self.cold = false;
        self.due.clear();
        self.asking.clear();
        self.resting.clear();
        self.restless = 0;
        for run in self.locks.runs().collect::<Vec<RunId>>() {
            self.locks.set_aside(run);
        }
        for kept in open.values_mut() {
            if let Kept::Open(run) = kept
                && let Some(definition) = self.definitions.get(&run.definition)
            {
                kept.pack(definition);
            }
        }
        open
    }

    /// Forgets a definition: its record did not become durable.
    pub fn undefine(&mut self, hash: &str) {
        self.definitions.remove(hash);
    }

    /// A run for which the evaluator owes an answer.
    pub fn asking(&self) -> impl Iterator<Item = RunId> + '_ {
        self.asking.iter().copied()
    }

    /// When the next timer is due, in engine time, and whose it is.
    pub fn next_due(&self) -> Option<(u64, RunId)> {
        self.due.first().copied()
    }
}

/// Tells the schedules whether a run that a tick started is open.
fn note_tick(schedules: &mut Schedules, run: &Run) {
    if let Some(tick) = &run.tick {
        schedules.note_run(tick, run.id, !run.is_ended());
    }
}

/// Tells the locks what changed in a run.
fn note_claims(locks: &mut Locks, run: &mut Run) {
    for step in run.claims.take_news() {
        locks.note((run.id, step), run.claims.get(step), run.may_be_given(step));
    }
}

/// Tells the locks of all that a run claims, whatever they knew.
fn note_all_claims(locks: &mut Locks, run: &mut Run) {
    run.claims.take_news();
    if run.claims.is_empty() && !locks.knows(run.id) {
        return;
    }
    locks.forget_run(run.id);
    for (step, claim) in run.claims.iter() {
        locks.note((run.id, step), Some(claim), run.may_be_given(step));
    }
}
