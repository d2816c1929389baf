//! Runbooks tested like code: cases from `<name>.test.yaml`, rehearsed on the real engine in virtual time.
//!
//! [`suite`] finds the cases, [`play`] rehearses one, [`judge`] holds what came of it against what is expected,
//! [`crash`] plays it again with the engine killed everywhere, [`coverage`] says what no case has reached, and [`report`] and [`junit`] tell people and programs. No rule of the
//! engine is here: what a run does, the engine decides.

pub mod coverage;
pub mod crash;
pub mod flow;
pub mod judge;
pub mod junit;
pub mod people;
pub mod play;
pub mod record;
pub mod report;
pub mod script;
pub mod suite;
pub mod watch;
