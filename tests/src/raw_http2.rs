//! HTTP/2 by hand: requests that no library would send.
//!
//! Header fields go out as literals without Huffman coding (RFC 7541, section 6.2.2), so every byte is
//! as it was asked for. Answers are not decoded beyond their frames.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::RawClient;

/// Frame types and flags (RFC 9113, section 6).
pub const DATA: u8 = 0;
/// A request's or response's head, or its trailers.
pub const HEADERS: u8 = 1;
/// The end of a stream, before its time.
pub const RST_STREAM: u8 = 3;
/// What each side allows the other.
pub const SETTINGS: u8 = 4;
/// Asks for an answer, at the level of the connection.
pub const PING: u8 = 6;
/// The end of a connection.
pub const GOAWAY: u8 = 7;
/// Room for more data.
pub const WINDOW_UPDATE: u8 = 8;
/// More of a head.
pub const CONTINUATION: u8 = 9;
/// The last frame of its stream.
pub const END_STREAM: u8 = 1;
/// The last frame of its head.
pub const END_HEADERS: u8 = 4;
/// An answer to SETTINGS or PING.
pub const ACK: u8 = 1;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an answer, whatever it says.
    Answered,
    /// The stream was reset.
    Reset,
    /// The connection was ended.
    Closed,
}

/// A frame from the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Such as [`HEADERS`].
    pub kind: u8,
    /// Such as [`END_STREAM`].
    pub flags: u8,
    /// 0 is the connection.
    pub stream: u32,
    /// As received.
    pub payload: Vec<u8>,
}

/// One HTTP/2 connection.
#[derive(Debug)]
pub struct RawHttp2 {
    connection: RawClient,
}

impl RawHttp2 {
    /// Connects over TLS to the server `name`, which must speak h2.
    pub async fn connect(address: SocketAddr, name: &str, config: &Arc<ClientConfig>) -> Self {
        let mut connection = RawClient::connect(address, name, config).await;
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        connection.send(frame(SETTINGS, 0, 0, &[])).await;
        Self { connection }
    }

    /// Sends one request with exactly these fields, and a body and trailers if there are any.
    pub async fn ask(
        &mut self,
        fields: &[(&[u8], &[u8])],
        body: Option<&[u8]>,
        trailers: Option<&[(&[u8], &[u8])]>,
    ) -> End {
        let ends = |last: bool| if last { END_STREAM } else { 0 };
        let flags = END_HEADERS | ends(body.is_none() && trailers.is_none());
        let mut request = frame(HEADERS, flags, 1, &encode(fields));
        if let Some(body) = body {
            request.extend(frame(DATA, ends(trailers.is_none()), 1, body));
        }
        if let Some(trailers) = trailers {
            request.extend(frame(
                HEADERS,
                END_HEADERS | END_STREAM,
                1,
                &encode(trailers),
            ));
        }
        self.connection.send(request).await;
        self.end().await
    }

    async fn end(&mut self) -> End {
        while let Some(frame) = self.next().await {
            match frame.kind {
                RST_STREAM if frame.stream == 1 => return End::Reset,
                GOAWAY => return End::Closed,
                HEADERS | DATA if frame.stream == 1 && frame.flags & END_STREAM != 0 => {
                    return End::Answered;
                }
                _ => {}
            }
        }
        End::Closed
    }

    /// Sends frames made by [`frame`]. That the connection has ended is found out by reading.
    pub async fn send(&mut self, frames: &[u8]) {
        self.connection.send(frames).await;
    }

    /// The next frame, or nothing if the connection has ended. SETTINGS are acknowledged.
    pub async fn next(&mut self) -> Option<Frame> {
        let head = self.connection.try_exactly(9).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = self
            .connection
            .try_exactly(length.try_into().expect("24 bits"))
            .await?;
        let (kind, flags) = (head[3], head[4]);
        if kind == SETTINGS && flags & ACK == 0 {
            self.send(&frame(SETTINGS, ACK, 0, &[])).await;
        }
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
            payload,
        })
    }
}

/// A frame as bytes (RFC 9113, section 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A head as bytes: literal fields with literal names, not indexed.
pub fn encode(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            push_length(&mut block, text.len());
            block.extend(*text);
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541, section 5.1).
fn push_length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(u8::try_from(length).expect("below 127"));
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).expect("seven bits") | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).expect("seven bits"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_rfc() {
        let mut block = Vec::new();
        push_length(&mut block, 10);
        push_length(&mut block, 127);
        // The example of section C.1.2, moved to a prefix of seven bits.
        push_length(&mut block, 127 + 1337 - 31);
        assert_eq!(block, [10, 127, 0, 127, 0x9a, 0x0a]);
    }
}
