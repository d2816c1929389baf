//! When a trigger is due, made ready to be asked.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{Cron, CronError, Dst, ticks, zone};
use crate::graph::{Due, Trigger};
use crate::value::Timestamp;

/// The instants at which a schedule is due.
#[derive(Clone, Debug)]
pub struct Rule {
    due: Instants,
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
}

#[derive(Clone, Debug)]
enum Instants {
    Cron { cron: Arc<Cron>, zone: TimeZone, dst: Dst },
    Every(i64),
    At(i64),
}

/// Why a trigger has no instants: it was compiled with zone data or a grammar that this program does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Its line cannot be read.
    #[error("the line cannot be read: {0}")]
    Cron(#[from] CronError),
    /// Its zone is not known.
    #[error("there is no time zone `{0}` in the zone data {data}", data = super::zone_data())]
    Zone(String),
}

impl Rule {
    /// That of a trigger.
    ///
    /// # Errors
    /// See [`RuleError`].
    pub fn of(trigger: &Trigger) -> Result<Self, RuleError> {
        let due = match &trigger.due {
            Due::Cron(line) => {
                let zone = zone(&trigger.timezone).ok_or_else(|| RuleError::Zone(trigger.timezone.clone()))?;
                Instants::Cron { cron: Arc::new(Cron::parse(line)?), zone, dst: trigger.dst }
            }
            Due::Every(length) => Instants::Every(i64::try_from(length.0.max(1)).unwrap_or(i64::MAX)),
            Due::At(at) => Instants::At(at.0),
        };
        Ok(Self { due, starts: trigger.starts, ends: trigger.ends })
    }

    /// The first instant after this one at which it is due; `None` if there is none any more.
    pub fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        // What begins later is asked from just before its beginning.
        let from = self.starts.map_or(instant.0, |starts| instant.0.max(starts.0.saturating_sub(1)));
        let next = match &self.due {
            Instants::Cron { cron, zone, dst } => {
                let from = jiff::Timestamp::from_millisecond(from.saturating_add(1)).ok()?;
                ticks(cron, zone, *dst, from).find_map(|tick| tick.instant)?.as_millisecond()
            }
            Instants::Every(length) => from.div_euclid(*length).checked_add(1)?.checked_mul(*length)?,
            Instants::At(at) => *at,
        };
        (next > from && self.ends.is_none_or(|ends| next < ends.0)).then_some(Timestamp(next))
    }

    /// The last instant before this one at which it was due, looked for back to `limit`.
    pub fn before(&self, instant: Timestamp, limit: Timestamp) -> Option<Timestamp> {
        // The ticks of a stretch are walked forward; stretches that hold none are doubled.
        let mut length = 3_600_000;
        loop {
            let from = Timestamp(instant.0.saturating_sub(length).max(limit.0).saturating_sub(1));
            let mut last = None;
            let mut at = from;
            while let Some(next) = self.after(at).filter(|next| *next < instant) {
                last = Some(next);
                at = next;
            }
            if last.is_some() || from < limit {
                return last;
            }
            length = length.saturating_mul(4);
        }
    }

    /// Whether it is due at this very instant.
    pub fn is_due_at(&self, instant: Timestamp) -> bool {
        self.after(Timestamp(instant.0.saturating_sub(1))) == Some(instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Catchup, Overlap, WITHIN};
    use crate::value::Millis;

    fn trigger(due: Due) -> Trigger {
        Trigger {
            id: "t".to_owned(),
            due,
            timezone: "Europe/Berlin".to_owned(),
            dst: Dst::default(),
            catchup: Catchup::Last,
            within: WITHIN,
            overlap: Overlap::Skip,
            jitter: None,
            starts: None,
            ends: None,
            params: Vec::new(),
            enabled: true,
        }
    }

    fn at(text: &str) -> Timestamp {
        crate::scalar::time(text).unwrap()
    }

    #[test]
    fn a_line_is_due_at_the_instants_of_its_zone() {
        let rule = Rule::of(&trigger(Due::Cron("30 2 * * *".to_owned()))).unwrap();
        let first = rule.after(at("2027-03-27T12:00:00Z")).unwrap();
        assert_eq!(first, at("2027-03-28T01:00:00Z"), "at the end of the gap");
        assert_eq!(rule.after(first), Some(at("2027-03-29T00:30:00Z")));
        assert!(rule.is_due_at(first) && !rule.is_due_at(at("2027-03-28T01:30:00Z")));
        assert_eq!(rule.before(at("2027-03-29T00:30:00Z"), at("2027-01-01T00:00:00Z")), Some(first));
        assert_eq!(rule.before(first, at("2027-03-28T00:00:00Z")), None);
    }

    #[test]
    fn a_length_of_time_is_counted_from_the_epoch_and_an_instant_comes_once() {
        let every = Rule::of(&trigger(Due::Every(Millis(300_000)))).unwrap();
        assert_eq!(every.after(at("2027-01-01T00:02:03Z")), Some(at("2027-01-01T00:05:00Z")));
        assert_eq!(every.after(at("2027-01-01T00:05:00Z")), Some(at("2027-01-01T00:10:00Z")));
        assert_eq!(every.after(Timestamp(-1)), Some(Timestamp(0)));
        let once = Rule::of(&trigger(Due::At(at("2027-01-01T00:00:00Z")))).unwrap();
        assert_eq!(once.after(at("2026-12-31T23:59:59.999Z")), Some(at("2027-01-01T00:00:00Z")));
        assert_eq!(once.after(at("2027-01-01T00:00:00Z")), None);
    }

    #[test]
    fn nothing_is_due_before_the_start_and_from_the_end_on() {
        let bounded = Trigger {
            starts: Some(at("2027-01-01T00:10:00Z")),
            ends: Some(at("2027-01-01T00:20:00Z")),
            ..trigger(Due::Every(Millis(300_000)))
        };
        let rule = Rule::of(&bounded).unwrap();
        assert_eq!(rule.after(Timestamp(0)), Some(at("2027-01-01T00:10:00Z")));
        assert_eq!(rule.after(at("2027-01-01T00:10:00Z")), Some(at("2027-01-01T00:15:00Z")));
        assert_eq!(rule.after(at("2027-01-01T00:15:00Z")), None);
    }
}
