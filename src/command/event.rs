//! `lockstep event`: which events a pattern is about.

use std::io::Read as _;
use std::path::Path;

use clap::{Args, Subcommand};
use lockstep_dsl::event::Pattern;
use lockstep_dsl::value::Value;
use serde::Serialize;

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::output::text::count;
use crate::output::{self, json};
use crate::runbook_file::read_text;

const EXAMPLES: &str = "\
Examples:
  lockstep event match '{\"state\": [\"ALARM\"]}' alarm.json     does this pattern mean this event?";

const MATCH_EXAMPLES: &str = "\
Examples:
  lockstep event match pattern.yaml alarm.json
  curl -s https://alerts.example/last | lockstep event match '{\"severity\": [\"critical\"]}' -
  lockstep event match '{\"load\": [{\"numeric\": [\">\", 5]}]}' '{\"load\": 7}' --json

The pattern and the event are JSON where they begin with `{`, else files of YAML or JSON; `-` is
standard input. Nothing is read or written beside them.

A pattern looks like the event: each field that it names has a list of alternatives, values or
operators, and one of them must match. It is the language of Amazon EventBridge:

  state: [running, stopped]                one of these values; numbers, booleans and null too
  name:  [{ prefix: web- }]                also suffix, equals-ignore-case, and wildcard: 'a*b'
  state: [{ anything-but: running }]       also of a list, and of the operators of the line above
  load:  [{ numeric: ['>', 0, '<=', 5] }]  numbers
  from:  [{ cidr: 10.0.0.0/8 }]            addresses
  owner: [{ exists: false }]               whether there is such a field with a value
  $or:   [{ state: [a] }, { load: [1] }]   one of these patterns

Exit codes: 0 it matches, 1 it does not, 2 the pattern is wrong.";

/// Bytes of a pattern or an event: those of `EventBridge` have a quarter of that.
const BYTES: u64 = 1024 * 1024;

/// Options of `lockstep event`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say whether a pattern matches an event, and which fields are in the way.
    Match(Match),
}

/// Options of `lockstep event match`.
#[derive(Debug, Args)]
#[command(after_long_help = MATCH_EXAMPLES)]
struct Match {
    /// The pattern.
    pattern: String,
    /// The event.
    event: String,
    /// Print one JSON object: {"matches","misses"}.
    #[arg(long)]
    json: bool,
}

/// What programs read.
#[derive(Serialize)]
struct Told {
    matches: bool,
    /// Fields without a wanted value.
    misses: Vec<String>,
}

/// Does what is asked for.
pub fn execute(options: &Options, _context: &Context) -> Result<Ending, Failure> {
    match &options.verb {
        Verb::Match(options) => matches(options),
    }
}

fn matches(options: &Match) -> Result<Ending, Failure> {
    let pattern = Pattern::parse(&read("the pattern", &options.pattern)?).map_err(|errors| {
        for error in &errors {
            // Standard error may be gone; the exit code says enough.
            let _ = output::say(&format!("error: {error}"));
        }
        Failure::Invalid(format!(
            "{} in the pattern; `lockstep event match --help` shows its language",
            count(errors.len(), "error")
        ))
    })?;
    let event = read("the event", &options.event)?;
    let matches = pattern.matches(&event);
    let misses = if matches { Vec::new() } else { pattern.misses(&event) };
    let ending = if matches { Ending::Succeeded } else { Ending::NoMatch };
    if options.json {
        json::line(&Told { matches, misses })?;
    } else if matches {
        output::print("matches\n")?;
    } else if misses.is_empty() {
        output::print("does not match: no single element of a list has all that is wanted\n")?;
    } else {
        let misses: Vec<String> = misses.iter().map(|field| format!("`{field}`")).collect();
        output::print(&format!("does not match: no wanted value at {}\n", misses.join(", ")))?;
    }
    Ok(ending)
}

fn read(what: &str, given: &str) -> Result<Value, Failure> {
    let wrong = |error: String| Failure::usage(format!("{what} cannot be read: {error}"));
    let json = if given.trim_start().starts_with('{') {
        serde_json::from_str(given).map_err(|error| {
            wrong(error.to_string()).help("what begins with `{` is JSON; a file is named by its path")
        })?
    } else {
        let text = if given == "-" { standard_input(what)? } else { read_text(Path::new(given), BYTES)? };
        serde_yaml::from_str(&text).map_err(|error| wrong(format!("`{given}`: {error}")))?
    };
    Ok(Value::from_json(json))
}

fn standard_input(what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(BYTES + 1).read_to_string(&mut text);
    match read {
        Ok(bytes) if bytes as u64 > BYTES => Err(Failure::usage(format!("{what} has more than {} KiB", BYTES / 1024))),
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::usage(format!("{what} cannot be read from standard input: {error}"))),
    }
}
