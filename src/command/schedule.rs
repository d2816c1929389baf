//! `lockstep schedule`: what starts runbooks by itself, and when lines of a crontab are due.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lockstep_dsl::schedule::{self, Cron, CronError, Dst, Fold, Gap};
use lockstep_engine::api::{Reply, Request};

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::host::look;
use crate::output::ticks::{self, Explained};
use crate::output::{self, json, schedules};

const EXAMPLES: &str = "\
Examples:
  lockstep schedule list                     the schedules of this folder, and when each is due next
  lockstep schedule explain '30 2 * * *' --timezone Europe/Berlin --year 2027
  lockstep schedule explain '0 9 * * mon#1' --from 2027-01-01 --to 2028-01-01 --json";

const LIST_EXAMPLES: &str = "\
Examples:
  lockstep schedule list
  lockstep schedule list --runbook storage/disk-cleanup
  lockstep schedule list --json | jq -r 'select(.status != \"enabled\") | .name'";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  lockstep schedule explain '*/15 8-17 * * mon-fri'          the next ten times, in UTC
  lockstep schedule explain '30 2 * * *' --timezone Europe/Berlin --year 2027
                                                            how often, and the odd days
  lockstep schedule explain '30 2 * * *' --timezone Europe/Berlin --dst gap=skip,fold=last \\
      --from 2027-03-27 --to 2027-04-01T00:00:00Z --json

A line has five fields: minute, hour, day of the month, month, day of the week; or six with the
second first; or it is a nickname such as @daily. 0 and 7 are Sunday. Where neither of the day
fields begins with `*`, a day that matches either of them will do. Beside numbers, names, lists,
ranges and steps there are L (last day), L-2, 15W (nearest working day), LW, 5L (last Friday) and
5#2 (second Friday).

With --json each tick is one object a line: {\"nominal\",\"instant\",\"why\"}, what the clock on the
wall says, when that is, and `regular`, `after_gap`, `first_of_two` or `second_of_two`. What a gap
leaves out is no tick.";

/// Options of `lockstep schedule`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the schedules that are enrolled, and when each is due next.
    List(List),
    /// Say when a line of a crontab is due, and on which days that is odd.
    Explain(Explain),
}

/// Options of `lockstep schedule list`.
#[derive(Debug, Args)]
#[command(after_long_help = LIST_EXAMPLES)]
struct List {
    /// Only those of this runbook.
    #[arg(long, value_name = "NAME")]
    runbook: Option<String>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Options of `lockstep schedule explain`.
#[derive(Debug, Args)]
#[command(after_long_help = EXPLAIN_EXAMPLES)]
struct Explain {
    /// The line, in quotes.
    #[arg(value_name = "CRON")]
    cron: String,
    /// The time zone, by its IANA name.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// What happens with times that do not exist and with those that come twice:
    /// `gap=after|skip,fold=first|last|both` [default: gap=after,fold=first].
    #[arg(long, value_name = "RULES", value_parser = dst, default_value = "gap=after,fold=first", hide_default_value = true)]
    dst: Dst,
    /// From when on, inclusive: a date in the zone, or a time such as `2027-03-28T01:00:00Z` [default: now].
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until when, exclusive. Without it: ten times.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// A whole year: how often it is due, and the days on which clocks are set.
    #[arg(long, value_name = "YEAR", conflicts_with_all = ["from", "to"], value_parser = clap::value_parser!(i16).range(1970..2100))]
    year: Option<i16>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// How many ticks are shown where no end is given.
const A_FEW: usize = 10;

/// Does what is asked for.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    match &options.verb {
        Verb::List(options) => list(options, context),
        Verb::Explain(options) => explain(options, context),
    }
}

fn list(options: &List, context: &Context) -> Result<Ending, Failure> {
    let rows = match look(context, &Request::Schedules { runbook: options.runbook.clone() })? {
        Some(Reply::Schedules(rows)) => rows,
        Some(other) => panic!("a request for schedules is answered by schedules, not by {other:?}"),
        None => Vec::new(),
    };
    if options.json {
        rows.iter().try_for_each(json::schedule_row)?;
    } else if rows.is_empty() {
        output::print(if options.runbook.is_some() { "no such schedules\n" } else { "no schedules yet\n" })?;
    } else {
        output::print(&schedules::list(&rows, context.stdout))?;
    }
    Ok(Ending::Succeeded)
}

fn explain(options: &Explain, context: &Context) -> Result<Ending, Failure> {
    let cron = Cron::parse(&options.cron).map_err(|error| wrong_line(&options.cron, &error))?;
    let zone = schedule::zone(&options.timezone).ok_or_else(|| {
        Failure::usage(format!("there is no time zone `{}`", options.timezone))
            .help("zones have the names of the IANA database, such as `Europe/Berlin` or `UTC`")
    })?;
    let instant = |text: &Option<String>| text.as_deref().map(|text| instant(text, &zone)).transpose();
    let (from, to) = match options.year {
        Some(year) => (Some(new_year(year, &zone)?), Some(new_year(year + 1, &zone)?)),
        None => (instant(&options.from)?, instant(&options.to)?),
    };
    let from = from.unwrap_or_else(Timestamp::now);
    if to.is_some_and(|to| to < from) {
        return Err(Failure::usage("this ends before it begins").help("give a `--to` that is later than `--from`"));
    }
    let ticks = schedule::ticks(&cron, &zone, options.dst, from)
        .take_while(|tick| tick.instant.is_none_or(|at| to.is_none_or(|to| at < to)))
        .take(if to.is_some() { usize::MAX } else { A_FEW });
    if options.json {
        ticks::json(ticks)?;
        return Ok(Ending::Succeeded);
    }
    let of = Explained { line: cron.text(), zone: &options.timezone, dst: options.dst };
    match options.year {
        Some(year) => ticks::year(&of, year, ticks, context.stdout)?,
        None => ticks::list(&of, ticks, context.stdout)?,
    }
    Ok(Ending::Succeeded)
}

/// With the place of what is wrong under the line.
fn wrong_line(line: &str, error: &CronError) -> Failure {
    let before = line[..error.at.start].chars().count();
    let wide = line[error.at.clone()].chars().count().max(1);
    let message = format!("{}\n\n  {line}\n  {}{}\n", error.message, " ".repeat(before), "^".repeat(wide));
    let failure = Failure::usage(message);
    match &error.help {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// A time with its zone, or the beginning of a day in this one.
fn instant(text: &str, zone: &TimeZone) -> Result<Timestamp, Failure> {
    if let Ok(date) = text.parse::<Date>()
        && text.len() == "2027-03-28".len()
    {
        return begin(date, zone);
    }
    text.parse().map_err(|_| {
        Failure::usage(format!("`{}` is not a time", crate::output::text::harmless_line(text)))
            .help("write a date such as `2027-03-28`, or RFC 3339 with a zone such as `2027-03-28T01:00:00Z`")
    })
}

fn new_year(year: i16, zone: &TimeZone) -> Result<Timestamp, Failure> {
    begin(jiff::civil::date(year, 1, 1), zone)
}

/// The first instant of a day.
fn begin(date: Date, zone: &TimeZone) -> Result<Timestamp, Failure> {
    let begin = date.to_zoned(zone.clone()).map(|begin| begin.timestamp());
    begin.map_err(|error| Failure::usage(format!("`{date}` cannot be used: {error}")))
}

/// `gap=skip,fold=last`; also as a runbook has it, `{ gap: skip, fold: last }`.
fn dst(text: &str) -> Result<Dst, String> {
    let mut dst = Dst::default();
    let inside = text.trim().trim_start_matches('{').trim_end_matches('}');
    for rule in inside.split(',').map(str::trim).filter(|rule| !rule.is_empty()) {
        let (name, value) = rule.split_once(['=', ':']).unwrap_or((rule, ""));
        match (name.trim(), value.trim()) {
            ("gap", "after") => dst.gap = Gap::After,
            ("gap", "skip") => dst.gap = Gap::Skip,
            ("fold", "first") => dst.fold = Fold::First,
            ("fold", "last") => dst.fold = Fold::Last,
            ("fold", "both") => dst.fold = Fold::Both,
            _ => {
                return Err(format!(
                    "`{rule}` is no rule; write `gap=after` or `skip`, `fold=first`, `last` or `both`"
                ));
            }
        }
    }
    Ok(dst)
}
