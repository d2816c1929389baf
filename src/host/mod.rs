//! One folder, several commands, and perhaps a server.
//!
//! The first command that runs something takes the folder's lock, opens the engine and listens on the folder's socket:
//! it is the *host*. Later ones are its *guests*: they hand their requests in over the socket and watch. When the host
//! ends or dies, its guests race for the lock; one becomes the host and recovers, the others are its guests. `lockstep serve` is a host that stays ([`Holding`]).
//!
//! | what happens | what the others see |
//! |---|---|
//! | the host has ended its own run | it stays until the runs of its guests have ended |
//! | the host is killed | connections break; guests take over and resume their own runs |
//! | a server ends, or is killed | its guests wait for it to come back, and take nothing over |
//! | a guest is killed | nothing: its run is the host's already |
//! | the host is stopped (Ctrl-Z) | it does not greet; new commands say so after a while |
//!
//! A request whose answer was lost may or may not have been done. So a run's id is chosen by whoever asks for it, and
//! asking again is harmless; reading and resuming are harmless too; of the rest the person is told.

mod guest;
mod holding;
mod look;
mod peer;
mod server;
mod session;
mod socket;
mod terms;
mod wire;

pub use holding::Holding;
pub use look::look;
pub use session::{Session, Update};
pub use terms::Terms;
