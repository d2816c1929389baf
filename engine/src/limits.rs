//! Every limit of the engine, with its unit and its reason.

use std::time::Duration;

use lockstep_dsl::value::Millis;

/// Characters of a computed title; a longer one is cut.
pub const TITLE_CHARS: usize = 200;

/// Events that a watcher may leave unread before older states of a step give way to newer ones.
pub const MAX_UNREAD_EVENTS: usize = 1_024;

/// Lines of output of one run that are kept while nobody watches it: what it says between its start and the first
/// look at it.
pub const MAX_UNHEARD_LINES: usize = 256;

/// Runs of which such lines are kept, the newest.
pub const MAX_UNHEARD_RUNS: usize = 64;

/// Requests that wait for the engine's next turn; callers beyond it wait in line.
pub const MAX_WAITING_CALLS: usize = 1_024;

/// For `undo`, `on_failure` and `finally` of a run together: time of their own, since the run's timeout may be why they run.
pub const TAIL: Millis = Millis(10 * 60 * 1000);

/// Repeats of an attempt whose outcome is unknown, where its effect allows repeats: a host that dies again and again must
/// not be fed for ever.
pub const LOST_ATTEMPTS: u32 = 3;

/// How far a restored run's tokens are raised: more than attempts of one run ever come to.
pub const RESTORED_TOKENS: u64 = 1 << 32;

/// Bytes of what a person is asked, or says to it: it is read on a screen.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// Signals of one run that no step has taken: each is in memory, with what it carries.
pub const MAX_KEPT_SIGNALS: usize = 1_000;

/// Inputs that one turn takes in, so that no caller waits for ever in a turn that never ends.
pub const MAX_INPUTS_A_TURN: usize = 1_024;

/// New runs that one turn starts: they come after everything that concerns runs that exist.
pub const MAX_STARTS_A_TURN: usize = 64;

/// Bytes of records after which a turn takes nothing more in; one decision may go beyond it, but not to the limit of a
/// frame.
pub const SOFT_FRAME_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of a definition and parameters with which a run may start: they must fit into a frame.
pub const MAX_START_BYTES: usize = 32 * 1024 * 1024;

/// Steps without a worker that one run goes through in one turn, so that no run keeps the others waiting.
pub const MAX_PURE_STEPS_A_TURN: usize = 64;

/// Answers of the evaluator to one run in one turn: a few for each of those steps.
pub const MAX_ANSWERS_A_TURN: usize = 8 * MAX_PURE_STEPS_A_TURN;

/// How often in one turn runs are asked what the answers to others let them ask: a call, what it calls and what comes of
/// it, some levels deep.
pub const MAX_ROUNDS_A_TURN: usize = 16;

/// Claims of keys that are looked at to find out whether one that waits could ever be served. A knot of more than this is
/// left to limits of time.
pub const MAX_CLAIMS_LOOKED_AT: usize = 1_000;

/// Holders of one key that are named to who asks why a run waits.
pub const MAX_NAMED_HOLDERS: usize = 10;

/// Items of one `foreach` that run at once, whatever its `concurrency` says: each is in memory whole, and a machine that
/// runs more commands than this at a time runs none of them well.
pub const MAX_ITEMS_AT_ONCE: u64 = 1_000;

/// Items and rounds of one step that ended well and are still to be seen; the older half is let go of when there are
/// more.
pub const KEPT_ITEMS: usize = 100;

/// Errors of items that the error of a `foreach` holds; what came of each item is in its results.
pub const MAX_LOOP_ERRORS: usize = 100;

/// Items on a page of a file: one record of the journal.
pub const MAX_PAGE_ITEMS: usize = 1_000;

/// Bytes of a file that one page takes in, but for its last item.
pub const PAGE_BYTES: usize = 64 * 1024;

/// Bytes of one item in a file: as an output's.
pub const MAX_ITEM_BYTES: usize = 256 * 1024;

/// Milliseconds between two tries to store what there was no room for.
pub const FULL_RETRY_MS: u64 = 1_000;

/// Milliseconds from a change to the checkpoint that holds it: so much is read again after a crash.
pub const CHECKPOINT_MS: u64 = 5_000;

/// Bytes of a run in a checkpoint from which it is heavy: it is written whole whenever it changed.
pub const HEAVY_BYTES: usize = 64 * 1024;
/// So many times the bytes of the heavy runs that changed are journaled before they are written again: what checkpoints
/// cost stays a part of what steps cost, however long a run is.
pub const HEAVY_FACTOR: usize = 8;
/// Milliseconds after which they are written all the same.
pub const HEAVY_CHECKPOINT_MS: u64 = 60_000;
/// Milliseconds between two looks at a checkpoint that is being written.
pub const CHECKPOINT_POLL_MS: u64 = 10;
/// Milliseconds after which one that is being written is waited for, and given up if that does not help.
pub const CHECKPOINT_PATIENCE_MS: u64 = 120_000;
/// Appended bytes after which a checkpoint is made at once.
pub const CHECKPOINT_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of records behind the last checkpoint with which the engine may be closed without another one, when no run is
/// open. So much is read again, within milliseconds, when somebody asks for runs that have ended.
pub const UNCHECKED_BYTES: usize = 1024 * 1024;

/// Milliseconds between two looks at how much the logs take.
pub const RETENTION_MS: u64 = 60_000;

/// Runs whose logs are looked at in one turn to be removed: a few files each, while everybody waits.
pub const RETENTION_RUNS_A_TURN: usize = 4;

/// Runs whose logs are removed when the engine ends, and nobody waits any more but for that.
pub const RETENTION_AT_END: usize = 1_024;

/// Milliseconds that the row of a run which ended is kept at the least, whatever is said: whoever asked for the run must be
/// able to learn how it ended.
pub const LEAST_ROW_MS: u64 = 24 * 60 * 60 * 1000;

/// Milliseconds from one look at all rows of runs that have ended to the next.
pub const ROWS_MS: u64 = 60 * 60 * 1000;

/// Rows that are looked at at a time: some milliseconds, while everybody waits.
pub const ROWS_AT_ONCE: usize = 1_000;

/// Milliseconds between two such times.
pub const ROWS_PAUSE_MS: u64 = 100;

/// Rows that are looked at when the engine ends.
pub const ROWS_AT_END: usize = 10_000;

/// Bytes of journal after which a base is made: so much is replayed where the checkpoint cannot be believed.
pub const BASE_BYTES: u64 = 32 * 1024 * 1024;

/// The same when an engine closes: whoever looks at the folder afterwards reads the rest of the journal each time.
pub const CLOSING_BASE_BYTES: u64 = 8 * 1024 * 1024;

/// Milliseconds from one base to the next while history is to be dropped: the budget is exceeded meanwhile, but others
/// have their turns.
pub const WANTED_BASE_MS: u64 = 100;

/// Bytes below the storage budget at which room is made, at the least: what the journal's next segment takes, with the
/// copy of a full one that is sealed.
pub const RETENTION_HEADROOM: u64 = 32 * 1024 * 1024;

/// Bytes that a data folder may take whatever its storage budget says: the segment that is written, two made in advance, one
/// that is sealed with its copy, and as much for everything else.
pub const LEAST_BUDGET: u64 = 96 * 1024 * 1024;

/// Milliseconds that a new run waits for room in the storage budget: many times what it takes to make some.
pub const START_PATIENCE_MS: u64 = 10_000;

/// Milliseconds between two looks at whether there is room for the new runs that wait.
pub const START_POLL_MS: u64 = 20;

/// The part of the storage budget that may be journaled before it is looked at again what the folder takes, and that is
/// freed beyond what is over: so that neither is done for every frame.
pub const RETENTION_PART: u64 = 32;

/// Milliseconds after a base that failed before the next is tried: mostly the disk is full.
pub const BASE_RETRY_MS: u64 = 60_000;

/// Runs that end while the journal is replayed before they are let go of.
pub const MAX_REPLAYED_RUNS: usize = 10_000;

/// Rows of a list of runs.
pub const MAX_LISTED_RUNS: usize = 10_000;

/// Operations that an expression may take while the driver waits: well under a millisecond.
pub const QUICK_OPERATIONS: u64 = 20_000;

/// Wall-clock time for an expression that needs more than that.
pub const EVALUATION_DEADLINE: Duration = Duration::from_secs(10);

/// Bytes of stack of a thread that evaluates: the language's limit of depth fits in with room to spare.
pub const EVALUATION_STACK_BYTES: usize = 8 * 1024 * 1024;

/// Long evaluations at a time: they must leave the machine to the commands.
pub const MAX_EVALUATIONS: usize = 2;

/// The longest sleep of the engine: a machine that was suspended meanwhile wakes with timers overdue, which no clock of
/// the runtime counts.
pub const MAX_SLEEP: Duration = Duration::from_secs(5);

/// Steps of a run that is packed as soon as it waits. A longer one is packed at the next checkpoint, which encodes it
/// anyway, so that a long run that waits often does not pay for its length each time.
pub const MAX_STEPS_PACKED_AT_ONCE: usize = 64;

/// Milliseconds; a run that waits for less is not packed.
pub const MIN_PACKED_WAIT_MS: u64 = 1_000;

/// Changed runs after which a checkpoint is made at once: their encodings are in memory together while it is made.
pub const CHECKPOINT_RUNS: usize = 4_096;

/// Definitions whose hash is remembered: of runbooks that are started again and again.
pub const MAX_RECENT_DEFINITIONS: usize = 32;

/// Ids of runs that are remembered beyond their ends, so that a start need not ask the checkpoint whether its run is new:
/// 2 MiB, and more than start in the time for which a caller may ask again.
pub const MAX_RECENT_RUNS: usize = 65_536;

/// Definitions whose expressions are kept compiled.
pub const MAX_PROGRAMS: usize = 256;

/// Bytes of free disk below which no new run is started, at the most: what the runs that are open may still need.
const LOW_SPACE_BYTES: u64 = 64 * 1024 * 1024;

/// The same as a part of the whole disk, in hundredths: on a small disk so much as above may never be free.
const LOW_SPACE_PERCENT: u64 = 5;

/// The bytes of free disk at which new runs are refused, and taken again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Below this they are refused.
    pub enter: u64,
    /// From this on they are taken again: a quarter more, so that it is not left and entered at every turn.
    pub leave: u64,
}

impl Threshold {
    /// For a disk of this many bytes: the lesser of a number and a part of it.
    pub const fn of(disk: u64) -> Self {
        let part = disk / 100 * LOW_SPACE_PERCENT;
        let enter = if part < LOW_SPACE_BYTES { part } else { LOW_SPACE_BYTES };
        Self { enter, leave: enter + enter / 4 }
    }
}

/// Turns of one rehearsal: some for each step of the longest run that is worth a test, so that one that goes round in
/// circles is told within seconds.
pub const MAX_REHEARSED_TURNS: u64 = 1_000_000;

/// How often a run may go back to a step by `next`: beyond it, it goes round in a circle.
pub const MAX_REVISITS: u32 = 10_000;

/// Rows of a schedule's ledger that are kept in memory: a page.
pub const LEDGER_ROWS_A_PAGE: usize = 16;

/// Pages of a schedule's ledger that are kept beside the last one: 4,096 rows, which are eleven years of a schedule that is
/// due every day, and three days of one that is due every minute and starts a run each time.
pub const LEDGER_PAGES: u64 = 256;

/// Milliseconds after which a tick counts as missed: less is a turn that took long, more is an engine that was not there.
pub const LATE_MS: u64 = 60_000;

/// Ticks of a schedule that wait for the end of its runs.
pub const MAX_QUEUED_TICKS: usize = 1_000;

/// Triggers that a schedule followed before the one it has and that are remembered.
pub const MAX_EDITIONS: usize = 8;

/// Ticks that one turn deals with, so that nobody else waits long.
pub const MAX_TICKS_A_TURN: usize = 1_000;

/// Milliseconds after which schedules are looked at whatever is due: a wall clock that was set cannot hold a tick back for
/// longer.
pub const LOOK_AT_CLOCK_MS: u64 = 60_000;

/// Milliseconds by which a wall clock may be set before schedules are held: a day.
pub const MAX_CLOCK_JUMP_MS: u64 = 86_400_000;

/// Ticks of which one question tells.
pub const MAX_TOLD_TICKS: usize = 1_000;
