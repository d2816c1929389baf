//! The modules that runbooks import: `std/text`, `std/time` and the others, one a file.
//!
//! Every function is pure: the same arguments give the same value, on every machine and at any time. What is well said
//! in Rhai is written in Rhai (`rhai/`), the rest in Rust behind the sandbox's own interface, which pays for arguments
//! and results; a function that does more than that pays for it itself.
//!
//! The documentation of each, with examples, stands beside it. `docs/std.md` is made of it, and the examples are run.

mod hash;
mod json;
mod list;
mod math;
mod net;
mod path;
mod regex;
mod text;
mod time;

use lockstep_dsl::expr::StdModule;

/// All modules, in the order in which they are documented.
pub static MODULES: [StdModule; 8] =
    [text::MODULE, list::MODULE, math::MODULE, time::MODULE, json::MODULE, net::MODULE, hash::MODULE, path::MODULE];
