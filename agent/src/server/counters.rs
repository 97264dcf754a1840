//! What the server counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::telemetry::Metrics;

/// Counts of one server, over all workers. Read them with relaxed ordering.
#[derive(Debug, Default)]
pub struct ServerCounters {
    /// Connections that are open now, tunnels included.
    pub connections: Arc<AtomicUsize>,
    /// Requests in progress now, until the last byte of their responses.
    pub requests: Arc<AtomicUsize>,
    /// Connections accepted so far.
    pub connections_accepted: AtomicU64,
    /// Connections turned away because there were too many.
    pub connections_refused: AtomicU64,
    /// Requests turned away because there were too many.
    pub requests_refused: AtomicU64,
    /// Connections that ended before their first request: TLS or PROXY header failed or took too long.
    pub handshakes_failed: AtomicU64,
    /// HTTP/1 requests whose framing was refused.
    pub framing_violations: Arc<AtomicU64>,
    /// Connections closed because the client did not take what it asked for.
    pub connections_stalled: AtomicU64,
    /// Requests that ended in a fault of ours.
    pub panics: AtomicU64,
}

impl ServerCounters {
    /// Brings the metrics that count the same up to date.
    pub fn publish(&self, metrics: &Metrics) {
        let pairs = [
            (
                &metrics.framing_refusals,
                self.framing_violations.load(Ordering::Relaxed),
            ),
            (
                &metrics.handshake_failures,
                self.handshakes_failed.load(Ordering::Relaxed),
            ),
            (
                &metrics.connections,
                self.connections_accepted.load(Ordering::Relaxed),
            ),
            (
                &metrics.requests_refused,
                self.requests_refused.load(Ordering::Relaxed),
            ),
            (&metrics.panics, self.panics.load(Ordering::Relaxed)),
            (
                &metrics.connections_refused,
                self.connections_refused.load(Ordering::Relaxed),
            ),
        ];
        for (metric, count) in pairs {
            metric.inc_by(count.saturating_sub(metric.get()));
        }
        let open = self.connections.load(Ordering::Relaxed);
        metrics
            .connections_open
            .set(i64::try_from(open).unwrap_or(i64::MAX));
    }
}
