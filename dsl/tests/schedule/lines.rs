//! What a line may say, and what is said of one that may not.

use jiff::civil::{DateTime, datetime};
use lockstep_dsl::schedule::Cron;

/// A line, what of it is wrong, and the whole message.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "0 0 * *",
        "0 0 * *",
        "a line has five or six fields, not 4; write minute, hour, day of the month, month, day of the week; a sixth, first, is the second",
    ),
    (
        "0 0 0 * * * *",
        "0 0 0 * * * *",
        "a line has five or six fields, not 7; write minute, hour, day of the month, month, day of the week; a sixth, first, is the second",
    ),
    ("", "", "a field is missing here; write five fields, such as `30 4 * * mon-fri`"),
    ("60 * * * *", "60", "`60` is out of range; minutes go from 0 to 59"),
    ("0 24 * * *", "24", "`24` is out of range; hours go from 0 to 23"),
    ("0 0 0 * *", "0", "`0` is out of range; days of the month go from 1 to 31"),
    ("0 0 * 13 *", "13", "`13` is out of range; months go from 1 to 12"),
    ("0 0 * * 8", "8", "`8` is out of range; days of the week go from 0 to 7"),
    ("99999 * * * *", "99999", "`99999` is out of range; minutes go from 0 to 59"),
    (
        "999999 * * * *",
        "999999",
        "`999999` is no part of a field; write numbers, names, `*`, ranges `1-5`, steps `*/10` and lists `1,15`",
    ),
    ("0 0 * foo *", "foo", "`foo` is none of the months; there are `jan` to `dec`"),
    ("0 0 * * mon-frx", "frx", "`frx` is none of the days of the week; there are `sun` to `sat`"),
    ("mon 0 * * *", "mon", "`mon` is none of the minutes"),
    ("0 22-4 * * *", "22-4", "`22-4` ends before it begins; write `22-23,0-4`"),
    ("0 0 * * fri-mon", "fri-mon", "`fri-mon` ends before it begins; write `5-6,0-1`"),
    ("5/10 * * * *", "5/10", "a step needs a range, and `5` is a single value; write `5-59/10`"),
    ("*/0 * * * *", "0", "a step of 0 goes nowhere"),
    (
        "*/90 * * * *",
        "90",
        "a step of 90 minutes leaves only 0; write `0` if that is meant; longer distances are an `every:`",
    ),
    ("0 0 ? * 1", "?", "`?` says nothing here; write `*` for every day"),
    ("L * * * *", "L", "`L` means nothing in minutes; it may stand in the days of the month"),
    (
        "0 0 * * L",
        "L",
        "`L` alone names no day of the week; write `6L` for the last Saturday of the month, or `6` for every one",
    ),
    ("0 0 1#2 * *", "1#2", "`1#2` means nothing in days of the month; it may stand in the days of the week"),
    ("0 0 * * 1#6", "6", "`6` is out of range; counts behind `#` go from 1 to 5"),
    ("0 0 L-31 * *", "31", "`31` is out of range; days before the last go from 0 to 30"),
    ("0 0 * * 15W", "15W", "`15W` means nothing in days of the week; it may stand in the days of the month"),
    ("0 0 5L * *", "5L", "`5L` means nothing in days of the month; it may stand in the days of the week"),
    ("0 0 30 2 *", "0 0 30 2 *", "this is never due; no month that it names has such a day"),
    ("0 0 31W 4 *", "0 0 31W 4 *", "this is never due; no month that it names has such a day"),
    (
        "@reboot",
        "@reboot",
        "`@reboot` is no nickname; there are `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`",
    ),
    (
        "0 0 * * mon,",
        "mon,",
        "`mon,` is no part of a field; write numbers, names, `*`, ranges `1-5`, steps `*/10` and lists `1,15`",
    ),
    (
        "a b c d e",
        "a",
        "`a` is no part of a field; write numbers, names, `*`, ranges `1-5`, steps `*/10` and lists `1,15`",
    ),
    (
        "0 0 * * \u{1F600}",
        "\u{1F600}",
        "`\u{1F600}` is no part of a field; write numbers, names, `*`, ranges `1-5`, steps `*/10` and lists `1,15`",
    ),
];

#[test]
fn what_is_wrong_is_said_and_where() {
    for (line, part, message) in WRONG {
        let error = Cron::parse(line).expect_err(line);
        assert_eq!((&line[error.at.clone()], error.to_string().as_str()), (*part, *message), "{line}");
    }
}

/// A line, and the first three times from the beginning of 2027, a Friday.
const RIGHT: &[(&str, [DateTime; 3])] = &[
    (
        "30 4 * * *",
        [datetime(2027, 1, 1, 4, 30, 0, 0), datetime(2027, 1, 2, 4, 30, 0, 0), datetime(2027, 1, 3, 4, 30, 0, 0)],
    ),
    // Sunday is 0, 7 and a name.
    (
        "0 0 * * 0",
        [datetime(2027, 1, 3, 0, 0, 0, 0), datetime(2027, 1, 10, 0, 0, 0, 0), datetime(2027, 1, 17, 0, 0, 0, 0)],
    ),
    (
        "0 0 * * 7",
        [datetime(2027, 1, 3, 0, 0, 0, 0), datetime(2027, 1, 10, 0, 0, 0, 0), datetime(2027, 1, 17, 0, 0, 0, 0)],
    ),
    (
        "0 0 * * Sat-Sun",
        [datetime(2027, 1, 2, 0, 0, 0, 0), datetime(2027, 1, 3, 0, 0, 0, 0), datetime(2027, 1, 9, 0, 0, 0, 0)],
    ),
    // Either day will do.
    (
        "0 0 13 * fri",
        [datetime(2027, 1, 1, 0, 0, 0, 0), datetime(2027, 1, 8, 0, 0, 0, 0), datetime(2027, 1, 13, 0, 0, 0, 0)],
    ),
    // Both have to match, since one begins with a star.
    (
        "0 0 */2 * sun",
        [datetime(2027, 1, 3, 0, 0, 0, 0), datetime(2027, 1, 17, 0, 0, 0, 0), datetime(2027, 1, 31, 0, 0, 0, 0)],
    ),
    (
        "0 0 29 2 *",
        [datetime(2028, 2, 29, 0, 0, 0, 0), datetime(2032, 2, 29, 0, 0, 0, 0), datetime(2036, 2, 29, 0, 0, 0, 0)],
    ),
    (
        "0 0 L * *",
        [datetime(2027, 1, 31, 0, 0, 0, 0), datetime(2027, 2, 28, 0, 0, 0, 0), datetime(2027, 3, 31, 0, 0, 0, 0)],
    ),
    (
        "0 0 L-2 * *",
        [datetime(2027, 1, 29, 0, 0, 0, 0), datetime(2027, 2, 26, 0, 0, 0, 0), datetime(2027, 3, 29, 0, 0, 0, 0)],
    ),
    // The 31st of January is a Sunday, the 28th of February too.
    (
        "0 0 LW * *",
        [datetime(2027, 1, 29, 0, 0, 0, 0), datetime(2027, 2, 26, 0, 0, 0, 0), datetime(2027, 3, 31, 0, 0, 0, 0)],
    ),
    // The 2nd of January is a Saturday; the 1st of May too, and April is another month.
    (
        "0 0 2W * *",
        [datetime(2027, 1, 1, 0, 0, 0, 0), datetime(2027, 2, 2, 0, 0, 0, 0), datetime(2027, 3, 2, 0, 0, 0, 0)],
    ),
    (
        "0 0 1W 5-7 *",
        [datetime(2027, 5, 3, 0, 0, 0, 0), datetime(2027, 6, 1, 0, 0, 0, 0), datetime(2027, 7, 1, 0, 0, 0, 0)],
    ),
    (
        "0 0 * * 5#5",
        [datetime(2027, 1, 29, 0, 0, 0, 0), datetime(2027, 4, 30, 0, 0, 0, 0), datetime(2027, 7, 30, 0, 0, 0, 0)],
    ),
    (
        "0 0 * * monL",
        [datetime(2027, 1, 25, 0, 0, 0, 0), datetime(2027, 2, 22, 0, 0, 0, 0), datetime(2027, 3, 29, 0, 0, 0, 0)],
    ),
    (
        "*/20 59 23 31 12 *",
        [
            datetime(2027, 12, 31, 23, 59, 0, 0),
            datetime(2027, 12, 31, 23, 59, 20, 0),
            datetime(2027, 12, 31, 23, 59, 40, 0),
        ],
    ),
    (
        " \t1,2 0 * * * ",
        [datetime(2027, 1, 1, 0, 1, 0, 0), datetime(2027, 1, 1, 0, 2, 0, 0), datetime(2027, 1, 2, 0, 1, 0, 0)],
    ),
    (
        "@Weekly",
        [datetime(2027, 1, 3, 0, 0, 0, 0), datetime(2027, 1, 10, 0, 0, 0, 0), datetime(2027, 1, 17, 0, 0, 0, 0)],
    ),
];

#[test]
fn times_are_those_of_the_line() {
    for (line, expected) in RIGHT {
        let cron = Cron::parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut from = datetime(2027, 1, 1, 0, 0, 0, 0);
        for due in expected {
            assert_eq!(cron.local_from(from), Some(*due), "{line} from {from}");
            // A time that is due is found again, and what comes a moment later is not it.
            assert_eq!(cron.local_from(*due), Some(*due), "{line}");
            from = *due + jiff::Span::new().nanoseconds(1);
        }
    }
}

#[test]
fn nothing_is_looked_at_beyond_the_century() {
    let cron = Cron::parse("0 0 1 1 *").expect("a line");
    assert_eq!(cron.local_from(datetime(2099, 1, 1, 0, 0, 1, 0)), None);
    assert_eq!(cron.local_from(DateTime::MAX), None);
}
