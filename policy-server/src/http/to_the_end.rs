//! Calls run to their end, also when the caller has gone meanwhile: what was done is never without its record.

use std::sync::{Arc, Weak};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

/// Whether whoever calls still waits for the answer. Every request carries it as an extension.
#[derive(Clone)]
pub(super) struct Waiting(Weak<()>);

impl Waiting {
    pub(super) fn for_nobody(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// Has a task of its own do a call: that of the connection ends with it.
pub(super) async fn to_the_end(mut request: Request, next: Next) -> Response {
    // Held by this future, which is dropped when the connection or the stream ends.
    let here = Arc::new(());
    let waiting = Waiting(Arc::downgrade(&here));
    request.extensions_mut().insert(waiting);
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
