//! A client that can say anything: bytes out, responses in, HTTP/1.1 over TLS or not.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::eventually::within;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// One connection.
pub struct RawClient {
    stream: BufStream<Box<dyn Stream>>,
}

impl std::fmt::Debug for RawClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawClient")
    }
}

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse {
    /// The status code.
    pub status: u16,
    /// In order, names as received.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Trailers, in order.
    pub trailers: Vec<(String, String)>,
}

impl RawResponse {
    /// The first value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl RawClient {
    /// Connects over TLS and asks for the server `name`.
    ///
    /// # Panics
    /// If the handshake fails; see [`RawClient::try_connect`].
    pub async fn connect(address: SocketAddr, name: &str, config: &Arc<ClientConfig>) -> Self {
        Self::try_connect(address, name, config)
            .await
            .expect("a TLS connection")
    }

    /// Connects over TLS and asks for the server `name`.
    ///
    /// # Errors
    /// Whatever TCP or TLS says.
    pub async fn try_connect(
        address: SocketAddr,
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        Self::over_tls(stream, name, config).await
    }

    /// Sends `preface` (a PROXY header) before the TLS handshake.
    ///
    /// # Errors
    /// Whatever TCP or TLS says.
    pub async fn connect_with_preface(
        address: SocketAddr,
        preface: &[u8],
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(preface).await?;
        Self::over_tls(stream, name, config).await
    }

    async fn over_tls(
        stream: TcpStream,
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(String::from(name)).expect("a server name");
        let handshake = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        let stream = within("the TLS handshake", handshake).await?;
        Ok(Self {
            stream: BufStream::new(Box::new(stream)),
        })
    }

    /// Connects without TLS.
    pub async fn connect_plain(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufStream::new(Box::new(stream)),
        }
    }

    /// Sends bytes. That the other side has closed is found out by reading.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sending = async {
            let _ = self.stream.write_all(bytes.as_ref()).await;
            let _ = self.stream.flush().await;
        };
        within("sending", sending).await;
    }

    /// The next response, or `None` if the connection ends before its head.
    pub async fn response(&mut self) -> Option<RawResponse> {
        within("a response", self.read_response()).await
    }

    /// Sends a request and reads its response.
    ///
    /// # Panics
    /// If the connection ends instead.
    pub async fn ask(&mut self, request: impl AsRef<[u8]>) -> RawResponse {
        self.send(request).await;
        self.response().await.expect("a response")
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end like any other.
        let _ = within(
            "the end of the connection",
            self.stream.read_to_end(&mut rest),
        )
        .await;
        rest
    }

    /// Reads exactly `length` bytes.
    ///
    /// # Panics
    /// If the connection ends before.
    pub async fn exactly(&mut self, length: usize) -> Vec<u8> {
        self.try_exactly(length).await.expect("bytes")
    }

    /// Reads exactly `length` bytes, or nothing if the connection ends before.
    pub async fn try_exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        let read = within("bytes", self.stream.read_exact(&mut bytes)).await;
        read.ok().map(|_| bytes)
    }

    /// The head of the next response; its body is left unread.
    pub async fn head(&mut self) -> Option<RawResponse> {
        within("a head", self.read_head()).await
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).await.ok()?;
        line.ends_with(b"\n").then(|| {
            String::from_utf8_lossy(&line)
                .trim_end_matches(['\r', '\n'])
                .into()
        })
    }

    async fn fields(&mut self) -> Option<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else {
                return Some(fields);
            };
            fields.push((name.into(), value.trim().into()));
        }
    }

    async fn read_head(&mut self) -> Option<RawResponse> {
        let line = self.line().await?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {line:?}"));
        Some(RawResponse {
            status,
            headers: self.fields().await?,
            body: Vec::new(),
            trailers: Vec::new(),
        })
    }

    async fn read_response(&mut self) -> Option<RawResponse> {
        let mut response = self.read_head().await?;
        if matches!(response.status, 100..=199 | 204 | 304) {
            return Some(response);
        }
        if response.header("transfer-encoding").is_some() {
            loop {
                let size =
                    usize::from_str_radix(self.line().await?.trim(), 16).expect("a chunk size");
                if size == 0 {
                    break;
                }
                self.read_into(&mut response.body, size).await?;
                self.line().await?;
            }
            response.trailers = self.fields().await?;
        } else if let Some(length) = response.header("content-length") {
            let length = length.parse().expect("a length");
            self.read_into(&mut response.body, length).await?;
        } else {
            let _ = self.stream.read_to_end(&mut response.body).await;
        }
        Some(response)
    }

    async fn read_into(&mut self, body: &mut Vec<u8>, length: usize) -> Option<()> {
        let start = body.len();
        body.resize(start + length, 0);
        self.stream
            .read_exact(&mut body[start..])
            .await
            .ok()
            .map(|_| ())
    }
}
