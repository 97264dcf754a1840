use std::collections::BTreeSet;

use super::*;
use crate::telemetry::Outcome;

/// The value of the one sample that begins with `name`.
fn value(text: &str, name: &str) -> f64 {
    let mut samples = text
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = samples
        .next()
        .unwrap_or_else(|| panic!("no {name} in\n{text}"));
    assert!(samples.next().is_none(), "{name} twice");
    value.parse().unwrap()
}

#[test]
fn requests_of_all_workers_are_summed_by_outcome() {
    let metrics = Metrics::new(2);
    for worker in [0, 1, 1] {
        metrics.worker(worker).request().finish(Outcome::Forwarded);
    }
    let text = metrics.encode();
    assert_eq!(
        value(&text, "doorward_requests_total{outcome=\"forwarded\"}"),
        3.0
    );
    assert_eq!(
        value(&text, "doorward_requests_total{outcome=\"challenged\"}"),
        0.0
    );
    assert_eq!(value(&text, "doorward_request_duration_seconds_count"), 3.0);
    assert_eq!(
        value(
            &text,
            "doorward_request_duration_seconds_bucket{le=\"+Inf\"}"
        ),
        3.0
    );
}

#[test]
fn a_request_is_in_flight_until_it_is_finished_or_dropped() {
    let metrics = Metrics::new(1);
    let first = metrics.worker(0).request();
    let second = metrics.worker(0).request();
    assert_eq!(value(&metrics.encode(), "doorward_requests_in_flight"), 2.0);
    first.finish(Outcome::Forbidden);
    drop(second);
    let text = metrics.encode();
    assert_eq!(value(&text, "doorward_requests_in_flight"), 0.0);
    assert_eq!(
        value(&text, "doorward_requests_total{outcome=\"forbidden\"}"),
        1.0
    );
    assert_eq!(
        value(&text, "doorward_requests_total{outcome=\"abandoned\"}"),
        1.0
    );
}

#[test]
fn the_session_cache_is_counted() {
    let metrics = Metrics::new(2);
    metrics.worker(0).session_cache_hit();
    metrics.worker(1).session_cache_miss();
    let text = metrics.encode();
    assert_eq!(value(&text, "doorward_session_cache_hits_total"), 1.0);
    assert_eq!(value(&text, "doorward_session_cache_misses_total"), 1.0);
}

#[test]
fn calls_are_counted_by_answer() {
    let metrics = Metrics::new(1);
    metrics
        .policy_calls
        .count(PolicyCall::Validate, PolicyAnswer::Yes);
    metrics
        .policy_calls
        .count(PolicyCall::Login, PolicyAnswer::Error);
    let text = metrics.encode();
    let sample = |call, answer| {
        value(
            &text,
            &format!("doorward_policy_calls_total{{call=\"{call}\",answer=\"{answer}\"}}"),
        )
    };
    assert_eq!(sample("validate", "yes"), 1.0);
    assert_eq!(sample("login", "error"), 1.0);
    assert_eq!(sample("logout", "yes"), 0.0);
}

#[test]
fn the_rare_counters_and_gauges_appear_under_their_names() {
    let metrics = Metrics::new(1);
    metrics.framing_refusals.inc();
    metrics.events_connected.set(1);
    metrics.session_cache_entries.set(7);
    let text = metrics.encode();
    assert_eq!(value(&text, "doorward_framing_refusals_total"), 1.0);
    assert_eq!(value(&text, "doorward_policy_events_connected"), 1.0);
    assert_eq!(value(&text, "doorward_session_cache_entries"), 7.0);
    let build = format!(
        "doorward_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(value(&text, &build), 1.0);
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn every_metric_is_described_once() {
    let text = Metrics::new(1).encode();
    let described: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("# HELP "))
        .collect();
    assert_eq!(
        described.iter().collect::<BTreeSet<_>>().len(),
        described.len()
    );
    assert!(described.len() >= 18, "{described:#?}");
}
