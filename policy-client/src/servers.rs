//! Which policy server is asked: clusters, balance, and who is out. Knows no network.
//!
//! A server that fails is *out* (a circuit breaker): calls pass it over until a probe, or a call that was
//! made for want of anything better, gets an answer. Then it is back at once, but on probation: one call at
//! a time asks it first, and the next failure puts it out again.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::{FAILURES, FIRST_PROBE, LAST_RESORT, SLOWEST_PROBE, TRIAL_PAUSE};
use crate::settings::{Balance, ServerList};

/// All policy servers of one client, by index over all clusters.
pub(crate) struct Servers {
    clusters: Vec<Range<usize>>,
    balance: Balance,
    failover_threshold: usize,
    states: Mutex<Vec<State>>,
    /// Counts calls, for round robin.
    calls: AtomicUsize,
    /// A server is back, or a trial is over.
    changed: Notify,
}

/// What is known of one server.
struct State {
    /// For the log.
    url: String,
    /// Failures since the last answer.
    failures: u32,
    out: bool,
    /// When it came back last. What was sent before says nothing of how it is now.
    back_since: Instant,
    /// Whether somebody probes it.
    probed: bool,
    /// The longest pause before the next probe.
    probe_pause: Duration,
    /// Whether a call finds out how it is: it is out, or on probation.
    on_trial: bool,
    last_trial: Option<Instant>,
}

/// How certain a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// There is nobody, or heartbeats stay away.
    Certain,
    /// It may have been chance.
    Suspected,
}

/// What is left when every server is out.
pub(crate) enum LastResort<'s> {
    /// One has just come back.
    Usable,
    /// One may be tried all the same.
    Trial(Trial<'s>),
}

/// The one call that tries a server that is out or on probation.
pub(crate) struct Trial<'s> {
    servers: &'s Servers,
    /// Which.
    pub(crate) server: usize,
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.servers.states()[self.server].on_trial = false;
        self.servers.changed.notify_waiters();
    }
}

impl Servers {
    pub(crate) fn new(list: &ServerList) -> Self {
        let now = Instant::now();
        let mut clusters = Vec::new();
        let mut states = Vec::new();
        for urls in &list.clusters {
            let first = states.len();
            states.extend(urls.iter().map(|url| State::new(url, now)));
            clusters.push(first..states.len());
        }
        Self {
            clusters,
            balance: list.balance,
            failover_threshold: usize::from(list.failover_threshold),
            states: Mutex::new(states),
            calls: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// The usable servers, in the order in which a call is to try them: those of the first cluster that has
    /// enough of them, then those of the others. Where no cluster has enough, a few are better than none.
    pub(crate) fn turns(&self) -> Vec<usize> {
        let mut usable: Vec<Vec<usize>> = {
            let states = self.states();
            let usable = |cluster: &Range<usize>| cluster.clone().filter(|s| !states[*s].out);
            self.clusters.iter().map(|c| usable(c).collect()).collect()
        };
        let enough = |(usable, all): (&Vec<usize>, &Range<usize>)| {
            !usable.is_empty() && usable.len() * 100 >= self.failover_threshold * all.len()
        };
        if let Some(first) = usable.iter().zip(&self.clusters).position(enough) {
            usable[..=first].rotate_right(1);
        }
        if self.balance == Balance::RoundRobin {
            let calls = self.calls.fetch_add(1, Ordering::Relaxed);
            for cluster in usable.iter_mut().filter(|cluster| !cluster.is_empty()) {
                let by = calls % cluster.len();
                cluster.rotate_left(by);
            }
        }
        usable.concat()
    }

    /// Puts servers on probation last that a call tries already, and lets this call try the first: a server that
    /// says that it is ready may answer nothing all the same, and then each call to it costs a wait and a retry.
    pub(crate) fn try_first(&self, turns: &mut VecDeque<usize>) -> Option<Trial<'_>> {
        let mut states = self.states();
        turns
            .make_contiguous()
            .sort_by_key(|server| states[*server].is_on_probation() && states[*server].on_trial);
        let server = *turns.front()?;
        let state = &mut states[server];
        if !state.is_on_probation() || state.on_trial {
            return None;
        }
        state.on_trial = true;
        Some(Trial {
            servers: self,
            server,
        })
    }

    /// With every server out: waits a moment for one to come back, or for the turn to try one. One call at
    /// a time tries each, and none more often than every [`TRIAL_PAUSE`].
    pub(crate) async fn last_resort(&self) -> Option<LastResort<'_>> {
        let deadline = Instant::now() + LAST_RESORT;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before looking: what changes after is not missed.
            changed.as_mut().enable();
            let next = match self.try_now() {
                Ok(last_resort) => return Some(last_resort),
                Err(next) => next.map_or(deadline, |next| next.min(deadline)),
            };
            if Instant::now() >= deadline {
                return None;
            }
            _ = tokio::time::timeout_at(next, changed).await;
        }
    }

    /// What can be done now, or when to look again.
    fn try_now(&self) -> Result<LastResort<'_>, Option<Instant>> {
        let mut states = self.states();
        if states.iter().any(|state| !state.out) {
            return Ok(LastResort::Usable);
        }
        // Whoever was tried longest ago, and of those never tried the first.
        let idle = states.iter_mut().enumerate().filter(|(_, s)| !s.on_trial);
        let (server, state) = idle.min_by_key(|(_, state)| state.last_trial).ok_or(None)?;
        let now = Instant::now();
        if let Some(next) = state.last_trial.map(|last| last + TRIAL_PAUSE)
            && next > now
        {
            return Err(Some(next));
        }
        state.on_trial = true;
        state.last_trial = Some(now);
        Ok(LastResort::Trial(Trial {
            servers: self,
            server,
        }))
    }

    /// A call got an answer.
    pub(crate) fn succeeded(&self, server: usize) {
        let state = &mut self.states()[server];
        state.failures = 0;
        state.probe_pause = FIRST_PROBE;
        if state.out {
            state.come_back();
            self.changed.notify_waiters();
        }
    }

    /// A call that was sent at `sent` got none. Returns whether somebody has to begin to probe the server.
    pub(crate) fn failed(&self, server: usize, blame: Blame, sent: Instant) -> bool {
        let state = &mut self.states()[server];
        if state.out || sent < state.back_since {
            return false;
        }
        state.failures = match blame {
            Blame::Certain => FAILURES,
            Blame::Suspected => state.failures + 1,
        };
        if state.failures < FAILURES {
            return false;
        }
        state.out = true;
        tracing::warn!(server = state.url, "passed over until it answers again");
        !std::mem::replace(&mut state.probed, true)
    }

    /// The longest pause before the next probe, as long as there is something to probe.
    pub(crate) fn next_probe(&self, server: usize) -> Option<Duration> {
        let state = &mut self.states()[server];
        state.probed = state.out;
        state.out.then_some(state.probe_pause)
    }

    /// A probe is over. The pause grows in either case: only a call shows that all is well.
    pub(crate) fn probed(&self, server: usize, alive: bool) {
        let state = &mut self.states()[server];
        state.probe_pause = (state.probe_pause * 2).min(SLOWEST_PROBE);
        if alive && state.out {
            state.come_back();
            self.changed.notify_waiters();
        }
    }

    fn states(&self) -> MutexGuard<'_, Vec<State>> {
        // No invariant spans a panic: every operation leaves the states usable.
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(url: &str, now: Instant) -> Self {
        Self {
            url: url.to_owned(),
            failures: 0,
            out: false,
            back_since: now,
            probed: false,
            probe_pause: FIRST_PROBE,
            on_trial: false,
            last_trial: None,
        }
    }

    const fn is_on_probation(&self) -> bool {
        !self.out && self.failures + 1 >= FAILURES
    }

    fn come_back(&mut self) {
        self.out = false;
        // Not more than were counted: after an answer to a call there are none.
        self.failures = self.failures.min(FAILURES - 1);
        self.back_since = Instant::now();
        tracing::info!(server = self.url, "is back");
    }
}

#[cfg(test)]
mod tests;
