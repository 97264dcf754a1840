//! Finds where HTTP/1 requests begin and end, and refuses those that two readers could read in two ways.
//!
//! hyper accepts some of what must not pass: it drops a `#fragment`, takes a bare LF for a line end,
//! removes `gzip` from `Transfer-Encoding: gzip, chunked`, resolves Content-Length beside
//! Transfer-Encoding by itself, and does not ask for a Host. By the time a service sees the request, the
//! evidence is gone. So this reader looks at the same bytes first. It follows RFC 9112 without its
//! leniencies and keeps nothing but the line it is in.

mod head;

use memchr::memchr;

use head::{BodyLength, Head};

/// The longest line with a chunk's size, its CRLF included. Sixteen digits hold any size; the rest is
/// for extensions, which nobody needs.
const CHUNK_LINE_BYTES: usize = 256;

/// How many bytes all chunk extensions of one body may have together, so that a body cannot consist of
/// them.
const CHUNK_EXTENSION_BYTES: usize = 16 * 1024;

/// What is wrong with a request's framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A line ends in LF without CR.
    #[error("a line ends without CR")]
    BareLineFeed,
    /// Not `method SP target SP HTTP/1.0` or `HTTP/1.1`, each once and of allowed characters.
    #[error("malformed request line")]
    RequestLine,
    /// `#` in the target: a fragment is never sent, and servers disagree on what it is then.
    #[error("a fragment in the request target")]
    Fragment,
    /// A field line that is folded, has no name, or has other than token characters in it.
    #[error("malformed field line")]
    Field,
    /// A Content-Length that is not digits, does not fit, or comes twice.
    #[error("malformed or repeated Content-Length")]
    ContentLength,
    /// A Transfer-Encoding other than one `chunked`, or on HTTP/1.0.
    #[error("Transfer-Encoding other than one `chunked`")]
    TransferEncoding,
    /// Both Content-Length and Transfer-Encoding.
    #[error("Content-Length beside Transfer-Encoding")]
    TwoLengths,
    /// No Host, or several.
    #[error("not exactly one Host")]
    Host,
    /// The head or the trailers exceed the limit.
    #[error("the head is too large")]
    TooLarge,
    /// A chunk without a proper size, end or extension.
    #[error("malformed chunk")]
    Chunk,
    /// A field in trailers that belongs in a head.
    #[error("a framing field in the trailers")]
    Trailer,
}

/// A refusal, and what of the inspected bytes came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong.
    pub error: FramingError,
    /// How many of the inspected bytes belong to earlier, sound messages and may be passed on.
    pub sound: usize,
    /// Whether the faulty message's head was passed on before, so that it is too late for an answer.
    pub in_progress: bool,
}

/// A reader of one connection's requests.
#[derive(Debug)]
pub struct Framing {
    state: State,
    head: Head,
    /// The current line, as far as it came with earlier reads.
    line: Vec<u8>,
    /// Bytes of the current head or trailers, or of the body's chunk extensions, in earlier lines.
    size: usize,
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    Refused(FramingError),
}

impl Framing {
    /// For a new connection. A head, and a body's trailers, may have `limit` bytes each.
    pub fn new(limit: usize) -> Self {
        Self {
            state: State::Head,
            head: Head::default(),
            line: Vec::new(),
            size: 0,
            limit,
        }
    }

    /// Looks at the next bytes of the connection, in whatever pieces they come.
    ///
    /// # Errors
    /// The first violation. Whatever comes after it is refused for the same reason.
    pub fn inspect(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let mut at = 0;
        // Where the current message begins, unless it began in an earlier read.
        let mut start = self.between_messages().then_some(0);
        while at < bytes.len() {
            let in_head = self.state == State::Head;
            match self.step(&bytes[at..]) {
                Ok(taken) => at += taken,
                Err(error) => {
                    self.state = State::Refused(error);
                    self.line = Vec::new();
                    let in_progress = !in_head && start.is_none();
                    return Err(Violation {
                        error,
                        sound: start.unwrap_or(0),
                        in_progress,
                    });
                }
            }
            if self.between_messages() {
                start = Some(at);
            }
        }
        Ok(())
    }

    const fn between_messages(&self) -> bool {
        matches!(self.state, State::Head) && self.size == 0 && self.line.is_empty()
    }

    /// Takes a part of `bytes`, which are not empty, and says how much.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, FramingError> {
        match self.state {
            State::Refused(error) => Err(error),
            State::Body(left) => {
                let taken = at_most(left, bytes);
                self.state = match left - taken as u64 {
                    0 => State::Head,
                    left => State::Body(left),
                };
                Ok(taken)
            }
            State::Chunk(left) => {
                let taken = at_most(left, bytes);
                self.state = match left - taken as u64 {
                    0 => State::ChunkEnd,
                    left => State::Chunk(left),
                };
                Ok(taken)
            }
            State::Head | State::ChunkSize | State::ChunkEnd | State::Trailers => {
                self.line_piece(bytes)
            }
        }
    }

    /// Takes up to the end of the current line. A line that comes in one piece is not copied.
    fn line_piece(&mut self, bytes: &[u8]) -> Result<usize, FramingError> {
        let end = memchr(b'\n', bytes).map(|at| at + 1);
        let piece = &bytes[..end.unwrap_or(bytes.len())];
        self.check_bounds(self.line.len() + piece.len())?;
        match end {
            Some(_) if self.line.is_empty() => self.whole_line(piece)?,
            Some(_) => {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(piece);
                self.whole_line(&line)?;
            }
            None => self.line.extend_from_slice(piece),
        }
        Ok(piece.len())
    }

    fn check_bounds(&self, line: usize) -> Result<(), FramingError> {
        match self.state {
            State::Head | State::Trailers if self.size + line > self.limit => {
                Err(FramingError::TooLarge)
            }
            State::ChunkSize if line > CHUNK_LINE_BYTES => Err(FramingError::Chunk),
            State::ChunkEnd if line > 2 => Err(FramingError::Chunk),
            _ => Ok(()),
        }
    }

    fn whole_line(&mut self, line: &[u8]) -> Result<(), FramingError> {
        let Some(text) = line.strip_suffix(b"\r\n") else {
            return Err(FramingError::BareLineFeed);
        };
        match self.state {
            State::Head => {
                self.size += line.len();
                if let Some(body) = self.head.line(text)? {
                    self.begin_body(body);
                }
            }
            State::ChunkSize => {
                let (size, extension) = head::chunk_size(text)?;
                self.size += extension;
                if self.size > CHUNK_EXTENSION_BYTES {
                    return Err(FramingError::Chunk);
                }
                if size == 0 {
                    (self.state, self.size) = (State::Trailers, 0);
                } else {
                    self.state = State::Chunk(size);
                }
            }
            State::ChunkEnd if text.is_empty() => self.state = State::ChunkSize,
            State::ChunkEnd => return Err(FramingError::Chunk),
            State::Trailers if text.is_empty() => (self.state, self.size) = (State::Head, 0),
            State::Trailers => {
                self.size += line.len();
                head::trailer(text)?;
            }
            State::Body(_) | State::Chunk(_) | State::Refused(_) => {}
        }
        Ok(())
    }

    fn begin_body(&mut self, body: BodyLength) {
        self.size = 0;
        self.head = Head::default();
        self.state = match body {
            BodyLength::Known(0) => State::Head,
            BodyLength::Known(length) => State::Body(length),
            BodyLength::Chunked => State::ChunkSize,
        };
    }
}

/// How many of `bytes` belong to the `left` ones.
fn at_most(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

#[cfg(test)]
mod tests;
