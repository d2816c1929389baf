//! New runs that have to wait until there is room for them, while everything that concerns runs which are there goes on.
//!
//! Whoever turns the driver says when; what the driver does is to keep them, in their order.

use super::backing::Backing;
use super::effect::{Effect, Turn};
use super::{Driver, Input};
use crate::api::{Refusal, Reply, Request};
use crate::store::{Growth, ShardLog};

impl<B: Backing> Driver<B> {
    /// Whether new runs are to wait from the next turn on.
    pub const fn hold_starts(&mut self, hold: bool) {
        self.starts_held = hold;
    }

    /// Whether new runs wait for what holds them back.
    pub fn is_holding_starts(&self) -> bool {
        self.starts_held && !self.starts.is_empty()
    }

    /// Answers every new run that waits that it is not started. One that is there already, and was only asked for again, is
    /// answered for in the next turn.
    pub fn refuse_starts(&mut self, refusal: &Refusal) -> Turn {
        let mut turn = Turn::default();
        for input in std::mem::take(&mut self.starts) {
            let Input::Request { caller, request: Request::Start(start) } = input else { continue };
            if self.exists(start.id).unwrap_or(false) {
                self.waiting.push_back(Input::Request { caller, request: Request::Start(start) });
                turn.again = true;
            } else {
                turn.effects.push(Effect::Answer(caller, Reply::Refused(refusal.clone())));
            }
        }
        turn
    }

    /// How the log takes room.
    pub fn growth(&self) -> Growth {
        self.log.growth()
    }

    /// Bytes of the newest base: so much the next one takes beside those that are kept.
    pub const fn base_bytes(&self) -> u64 {
        self.base.bytes()
    }
}
