//! How long a body may come to a stop.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::BodyError;

/// A timer that runs only while a body is waited for. Bodies that are there at once never make one.
#[derive(Debug)]
pub(super) struct Idle {
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Idle {
    pub(super) const fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            timer: None,
            waiting: false,
        }
    }

    /// Polls, and fails when nothing came for the timeout.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Result<T, BodyError>> {
        if let Poll::Ready(value) = poll(cx) {
            self.waiting = false;
            return Poll::Ready(Ok(value));
        }
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if !self.waiting {
            timer.as_mut().reset(Instant::now() + timeout);
            self.waiting = true;
        }
        timer.as_mut().poll(cx).map(|()| Err(BodyError::Idle))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn what_stops_for_the_timeout_fails() {
        let mut idle = Idle::new(Duration::ZERO);
        let stopped = poll_fn(|cx| idle.poll(cx, |_| Poll::<()>::Pending)).await;
        assert!(matches!(stopped, Err(BodyError::Idle)));
    }

    #[tokio::test]
    async fn each_wait_begins_anew() {
        let mut idle = Idle::new(Duration::from_secs(600));
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            let ready = if polls == 2 {
                Poll::Ready(())
            } else {
                Poll::Pending
            };
            idle.poll(cx, |_| ready)
        })
        .await
        .unwrap();
        assert!(!idle.waiting, "the next wait sets the timer again");
    }

    #[tokio::test]
    async fn what_is_ready_needs_no_timer() {
        let mut idle = Idle::new(Duration::ZERO);
        poll_fn(|cx| idle.poll(cx, |_| Poll::Ready(())))
            .await
            .unwrap();
        assert!(idle.timer.is_none());
    }
}
