//! Every instant at which a line is due, against two oracles: one that looks at every minute of the clock, and `croner`.
//!
//! `LOCKSTEP_FORM=long` looks at every line in every zone over two whole years; else every zone takes each fourth line,
//! on the days around each of its transitions and around the ends of months that are odd.

mod brute;
mod lines;

use std::collections::BTreeSet;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use lockstep_dsl::schedule::{Cron, Dst, Fold, Gap, ticks, zone};

const LINES: &str = include_str!("lines.txt");

/// A zone, and the first of the two years that are looked at.
const ZONES: &[(&str, i16)] = &[
    ("UTC", 2027),
    ("America/New_York", 2026),
    ("Europe/Berlin", 2027),
    // Summer is its standard time.
    ("Europe/Dublin", 2026),
    // Half an hour.
    ("Australia/Lord_Howe", 2026),
    // A day that does not exist: 2011-12-30.
    ("Pacific/Apia", 2011),
    ("Asia/Kathmandu", 2027),
    // Around Ramadan.
    ("Africa/Casablanca", 2026),
    // Gaps at midnight.
    ("America/Sao_Paulo", 2017),
    ("Africa/Cairo", 2024),
    ("America/Santiago", 2026),
    ("Atlantic/Azores", 2027),
    ("Asia/Gaza", 2026),
];

const POLICIES: &[Dst] = &[
    Dst { gap: Gap::After, fold: Fold::First },
    Dst { gap: Gap::Skip, fold: Fold::Last },
    Dst { gap: Gap::After, fold: Fold::Both },
];

/// Those of the zone with this number.
fn lines(of: usize) -> impl Iterator<Item = &'static str> {
    let apart = if is_long() { 1 } else { 4 };
    let lines: Vec<_> = LINES.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() >= 300);
    lines.into_iter().skip(of % apart).step_by(apart)
}

fn is_long() -> bool {
    std::env::var("LOCKSTEP_FORM").is_ok_and(|form| form == "long")
}

/// The stretches of days that are looked at.
fn windows(zone: &TimeZone, year: i16) -> Vec<(Date, Date)> {
    let (begin, end) = (date(year, 1, 1), date(year + 2, 1, 1));
    if is_long() {
        return vec![(begin, end)];
    }
    let first = begin.to_zoned(TimeZone::UTC).expect("a date").timestamp();
    let last = end.to_zoned(TimeZone::UTC).expect("a date").timestamp();
    let around = zone.following(first).map(|transition| transition.timestamp()).take_while(|at| *at < last);
    let mut days: BTreeSet<Date> = around.map(|at| at.to_zoned(TimeZone::UTC).date()).collect();
    days.extend([date(year, 2, 28), date(year + 1, 2, 28), date(year, 12, 31)]);
    let span = |days| Span::new().days(days);
    days.into_iter().map(|day| (day - span(1), day + span(2))).collect()
}

fn instant(at: Date) -> Timestamp {
    at.to_zoned(TimeZone::UTC).expect("a date").timestamp()
}

#[test]
fn every_instant_is_that_of_brute_force() {
    let mut compared = 0_usize;
    for (number, (name, year)) in ZONES.iter().enumerate() {
        let zone = zone(name).expect("a zone");
        for (from, to) in windows(&zone, *year) {
            let clock = brute::Clock::of(&zone, from, to);
            for line in lines(number) {
                let cron = Cron::parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
                let brute = brute::Line::of(line);
                let policies = if brute.goes_with_time() { &POLICIES[..1] } else { POLICIES };
                for dst in policies {
                    let ours: Vec<_> = ticks(&cron, &zone, *dst, instant(from))
                        .filter_map(|tick| tick.instant)
                        .take_while(|at| *at < instant(to))
                        .collect();
                    let theirs = clock.due(&brute, *dst);
                    assert!(
                        ours == theirs,
                        "{line} in {name} from {from} to {to}, {dst:?}:\n{}",
                        parted(&ours, &theirs)
                    );
                    compared += ours.len();
                }
            }
        }
    }
    println!("{compared} instants are the same");
}

/// Where two lists part.
fn parted(ours: &[Timestamp], theirs: &[Timestamp]) -> String {
    let common = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    let shown = |of: &[Timestamp]| of[common..].iter().take(5).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("after {common} that agree\nours:   {}\ntheirs: {}", shown(ours), shown(theirs))
}

#[test]
fn a_look_may_begin_at_any_instant() {
    let zone = zone("America/New_York").expect("a zone");
    let (from, to) = (date(2026, 10, 31), date(2026, 11, 3));
    for line in ["30 1 * * *", "*/15 * * * *", "*/7 1-2 * * *"] {
        let cron = Cron::parse(line).expect("a line");
        for dst in POLICIES {
            let all: Vec<_> =
                ticks(&cron, &zone, *dst, instant(from)).take_while(|tick| tick.instant < Some(instant(to))).collect();
            let mut begin = instant(from);
            while begin < instant(to) {
                let rest = all.iter().find(|tick| tick.instant >= Some(begin)).copied();
                let first = ticks(&cron, &zone, *dst, begin).next().filter(|tick| tick.instant < Some(instant(to)));
                assert_eq!(first, rest, "{line} from {begin}, {dst:?}");
                begin += jiff::SignedDuration::from_millis(150_500);
            }
        }
    }
}

/// It has no `L-3` and no `@midnight`, and takes `*/2` for a day field that does not begin with `*`.
fn croner_agrees(line: &str) -> bool {
    !line.contains("L-") && line != "@midnight" && !line.split(' ').skip(2).any(|field| field.starts_with("*/"))
}

/// Whether no clock is set on a day on the wall, nor at its beginning or end.
fn is_even(zone: &TimeZone, day: Date) -> bool {
    let noon = |day: Date| day.at(12, 0, 0, 0).to_zoned(zone.clone()).expect("a date").offset();
    noon(day.yesterday().expect("a date")) == noon(day) && noon(day) == noon(day.tomorrow().expect("a date"))
}

/// What is due at fixed times of the day is left out on days on which clocks are set: `croner` knows one rule for these,
/// and finds no way across the day that Apia has not had.
#[test]
fn every_instant_is_that_of_croner_where_its_rules_are_the_same() {
    let parser = croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Optional).build();
    let mut compared = 0_usize;
    for (number, (name, year)) in ZONES.iter().enumerate().filter(|(_, (name, _))| *name != "Pacific/Apia") {
        let zone = zone(name).expect("a zone");
        for (from, to) in windows(&zone, *year) {
            let even: BTreeSet<Date> = from
                .series(Span::new().days(1))
                .take_while(|day| *day <= to)
                .filter(|day| is_even(&zone, *day))
                .collect();
            for line in lines(number).filter(|line| croner_agrees(line)) {
                let cron = Cron::parse(line).expect("a line");
                let counts = |at: &Timestamp| !cron.names_hours() || even.contains(&zone.to_datetime(*at).date());
                let theirs = parser.parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
                let theirs: Vec<_> = theirs
                    .iter_from(instant(from).to_zoned(zone.clone()), croner::Direction::Forward)
                    .map(|at| at.timestamp())
                    .take_while(|at| *at < instant(to))
                    .filter(counts)
                    .collect();
                let ours: Vec<_> = ticks(&cron, &zone, Dst::default(), instant(from))
                    .map(|tick| tick.instant.expect("nothing is left out"))
                    .take_while(|at| *at < instant(to))
                    .filter(counts)
                    .collect();
                assert!(ours == theirs, "{line} in {name}: {}", parted(&ours, &theirs));
                compared += ours.len();
            }
        }
    }
    println!("{compared} instants are the same");
}
