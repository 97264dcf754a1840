//! When a refusal is told: at times that say nothing about why.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

/// Refusals are told a whole number of these after the call began: longer than checking a password takes
/// on a machine that is not overloaded, and short enough for who has mistyped theirs. Real time.
const QUANTUM: Duration = Duration::from_millis(250);
/// Refusals that wait at a time, with some kilobytes each.
const MAX_WAITING: usize = 4096;

/// Refusals without a look at the password are told after so many at most: agents wait five seconds.
const MAX_QUANTA: u32 = 16;

/// Holds refusals back.
pub(crate) struct AnswerTime {
    places: Semaphore,
    /// After how many the last one was told whose password was looked at.
    last: AtomicU32,
}

impl AnswerTime {
    pub(crate) const fn new() -> Self {
        Self {
            places: Semaphore::const_new(MAX_WAITING),
            last: AtomicU32::new(0),
        }
    }

    /// Waits until a refusal of what began at `start` may be told: one without a look at the password no
    /// sooner than the last one with, which is slow where many passwords are checked. `false` if too many wait:
    /// nobody may be told anything then.
    pub(crate) async fn wait(&self, start: Instant, looked: bool) -> bool {
        let Ok(_place) = self.places.try_acquire() else {
            return false;
        };
        let quanta = start.elapsed().as_millis() / QUANTUM.as_millis() + 1;
        let mut quanta = u32::try_from(quanta).unwrap_or(u32::MAX);
        if looked {
            self.last.store(quanta, Ordering::Relaxed);
        } else {
            quanta = quanta.max(self.last.load(Ordering::Relaxed).min(MAX_QUANTA));
        }
        sleep_until(start + QUANTUM * quanta).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_told_at_the_next_multiple() {
        let times = AnswerTime::new();
        for (work, told) in [(0, 250), (1, 250), (249, 250), (251, 500), (1100, 1250)] {
            let start = Instant::now();
            tokio::time::advance(Duration::from_millis(work)).await;
            assert!(times.wait(start, true).await);
            assert_eq!(start.elapsed(), Duration::from_millis(told), "{work} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_not_looked_at_waits_as_long_as_who_was() {
        let times = AnswerTime::new();
        let took = async |work, looked| {
            let start = Instant::now();
            tokio::time::advance(Duration::from_millis(work)).await;
            assert!(times.wait(start, looked).await);
            start.elapsed().as_millis()
        };
        assert_eq!(took(1, false).await, 250);
        assert_eq!(took(600, true).await, 750);
        assert_eq!(took(1, false).await, 750);
        assert_eq!(took(800, false).await, 1000);
        assert_eq!(took(1, false).await, 750, "only who was looked at counts");
        assert_eq!(took(9000, true).await, 9250);
        assert_eq!(took(1, false).await, 4000);
        assert_eq!(took(1, true).await, 250);
        assert_eq!(took(1, false).await, 250);
    }

    #[tokio::test]
    async fn no_more_than_so_many_wait() {
        let times = AnswerTime::new();
        let _held = times
            .places
            .try_acquire_many(u32::try_from(MAX_WAITING).unwrap());
        assert!(!times.wait(Instant::now(), true).await);
    }
}
