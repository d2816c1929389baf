//! The verbs, one a file. Each has its options and an `execute` that reads from top to bottom.

pub mod answer;
pub mod approve;
pub mod backup;
pub mod bench;
pub mod cancel;
pub mod check;
pub mod completions;
pub mod doctor;
pub mod event;
pub mod graph;
pub mod history;
pub mod logs;
mod one_run;
pub mod pause;
pub mod record;
pub mod reject;
pub mod resolve;
pub mod restore;
pub mod resume;
pub mod retry;
pub mod run;
pub mod runs;
pub mod schedule;
pub mod serve;
pub mod show;
pub mod signal;
pub mod skip;
pub mod test;
pub mod what_if;
pub mod why;
mod word;

use crate::context::Context;
use crate::ending::Failure;

/// What is said to who asks for a run where there is none at all.
fn no_runs(context: &Context) -> Failure {
    let data = match context.data() {
        Ok(data) => data,
        Err(nowhere) => return nowhere,
    };
    Failure::usage(format!("there are no runs in `{}`", data.display()))
        .help("`lockstep run FILE` makes one; `--data DIR` names another folder")
}
