//! Ticks of a schedule, as a list, as a year's summary, as JSON.

use std::fmt::Write as _;

use lockstep_dsl::schedule::{Dst, Fold, Gap, Tick, Why, zone_data};
use serde::Serialize;

use super::text::count;
use super::{Style, Tone, json, print};
use crate::ending::Failure;

/// What ticks are shown of.
pub struct Explained<'a> {
    /// As it was written.
    pub line: &'a str,
    /// Its zone.
    pub zone: &'a str,
    /// What is done where clocks are set.
    pub dst: Dst,
}

impl Explained<'_> {
    /// The line above the rest.
    fn title(&self, style: Style) -> String {
        let gap = match self.dst.gap {
            Gap::After => "after",
            Gap::Skip => "skip",
        };
        let fold = match self.dst.fold {
            Fold::First => "first",
            Fold::Last => "last",
            Fold::Both => "both",
        };
        let rest = format!("in {}, dst: {{ gap: {gap}, fold: {fold} }} (zone data {})", self.zone, zone_data());
        format!("{}  {}\n", style.paint(Tone::Strong, self.line), style.paint(Tone::Faint, &rest))
    }
}

/// A tick for machines.
#[derive(Serialize)]
struct Line {
    nominal: String,
    instant: String,
    why: &'static str,
}

/// One object a line. What was left out has no instant, and no line.
pub fn json(ticks: impl Iterator<Item = Tick>) -> Result<(), Failure> {
    for tick in ticks {
        if let Some(instant) = tick.instant {
            json::line(&Line {
                nominal: tick.nominal.to_string(),
                instant: instant.to_string(),
                why: tick.why.name(),
            })?;
        }
    }
    Ok(())
}

/// One a line.
pub fn list(of: &Explained<'_>, ticks: impl Iterator<Item = Tick>, style: Style) -> Result<(), Failure> {
    print(&of.title(style))?;
    let mut shown = 0;
    for tick in ticks {
        print(&row(&tick, style))?;
        shown += 1;
    }
    if shown == 0 {
        print("  it is not due in this time\n")?;
    }
    Ok(())
}

/// How often in a year, and the odd days.
pub fn year(of: &Explained<'_>, year: i16, ticks: impl Iterator<Item = Tick>, style: Style) -> Result<(), Failure> {
    let (mut first, mut last, mut due) = (None, None, 0);
    let mut odd = String::new();
    for tick in ticks {
        if tick.why != Why::Regular {
            odd += &row(&tick, style);
        }
        if tick.instant.is_some() {
            due += 1;
            first = first.or(Some(tick));
            last = Some(tick);
        }
    }
    let mut text = of.title(style);
    let _ = writeln!(text, "  {} in {year}", count(due, "time"));
    for (what, tick) in [("first", first), ("last", last)] {
        if let Some(tick) = tick {
            let _ = write!(text, "  {what:<5}{}", row(&tick, style));
        }
    }
    if odd.is_empty() {
        text += "no odd days: no clock is set when it is due\n";
    } else {
        text += "odd days\n";
        text += &odd;
    }
    print(&text)
}

/// On the wall, in UTC, and why where that is not plain.
fn row(tick: &Tick, style: Style) -> String {
    let weekday = tick.nominal.strftime("%a");
    let instant = tick.instant.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let why = match tick.why {
        Why::Regular => String::new(),
        Why::AfterGap | Why::SkippedInGap | Why::FirstOfTwo | Why::SecondOfTwo => {
            format!("  {}", style.paint(Tone::Waiting, &tick.why.to_string()))
        }
    };
    format!("  {weekday} {}  {instant:<20}{why}\n", tick.nominal).replace(" \n", "\n")
}
