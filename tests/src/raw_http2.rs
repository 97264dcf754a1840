//! HTTP/2 by hand: requests that no library would send.
//!
//! Header fields go out as literals without Huffman coding (RFC 7541, section 6.2.2), so every byte is
//! as it was asked for. Answers are not decoded beyond how the stream ended.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::RawClient;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

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

/// One HTTP/2 connection with one request on it.
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
        loop {
            let Some(head) = self.connection.try_exactly(9).await else {
                return End::Closed;
            };
            let length =
                usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let Some(_) = self.connection.try_exactly(length).await else {
                return End::Closed;
            };
            let (kind, flags, stream) = (head[3], head[4], head[8]);
            match kind {
                RST_STREAM if stream == 1 => return End::Reset,
                GOAWAY => return End::Closed,
                HEADERS | DATA if stream == 1 && flags & END_STREAM != 0 => return End::Answered,
                SETTINGS if flags == 0 => self.connection.send(frame(SETTINGS, 1, 0, &[])).await,
                _ => {}
            }
        }
    }
}

/// RFC 9113, section 4.1.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame").to_be_bytes();
    let mut frame = vec![
        length[1], length[2], length[3], kind, flags, 0, 0, 0, stream,
    ];
    frame.extend(payload);
    frame
}

/// Literal fields with literal names, not indexed.
fn encode(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
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
