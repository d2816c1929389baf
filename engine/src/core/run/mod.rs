//! A run: its state, the records that change it, and the decisions about it.
//!
//! [`Run::apply`] is the only way to change a run, and the same for live work and for replay.

mod apply;
mod apply_loop;
mod approval;
mod ask;
mod awaiting;
mod block;
mod call;
mod claim;
mod conclude;
mod decide;
mod edit;
mod error;
mod foreach;
mod kept;
mod links;
mod looping;
mod loss;
mod need;
mod next;
mod opening;
mod path;
mod pause;
mod phase;
mod probe;
mod question;
mod record;
mod reopen;
mod repeat;
mod signal;
mod slab;
mod squeeze;
mod state;
mod status;
mod step;
mod stop;
mod subject;
mod tally;
mod turn;
mod undo;
mod waiver;

pub use approval::{Approval, Person, Vote};
pub use call::{Caller, Message, PARAMS as CALL_PARAMS, RUN as CALL_RUN, Returned};
pub use claim::{Claim, Claims, Denial, Gate, Standing};
pub use decide::{Answer, Input, Refused, decide};
pub use edit::{Edit, Edited};
pub use error::RunError;
pub use kept::{Definition, Kept, Look};
pub use links::Links;
pub use looping::{ItemEnd, Items, Loop, Page, Pages, Results};
pub use loss::Loss;
pub use opening::Opening;
pub use pause::{Hold, Pause};
pub use record::{
    Change, Delay, Question, Record, Resolution, RunOutcome, Settlement, Skip, StepStatus, StopCause, UndoEnd,
};
pub use signal::Signal;
pub use slab::Slab;
pub use state::{Activation, ActivationNo, Finishing, Grant, Halt, Item, Phase, Run, RunStatus, Step, Timer, Undoing};
pub use subject::{About, Subject};
pub use waiver::Waiver;
