//! Events as newline-delimited JSON.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use policy_protocol::Event;
use policy_protocol::event::SILENCE;
use tokio::time::Instant;

use crate::{EventStream, PolicyError};

/// The longest line that is read, in bytes. The longest event holds one universal id.
const MAX_LINE: usize = 16 * 1024;

/// What has been read of a stream.
struct Lines<S> {
    chunks: S,
    /// The bytes after the last newline.
    rest: Vec<u8>,
    /// Whole lines that have not been handed out.
    ready: VecDeque<Result<Event, PolicyError>>,
    /// When the last event was handed out, or the stream asked for.
    heard: Instant,
    /// Whether an error was seen: nothing after it counts.
    lost: bool,
}

/// Reads events from chunks of bytes. The stream ends with its first error, and if there is no event for
/// [`SILENCE`], whatever TCP says; that time runs from when the stream was `asked` for.
pub(crate) fn decode<S>(chunks: S, asked: Instant) -> EventStream
where
    S: Stream<Item = Result<Bytes, PolicyError>> + Send + 'static,
{
    let chunks = Box::pin(chunks);
    let lines = Lines {
        chunks,
        rest: Vec::new(),
        ready: VecDeque::new(),
        heard: asked,
        lost: false,
    };
    Box::pin(futures_util::stream::unfold(
        lines,
        |mut lines| async move {
            let event = lines.next_in_time().await?;
            lines.lost = event.is_err();
            Some((event, lines))
        },
    ))
}

impl<S: Stream<Item = Result<Bytes, PolicyError>> + Unpin> Lines<S> {
    async fn next_in_time(&mut self) -> Option<Result<Event, PolicyError>> {
        if self.lost {
            return None;
        }
        let next = tokio::time::timeout_at(self.heard + SILENCE, self.next()).await;
        let Ok(event) = next else {
            return Some(Err(PolicyError::TimedOut));
        };
        // A timeout lets pass what is there already: this process was stopped meanwhile, and nobody knows how old
        // that is. No error, because the server is not to blame.
        if self.heard.elapsed() >= SILENCE {
            return None;
        }
        self.heard = Instant::now();
        event
    }

    async fn next(&mut self) -> Option<Result<Event, PolicyError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            match self.chunks.next().await? {
                Ok(chunk) => self.take(&chunk),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        self.rest.extend_from_slice(chunk);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.ready
                .push_back(serde_json::from_slice(&line).map_err(|_| PolicyError::Protocol));
        }
        if self.rest.len() > MAX_LINE {
            self.ready.push_back(Err(PolicyError::Protocol));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use futures_util::stream::iter;

    const HELLO: &str =
        "{\"position\":{\"instance\":\"a\",\"sequence\":1},\"event\":\"hello\",\"gap\":true}\n";

    async fn read(chunks: Vec<Vec<u8>>) -> Vec<Result<Event, PolicyError>> {
        let chunks = chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk)));
        decode(iter(chunks.collect::<Vec<_>>()), Instant::now())
            .collect()
            .await
    }

    #[tokio::test]
    async fn events_are_read_however_the_bytes_are_cut() {
        let whole = read(vec![[HELLO, HELLO].concat().into_bytes()]).await;
        let bytewise = read(
            [HELLO, HELLO]
                .concat()
                .bytes()
                .map(|byte| vec![byte])
                .collect(),
        )
        .await;
        assert_eq!(whole.len(), 2);
        assert!(whole.iter().all(Result::is_ok));
        assert_eq!(whole, bytewise);
    }

    #[tokio::test]
    async fn nothing_is_read_after_a_line_that_is_no_event() {
        let events = read(vec![[HELLO, "nonsense\n", HELLO].concat().into_bytes()]).await;
        assert_eq!(events.len(), 2);
        assert_eq!(events[1], Err(PolicyError::Protocol));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_falls_silent_is_lost() {
        let nothing = futures_util::stream::pending().boxed();
        let trickle = futures_util::stream::unfold((), async |()| {
            tokio::time::sleep(SILENCE / 2).await;
            Some((Ok(Bytes::from("{")), ()))
        });
        for rest in [nothing, trickle.boxed()] {
            let first = iter([Ok(Bytes::from(HELLO))]);
            let events: Vec<_> = decode(first.chain(rest), Instant::now()).collect().await;
            assert_eq!(events.len(), 2);
            assert_eq!(events[1], Err(PolicyError::TimedOut));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_there_already_after_a_pause_is_too_late() {
        for pause in [SILENCE - Duration::from_millis(1), SILENCE] {
            let in_time = pause < SILENCE;
            let both = Bytes::from([HELLO, HELLO].concat());
            let mut events = decode(iter([Ok(both)]), Instant::now());
            assert!(events.next().await.is_some());
            tokio::time::advance(pause).await;
            assert_eq!(events.next().await.is_some(), in_time);
            // The same if it is not yet read at all.
            let asked = Instant::now();
            tokio::time::advance(pause).await;
            let read = decode(iter([Ok(Bytes::from(HELLO))]), asked);
            assert_eq!(read.collect::<Vec<_>>().await.len(), usize::from(in_time));
        }
    }

    #[tokio::test]
    async fn an_endless_line_is_an_error_and_not_memory() {
        let events = read(vec![vec![b'x'; MAX_LINE + 1], HELLO.as_bytes().to_vec()]).await;
        assert_eq!(events, [Err(PolicyError::Protocol)]);
    }
}
