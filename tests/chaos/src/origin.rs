//! The application: answers with the user that it is told.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Starts it; it ends with the runtime.
pub async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // An error means that the agent is gone.
            tokio::spawn(async move { _ = answer(stream).await });
        }
    });
    address
}

async fn answer(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut user = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("sm_user")
        {
            // Told twice is told wrongly.
            user.push_str(value);
        }
        if line.is_empty() {
            let length = user.len();
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{user}");
            stream.get_mut().write_all(text.as_bytes()).await?;
            user.clear();
        }
    }
}
