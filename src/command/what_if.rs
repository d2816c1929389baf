//! `lockstep what-if`: what a run would have done under an edited runbook.

use std::path::PathBuf;

use clap::Args;
use lockstep_engine::api::RunView;
use lockstep_engine::rehearsal::{End, Story};

use super::record;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::output::{self, Style, Tone};
use crate::runbook_file;
use crate::testing::record::Recorded;

const EXAMPLES: &str = "\
Examples:
  lockstep what-if last --with deploy.yaml       after an edit: where would the run have gone?

Nothing is run. Each attempt does again what it did in the run; a step that did not run then has nothing to do, and the
answer says so and ends there. Exits with 0 if the run would go the same way, with 1 if not.";

/// Options of `lockstep what-if`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The run.
    run: String,
    /// The edited runbook.
    #[arg(long, value_name = "FILE")]
    with: PathBuf,
}

/// Prints where the paths part.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let (view, rows) = record::read(&options.run, context)?;
    let graph = runbook_file::load(&options.with, context.stderr)?;
    let before = record::began(&rows, &graph);
    let recorded = Recorded::of(view.clone(), &rows, &graph);
    let (_, story) = record::replay(&recorded.text("what if", None), &graph)?;
    let (text, same) = compare(&view, &before, &story, context.stdout);
    output::print(&text)?;
    Ok(if same { Ending::Succeeded } else { Ending::TestFailed })
}

/// What is the same and what is not. Says whether all of it is.
fn compare(view: &RunView, before: &[String], story: &Story, style: Style) -> (String, bool) {
    let mut lines = Vec::new();
    let path = story.path();
    let shared = path.iter().zip(before).take_while(|(after, before)| **after == **before).count();
    lines.extend(path[..shared].iter().map(|step| format!("  {} {step}", style.paint(Tone::Faint, "same  "))));
    lines.extend(before[shared..].iter().map(|step| format!("  {} {step}", style.paint(Tone::Bad, "was   "))));
    lines.extend(path[shared..].iter().map(|step| format!("  {} {step}", style.paint(Tone::Good, "would "))));
    let mut same = path.len() == shared && before.len() == shared;
    let mut differs = |line: String| {
        same = false;
        lines.push(line);
    };
    match &story.end {
        End::Rest => {}
        End::Missing(missing) => differs(format!(
            "`{}` did nothing in that run, so nothing is known of what it would do; the answer ends here",
            missing.step
        )),
        End::Refused(why) => differs(format!("it would be refused: {why}")),
        End::Endless => differs("it would go on and on".to_owned()),
    }
    if let (End::Rest, Some(after)) = (&story.end, &story.run) {
        if after.status != view.status {
            differs(format!("status: was {}, would be {}", view.status, after.status));
        }
        let names = view.outputs.keys().chain(after.outputs.keys().filter(|name| !view.outputs.contains_key(*name)));
        for name in names {
            let (was, would) = (view.outputs.get(name), after.outputs.get(name));
            if was != would {
                let shown = |value: Option<&serde_json::Value>| value.map_or("nothing".to_owned(), ToString::to_string);
                differs(format!("outputs.{name}: was {}, would be {}", shown(was), shown(would)));
            }
        }
        let error = |view: &RunView| view.error.as_ref().map(|error| format!("{} ({})", error.kind, error.message));
        if error(view) != error(after) {
            let shown = |error: Option<String>| error.unwrap_or_else(|| "none".to_owned());
            differs(format!("error: was {}, would be {}", shown(error(view)), shown(error(after))));
        }
    }
    if same {
        lines.push("the same way to the same end".to_owned());
    }
    (format!("{}\n", lines.join("\n")), same)
}
