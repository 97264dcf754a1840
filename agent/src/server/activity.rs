//! Whether a client still takes what it asked for, and asks for anything at all.
//!
//! The system notices a client whose TCP window stays shut, but not one that reads the connection and
//! keeps an HTTP/2 stream's window shut: its responses would be held forever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::http::progress::Progress;

/// How exact the limits are, at best.
const RESOLUTION: Duration = Duration::from_secs(1);

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    progress: Progress,
    /// Requests in progress.
    requests: AtomicUsize,
    /// Pieces of responses that the client has not made room for.
    untaken: AtomicUsize,
}

/// Why a connection should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The client does not take its responses.
    Stalled,
    /// The client asks for nothing.
    Idle,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            progress: Progress::start(),
            requests: AtomicUsize::new(0),
            untaken: AtomicUsize::new(0),
        }
    }

    pub(super) fn request_begins(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.moved();
    }

    pub(super) fn request_ends(&self) {
        self.requests.fetch_sub(1, Ordering::Relaxed);
        self.moved();
    }

    /// A response's head, or a piece of its body, is there.
    pub(super) fn piece_is_given(&self) {
        self.untaken.fetch_add(1, Ordering::Relaxed);
        self.moved();
    }

    /// The client made room for it.
    pub(super) fn piece_is_taken(&self) {
        self.untaken.fetch_sub(1, Ordering::Relaxed);
        self.moved();
    }

    /// Limits count from now on.
    pub(super) fn moved(&self) {
        self.progress.moved();
    }

    /// Waits until no response was taken for `stall`, or no request was there for `idle`, if given.
    pub(super) async fn stopped(&self, stall: Duration, idle: Option<Duration>) -> Stopped {
        // Which limit applies may change meanwhile, so no sleep is longer than the shorter one.
        let glance = idle.map_or(stall, |idle| idle.min(stall));
        loop {
            let now = Instant::now();
            let last = self.progress.last();
            let without_request = self.requests.load(Ordering::Relaxed) == 0;
            let due = if self.untaken.load(Ordering::Relaxed) > 0 {
                Some((last + stall, Stopped::Stalled))
            } else {
                let idle = idle.filter(|_| without_request);
                idle.map(|idle| (last + idle, Stopped::Idle))
            };
            match due {
                Some((deadline, reason)) if deadline <= now => return reason,
                Some((deadline, _)) => {
                    sleep_until(deadline.clamp(now + RESOLUTION, now + glance.max(RESOLUTION)))
                }
                None => sleep_until(now + glance.max(RESOLUTION)),
            }
            .await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn a_connection_without_requests_is_idle() {
        let activity = Activity::new();
        assert_eq!(
            activity.stopped(LONG, Some(Duration::ZERO)).await,
            Stopped::Idle
        );
    }

    #[tokio::test]
    async fn a_response_that_is_not_taken_is_stalled() {
        let activity = Activity::new();
        activity.request_begins();
        activity.piece_is_given();
        assert_eq!(
            activity.stopped(Duration::ZERO, Some(LONG)).await,
            Stopped::Stalled
        );
    }

    #[tokio::test]
    async fn a_request_that_waits_for_its_upstream_is_neither() {
        let activity = Activity::new();
        activity.request_begins();
        activity.piece_is_given();
        activity.piece_is_taken();
        let stopped = activity.stopped(RESOLUTION, Some(RESOLUTION));
        assert!(futures_util::FutureExt::now_or_never(stopped).is_none());
        activity.request_ends();
        assert_eq!(
            activity.stopped(LONG, Some(Duration::ZERO)).await,
            Stopped::Idle
        );
    }
}
