//! `lockstep schedule`: what starts runbooks by itself, and when lines of a crontab are due.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use lockstep_dsl::schedule::{self, Cron, CronError, Dst, Fold, Gap};
use lockstep_engine::api::{Reply, Request, ScheduleView};

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::host::{Session, look};
use crate::output::ticks::{self, Explained};
use crate::output::{self, json, schedules};
use crate::runtime;

const EXAMPLES: &str = "\
Examples:
  lockstep schedule list                     the schedules of this folder, and when each is due next
  lockstep schedule why-not storage/clean 2027-03-28T02:30
                                             what became of that tick
  lockstep schedule pause storage/clean --reason 'the array is being rebuilt'
  lockstep schedule explain storage/clean --year 2027
  lockstep schedule explain '0 9 * * mon#1' --from 2027-01-01 --to 2028-01-01 --json";

const LIST_EXAMPLES: &str = "\
Examples:
  lockstep schedule list
  lockstep schedule list --runbook storage/disk-cleanup
  lockstep schedule list --json | jq -r 'select(.status != \"enabled\") | .name'";

const WHY_NOT_EXAMPLES: &str = "\
Examples:
  lockstep schedule why-not storage/clean 2027-03-28            every tick of that day
  lockstep schedule why-not storage/clean:nightly 2027-03-28T02:30
  lockstep schedule why-not storage/clean 2027-03-28T01:00:00Z --json

Each tick has one end: it started a run, or it says why it did not. `overlapped`: a run of an earlier
tick was open. `not_caught_up`, `superseded`, `too_old`: nobody served the folder when it was due.
`paused`, `disabled`, `withdrawn`, `invalid`, `replaced`, `full`: as they say. A time that is no tick
is answered with those before and after it.";

const PAUSE_EXAMPLES: &str = "\
Examples:
  lockstep schedule pause storage/clean --reason 'the array is being rebuilt'
  lockstep schedule resume storage/clean                     its next tick starts a run again

A pause outlives restarts and edits of the runbook. Ticks that pass meanwhile are in the ledger as
`paused`, and are not caught up. Runs that are open go on.";

const RESUME_EXAMPLES: &str = "\
Examples:
  lockstep schedule resume storage/clean     a schedule that is paused
  lockstep schedule resume                   all of them, when the wall clock was set by more than a day";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  lockstep schedule explain storage/clean --year 2027       a schedule that is enrolled
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
    /// Say when a schedule or a line of a crontab is due, and on which days that is odd.
    Explain(Explain),
    /// Say what became of a tick: the run that it started, or why there is none.
    WhyNot(WhyNot),
    /// Have the ticks of a schedule start nothing until it is resumed.
    Pause(Pause),
    /// Let a schedule go on that is paused, or all of them after the wall clock was set.
    Resume(Resume),
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

/// Options of `lockstep schedule why-not`.
#[derive(Debug, Args)]
#[command(after_long_help = WHY_NOT_EXAMPLES)]
struct WhyNot {
    /// The schedule: `runbook:trigger`, or one of both where that names it.
    #[arg(value_name = "NAME")]
    schedule: String,
    /// The tick: a time such as `2027-03-28T01:00:00Z`, one on the clock of the schedule's zone such as
    /// `2027-03-28T02:30`, or a date for all of that day.
    #[arg(value_name = "TIME")]
    time: String,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Options of `lockstep schedule pause`.
#[derive(Debug, Args)]
#[command(after_long_help = PAUSE_EXAMPLES)]
struct Pause {
    /// The schedule: `runbook:trigger`, or one of both where that names it.
    #[arg(value_name = "NAME")]
    schedule: String,
    /// Why, for whoever looks at it: journaled, and shown by `schedule list`.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Options of `lockstep schedule resume`.
#[derive(Debug, Args)]
#[command(after_long_help = RESUME_EXAMPLES)]
struct Resume {
    /// The schedule. Without one: believe the wall clock again, after which all schedules that are held go on.
    #[arg(value_name = "NAME")]
    schedule: Option<String>,
}

/// Options of `lockstep schedule explain`.
#[derive(Debug, Args)]
#[command(after_long_help = EXPLAIN_EXAMPLES)]
struct Explain {
    /// The line, in quotes, or the name of a schedule: `runbook:trigger`, or one of both where that names it.
    #[arg(value_name = "CRON|NAME")]
    cron: String,
    /// The time zone of a line, by its IANA name.
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
        Verb::Explain(options) if is_name(&options.cron) => explain_schedule(options, context),
        Verb::Explain(options) => explain(options, context),
        Verb::WhyNot(options) => why_not(options, context),
        Verb::Pause(options) => {
            let (schedule, by) = (options.schedule.clone(), context.by.clone());
            let reason = options.reason.clone();
            change(Request::PauseSchedule { schedule, by, reason }, context)
        }
        Verb::Resume(options) => {
            let (schedule, by) = (options.schedule.clone(), context.by.clone());
            change(Request::ResumeSchedule { schedule, by }, context)
        }
    }
}

/// Asks the engine that holds the folder, or one that is there for this alone.
fn change(request: Request, context: &Context) -> Result<Ending, Failure> {
    runtime::run(async {
        let mut session = Session::open(context).await?;
        let answered = session.call(request).await;
        // A guest that asked for something at the last moment is attended first.
        while let Some(again) = session.close().await? {
            session = again;
            session.idle().await;
        }
        answered.map(|_| Ending::Succeeded)
    })
}

/// Lines have blanks in them, and nicknames begin with `@`.
fn is_name(text: &str) -> bool {
    !text.trim().contains(char::is_whitespace) && !text.starts_with('@')
}

fn why_not(options: &WhyNot, context: &Context) -> Result<Ending, Failure> {
    let found = schedule_of(&options.schedule, context)?;
    let (from, to) = stretch(&options.time, &zone_of(&found)?)?;
    let millis = |at: Timestamp| lockstep_dsl::value::Timestamp(at.as_millisecond());
    let request = Request::Ticks { schedule: found.name.clone(), from: millis(from), to: millis(to) };
    let view = match look(context, &request)? {
        Some(Reply::Ticks(view)) => view,
        Some(other) => panic!("a request for ticks is answered by ticks, not by {other:?}"),
        None => return Err(no_schedule(&options.schedule)),
    };
    if options.json {
        json::ticks(&view)?;
    } else {
        output::print(&schedules::ticks(&view, context.stdout))?;
    }
    Ok(Ending::Succeeded)
}

/// A day in the zone of a schedule, or one point in time.
fn stretch(text: &str, zone: &TimeZone) -> Result<(Timestamp, Timestamp), Failure> {
    if let Ok(local) = text.parse::<DateTime>()
        && text.len() > "2027-03-28".len()
        && !text.ends_with(['Z', 'z'])
        && !text[10..].contains(['+', '-'])
    {
        let at = local.to_zoned(zone.clone()).map(|at| at.timestamp());
        let at = at.map_err(|error| Failure::usage(format!("`{text}` cannot be used: {error}")))?;
        return Ok((at, at));
    }
    let from = instant(text, zone)?;
    let Ok(date) = text.parse::<Date>() else { return Ok((from, from)) };
    if text.len() != "2027-03-28".len() {
        return Ok((from, from));
    }
    let next = date.tomorrow().map_err(|error| Failure::usage(format!("`{text}` cannot be used: {error}")))?;
    let end = begin(next, zone)?;
    Ok((from, end.checked_sub(jiff::SignedDuration::from_millis(1)).unwrap_or(end)))
}

/// The schedule of a name.
fn schedule_of(name: &str, context: &Context) -> Result<ScheduleView, Failure> {
    let rows = match look(context, &Request::Schedules { runbook: None })? {
        Some(Reply::Schedules(rows)) => rows,
        Some(other) => panic!("a request for schedules is answered by schedules, not by {other:?}"),
        None => Vec::new(),
    };
    let is_meant = |row: &&ScheduleView| [&row.name, &row.runbook, &row.trigger].contains(&&name.to_owned());
    let mut found = rows.iter().filter(is_meant);
    match (rows.iter().find(|row| row.name == name).or_else(|| found.next()), found.next()) {
        (Some(only), None) => Ok(only.clone()),
        (Some(exact), Some(_)) if exact.name == name => Ok(exact.clone()),
        (Some(_), Some(_)) => Err(Failure::usage(format!("`{name}` names several schedules"))
            .help("name one as `lockstep schedule list` does: `runbook:trigger`")),
        (None, _) => Err(no_schedule(name)),
    }
}

fn no_schedule(name: &str) -> Failure {
    let name = output::text::harmless_line(name);
    Failure::usage(format!("there is no schedule `{name}`"))
        .help("`lockstep schedule list` lists those that are enrolled; a line of a crontab has five fields")
}

fn zone_of(view: &ScheduleView) -> Result<TimeZone, Failure> {
    let name = view.timezone.as_deref().unwrap_or("UTC");
    schedule::zone(name).ok_or_else(|| no_zone(name))
}

fn no_zone(name: &str) -> Failure {
    Failure::usage(format!("there is no time zone `{name}`"))
        .help("zones have the names of the IANA database, such as `Europe/Berlin` or `UTC`")
}

/// Of a schedule that is enrolled: a line is explained as one that is given, other ticks are listed.
fn explain_schedule(options: &Explain, context: &Context) -> Result<Ending, Failure> {
    let view = schedule_of(&options.cron, context)?;
    if view.kind != "cron" {
        return Err(Failure::usage(format!("`{}` is due {} {}", view.name, view.kind, view.due))
            .help("there is nothing to explain: it has neither a zone nor odd days"));
    }
    let options = Explain {
        cron: view.due.clone(),
        timezone: view.timezone.clone().unwrap_or_else(|| "UTC".to_owned()),
        dst: view.dst,
        from: options.from.clone(),
        to: options.to.clone(),
        year: options.year,
        json: options.json,
    };
    explain(&options, context)
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
    let zone = schedule::zone(&options.timezone).ok_or_else(|| no_zone(&options.timezone))?;
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
