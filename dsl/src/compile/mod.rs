//! From text to step graph, top to bottom: parse, read, resolve, check, lower.
//!
//! Every pass says all that it finds, and a later one keeps silent where an earlier one could not read something: one
//! cause, one diagnostic. Only text that is not YAML ends the work at once.

mod called;
pub mod field;
pub mod files;
pub mod keys;
pub mod lower;
mod params;
mod pinned;
mod read;
pub mod reader;
pub mod report;
pub mod resolve;
mod triggers;

pub use files::{FileContent, FileError, Files, NoFiles};

use crate::check::{self, Case};
use crate::diagnostic::Diagnostic;
use crate::expr::Sandbox;
use crate::graph::Graph;
use crate::source::Source;
use crate::yaml;

use called::Around;
use lower::lower;
use reader::Reader;
use resolve::resolve;

/// A runbook that can run.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What the engine executes.
    pub graph: Graph,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Compiles a runbook. The sandbox reads its expressions and knows the modules that ship with the program.
///
/// # Errors
/// Everything that is wrong with it, warnings included, in the order of the text.
pub fn compile(source: &Source, files: &dyn Files, sandbox: &Sandbox) -> Result<Compiled, Vec<Diagnostic>> {
    compile_around(source, files, sandbox, Around::default())
}

/// Compiles a runbook that others may call.
fn compile_around(
    source: &Source,
    files: &dyn Files,
    sandbox: &Sandbox,
    around: Around,
) -> Result<Compiled, Vec<Diagnostic>> {
    let (tree, problems) = yaml::parse_leniently(source)?;
    let mut reader = Reader::new(source, files, sandbox);
    reader.around = around;
    reader.runbook(&tree);
    let (book, mut report) = reader.finish();
    let (resolved, order) = resolve(&book, &mut report);
    check::all(&Case { book: &book, resolved: &resolved, order: &order, sandbox }, &mut report);
    if !problems.is_empty() {
        return Err(report.after(problems));
    }
    let warnings = report.into_result()?;
    Ok(Compiled { graph: lower(book, resolved, source), warnings })
}
