//! How long calls may take, and what is done after them.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::PolicyError;
use crate::limits::CLEAN_UP;

/// Added to the deadline of a call. The last exchange has one of its own, which comes first and blames the server.
const SLACK: Duration = Duration::from_millis(100);

/// The moment at which a call gives up, whatever it asks of the system until then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// That of a call which begins now.
    pub(super) fn after(time: Duration) -> Self {
        Self(Instant::now() + time + SLACK)
    }

    /// Waits for a part of the call.
    ///
    /// # Errors
    /// The part's own, or [`PolicyError::TimedOut`].
    pub(crate) async fn hold<T>(
        self,
        part: impl Future<Output = Result<T, PolicyError>>,
    ) -> Result<T, PolicyError> {
        let outcome = timeout_at(self.0, part).await;
        outcome.unwrap_or(Err(PolicyError::TimedOut))
    }
}

/// Ends a session that nobody will hold. A call that has its answer, or its error, does not wait for this any longer
/// than [`CLEAN_UP`], and is what it is whatever becomes of it.
pub(crate) async fn clean_up<T>(end: impl Future<Output = Result<T, PolicyError>>) {
    let outcome = timeout(CLEAN_UP, end).await;
    if let Err(error) = outcome.unwrap_or(Err(PolicyError::TimedOut)) {
        tracing::warn!(%error, "a session that nobody holds lives on until it times out");
    }
}
