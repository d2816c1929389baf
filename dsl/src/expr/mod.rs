//! Expressions: a strict, bounded Rhai.
//!
//! Text is read by Rhai's own parser, lowered to a tree of ours, analysed for the checks of the front end, and
//! evaluated by a machine that counts everything it does:
//!
//! ```text
//! text -- parse --> Rhai's tree -- lower --> ir --+--> Analysis   (front end: names, calls, problems)
//!                                                 +--> Machine    (engine: values, or an EvalError with its place)
//! ```
//!
//! * [`Sandbox`] is built once and shared. It knows the modules that ship with the program ([`StdModule`]), which it is
//!   given: this crate has none.
//! * [`Program`] holds every expression of one step graph, ready to be evaluated.
//! * [`Scope`] lends names to an evaluation, [`Budget`] bounds it.
//!
//! An evaluation never reads a clock, a file, the environment or the network, never evaluates text, and never changes
//! what it was lent. Its stack need is below 2 MiB, also in a debug build.

mod analysis;
mod error;
mod fault;
mod ir;
mod library;
mod lower;
mod machine;
mod meter;
mod module;
mod moment;
mod operand;
mod operators;
mod parse;
mod problem;
mod program;
mod sandbox;
mod scope;
mod size;
pub mod template;
mod text;

#[cfg(test)]
mod tests;

pub use analysis::{Access, Analysis, Call, ModuleInfo, Segment};
pub use error::{CompileError, EvalError};
pub use fault::{Cause, Fault};
pub use meter::Budget;
pub use module::{Arguments, NativeFunction, StdModule};
pub use problem::Problem;
pub use program::{Items, Program};
pub use sandbox::Sandbox;
pub use scope::{Branch, Scope};
