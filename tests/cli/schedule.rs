//! `lockstep schedule explain`: what operators and programs read of a line.

use crate::harness::{Case, Outcome};

fn explain<'a, const N: usize>(case: &'a Case, rest: [&str; N]) -> Outcome<'a> {
    case.lockstep(["schedule", "explain"].into_iter().chain(rest))
}

#[test]
fn a_year_is_summed_up_and_its_odd_days_are_listed() {
    let case = Case::new();
    let outcome = explain(&case, ["30 2 * * *", "--timezone", "Europe/Berlin", "--year", "2027"]);
    let (title, rest) = outcome.exits(0).stdout.split_once('\n').expect("a title");
    assert!(
        title.starts_with("30 2 * * *  in Europe/Berlin, dst: { gap: after, fold: first } (zone data 20"),
        "{title}"
    );
    assert_eq!(
        rest,
        "  365 times in 2027
  first  Fri 2027-01-01T02:30:00  2027-01-01T01:30:00Z
  last   Fri 2027-12-31T02:30:00  2027-12-31T01:30:00Z
odd days
  Sun 2027-03-28T02:30:00  2027-03-28T01:00:00Z  the time does not exist on this day: due at the end of the gap
  Sun 2027-10-31T02:30:00  2027-10-31T00:30:00Z  the time comes twice on this day: the first
"
    );
    explain(&case, ["0 12 * * *", "--timezone", "Europe/Berlin", "--year", "2027"])
        .exits(0)
        .prints("no odd days: no clock is set when it is due\n");
}

#[test]
fn programs_get_one_object_a_tick() {
    let case = Case::new();
    let explained =
        |line, rest: &str| case.lockstep(["schedule", "explain", line, "--json"].into_iter().chain(rest.split(' ')));
    let night = "--timezone America/New_York --dst fold=both --from 2026-11-01 --to 2026-11-02T05:00:00Z";
    let outcome = explained("30 1 * * *", night);
    assert_eq!(
        outcome.exits(0).stdout,
        "{\"nominal\":\"2026-11-01T01:30:00\",\"instant\":\"2026-11-01T05:30:00Z\",\"why\":\"first_of_two\"}
{\"nominal\":\"2026-11-01T01:30:00\",\"instant\":\"2026-11-01T06:30:00Z\",\"why\":\"second_of_two\"}
"
    );
    let night = "--timezone America/New_York --dst gap=skip --from 2026-03-08 --to 2026-03-09";
    let outcome = explained("30 2 * * *", night);
    assert_eq!(outcome.exits(0).stdout, "");
}

#[test]
fn without_a_range_the_next_ten_are_shown() {
    let case = Case::new();
    assert_eq!(explain(&case, ["* * * * *"]).exits(0).stdout.lines().count(), 11);
}

#[test]
fn what_is_wrong_is_marked() {
    let case = Case::new();
    explain(&case, ["0 0 * * mon-frx"]).exits(2).says(
        "error: `frx` is none of the days of the week

  0 0 * * mon-frx
              ^^^

help: there are `sun` to `sat`
",
    );
    explain(&case, ["0 0 * * *", "--timezone", "Europe/Berlim"]).exits(2).says("there is no time zone `Europe/Berlim`");
    explain(&case, ["0 0 * * *", "--from", "yesterday"]).exits(2).says("`yesterday` is not a time");
    explain(&case, ["0 0 * * *", "--from", "2027-02-01", "--to", "2027-01-01"])
        .exits(2)
        .says("this ends before it begins");
    explain(&case, ["0 0 * * *", "--dst", "gap=never"]).exits(2).says("`gap=never` is no rule");
}
