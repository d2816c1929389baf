//! The core alone: runs of hand-made graphs, without a runtime, a disk, a clock or a sleep.
//!
//! After every input the journal so far is replayed into an empty state, which must come to the same run.

mod case;
mod plan;
mod shard;

mod approvals;
mod blocks;
mod cancel;
mod doubt;
mod edits;
mod failure;
mod locks;
mod loops;
mod next;
mod pauses;
mod probe;
mod queue;
mod random;
mod retry_run;
mod sequence;
mod signals;
mod skips;
mod timeouts;
mod undo;
