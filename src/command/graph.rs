//! `lockstep graph`: the steps of a runbook and what they need, as text or as a drawing.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::drawing;
use crate::ending::{Ending, Failure};
use crate::{output, runbook_file};

const EXAMPLES: &str = "\
Examples:
  lockstep graph deploy.yaml                               as text
  lockstep graph deploy.yaml --format mermaid              for Markdown: GitHub and GitLab draw it
  lockstep graph deploy.yaml --format dot | dot -Tsvg > deploy.svg";

/// Options of `lockstep graph`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The runbook.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How to print a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Indented lines.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
    /// Graphviz.
    Dot,
}

/// Prints it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let graph = runbook_file::load(&options.file, context.stderr)?;
    let text = match options.format {
        Format::Text => drawing::text(&graph),
        Format::Mermaid => drawing::mermaid(&graph),
        Format::Dot => drawing::dot(&graph),
    };
    output::print(&text)?;
    Ok(Ending::Succeeded)
}
