//! Whether the store can be reached, as seen by following its feed: nobody has to ask it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Who follows the feed hears of the store at least once in two seconds, or of its failure.
const FRESH: Duration = Duration::from_secs(3);

/// What was seen last.
#[derive(Default)]
pub(crate) struct StoreHealth(Mutex<Seen>);

#[derive(Default)]
enum Seen {
    #[default]
    Nothing,
    Alive(Instant),
    Lost,
}

impl StoreHealth {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has answered.
    pub(crate) fn alive(&self) {
        *self.seen() = Seen::Alive(Instant::now());
    }

    /// It has not.
    pub(crate) fn lost(&self) {
        *self.seen() = Seen::Lost;
    }

    /// Whether it is known to be away.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(*self.seen(), Seen::Lost)
    }

    /// Whether it has answered just now.
    pub(crate) fn is_fresh(&self) -> bool {
        matches!(*self.seen(), Seen::Alive(at) if at.elapsed() < FRESH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_counts_for_a_while_and_a_failure_until_the_next() {
        let health = StoreHealth::default();
        assert!(!health.is_fresh() && !health.is_lost());
        health.alive();
        assert!(health.is_fresh());
        tokio::time::sleep(FRESH).await;
        assert!(!health.is_fresh() && !health.is_lost());
        health.lost();
        assert!(health.is_lost() && !health.is_fresh());
    }
}
