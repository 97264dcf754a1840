//! Stands between a connection and hyper, and lets only soundly framed requests through.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::framing::{Framing, Violation};

/// What hyper is given instead of a bad head. NUL is allowed nowhere in a head, so wherever hyper is in
/// reading one, it answers 400 and closes; the empty line makes it look at once.
const POISON: &[u8] = b"\0\r\n\r\n";

/// An HTTP/1 connection whose requests are inspected before hyper sees them.
#[derive(Debug)]
pub(super) struct Guard<T> {
    io: T,
    framing: Framing,
    /// Set when the connection has become a tunnel, whose bytes are nobody's business.
    upgraded: Arc<AtomicBool>,
    violations: Arc<AtomicU64>,
    refusal: Option<Refusal>,
}

/// What remains to be handed to hyper after a violation. Then the connection ends for it.
#[derive(Debug)]
enum Refusal {
    /// Bytes that make it answer 400.
    Poison(&'static [u8]),
    /// An error, because the request is on its way already: the upstream must not see a clean end.
    Abort(Violation),
    End,
}

impl<T> Guard<T> {
    /// Inspects what comes from `io`, heads of up to `head_limit` bytes, and counts violations.
    pub(super) fn new(
        io: T,
        head_limit: usize,
        upgraded: Arc<AtomicBool>,
        violations: Arc<AtomicU64>,
    ) -> Self {
        Self {
            io,
            framing: Framing::new(head_limit),
            upgraded,
            violations,
            refusal: None,
        }
    }

    /// Hands over what is left of a refusal.
    fn refuse(refusal: &mut Refusal, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        match refusal {
            Refusal::Poison(left) => {
                let (now, later) = left.split_at(left.len().min(buf.remaining()));
                buf.put_slice(now);
                *refusal = if later.is_empty() {
                    Refusal::End
                } else {
                    Refusal::Poison(later)
                };
                Ok(())
            }
            Refusal::Abort(violation) => {
                let error = violation.error;
                *refusal = Refusal::End;
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
            Refusal::End => Ok(()),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guard<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(refusal) = &mut this.refusal {
            return Poll::Ready(Self::refuse(refusal, buf));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        if this.upgraded.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let Err(violation) = this.framing.inspect(&buf.filled()[before..]) else {
            return Poll::Ready(Ok(()));
        };
        this.violations.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(error = %violation.error, "refused a request");
        buf.set_filled(before + violation.sound);
        let refusal = this.refusal.insert(if violation.in_progress {
            Refusal::Abort(violation)
        } else {
            Refusal::Poison(POISON)
        });
        // Nothing handed over would mean the end of the connection.
        Poll::Ready(if violation.sound == 0 {
            Self::refuse(refusal, buf)
        } else {
            Ok(())
        })
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guard<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
