//! Metrics in the OpenMetrics text format.
//!
//! What happens with every request is counted [for each worker](WorkerMetrics) and summed when somebody looks;
//! what happens rarely is counted in one place. No label ever holds anything that a user, a client or a
//! directory said: every label value is a word of a closed enum.

mod policy;
mod worker;

use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use policy::{PolicyAnswer, PolicyCall, PolicyCalls};
pub use worker::{RequestTimer, WorkerMetrics};

use worker::Workers;

/// Every metric of an agent. Handles are taken once; counting is an atomic addition.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    workers: Arc<Workers>,
    /// Calls to the policy server, by answer.
    pub policy_calls: Arc<PolicyCalls>,
    /// Requests that were refused because where they end is not certain.
    pub framing_refusals: Counter,
    /// TLS handshakes that failed or took too long.
    pub handshake_failures: Counter,
    /// Connections that were turned away because there were too many.
    pub connections_refused: Counter,
    /// Connections that were accepted.
    pub connections: Counter,
    /// Connections that are open, tunnels included.
    pub connections_open: Gauge,
    /// Requests that were turned away because there were too many.
    pub requests_refused: Counter,
    /// Requests that ended in a fault of ours.
    pub panics: Counter,
    /// Sessions that were ended by an event from the policy server.
    pub revocations: Counter,
    /// 1 while the policy server's events are received without a gap, else 0.
    pub events_connected: Gauge,
    /// Sessions in the session cache.
    pub session_cache_entries: Gauge,
    /// Bytes in the session cache.
    pub session_cache_bytes: Gauge,
    /// Configurations that were put into use.
    pub reloads: Counter,
    /// New configurations that were refused.
    pub reload_failures: Counter,
    /// Access-log lines that nobody read in time; set from
    /// [`AccessLog::dropped`](super::AccessLog::dropped).
    pub access_log_dropped: Gauge,
}

impl Metrics {
    /// The content type of [`Metrics::encode`].
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Metrics, all zero, for `workers` data threads.
    pub fn new(workers: usize) -> Self {
        let mut registry = Registry::with_prefix("doorward");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", build);
        let workers = Arc::new(Workers::new(workers));
        registry.register_collector(Box::new(Arc::clone(&workers)));
        let policy_calls = Arc::<PolicyCalls>::default();
        registry.register_collector(Box::new(Arc::clone(&policy_calls)));

        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let framing_refusals = counter(
            "framing_refusals",
            "Requests refused because where they end is not certain",
        );
        let handshake_failures = counter("handshake_failures", "TLS handshakes that failed");
        let connections_refused = counter("connections_refused", "Connections above the limit");
        let connections = counter("connections", "Connections accepted");
        let requests_refused = counter("requests_refused", "Requests above the limit");
        let panics = counter("panics", "Requests that ended in a fault of ours");
        let revocations = counter(
            "revocations",
            "Sessions ended by the policy server's events",
        );
        let reloads = counter("reloads", "Configurations put into use");
        let reload_failures = counter("reload_failures", "New configurations refused");

        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let events_connected = gauge(
            "policy_events_connected",
            "Whether the policy server's events are received",
        );
        let connections_open = gauge("connections_open", "Connections");
        let session_cache_entries = gauge("session_cache_entries", "Sessions in the cache");
        let session_cache_bytes = gauge("session_cache_bytes", "Bytes in the session cache");
        let access_log_dropped = gauge(
            "access_log_dropped_lines",
            "Access-log lines that nobody read in time",
        );

        Self {
            registry,
            workers,
            policy_calls,
            framing_refusals,
            handshake_failures,
            connections_refused,
            connections,
            connections_open,
            requests_refused,
            panics,
            revocations,
            events_connected,
            session_cache_entries,
            session_cache_bytes,
            reloads,
            reload_failures,
            access_log_dropped,
        }
    }

    /// The counters of data thread `worker`.
    pub fn worker(&self, worker: usize) -> &WorkerMetrics {
        self.workers.get(worker)
    }

    /// All metrics as text.
    pub fn encode(&self) -> String {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("writing to a String cannot fail");
        out
    }
}

#[cfg(test)]
mod tests;
