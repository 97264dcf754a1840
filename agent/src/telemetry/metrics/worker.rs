//! What is counted with every request, apart for each worker so that no two cores write to one place.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::telemetry::Outcome;

/// Upper bounds of the duration buckets in microseconds: a cache hit is well below the first, a login
/// around the middle, and the last is the response timeout of an ordinary upstream.
const BOUNDS_US: [u64; 16] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 60_000_000,
];

/// One worker's counters. Aligned so that no two workers share a cache line (128: adjacent lines are
/// fetched in pairs).
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    started: AtomicU64,
    outcomes: [AtomicU64; Outcome::ALL.len()],
    durations: [AtomicU64; BOUNDS_US.len() + 1],
    duration_sum_us: AtomicU64,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
}

impl WorkerMetrics {
    /// Counts a request from its head's arrival until the timer is finished or dropped.
    pub fn request(&self) -> RequestTimer<'_> {
        add(&self.started, 1);
        RequestTimer {
            metrics: self,
            started: Instant::now(),
            running: true,
        }
    }

    /// A session was found in the session cache and needed no call.
    pub fn session_cache_hit(&self) {
        add(&self.cache_hits, 1);
    }

    /// A session was not in the session cache, or had to be validated again.
    pub fn session_cache_miss(&self) {
        add(&self.cache_misses, 1);
    }

    fn finished(&self, outcome: Outcome, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|&bound| bound < microseconds);
        add(&self.outcomes[outcome as usize], 1);
        add(&self.durations[bucket], 1);
        add(&self.duration_sum_us, microseconds);
    }
}

/// A request in progress. Dropped unfinished (the client went away), it counts as
/// [`Outcome::Abandoned`].
#[derive(Debug)]
pub struct RequestTimer<'a> {
    metrics: &'a WorkerMetrics,
    started: Instant,
    running: bool,
}

impl RequestTimer<'_> {
    /// When the request's head arrived.
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// Ends the measurement; returns the time since the request's head arrived.
    pub fn finish(mut self, outcome: Outcome) -> Duration {
        let duration = self.started.elapsed();
        self.metrics.finished(outcome, duration);
        self.running = false;
        duration
    }
}

impl Drop for RequestTimer<'_> {
    fn drop(&mut self) {
        if self.running {
            self.metrics
                .finished(Outcome::Abandoned, self.started.elapsed());
        }
    }
}

/// All workers.
#[derive(Debug)]
pub(super) struct Workers(Box<[WorkerMetrics]>);

impl Workers {
    pub(super) fn new(workers: usize) -> Self {
        Self(
            (0..workers.max(1))
                .map(|_| WorkerMetrics::default())
                .collect(),
        )
    }

    pub(super) fn get(&self, worker: usize) -> &WorkerMetrics {
        &self.0[worker % self.0.len()]
    }

    fn sum(&self, of: impl Fn(&WorkerMetrics) -> &AtomicU64) -> u64 {
        self.0
            .iter()
            .map(|worker| of(worker).load(Ordering::Relaxed))
            .sum()
    }
}

impl Collector for Workers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests, by what became of them";
        let mut family = encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for outcome in Outcome::ALL {
            let labels = [("outcome", outcome.name())];
            let count = ConstCounter::new(self.sum(|worker| &worker.outcomes[outcome as usize]));
            count.encode(family.encode_family(&labels)?)?;
        }

        // Ends are summed first, so the difference is never negative.
        let finished: u64 = Outcome::ALL
            .iter()
            .map(|&outcome| self.sum(|worker| &worker.outcomes[outcome as usize]))
            .sum();
        let in_flight = self.sum(|worker| &worker.started).saturating_sub(finished);
        let gauge = ConstGauge::new(i64::try_from(in_flight).unwrap_or(i64::MAX));
        let help = "Requests in progress";
        gauge.encode(encoder.encode_descriptor(
            "requests_in_flight",
            help,
            None,
            MetricType::Gauge,
        )?)?;

        let counters = [
            (
                "session_cache_hits",
                "Sessions found in the cache",
                self.sum(|w| &w.cache_hits),
            ),
            (
                "session_cache_misses",
                "Sessions asked for",
                self.sum(|w| &w.cache_misses),
            ),
        ];
        for (name, help, value) in counters {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)?;
        }

        let help = "From a request's head to its response's head";
        let unit = Unit::Seconds;
        let durations = Durations(self);
        durations.encode(encoder.encode_descriptor(
            "request_duration",
            help,
            Some(&unit),
            durations.metric_type(),
        )?)
    }
}

/// The histogram over atomics: the library's own takes a lock for each observation.
struct Durations<'a>(&'a Workers);

impl EncodeMetric for Durations<'_> {
    fn encode(&self, mut encoder: prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result {
        let bounds = BOUNDS_US
            .iter()
            .map(|&bound| seconds(bound))
            .chain([f64::INFINITY]);
        let counts = (0..=BOUNDS_US.len()).map(|bucket| self.0.sum(|w| &w.durations[bucket]));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|bucket| bucket.1).sum();
        let sum = seconds(self.0.sum(|w| &w.duration_sum_us));
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// A sum of microseconds loses its last digits after 285 years.
fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}
