//! Calls that change something run to their end, also when the caller has gone meanwhile or the server is to stop: what was
//! done is never without its record.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::watch;

/// How long a stop waits for calls whose connections have ended. Together with what connections get, well below the 15
/// seconds after which a service manager kills.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The calls that are under way: each holds a receiver.
#[derive(Clone, Debug)]
pub(crate) struct UnderWay(Arc<watch::Sender<()>>);

impl Default for UnderWay {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl UnderWay {
    /// Returns when no call is under way, or when it took too long.
    pub(crate) async fn finish(&self) {
        let finished = tokio::time::timeout(STOP_TIMEOUT, self.0.closed()).await;
        if finished.is_err() {
            tracing::error!(
                "stopped in the middle of calls: what they have done may not be recorded"
            );
        }
    }
}

/// Whether whoever calls still waits for the answer. Every request carries it as an extension.
#[derive(Clone)]
pub(super) struct Waiting(Weak<()>);

impl Waiting {
    pub(super) fn for_nobody(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// Has a task of its own do a call: that of the connection ends with it.
pub(super) async fn to_the_end(
    State(under_way): State<UnderWay>,
    mut request: Request,
    next: Next,
) -> Response {
    // Held by this future, which is dropped when the connection or the stream ends.
    let here = Arc::new(());
    let waiting = Waiting(Arc::downgrade(&here));
    request.extensions_mut().insert(waiting);
    let counted = under_way.0.subscribe();
    let call = tokio::spawn(async move {
        let _counted = counted;
        next.run(request).await
    });
    match call.await {
        Ok(response) => response,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

#[cfg(test)]
mod tests;
