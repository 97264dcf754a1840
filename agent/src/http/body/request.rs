//! Bodies towards an upstream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;

use super::BodyError;
use super::idle::Idle;
use crate::http::headers::ManagedHeaders;
use crate::http::progress::Progress;
use crate::upstream::hop_by_hop;

/// How long a client may stop while no upstream's own limit applies yet.
const UNTIL_FORWARDED: Duration = Duration::from_secs(30);

/// A body towards an upstream: the client's stream, or a kept one that is played again.
#[derive(Debug)]
pub enum RequestBody {
    /// What the client sends.
    Streamed(Streamed),
    /// Bytes that are there already.
    Full(Full<Bytes>),
}

/// What the client sends, within bounds.
#[derive(Debug)]
pub struct Streamed {
    incoming: Incoming,
    /// Bytes that may still come.
    left: u64,
    idle: Idle,
    /// Without it all trailers are dropped.
    managed: Option<Arc<ManagedHeaders>>,
    /// The time an upstream has for its answer begins where the body last moved, so that a long upload is
    /// not taken for a slow answer.
    progress: Option<Arc<Progress>>,
}

impl RequestBody {
    /// What the client sends, up to `limit` bytes; 0 for any number.
    pub const fn streamed(incoming: Incoming, limit: u64) -> Self {
        Self::Streamed(Streamed {
            incoming,
            left: if limit == 0 { u64::MAX } else { limit },
            idle: Idle::new(UNTIL_FORWARDED),
            managed: None,
            progress: None,
        })
    }

    /// A kept body.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(Full::new(bytes.into()))
    }

    /// No body.
    pub fn empty() -> Self {
        Self::Full(Full::default())
    }

    /// Whether the announced length alone exceeds the limit.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self, Self::Streamed(body) if body.incoming.size_hint().lower() > body.left)
    }

    /// A copy, if the body need not be read for it.
    pub(crate) fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Full(body) => Some(Self::Full(body.clone())),
            Self::Streamed(body) => body.incoming.is_end_stream().then(Self::empty),
        }
    }

    /// Sets how long the client may stop, and which trailers are ours; returns when the body last moved,
    /// unless there is nothing to come.
    pub(crate) fn begin(
        &mut self,
        idle: Duration,
        managed: &Arc<ManagedHeaders>,
    ) -> Option<Arc<Progress>> {
        let Self::Streamed(body) = self else {
            return None;
        };
        if body.incoming.is_end_stream() {
            return None;
        }
        body.idle = Idle::new(idle);
        body.managed = Some(Arc::clone(managed));
        body.progress = Some(Arc::new(Progress::start()));
        body.progress.clone()
    }
}

impl Streamed {
    fn admit(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        if let Some(data) = frame.data_ref() {
            self.left = self
                .left
                .checked_sub(data.len() as u64)
                .ok_or(BodyError::TooLarge)?;
            return Ok(frame);
        }
        let mut trailers = frame.into_trailers().unwrap_or_default();
        match &self.managed {
            Some(managed) => drop_unfit_trailers(&mut trailers, managed),
            None => trailers.clear(),
        }
        Ok(Frame::trailers(trailers))
    }
}

/// Drops what must not come after a body: what frames, routes or authenticates a request, and every
/// client copy of a header that is ours (R1).
fn drop_unfit_trailers(trailers: &mut HeaderMap, managed: &ManagedHeaders) {
    let unfit: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| {
            managed.is_managed(name)
                || hop_by_hop::is_hop_by_hop(name)
                || hop_by_hop::is_end_to_end_critical(name)
        })
        .cloned()
        .collect();
    for name in unfit {
        trailers.remove(name);
    }
}

impl HttpBody for RequestBody {
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
            Self::Streamed(body) => {
                let incoming = &mut body.incoming;
                let frame = ready!(body.idle.poll(cx, |cx| Pin::new(incoming).poll_frame(cx)))?;
                if let Some(progress) = &body.progress {
                    progress.moved();
                }
                Poll::Ready(frame.map(|frame| body.admit(frame?)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body) => body.is_end_stream(),
            Self::Streamed(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body) => body.size_hint(),
            Self::Streamed(body) => body.incoming.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn trailers_keep_only_what_is_fit_for_them() {
        let mut trailers = HeaderMap::new();
        for name in [
            "grpc-status",
            "x-checksum",
            "connection",
            "authorization",
            "cookie",
            "content-length",
        ] {
            trailers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        drop_unfit_trailers(&mut trailers, &ManagedHeaders::default());
        let mut names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["grpc-status", "x-checksum"]);
    }

    #[test]
    fn only_bodies_that_need_not_be_read_are_copied() {
        assert!(RequestBody::full("a").try_clone().is_some());
        assert!(RequestBody::empty().try_clone().is_some());
    }
}
