//! Whether a line names times that its zone leaves out or repeats.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::ticks::before;
use super::{Cron, Dst, Fold, Gap, Tick, Why, ticks};

/// A time of a line that clocks leave out or show twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// The time.
    pub tick: Tick,
    /// Whether it comes twice; else it does not come at all.
    pub is_fold: bool,
}

/// The first times of a line that do not exist in a zone, and that come twice, between two instants. Of a line that is
/// due in every hour there are none: it follows the time that passes.
pub fn odd(cron: &Cron, zone: &TimeZone, from: Timestamp, until: Timestamp) -> (Option<Oddity>, Option<Oddity>) {
    let (mut gap, mut fold) = (None, None);
    if !cron.names_hours() {
        return (gap, fold);
    }
    let transitions = zone.following(from).take_while(|transition| transition.timestamp() < until);
    for transition in transitions {
        let (at, offset) = (transition.timestamp(), transition.offset());
        let change = i64::from(offset.seconds()) - i64::from(before(zone, at).seconds());
        if change > 0 && gap.is_none() {
            let dst = Dst { gap: Gap::Skip, fold: Fold::Both };
            let first = ticks(cron, zone, dst, at).next().filter(|tick| tick.why == Why::SkippedInGap);
            gap = first.map(|tick| Oddity { tick, is_fold: false });
        }
        if change < 0 && fold.is_none() {
            let dst = Dst { gap: Gap::Skip, fold: Fold::First };
            let begin = at.checked_add(jiff::SignedDuration::from_secs(change)).unwrap_or(at);
            let first = ticks(cron, zone, dst, begin).next().filter(|tick| tick.why == Why::FirstOfTwo);
            fold = first.map(|tick| Oddity { tick, is_fold: true });
        }
        if gap.is_some() && fold.is_some() {
            break;
        }
    }
    (gap, fold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::zone;

    fn oddities(line: &str, of: &str) -> (Option<String>, Option<String>) {
        let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let until: Timestamp = "2031-01-01T00:00:00Z".parse().unwrap();
        let (gap, fold) = odd(&Cron::parse(line).unwrap(), &zone(of).unwrap(), from, until);
        let text = |oddity: Option<Oddity>| oddity.map(|oddity| oddity.tick.nominal.to_string());
        (text(gap), text(fold))
    }

    #[test]
    fn times_in_gaps_and_folds_are_found_and_no_others() {
        let both = (Some("2026-03-29T02:30:00".to_owned()), Some("2026-10-25T02:30:00".to_owned()));
        assert_eq!(oddities("30 2 * * *", "Europe/Berlin"), both);
        assert_eq!(oddities("30 1 * * *", "Europe/Berlin"), (None, None));
        assert_eq!(oddities("30 2 * * mon", "Europe/Berlin"), (None, None), "clocks are set on Sundays");
        assert_eq!(oddities("30 * * * *", "Europe/Berlin"), (None, None), "it follows the time that passes");
        assert_eq!(oddities("30 2 * * *", "UTC"), (None, None));
        assert_eq!(oddities("15 2 * * *", "Australia/Lord_Howe").0, Some("2026-10-04T02:15:00".to_owned()));
    }
}
