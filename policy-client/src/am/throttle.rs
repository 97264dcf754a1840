//! How soon the agent may log in again.

use std::time::Duration;

use tokio::time::Instant;

use super::limits::{MAX_LOGIN_PAUSE, MIN_LOGIN_PAUSE};

/// A login counts as failed until its session was accepted: what is dropped at a deadline says nothing more.
#[derive(Debug)]
pub(super) struct Throttle {
    not_before: Option<Instant>,
    pause: Duration,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            not_before: None,
            pause: MIN_LOGIN_PAUSE,
        }
    }
}

impl Throttle {
    /// Begins a login, if one may be tried; returns the pause after it.
    pub(super) fn begin(&mut self) -> Option<Duration> {
        let now = Instant::now();
        if self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        let pause = self.pause;
        self.not_before = Some(now + pause);
        self.pause = (pause * 2).min(MAX_LOGIN_PAUSE);
        Some(pause)
    }

    /// The login failed just now: its pause begins.
    pub(super) fn failed(&mut self, pause: Duration) {
        self.not_before = Some(Instant::now() + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds to each of the next logins that may be tried.
    async fn waits(throttle: &mut Throttle, count: usize) -> Vec<u64> {
        let mut waits = Vec::new();
        for _ in 0..count {
            let begun = Instant::now();
            while throttle.begin().is_none() {
                tokio::time::advance(Duration::from_millis(100)).await;
            }
            waits.push(begun.elapsed().as_secs());
        }
        waits
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_was_never_heard_of_again_doubles_the_pause() {
        let mut throttle = Throttle::default();
        let expected = [0, 1, 2, 4, 8, 16, 32, 60, 60];
        assert_eq!(waits(&mut throttle, 9).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_begins_when_the_login_has_failed() {
        let mut throttle = Throttle::default();
        let pause = throttle.begin().unwrap();
        tokio::time::advance(Duration::from_secs(5)).await;
        throttle.failed(pause);
        assert!(throttle.begin().is_none());
        assert_eq!(waits(&mut throttle, 1).await, [1]);
    }
}
