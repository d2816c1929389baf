//! What the server has done, as Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use lockstep_engine::host::{Figures, TURN_BUCKETS_US};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::route::Route;
use crate::server::librarian::Status;

/// What the server itself counts.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Answers, by route and status.
    answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
}

impl Metrics {
    /// Of [`Metrics::text`].
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// A request was answered; one that met no route counts as `other`, whatever its path.
    pub fn answered(&self, route: Option<Route>, status: StatusCode) {
        let route = route.map_or("other", Route::path);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((route, status.as_u16())).or_default() += 1;
    }

    /// All figures, in the text format of `OpenMetrics`.
    pub fn text(&self, engine: &Figures, library: Option<&Status>) -> String {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let snapshot = Snapshot { engine: *engine, library: library.cloned(), answers };
        let mut registry = Registry::with_prefix("lockstep");
        registry.register_collector(Box::new(snapshot));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut text, &registry);
        text
    }
}

/// Everything at one moment.
#[derive(Debug)]
struct Snapshot {
    engine: Figures,
    library: Option<Status>,
    answers: BTreeMap<(&'static str, u16), u64>,
}

impl prometheus_client::collector::Collector for Snapshot {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let Figures {
            runs_started,
            runs_succeeded,
            runs_failed,
            runs_cancelled,
            steps_ended,
            attempts_started,
            journal,
            requests_waiting,
            attempts_running,
            attempts_waiting,
            is_full,
            turns,
            turn_time,
        } = self.engine;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let mut info = to.encode_descriptor("build_info", "The program.", None, MetricType::Gauge)?;
        ConstGauge::new(1i64).encode(info.encode_family(&version)?)?;
        counter(&mut to, "runs_started", "Runs that came to be since the server started.", runs_started)?;
        let mut ended = to.encode_descriptor("runs_ended", "Runs that ended, by how.", None, MetricType::Counter)?;
        for (status, runs) in [("succeeded", runs_succeeded), ("failed", runs_failed), ("cancelled", runs_cancelled)] {
            let labels = [("status", status)];
            ConstCounter::new(runs).encode(ended.encode_family(&labels)?)?;
        }
        counter(&mut to, "steps_ended", "Steps that ended, however.", steps_ended)?;
        counter(&mut to, "attempts_started", "Attempts that were given to a worker.", attempts_started)?;
        counter(&mut to, "journal_frames", "Frames that were appended to the journal.", journal.appends)?;
        counter(&mut to, "journal_syncs", "Syncs of the journal on the way of commits.", journal.syncs)?;
        let bytes =
            to.encode_descriptor("journal", "Bytes written to the journal.", Some(&Unit::Bytes), MetricType::Counter)?;
        ConstCounter::new(journal.bytes).encode(bytes)?;
        gauge(&mut to, "requests_waiting", "Requests that wait for the engine.", requests_waiting)?;
        gauge(&mut to, "attempts_running", "Attempts with the workers.", attempts_running)?;
        gauge(&mut to, "attempts_waiting", "Attempts that wait for a worker to have room.", attempts_waiting)?;
        gauge(&mut to, "store_full", "1 while nothing can be stored, and runs stand still.", u64::from(is_full))?;
        let buckets: Vec<(f64, u64)> = bounds().zip(turns).collect();
        let count = turns.iter().sum();
        to.encode_descriptor(
            "turn_duration",
            "How long the engine's turns took.",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?
        .encode_histogram::<NoLabelSet>(turn_time.as_secs_f64(), count, &buckets, None)?;
        if let Some(library) = &self.library {
            gauge(&mut to, "runbooks", "Runbooks of the folder that are served.", library.runbooks as u64)?;
            let broken = library.broken.len() as u64;
            gauge(&mut to, "runbooks_broken", "Files of the folder that cannot be used as they are.", broken)?;
            let failed = u64::from(library.failure.is_some());
            gauge(&mut to, "runbooks_unreadable", "1 while the folder itself cannot be read.", failed)?;
            counter(&mut to, "runbooks_readings", "How often the folder was read.", library.readings)?;
        }
        let mut answers =
            to.encode_descriptor("http_answers", "Answers, by route and status.", None, MetricType::Counter)?;
        for ((route, status), count) in &self.answers {
            let labels = [("route", (*route).to_owned()), ("status", status.to_string())];
            ConstCounter::new(*count).encode(answers.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// The buckets' upper bounds in seconds.
fn bounds() -> impl Iterator<Item = f64> {
    let seconds = |us: u64| std::time::Duration::from_micros(us).as_secs_f64();
    TURN_BUCKETS_US.into_iter().map(seconds).chain([f64::INFINITY])
}

fn counter(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(to.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    ConstGauge::new(value).encode(to.encode_descriptor(name, help, None, MetricType::Gauge)?)
}
