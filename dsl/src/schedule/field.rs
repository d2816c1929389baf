//! A field of a line: which values it may hold, what they are called, and the set of those that match.

/// What a field counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Unit {
    /// All of them, in the order of a line that begins with seconds.
    pub(super) const ALL: [Self; 6] = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Weekday];

    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Second => "seconds",
            Self::Minute => "minutes",
            Self::Hour => "hours",
            Self::Day => "days of the month",
            Self::Month => "months",
            Self::Weekday => "days of the week",
        }
    }

    /// The smallest and the largest value that may be written. Sunday is 0 and 7, as in crontab(5).
    pub(super) const fn bounds(self) -> (u32, u32) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
        }
    }

    /// The largest value that `*` stands for.
    pub(super) const fn largest(self) -> u32 {
        match self {
            Self::Weekday => 6,
            Self::Second | Self::Minute | Self::Hour | Self::Day | Self::Month => self.bounds().1,
        }
    }

    /// The value of a name, in any case.
    pub(super) fn named(self, name: &str) -> Option<u32> {
        let (names, first): (&[&str], u32) = match self {
            Self::Month => (&MONTHS, 1),
            Self::Weekday => (&WEEKDAYS, 0),
            Self::Second | Self::Minute | Self::Hour | Self::Day => return None,
        };
        let at = names.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        Some(u32::try_from(at).expect("a few names") + first)
    }

    /// How names of it look, for a message.
    pub(super) const fn example(self) -> Option<&'static str> {
        match self {
            Self::Month => Some("`jan` to `dec`"),
            Self::Weekday => Some("`sun` to `sat`"),
            Self::Second | Self::Minute | Self::Hour | Self::Day => None,
        }
    }
}

/// A set of small numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers(u64);

impl Numbers {
    /// All from the first to the last, by steps.
    pub(super) fn stepped(first: u32, last: u32, step: u32) -> Self {
        let mut set = Self::default();
        let mut value = first;
        while value <= last {
            set.insert(value);
            value += step;
        }
        set
    }

    /// Adds one.
    pub(super) fn insert(&mut self, value: u32) {
        self.0 |= 1 << value;
    }

    /// Adds all of another.
    pub(super) fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether it is one of them.
    pub(super) const fn contains(self, value: u32) -> bool {
        self.0 >> value & 1 == 1
    }

    /// In order.
    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        (0..u64::BITS).filter(move |value| self.contains(*value))
    }
}
