//! When a refusal is told: at times that say nothing about why.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

/// Refusals are told a whole number of these after the call began: longer than checking a password takes
/// on a machine that is not overloaded, and short enough for who has mistyped theirs. Real time.
const QUANTUM: Duration = Duration::from_millis(250);
/// Refusals that wait at a time, with some kilobytes each.
const MAX_WAITING: usize = 4096;

/// Holds refusals back.
pub(crate) struct AnswerTime(Semaphore);

impl AnswerTime {
    pub(crate) const fn new() -> Self {
        Self(Semaphore::const_new(MAX_WAITING))
    }

    /// Waits until a refusal of what began at `start` may be told. `false` if too many wait: nobody may
    /// be told anything then.
    pub(crate) async fn wait(&self, start: Instant) -> bool {
        let Ok(_place) = self.0.try_acquire() else {
            return false;
        };
        let quanta = start.elapsed().as_millis() / QUANTUM.as_millis() + 1;
        sleep_until(start + QUANTUM * u32::try_from(quanta).unwrap_or(u32::MAX)).await;
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
            assert!(times.wait(start).await);
            assert_eq!(start.elapsed(), Duration::from_millis(told), "{work} ms");
        }
    }

    #[tokio::test]
    async fn no_more_than_so_many_wait() {
        let times = AnswerTime::new();
        let _held = times
            .0
            .try_acquire_many(u32::try_from(MAX_WAITING).unwrap());
        assert!(!times.wait(Instant::now()).await);
    }
}
