//! The oracle that looks at every minute. It shares nothing with what it checks but the zone data: it reads a line anew
//! for every value it is asked about, and finds gaps and folds by looking for a local time among those that exist.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use lockstep_dsl::schedule::{Dst, Fold, Gap};

/// What the clock on the wall reads at every minute of a few days, and of two days on both sides.
pub struct Clock {
    readings: Vec<(Timestamp, DateTime)>,
    instants: BTreeMap<DateTime, Vec<Timestamp>>,
    from: Timestamp,
    to: Timestamp,
}

impl Clock {
    pub fn of(zone: &TimeZone, from: Date, to: Date) -> Self {
        let utc = |day: Date| day.to_zoned(TimeZone::UTC).expect("a date").timestamp();
        let (from, to) = (utc(from), utc(to));
        let margin = jiff::SignedDuration::from_hours(48);
        let mut readings = Vec::new();
        let mut instants = BTreeMap::<_, Vec<_>>::new();
        let mut at = from - margin;
        while at < to + margin {
            let local = zone.to_datetime(at);
            readings.push((at, local));
            instants.entry(local).or_default().push(at);
            at += jiff::SignedDuration::from_mins(1);
        }
        Self { readings, instants, from, to }
    }

    /// The instants within these days at which a line is due.
    pub fn due(&self, line: &Line, dst: Dst) -> Vec<Timestamp> {
        let mut due = Vec::new();
        if line.goes_with_time() {
            let mut today = None;
            for (at, local) in &self.readings {
                let day = local.date();
                let on = match today {
                    Some((same, on)) if same == day => on,
                    _ => line.on(day),
                };
                today = Some((day, on));
                let minute = usize::try_from(i64::from(local.hour()) * 60 + i64::from(local.minute())).expect("small");
                if on && line.minutes_of_day[minute] {
                    due.extend(
                        line.seconds_of_minute.iter().map(|second| *at + jiff::SignedDuration::from_secs(*second)),
                    );
                }
            }
        } else {
            let (mut day, last) = (self.readings[0].1.date(), self.readings[self.readings.len() - 1].1.date());
            while day <= last {
                let minutes = (0..1440_i64).zip(&line.minutes_of_day).filter(|(_, due)| **due && line.on(day));
                for (minute, _) in minutes {
                    let local = day.to_datetime(jiff::civil::Time::midnight()) + Span::new().minutes(minute);
                    for (at, whole) in self.fixed(local, dst) {
                        due.extend(
                            line.seconds_of_minute
                                .iter()
                                .map(|second| if whole { at } else { at + jiff::SignedDuration::from_secs(*second) }),
                        );
                    }
                }
                day = day.tomorrow().expect("a date");
            }
        }
        due.retain(|at| (self.from..self.to).contains(at));
        due.sort();
        due.dedup();
        due
    }

    /// When a fixed time of the day is due, and whether that is the very end of a gap.
    fn fixed(&self, local: DateTime, dst: Dst) -> Vec<(Timestamp, bool)> {
        match self.instants.get(&local).map(Vec::as_slice) {
            Some([only]) => vec![(*only, false)],
            Some([first, .., second]) => match dst.fold {
                Fold::First => vec![(*first, false)],
                Fold::Last => vec![(*second, false)],
                Fold::Both => vec![(*first, false), (*second, false)],
            },
            _ => match dst.gap {
                Gap::Skip => Vec::new(),
                Gap::After => {
                    let end = self.readings.windows(2).find(|pair| pair[0].1 < local && pair[1].1 > local);
                    end.map(|pair| (pair[1].0, true)).into_iter().collect()
                }
            },
        }
    }
}

/// A line: every minute of a day and every second of a minute were asked whether they are due.
pub struct Line {
    minutes_of_day: Vec<bool>,
    seconds_of_minute: Vec<i64>,
    hours: String,
    days: String,
    months: String,
    weekdays: String,
}

impl Line {
    pub fn of(line: &str) -> Self {
        let line = match line {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            line => line,
        };
        let mut fields: Vec<String> = line.to_lowercase().split(' ').map(str::to_owned).collect();
        if fields.len() == 5 {
            fields.insert(0, "0".to_owned());
        }
        let [seconds, minutes, hours, days, months, weekdays] = fields.try_into().expect("six fields");
        Self {
            minutes_of_day: (0..1440)
                .map(|minute| plain(&hours, minute / 60, 23, &[]) && plain(&minutes, minute % 60, 59, &[]))
                .collect(),
            seconds_of_minute: (0..60).filter(|second| plain(&seconds, *second, 59, &[])).collect(),
            hours,
            days,
            months,
            weekdays,
        }
    }

    /// Whether what clocks are set to makes no difference.
    pub fn goes_with_time(&self) -> bool {
        self.hours.starts_with('*')
    }

    fn on(&self, date: Date) -> bool {
        if !plain(&self.months, i64::from(date.month()), 12, MONTHS) {
            return false;
        }
        let of_month = self.days.split(',').any(|item| day(item, date));
        let of_week = self.weekdays.split(',').any(|item| weekday(item, date));
        if self.days.starts_with('*') || self.weekdays.starts_with('*') {
            of_month && of_week
        } else {
            of_month || of_week
        }
    }
}

const MONTHS: &[&str] = &["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Whether a list of numbers, names, ranges and steps has a value.
fn plain(field: &str, value: i64, largest: i64, names: &[&str]) -> bool {
    let number = |text: &str| {
        text.parse().ok().or_else(|| names.iter().position(|name| *name == text).and_then(|at| i64::try_from(at).ok()))
    };
    field.split(',').any(|item| {
        let (range, step) =
            item.split_once('/').map_or((item, 1), |(range, step)| (range, step.parse().expect("a step")));
        let (first, last) = match range.split_once('-') {
            None if range == "*" => (i64::from(names.first() == Some(&"") || (largest == 31)), largest),
            None => (number(range).expect("a number"), number(range).expect("a number")),
            Some((first, last)) => (number(first).expect("a number"), number(last).expect("a number")),
        };
        (first..=last).contains(&value) && (value - first) % step == 0
    })
}

fn day(item: &str, date: Date) -> bool {
    let last = date.last_of_month();
    let working = |date: Date| date.weekday().to_monday_one_offset() <= 5;
    // The nearest working day of the month, the earlier one first.
    let nearest = |to: Date| {
        (0..4)
            .flat_map(|away| [-away, away])
            .filter_map(|away| to.checked_add(Span::new().days(away)).ok())
            .find(|near| working(*near) && near.month() == to.month())
    };
    if item == "l" {
        return date == last;
    }
    if item == "lw" {
        let mut near = last;
        while !working(near) {
            near = near.yesterday().expect("a date");
        }
        return date == near;
    }
    if let Some(before) = item.strip_prefix("l-") {
        return last - Span::new().days(before.parse::<i64>().expect("a number")) == date;
    }
    if let Some(near) = item.strip_suffix('w') {
        return Date::new(date.year(), date.month(), near.parse().expect("a day"))
            .is_ok_and(|to| nearest(to) == Some(date));
    }
    plain(item, i64::from(date.day()), 31, &[])
}

fn weekday(item: &str, date: Date) -> bool {
    let of = i64::from(date.weekday().to_sunday_zero_offset());
    let same = |name: &str| plain(name, of, 6, WEEKDAYS) || plain(name, of + 7, 7, WEEKDAYS);
    if let Some((name, which)) = item.split_once('#') {
        return same(name) && i64::from((date.day() + 6) / 7) == which.parse::<i64>().expect("a number");
    }
    if let Some(name) = item.strip_suffix('l') {
        return same(name) && date.day() + 7 > date.days_in_month();
    }
    if let Some((first, "sun")) = item.split_once('-') {
        return plain(&format!("{first}-sat"), of, 6, WEEKDAYS) || of == 0;
    }
    if item.starts_with('*') {
        return plain(item, of, 6, WEEKDAYS);
    }
    same(item)
}
