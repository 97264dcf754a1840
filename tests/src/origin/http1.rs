//! HTTP/1.1 by hand, so that what came is written down as it came.

use std::io::{self, Error};

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};

use super::{Notes, SeenRequest, Stream, Task, hex};

/// The beginning of a body that is kept.
const KEPT: usize = 64 * 1024;
const CHUNK: usize = 64 * 1024;

type Connection = BufStream<Box<dyn Stream>>;

/// Serves one connection to its end.
pub(super) async fn serve(stream: Box<dyn Stream>, notes: &Notes, number: usize) {
    let mut connection = BufStream::with_capacity(CHUNK, CHUNK, stream);
    while let Ok(Some(request)) = read_head(&mut connection, number).await {
        match answer(&mut connection, notes, request).await {
            Ok(true) if connection.flush().await.is_ok() => {}
            _ => break,
        }
    }
    let _ = connection.shutdown().await;
}

async fn read_line(connection: &mut Connection) -> io::Result<String> {
    let mut line = Vec::new();
    connection.read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Err(Error::from(io::ErrorKind::UnexpectedEof));
    }
    while line
        .last()
        .is_some_and(|byte| matches!(byte, b'\r' | b'\n'))
    {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

async fn read_fields(connection: &mut Connection) -> io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(connection).await?;
        match line.split_once(':') {
            _ if line.is_empty() => return Ok(fields),
            Some((name, value)) => fields.push((
                String::from(name),
                String::from(value.trim_matches([' ', '\t'])),
            )),
            None => return Err(Error::other("a field without a colon")),
        }
    }
}

async fn read_head(connection: &mut Connection, number: usize) -> io::Result<Option<SeenRequest>> {
    let Ok(line) = read_line(connection).await else {
        return Ok(None);
    };
    let mut words = line.splitn(3, ' ').map(String::from);
    let mut word = || words.next().unwrap_or_default();
    let (method, target, version) = (word(), word(), word());
    let headers = read_fields(connection).await?;
    Ok(Some(SeenRequest {
        connection: number,
        version,
        method,
        target,
        headers,
        ..SeenRequest::default()
    }))
}

/// Reads the body by the request's own framing, and its trailers.
async fn read_body(connection: &mut Connection, request: &mut SeenRequest) -> io::Result<()> {
    if request.header("expect").is_some() {
        connection
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await?;
        connection.flush().await?;
    }
    let mut hash = Context::new(&SHA256);
    let mut kept = Vec::new();
    if request.header("transfer-encoding").is_some() {
        loop {
            let size = read_line(connection).await?;
            let size = u64::from_str_radix(size.trim(), 16).map_err(Error::other)?;
            if size == 0 {
                break;
            }
            read_exactly(connection, size, &mut hash, &mut kept).await?;
            request.body_length += size;
            read_line(connection).await?;
        }
        request.trailers = read_fields(connection).await?;
    } else if let Some(length) = request.header("content-length") {
        let length = length.parse().map_err(Error::other)?;
        read_exactly(connection, length, &mut hash, &mut kept).await?;
        request.body_length = length;
    }
    request.body_sha256 = hex(hash.finish().as_ref());
    request.body = String::from_utf8_lossy(&kept).into_owned();
    Ok(())
}

async fn read_exactly(
    connection: &mut Connection,
    mut length: u64,
    hash: &mut Context,
    kept: &mut Vec<u8>,
) -> io::Result<()> {
    while length > 0 {
        let buffer = connection.fill_buf().await?;
        if buffer.is_empty() {
            return Err(Error::from(io::ErrorKind::UnexpectedEof));
        }
        let taken = buffer
            .len()
            .min(usize::try_from(length).unwrap_or(usize::MAX));
        hash.update(&buffer[..taken]);
        kept.extend(buffer[..taken].iter().take(KEPT - kept.len()));
        connection.consume(taken);
        length -= taken as u64;
    }
    Ok(())
}

/// Answers one request; returns whether the connection can go on.
async fn answer(
    connection: &mut Connection,
    notes: &Notes,
    mut request: SeenRequest,
) -> io::Result<bool> {
    let task = Task::of(&request.target);
    let number = notes.begin(request.clone());
    let upgrades = request
        .header("upgrade")
        .is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    if upgrades && task != Task::NotSwitching {
        echo_for_ever(connection, &request).await?;
        return Ok(false);
    }
    read_body(connection, &mut request).await?;
    notes.complete(number, &request);
    let head_only = request.method == "HEAD";
    match task {
        Task::Stream(length) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            connection.write_all(head.as_bytes()).await?;
            let block = vec![b'x'; CHUNK];
            let mut left = if head_only { 0 } else { length };
            while left > 0 {
                let size = left.min(CHUNK as u64);
                connection
                    .write_all(&block[..usize::try_from(size).expect("a chunk")])
                    .await?;
                left -= size;
            }
        }
        Task::SlowBody => {
            connection
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
                .await?;
            connection.flush().await?;
            notes.wait_for_release().await;
            connection.write_all(b"4\r\nlast\r\n0\r\n\r\n").await?;
        }
        Task::Trailers => {
            let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-checksum\r\n\r\n\
                        4\r\nbody\r\n0\r\nx-checksum: abc\r\n\r\n";
            connection.write_all(text.as_bytes()).await?;
        }
        Task::BreakOff => {
            connection
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789")
                .await?;
            connection.flush().await?;
            return Ok(false);
        }
        Task::HangUp => return Ok(false),
        Task::Status(status) => respond(connection, status, "", b"", head_only).await?,
        Task::Redirect(to) => {
            respond(
                connection,
                302,
                &format!("location: {to}\r\n"),
                b"",
                head_only,
            )
            .await?
        }
        Task::Cookies => {
            respond(
                connection,
                200,
                "set-cookie: a=1; Path=/\r\nset-cookie: b=2; Path=/\r\n",
                b"",
                head_only,
            )
            .await?;
        }
        Task::Cache(text) => {
            let field = format!("cache-control: {text}\r\n");
            respond(connection, 200, &field, b"", head_only).await?;
        }
        Task::Sink => {
            let count = request.body_length.to_string();
            respond(connection, 200, "", count.as_bytes(), head_only).await?;
        }
        Task::SlowHead => {
            notes.wait_for_release().await;
            respond(connection, 200, "", b"at last", head_only).await?;
        }
        Task::Echo | Task::NotSwitching => {
            let json = serde_json::to_vec(&request).expect("plain data");
            respond(
                connection,
                200,
                "content-type: application/json\r\n",
                &json,
                head_only,
            )
            .await?;
        }
    }
    Ok(true)
}

async fn respond(
    connection: &mut Connection,
    status: u16,
    fields: &str,
    body: &[u8],
    head_only: bool,
) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Said\r\n{fields}content-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await?;
    connection
        .write_all(if head_only { b"" } else { body })
        .await
}

/// The server's side of RFC 6455, section 4.2.2, and then an echo of bytes, not of frames.
async fn echo_for_ever(connection: &mut Connection, request: &SeenRequest) -> io::Result<()> {
    let key = request.header("sec-websocket-key").unwrap_or_default();
    let seed = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, seed.as_bytes()));
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await?;
    connection.flush().await?;
    let mut buffer = vec![0; CHUNK];
    loop {
        match connection.read(&mut buffer).await? {
            0 => return Ok(()),
            length => connection.write_all(&buffer[..length]).await?,
        }
        connection.flush().await?;
    }
}
