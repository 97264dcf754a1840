//! Waiting for something to happen, without guessing how long it takes.

use std::time::Duration;

/// A generous end to all waiting: only a test that has failed reaches it.
const DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// Asks `check` again and again until it returns something, and returns that.
///
/// # Panics
/// If that has not happened after a minute.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = check().await {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    within(what, asking).await
}

/// The future's output.
///
/// # Panics
/// If it is not there after a minute.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    before(DEADLINE, what, future).await
}

async fn before<T>(deadline: Duration, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(deadline, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {deadline:?} in vain: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_check_is_repeated_until_it_holds() {
        let mut asked = 0;
        let found = eventually("the third time", async || {
            asked += 1;
            (asked == 3).then_some("found")
        });
        assert_eq!(found.await, "found");
        assert_eq!(asked, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "in vain: never")]
    async fn waiting_ends_with_a_panic() {
        before(Duration::ZERO, "never", std::future::pending::<()>()).await;
    }
}
