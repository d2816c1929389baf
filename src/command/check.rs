//! `lockstep check`: everything that is wrong with runbooks, all of it at once, without running anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use lockstep_dsl::diagnostic::{self, Severity};
use serde_json::json;

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::output::text::count;
use crate::output::{self, json};
use crate::runbook_file;

const EXAMPLES: &str = "\
Examples:
  lockstep check disk-cleanup.yaml     one runbook
  lockstep check runbooks/             all `*.yaml` below a folder, but not `*.test.yaml`
  lockstep check --json runbooks/      one object a line: diagnostics, then {\"type\":\"check\",...}

Exits with 0 if there are no errors, else with 2. Warnings do not count.";

/// Options of `lockstep check`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Runbooks, or folders with runbooks.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings {
    files: usize,
    errors: usize,
    warnings: usize,
    /// Where each name of a runbook was seen first.
    names: BTreeMap<String, PathBuf>,
}

/// Checks them all.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let mut findings = Findings::default();
    for path in &options.paths {
        match runbooks(path) {
            Ok(files) => {
                for file in files {
                    findings.check(&file, options, context)?;
                }
            }
            Err(failure) => findings.failure(&failure, path, options)?,
        }
    }
    findings.summary(options)?;
    if findings.errors == 0 {
        Ok(Ending::Succeeded)
    } else {
        Err(Failure::Invalid(format!("{} in {}", count(findings.errors, "error"), count(findings.files, "file"))))
    }
}

impl Findings {
    fn check(&mut self, path: &Path, options: &Options, context: &Context) -> Result<(), Failure> {
        self.files += 1;
        let compiled = match runbook_file::compile(path) {
            Ok(compiled) => compiled,
            Err(failure) => return self.failure(&failure, path, options),
        };
        let (name, diagnostics) = match compiled {
            Ok(compiled) => (Some(compiled.graph.runbook), compiled.warnings),
            Err(diagnostics) => (None, diagnostics),
        };
        for diagnostic in &diagnostics {
            match diagnostic.severity() {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
            }
            if options.json {
                json::line(&diagnostic::to_json(diagnostic))?;
            }
        }
        if !options.json && !diagnostics.is_empty() {
            output::print(&format!("{}\n", runbook_file::render(&diagnostics, context.stdout)))?;
        }
        match name {
            Some(name) => self.name(name, path, options),
            None => Ok(()),
        }
    }

    /// A name means one runbook: calls and lists find it by name.
    fn name(&mut self, name: String, path: &Path, options: &Options) -> Result<(), Failure> {
        let Some(first) = self.names.get(&name).filter(|first| *first != path) else {
            self.names.insert(name, path.to_owned());
            return Ok(());
        };
        let message = format!("runbook `{name}` is also in `{}`: names are unique", first.display());
        self.failure(&Failure::Invalid(message), path, options)
    }

    fn failure(&mut self, failure: &Failure, path: &Path, options: &Options) -> Result<(), Failure> {
        self.errors += 1;
        let message = failure.to_string();
        if options.json {
            let file = path.display().to_string();
            json::line(&json!({ "type": "error", "severity": "error", "file": file, "message": message }))
        } else {
            output::print(&format!("error: {}: {message}\n\n", path.display()))
        }
    }

    fn summary(&self, options: &Options) -> Result<(), Failure> {
        let Self { files, errors, warnings, .. } = self;
        if options.json {
            return json::line(&json!({ "type": "check", "files": files, "errors": errors, "warnings": warnings }));
        }
        if *errors > 0 {
            // The failure itself says how many.
            return Ok(());
        }
        let warned = if *warnings > 0 { format!(", {}", count(*warnings, "warning")) } else { String::new() };
        output::print(&format!("{} checked, no errors{warned}\n", count(*files, "runbook")))
    }
}

/// The file itself, or the runbooks below a folder, sorted.
fn runbooks(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let files = runbook_file::below(path)?;
    if files.is_empty() {
        return Err(Failure::usage("there is no runbook (`*.yaml`) below this folder"));
    }
    Ok(files)
}
