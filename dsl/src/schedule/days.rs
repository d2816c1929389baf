//! On which days a line is due: days of the month, days of the week, and how both go together.

use jiff::civil::Date;

use super::field::Numbers;

/// The days of a line.
///
/// Where neither of its two fields begins with `*`, a day that matches either of them is one, as in crontab(5); else it
/// has to match both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Days {
    pub(super) of_month: OfMonth,
    pub(super) of_week: OfWeek,
    pub(super) either: bool,
}

/// The field of the days of the month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OfMonth {
    /// `15`: by number.
    pub(super) numbers: Numbers,
    /// `L` is 0, `L-2` is 2: so many days before the last.
    pub(super) before_last: Numbers,
    /// `15W`: the working day nearest to it, in the same month.
    pub(super) nearest: Numbers,
    /// `LW`: the last working day.
    pub(super) last_working: bool,
}

/// The field of the days of the week. Sunday is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OfWeek {
    /// `5`: every one.
    pub(super) numbers: Numbers,
    /// `5#2`: the second of the month is bit 2 of the fifth.
    pub(super) nth: [Numbers; 7],
    /// `5L`: the last of the month.
    pub(super) last: Numbers,
}

impl Days {
    /// Whether a day is one of them.
    pub(super) fn contain(&self, date: Date) -> bool {
        let (of_month, of_week) = (self.of_month.contains(date), self.of_week.contains(date));
        if self.either { of_month || of_week } else { of_month && of_week }
    }
}

impl OfMonth {
    fn contains(&self, date: Date) -> bool {
        let (day, last) = (number(date.day()), number(date.days_in_month()));
        self.numbers.contains(day)
            || self.before_last.contains(last - day)
            || (self.last_working && day == nearest_working(date, last))
            || self.nearest.iter().any(|near| near <= last && day == nearest_working(date, near))
    }
}

impl OfWeek {
    fn contains(&self, date: Date) -> bool {
        let weekday = number(date.weekday().to_sunday_zero_offset());
        let (day, last) = (number(date.day()), number(date.days_in_month()));
        let which = (day - 1) / 7 + 1;
        self.numbers.contains(weekday)
            || self.nth[weekday as usize].contains(which)
            || (self.last.contains(weekday) && day + 7 > last)
    }
}

/// The day from Monday to Friday that is nearest to a day of the month of this date, and in the same month.
fn nearest_working(date: Date, day: u32) -> u32 {
    let first_weekday = number(date.first_of_month().weekday().to_sunday_zero_offset());
    let last = number(date.days_in_month());
    match (first_weekday + day - 1) % 7 {
        SATURDAY if day == 1 => 3,
        SATURDAY => day - 1,
        SUNDAY if day == last => day - 2,
        SUNDAY => day + 1,
        _ => day,
    }
}

const SUNDAY: u32 = 0;
const SATURDAY: u32 = 6;

/// jiff gives small signed numbers that are never negative here.
fn number(of: i8) -> u32 {
    u32::try_from(of).expect("days are counted from 1, weekdays from 0")
}
