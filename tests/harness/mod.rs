//! Tests in the product's language: a case has a runbook and a data folder of its own, and is run by the program itself.
//!
//! ```ignore
//! Case::new().runbook("steps: [{ shell: echo hi }]").run().succeeds().step("shell#1", |step| step.printed("hi"));
//! ```
//!
//! Nothing here sleeps. What a test waits for says so itself (a line, a file that is opened, an exit), and every wait has
//! a deadline after which the test fails with what was printed until then.

mod case;
mod gate;
mod outcome;
mod process;
mod report;
mod series;
mod terminal;

pub use case::Case;
pub use gate::Gate;
pub use outcome::Outcome;
pub use process::Process;
pub use report::Report;
pub use series::{Random, Series};
pub use terminal::Terminal;

use std::time::Duration;

/// How long anything may take that a test waits for. Far more than it takes on a slow machine.
pub const DEADLINE: Duration = Duration::from_mins(1);
