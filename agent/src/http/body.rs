//! Bodies: streamed, never collected, except for the few of our own. None is boxed.

mod idle;
mod read;
mod request;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;

use idle::Idle;
pub use read::ReadError;
pub use request::RequestBody;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// A request's body has more bytes than the limit.
    #[error("the body is larger than allowed")]
    TooLarge,
    /// Nothing came for the idle timeout.
    #[error("the body came to a stop")]
    Idle,
    /// The connection that it came from did.
    #[error("the body broke off")]
    Broken(#[from] hyper::Error),
}

/// One of something that is in progress: counted for as long as it lives.
#[derive(Debug)]
pub struct InProgress(Arc<AtomicUsize>);

impl InProgress {
    /// One more.
    pub fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }

    /// One more, unless there are `most` already.
    pub fn try_begin(count: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        // Counted first, so that no two can take the last place; dropped again if there was none.
        let before = count.fetch_add(1, Ordering::AcqRel);
        let begun = Self(Arc::clone(count));
        (before < most).then_some(begun)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A body towards the client: our own text, or an upstream's stream.
#[derive(Debug)]
pub enum Body {
    /// A text of our own.
    Full(Full<Bytes>),
    /// A stream from an upstream.
    Upstream(UpstreamBody),
}

/// A body as it comes from an upstream.
#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    idle: Idle,
    /// The request counts for its server until the body ends.
    _in_progress: Option<InProgress>,
}

impl Body {
    /// No content.
    pub fn empty() -> Self {
        Self::Full(Full::default())
    }

    /// Text of our own.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::Full(Full::new(text.into()))
    }

    /// An upstream's body, which may stop for `idle_timeout` at most.
    pub const fn upstream(
        incoming: Incoming,
        idle_timeout: Duration,
        in_progress: Option<InProgress>,
    ) -> Self {
        Self::Upstream(UpstreamBody {
            incoming,
            idle: Idle::new(idle_timeout),
            _in_progress: in_progress,
        })
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Full(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Upstream(UpstreamBody { incoming, idle, .. }) => {
                let frame = ready!(idle.poll(cx, |cx| Pin::new(incoming).poll_frame(cx)))?;
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body) => body.is_end_stream(),
            Self::Upstream(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body) => body.size_hint(),
            Self::Upstream(body) => body.incoming.size_hint(),
        }
    }
}
