//! The network listener. Until there are users and rights it tells programs how the server is, and nothing else.
//!
//! Whoever can reach it is a stranger: what they send is bounded in time and size before it is looked at ([`listener`]), and
//! every way in is one `Route`.

mod listener;
mod metrics;
mod route;

pub use listener::{Listener, bind};
pub use metrics::Metrics;
pub use route::{State, router};
