//! A line of a crontab.
//!
//! The grammar in `cron.pest` takes it apart. Its numbering and its days follow crontab(5), to which `L`, `W` and `#` of
//! Quartz are added; the times of a day and the months are walked by the `cron` crate, in local time without a zone.

use std::ops::Range;
use std::str::FromStr as _;

use chrono::DateTime as ChronoTime;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pest::Parser as _;
use pest::iterators::Pair;

use self::grammar::{Grammar, Rule};
use super::days::Days;
use super::field::{Numbers, Unit};

mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "schedule/cron.pest"]
    pub(super) struct Grammar;
}

/// The years within which a line is looked at: those that the `cron` crate walks.
const YEARS: Range<i16> = 1970..2100;

/// What nicknames stand for, as in crontab(5).
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A line of a crontab: at which local times something is due.
#[derive(Clone, Debug)]
pub struct Cron {
    text: String,
    days: Days,
    months: Numbers,
    /// The times of every day in these months; what the days are, it is not asked.
    times: ::cron::Schedule,
    names_hours: bool,
}

/// Why a text is no line of a crontab.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", help.as_ref().map(|help| format!("; {help}")).unwrap_or_default())]
pub struct CronError {
    /// Which bytes of the text are wrong.
    pub at: Range<usize>,
    /// What is wrong with them.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Cron {
    /// Reads five fields (minute, hour, day of the month, month, day of the week), or six with the second first, or a
    /// nickname such as `@daily`.
    ///
    /// # Errors
    /// What is not a line, and a line that is never due.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let whole = || 0..text.len();
        let nickname = text.trim();
        if nickname.starts_with('@') {
            let line = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(nickname)).ok_or_else(|| {
                let known: Vec<_> = NICKNAMES.iter().map(|(name, _)| format!("`{name}`")).collect();
                CronError::new(
                    whole(),
                    format!("`{nickname}` is no nickname"),
                    format!("there are {}", known.join(", ")),
                )
            })?;
            return Ok(Self { text: text.to_owned(), ..Self::parse(line.1)? });
        }
        if let Some(at) = text.find('?') {
            return Err(CronError::new(at..at + 1, "`?` says nothing here", "write `*` for every day"));
        }
        let line = Grammar::parse(Rule::line, text).map_err(|error| CronError::of_grammar(text, &error))?;
        let fields: Vec<_> = line.flat_map(Pair::into_inner).filter(|pair| pair.as_rule() == Rule::field).collect();
        let first = match fields.len() {
            5 => 1,
            6 => 0,
            count => {
                let help =
                    "write minute, hour, day of the month, month, day of the week; a sixth, first, is the second";
                return Err(CronError::new(whole(), format!("a line has five or six fields, not {count}"), help));
            }
        };
        let mut read = Read::default();
        if first == 1 {
            read.seconds.insert(0);
        }
        let mut starred = [true; Unit::ALL.len()];
        for (position, field) in (first..).zip(fields) {
            starred[position] = field.as_str().starts_with('*');
            read.field(Unit::ALL[position], field)?;
        }
        let [.., of_hours, of_month, _, of_week] = starred;
        read.days.either = !of_month && !of_week;
        let cron = Self {
            text: text.to_owned(),
            days: read.days.clone(),
            months: read.months,
            times: read.times(),
            names_hours: !of_hours,
        };
        if cron.local_from(DateTime::constant(YEARS.start, 1, 1, 0, 0, 0, 0)).is_none() {
            return Err(CronError::new(whole(), "this is never due", "no month that it names has such a day"));
        }
        Ok(cron)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether its field of hours names some, so that it is due at fixed times of the day. What does not (`*`, `*/2`)
    /// goes with time as it passes, whatever the clock on the wall does.
    pub const fn names_hours(&self) -> bool {
        self.names_hours
    }

    /// The first local time from this one on at which it is due, in whole seconds. None after the year 2099.
    pub fn local_from(&self, from: DateTime) -> Option<DateTime> {
        let mut from = round_up(from)?;
        loop {
            if !YEARS.contains(&from.year()) {
                return None;
            }
            let month = u32::try_from(from.month()).expect("months are counted from 1");
            if !self.months.contains(month) {
                from = from.first_of_month().checked_add(jiff::Span::new().months(1)).ok()?.start_of_day();
            } else if !self.days.contain(from.date()) {
                from = from.date().tomorrow().ok()?.to_datetime(jiff::civil::Time::midnight());
            } else {
                let due = self.time_from(from)?;
                if due.date() == from.date() {
                    return Some(due);
                }
                from = from.date().tomorrow().ok()?.to_datetime(jiff::civil::Time::midnight());
            }
        }
    }

    /// The same, but of every day in its months.
    fn time_from(&self, from: DateTime) -> Option<DateTime> {
        let seconds = from.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
        // The crate looks for what comes later than a time.
        let before = ChronoTime::from_timestamp(seconds - 1, 0)?;
        let due = self.times.after(&before).next()?.timestamp();
        jiff::Timestamp::from_second(due).ok().map(|due| due.to_zoned(TimeZone::UTC).datetime())
    }
}

/// To whole seconds.
fn round_up(from: DateTime) -> Option<DateTime> {
    let whole = from.with().subsec_nanosecond(0).build().ok()?;
    if whole == from { Some(from) } else { whole.checked_add(jiff::Span::new().seconds(1)).ok() }
}

/// The fields, as far as they were read.
#[derive(Default)]
struct Read {
    seconds: Numbers,
    minutes: Numbers,
    hours: Numbers,
    months: Numbers,
    days: Days,
}

impl Read {
    /// In the words of the crate. It takes what it does not know of a field from the `*` of the days.
    fn times(&self) -> ::cron::Schedule {
        let list = |numbers: Numbers| numbers.iter().map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        let (seconds, minutes, hours, months) =
            (list(self.seconds), list(self.minutes), list(self.hours), list(self.months));
        ::cron::Schedule::from_str(&format!("{seconds} {minutes} {hours} * {months} *"))
            .expect("numbers within their bounds are a schedule")
    }

    fn field(&mut self, unit: Unit, field: Pair<'_, Rule>) -> Result<(), CronError> {
        for item in field.into_inner() {
            self.item(unit, &item)?;
        }
        Ok(())
    }

    fn item(&mut self, unit: Unit, item: &Pair<'_, Rule>) -> Result<(), CronError> {
        let rule = item.as_rule();
        let only_in = |wanted: Unit| {
            let message = format!("`{}` means nothing in {}", item.as_str(), unit.name());
            let help = format!("it may stand in the {}", wanted.name());
            if unit == wanted { Ok(()) } else { Err(CronError::at(item, message, Some(help))) }
        };
        let parts: Vec<_> = item.clone().into_inner().collect();
        match rule {
            Rule::every => {
                let (first, last) = (unit.bounds().0, unit.largest());
                self.add(unit, Numbers::stepped(first, last, step(unit, first, last, parts.first())?));
            }
            Rule::span => {
                let numbers = span(unit, item, &parts)?;
                self.add(unit, numbers);
            }
            Rule::last => {
                if unit == Unit::Weekday {
                    let help = "write `6L` for the last Saturday of the month, or `6` for every one".to_owned();
                    return Err(CronError::at(item, "`L` alone names no day of the week".to_owned(), Some(help)));
                }
                only_in(Unit::Day)?;
                self.days.of_month.before_last.insert(0);
            }
            Rule::before_last => {
                only_in(Unit::Day)?;
                let before = number_within(&parts[0], 0, 30, "days before the last")?;
                self.days.of_month.before_last.insert(before);
            }
            Rule::last_working => {
                only_in(Unit::Day)?;
                self.days.of_month.last_working = true;
            }
            Rule::nearest => {
                only_in(Unit::Day)?;
                self.days.of_month.nearest.insert(value(unit, &parts[0])?);
            }
            Rule::nth => {
                only_in(Unit::Weekday)?;
                let weekday = value(unit, &parts[0])? % 7;
                let which = number_within(&parts[1], 1, 5, "counts behind `#`")?;
                self.days.of_week.nth[weekday as usize].insert(which);
            }
            Rule::last_of => {
                only_in(Unit::Weekday)?;
                self.days.of_week.last.insert(value(unit, &parts[0])? % 7);
            }
            Rule::EOI
            | Rule::line
            | Rule::blank
            | Rule::nickname
            | Rule::field
            | Rule::item
            | Rule::step
            | Rule::value
            | Rule::number
            | Rule::letters
            | Rule::end => unreachable!("the grammar has no {rule:?} as an item"),
        }
        Ok(())
    }

    fn add(&mut self, unit: Unit, numbers: Numbers) {
        match unit {
            Unit::Second => self.seconds.extend(numbers),
            Unit::Minute => self.minutes.extend(numbers),
            Unit::Hour => self.hours.extend(numbers),
            Unit::Day => self.days.of_month.numbers.extend(numbers),
            Unit::Month => self.months.extend(numbers),
            Unit::Weekday => numbers.iter().for_each(|weekday| self.days.of_week.numbers.insert(weekday % 7)),
        }
    }
}

/// `5`, `1-5`, `1-10/3`.
fn span(unit: Unit, item: &Pair<'_, Rule>, parts: &[Pair<'_, Rule>]) -> Result<Numbers, CronError> {
    let has_step = item.as_str().contains('/');
    let (values, steps) = parts.split_at(parts.len() - usize::from(has_step));
    let first = value(unit, &values[0])?;
    let Some(last) = values.get(1) else {
        if has_step {
            let message = format!("a step needs a range, and `{}` is a single value", values[0].as_str());
            let help = format!("write `{}-{}/{}`", values[0].as_str(), unit.largest(), steps[0].as_str());
            return Err(CronError::at(item, message, Some(help)));
        }
        return Ok(Numbers::stepped(first, first, 1));
    };
    let mut to = value(unit, last)?;
    // `fri-sun`: Sunday is 7 at the end of a week.
    if unit == Unit::Weekday && to == 0 && first > 0 {
        to = 7;
    }
    if to < first {
        let (smallest, largest) = (unit.bounds().0, unit.largest());
        let message = format!("`{}` ends before it begins", item.as_str());
        let help = format!("write `{first}-{largest},{smallest}-{to}`");
        return Err(CronError::at(item, message, Some(help)));
    }
    Ok(Numbers::stepped(first, to, step(unit, first, to, steps.first())?))
}

/// 1 where none is written.
fn step(unit: Unit, first: u32, last: u32, step: Option<&Pair<'_, Rule>>) -> Result<u32, CronError> {
    let Some(written) = step else { return Ok(1) };
    let every = written.as_str().parse().unwrap_or(u32::MAX);
    if every == 0 {
        return Err(CronError::at(written, "a step of 0 goes nowhere".to_owned(), None));
    }
    if every > last - first {
        let message = format!("a step of {every} {} leaves only {first}", unit.name());
        let help = format!("write `{first}` if that is meant; longer distances are an `every:`");
        return Err(CronError::at(written, message, Some(help)));
    }
    Ok(every)
}

/// A number or a name of a field.
fn value(unit: Unit, written: &Pair<'_, Rule>) -> Result<u32, CronError> {
    let text = written.as_str();
    if written.as_rule() == Rule::letters {
        return unit.named(text).ok_or_else(|| {
            let help = unit.example().map(|names| format!("there are {names}"));
            CronError::at(written, format!("`{text}` is none of the {}", unit.name()), help)
        });
    }
    let (smallest, largest) = unit.bounds();
    number_within(written, smallest, largest, unit.name())
}

fn number_within(written: &Pair<'_, Rule>, smallest: u32, largest: u32, what: &str) -> Result<u32, CronError> {
    let number = written.as_str().parse().ok().filter(|number| (smallest..=largest).contains(number));
    number.ok_or_else(|| {
        let message = format!("`{}` is out of range", written.as_str());
        CronError::at(written, message, Some(format!("{what} go from {smallest} to {largest}")))
    })
}

impl CronError {
    fn new(at: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: Some(help.into()) }
    }

    fn at(pair: &Pair<'_, Rule>, message: String, help: Option<String>) -> Self {
        Self { at: pair.as_span().start()..pair.as_span().end(), message, help }
    }

    fn of_grammar(text: &str, error: &pest::error::Error<Rule>) -> Self {
        let start = match error.location {
            pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
        };
        let start = text[..start].rfind([' ', '\t']).map_or(0, |blank| blank + 1);
        let word_end = text[start..].find([' ', '\t']).map_or(text.len(), |length| start + length);
        if text[start..word_end].is_empty() {
            return Self::new(start..start, "a field is missing here", "write five fields, such as `30 4 * * mon-fri`");
        }
        let message = format!("`{}` is no part of a field", &text[start..word_end]);
        Self::new(start..word_end, message, "write numbers, names, `*`, ranges `1-5`, steps `*/10` and lists `1,15`")
    }
}
