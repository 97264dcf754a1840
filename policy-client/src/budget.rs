//! How many calls may be sent a second time.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::limits::{RETRY_BURST, RETRY_FLOOR, RETRY_SHARE};

/// A bucket of retries. Every call adds a share of one, and so does time; each retry takes one.
pub(crate) struct Budget(Mutex<Bucket>);

struct Bucket {
    retries: f64,
    filled: Instant,
}

impl Budget {
    /// A full one.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Bucket {
            retries: RETRY_BURST,
            filled: Instant::now(),
        }))
    }

    /// A call is made.
    pub(crate) fn earn(&self) {
        self.with(|bucket| bucket.add(RETRY_SHARE));
    }

    /// Whether a call may be sent once more.
    pub(crate) fn spend(&self) -> bool {
        self.with(|bucket| {
            let now = Instant::now();
            let since = now.duration_since(bucket.filled).as_secs_f64();
            bucket.filled = now;
            bucket.add(since * RETRY_FLOOR);
            let may = bucket.retries >= 1.0;
            if may {
                bucket.retries -= 1.0;
            }
            may
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Bucket) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Bucket {
    fn add(&mut self, retries: f64) {
        self.retries = (self.retries + retries).min(RETRY_BURST);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn spend_all(budget: &Budget) -> usize {
        (0..10_000).take_while(|_| budget.spend()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_a_share_of_the_calls_and_a_floor_are_all_there_is() {
        let budget = Budget::new();
        assert_eq!(spend_all(&budget), 100);
        for _ in 0..101 {
            budget.earn();
        }
        assert_eq!(spend_all(&budget), 20);
        tokio::time::advance(Duration::from_millis(2050)).await;
        assert_eq!(spend_all(&budget), 20);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(spend_all(&budget), 100, "what is not used is not saved");
    }
}
