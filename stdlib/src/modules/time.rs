//! `std/time`: times in zones, by the zone data that ship with the program.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan, Unit, Zoned};
use lockstep_dsl::expr::{Arguments, Fault, NativeFunction, StdModule};
use lockstep_dsl::value::{Map, Millis, Timestamp, Value};

use crate::limits::YEARS;

pub const MODULE: StdModule = StdModule {
    import: "std/time",
    about: "Times in zones, calendars and words. A time itself has no zone; `now()` is the time at which an expression \
            is asked. Zones are IANA names such as `Europe/Berlin`, by the data that ship with the program, so that \
            every machine says the same. Differences and sums need no import: `a - b` is a duration, `a + duration(\"1h\")` \
            a time.",
    text: include_str!("../rhai/time.rhai"),
    natives: &[
        NativeFunction {
            signature: "time::parse(text: string, pattern: string) -> time",
            docs: "The time that a text names by a [pattern](https://docs.rs/jiff/0.2/jiff/fmt/strtime/index.html) of \
                   `strptime`. Without a zone or an offset in it, it is UTC; without a time of day, midnight.\n    \
                   time::parse(\"21/Nov/2026:08:30:00 +0100\", \"%d/%b/%Y:%H:%M:%S %z\") // => time(\"2026-11-21T07:30:00Z\")\n    \
                   time::parse(\"Nov 21 2026\", \"%b %d %Y\") // => time(\"2026-11-21T00:00:00Z\")",
            run: |given| parse(given, &TimeZone::UTC),
        },
        NativeFunction {
            signature: "time::parse(text: string, pattern: string, zone: string) -> time",
            docs: "The same, in this zone where the text names none. A time that a change of clocks leaves out is the \
                   one as long after it; of one that comes twice it is the first.\n    \
                   time::parse(\"2026-07-01 12:00\", \"%Y-%m-%d %H:%M\", \"Europe/Berlin\") // => time(\"2026-07-01T10:00:00Z\")",
            run: |given| {
                let zone = zone(given, 2)?;
                parse(given, &zone)
            },
        },
        NativeFunction {
            signature: "time::format(at: time, pattern: string, zone: string) -> string",
            docs: "A time as its clocks in a zone show it, by a pattern of `strftime`.\n    \
                   time::format(time(\"2026-07-01T10:00:00Z\"), \"%a %d %b %H:%M %Z\", \"Europe/Berlin\") // => \"Wed 01 Jul 12:00 CEST\"",
            run: format,
        },
        NativeFunction {
            signature: "time::in_zone(at: time, zone: string) -> map",
            docs: "What clocks and calendars in a zone show: `year`, `month`, `day`, `hour`, `minute`, `second`, \
                   `weekday` (1 is Monday), `day_of_year`, `week` (of ISO 8601), `offset` (seconds), and `text`.\n    \
                   time::in_zone(time(\"2026-07-01T22:30:00Z\"), \"Europe/Berlin\").day // => 2\n    \
                   time::in_zone(time(\"2026-01-01T00:00:00Z\"), \"America/New_York\").text // => \"2025-12-31T19:00:00-05:00\"",
            run: in_zone,
        },
        NativeFunction {
            signature: "time::start_of(at: time, unit: string, zone: string) -> time",
            docs: "When the `minute`, `hour`, `day`, `week` (from Monday), `month` or `year` began in a zone.\n    \
                   time::start_of(time(\"2026-07-01T01:30:00Z\"), \"day\", \"America/New_York\") // => time(\"2026-06-30T04:00:00Z\")\n    \
                   time::start_of(time(\"2026-07-01T01:30:00Z\"), \"month\", \"UTC\") // => time(\"2026-07-01T00:00:00Z\")",
            run: |given| {
                let zone = zone(given, 2)?;
                start_of(given, zone)
            },
        },
        NativeFunction {
            signature: "time::add(at: time, count: int, unit: string, zone: string) -> time",
            docs: "So many `days`, `weeks`, `months` or `years` later (or earlier) at the same time of day in a zone, \
                   however long these days are. A day that a month does not have is its last.\n    \
                   time::add(time(\"2026-01-31T12:00:00Z\"), 1, \"months\", \"UTC\") // => time(\"2026-02-28T12:00:00Z\")\n    \
                   time::add(time(\"2026-03-28T11:00:00Z\"), 1, \"days\", \"Europe/Berlin\") // => time(\"2026-03-29T10:00:00Z\")",
            run: add,
        },
        NativeFunction {
            signature: "time::date(year: int, month: int, day: int) -> time",
            docs: "Midnight of a day in UTC.\n    time::date(2026, 2, 28) // => time(\"2026-02-28T00:00:00Z\")",
            run: |given| {
                let (year, month, day) = (given.int(0)?, given.int(1)?, given.int(2)?);
                let date = YEARS.contains(&year).then_some(()).and_then(|()| {
                    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
                });
                let date = date.ok_or_else(|| given.invalid(format!("there is no day {year}-{month}-{day}")))?;
                let midnight = date.to_zoned(TimeZone::UTC).map_err(|error| given.invalid(error))?;
                Ok(value(&midnight))
            },
        },
        NativeFunction {
            signature: "time::from_unix(seconds: int) -> time",
            docs: "The time so many seconds after 1970 began.\n    \
                   time::from_unix(1767225600) // => time(\"2026-01-01T00:00:00Z\")",
            run: |given| {
                let time = Timestamp(given.int(0)?.saturating_mul(1_000));
                moment(given, time, TimeZone::UTC).map(|_| Value::Time(time))
            },
        },
        NativeFunction {
            signature: "time::days_in_month(at: time, zone: string) -> int",
            docs: "How many days the month has that it is in a zone.\n    \
                   time::days_in_month(time(\"2028-02-10T00:00:00Z\"), \"UTC\") // => 29",
            run: |given| {
                let zone = zone(given, 1)?;
                let time = given.time(0)?;
                Ok(Value::Int(moment(given, time, zone)?.days_in_month().into()))
            },
        },
        NativeFunction {
            signature: "time::duration_text(length: duration) -> string",
            docs: "A duration in words, its two largest parts.\n    \
                   time::duration_text(duration(\"1h30m5s\")) // => \"1 hour 30 minutes\"\n    \
                   time::duration_text(duration(\"950ms\")) // => \"950 milliseconds\"",
            run: |given| given.duration(0).map(duration_text).map(Value::from),
        },
        NativeFunction {
            signature: "time::round(length: duration, to: duration) -> duration",
            docs: "A duration to the nearest multiple of another, upwards from its half.\n    \
                   time::round(duration(\"1h29m40s\"), duration(\"1m\")) // => duration(\"1h30m\")",
            run: |given| {
                let (length, to) = (given.duration(0)?.0, given.duration(1)?.0);
                if to == 0 {
                    return Err(given.invalid("everything is a multiple of nothing"));
                }
                let rounded = (length / to + u64::from(length % to >= to.div_ceil(2))).saturating_mul(to);
                Ok(Value::Duration(Millis(rounded)))
            },
        },
    ],
};

fn zone(given: &Arguments<'_, '_>, index: usize) -> Result<TimeZone, Fault> {
    let name = given.text(index)?;
    let zone = TimeZone::get(name);
    zone.map_err(|_| {
        given
            .invalid(format!("there is no time zone `{name}`"))
            .help("zones are IANA names such as \"Europe/Berlin\", and \"UTC\"")
    })
}

/// A time as it is in a zone.
fn moment(given: &Arguments<'_, '_>, time: Timestamp, zone: TimeZone) -> Result<Zoned, Fault> {
    let moment = jiff::Timestamp::from_millisecond(time.0).ok().map(|time| time.to_zoned(zone));
    moment
        .filter(|moment| YEARS.contains(&moment.year().into()))
        .ok_or_else(|| given.invalid(format!("the year is not within {} and {}", YEARS.start(), YEARS.end())))
}

fn value(moment: &Zoned) -> Value {
    Value::Time(Timestamp(moment.timestamp().as_millisecond()))
}

fn parse(given: &Arguments<'_, '_>, zone: &TimeZone) -> Result<Value, Fault> {
    let (text, pattern) = (given.text(0)?, given.text(1)?);
    let wrong = |error: jiff::Error| given.invalid(format!("`{text}` is not a time by `{pattern}`: {error}"));
    let parsed = jiff::fmt::strtime::parse(pattern, text).map_err(wrong)?;
    if let Ok(at) = parsed.to_timestamp() {
        return moment(given, Timestamp(at.as_millisecond()), TimeZone::UTC).map(|moment| value(&moment));
    }
    let date = parsed.to_date().map_err(wrong)?;
    let day_time = parsed.to_time().unwrap_or_default();
    let at = date.to_datetime(day_time).to_zoned(zone.clone()).map_err(wrong)?;
    moment(given, Timestamp(at.timestamp().as_millisecond()), TimeZone::UTC).map(|moment| value(&moment))
}

fn format(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let zone = zone(given, 2)?;
    let pattern = given.text(1)?;
    // A width of more than two digits would make a text of any length.
    let is_wide =
        |part: &str| part.bytes().skip_while(|b| !b.is_ascii_digit()).take_while(u8::is_ascii_digit).count() > 2;
    if pattern.split('%').skip(1).any(is_wide) {
        return Err(given.invalid("a width in the pattern is too large"));
    }
    let time = given.time(0)?;
    let moment = moment(given, time, zone)?;
    let text = jiff::fmt::strtime::format(pattern, &moment)
        .map_err(|error| given.invalid(format!("`{pattern}` is not a pattern for a time: {error}")))?;
    Ok(text.into())
}

fn in_zone(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let zone = zone(given, 1)?;
    let time = given.time(0)?;
    let moment = moment(given, time, zone)?;
    let numbers: [(&str, i64); 10] = [
        ("year", moment.year().into()),
        ("month", moment.month().into()),
        ("day", moment.day().into()),
        ("hour", moment.hour().into()),
        ("minute", moment.minute().into()),
        ("second", moment.second().into()),
        ("weekday", moment.weekday().to_monday_one_offset().into()),
        ("day_of_year", moment.day_of_year().into()),
        ("week", moment.date().iso_week_date().week().into()),
        ("offset", moment.offset().seconds().into()),
    ];
    let mut map: Map = numbers.into_iter().map(|(name, number)| (name.to_owned(), Value::Int(number))).collect();
    let text = moment.timestamp().display_with_offset(moment.offset()).to_string();
    map.insert("text".to_owned(), text.into());
    Ok(Value::Map(map))
}

fn start_of(given: &Arguments<'_, '_>, zone: TimeZone) -> Result<Value, Fault> {
    let moment = moment(given, given.time(0)?, zone)?;
    let unit = given.text(1)?;
    let date = moment.date();
    let day = match unit {
        "minute" | "hour" => {
            let unit = if unit == "hour" { Unit::Hour } else { Unit::Minute };
            let round = jiff::ZonedRound::new().smallest(unit).mode(jiff::RoundMode::Trunc);
            return moment.round(round).map(|moment| value(&moment)).map_err(|error| given.invalid(error));
        }
        "day" => Ok(date),
        "week" => date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()),
        "month" => Ok(date.first_of_month()),
        "year" => Ok(date.first_of_year()),
        _ => {
            return Err(given
                .invalid(format!("`{unit}` is not a unit"))
                .help("it is `minute`, `hour`, `day`, `week`, `month` or `year`"));
        }
    };
    let start = day.and_then(|day| day.to_zoned(moment.time_zone().clone())).map_err(|error| given.invalid(error))?;
    Ok(value(&start))
}

fn add(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let zone = zone(given, 3)?;
    let (time, count, unit) = (given.time(0)?, given.int(1)?, given.text(2)?);
    let span = match unit {
        "days" => Span::new().try_days(count),
        "weeks" => Span::new().try_weeks(count),
        "months" => Span::new().try_months(count),
        "years" => Span::new().try_years(count),
        _ => {
            return Err(given
                .invalid(format!("`{unit}` is not a unit"))
                .help("it is `days`, `weeks`, `months` or `years`; what is shorter is added as a duration"));
        }
    };
    let moment = moment(given, time, zone)?;
    let later = span.and_then(|span| moment.checked_add(span));
    let later = later.map_err(|_| given.invalid("the time is out of range"))?;
    self::moment(given, Timestamp(later.timestamp().as_millisecond()), TimeZone::UTC).map(|later| value(&later))
}

/// The two largest parts of a duration in words.
fn duration_text(length: Millis) -> String {
    const WORDS: [&str; 6] = ["week", "day", "hour", "minute", "second", "millisecond"];
    let mut left = length.0;
    let mut parts = Vec::new();
    for ((_, unit), word) in Millis::UNITS.into_iter().zip(WORDS) {
        let count = left / unit;
        left %= unit;
        if count > 0 {
            parts.push(format!("{count} {word}{}", if count == 1 { "" } else { "s" }));
        }
        // What is left is far less than what is said.
        if parts.len() == 2 || (parts.len() == 1 && count == 0) {
            break;
        }
    }
    if parts.is_empty() { "0 seconds".to_owned() } else { parts.join(" ") }
}
