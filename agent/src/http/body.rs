//! Bodies: streamed, never collected, except for the few of our own.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Full;

/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body towards the client: our own text, or an upstream's stream.
///
/// An upstream's body is boxed once for each response, so that the pipeline need not know how it is
/// timed and counted.
#[derive(Debug)]
pub enum Body {
    /// A text of our own.
    Full(Full<Bytes>),
    /// A stream from an upstream.
    Stream(http_body_util::combinators::UnsyncBoxBody<Bytes, BodyError>),
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
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Full(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body) => body.is_end_stream(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body) => body.size_hint(),
            Self::Stream(body) => body.size_hint(),
        }
    }
}
