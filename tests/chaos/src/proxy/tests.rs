use std::time::{Duration, Instant};

use super::*;

/// A link to a server that sends back what it gets, and a connection over it.
async fn linked() -> (Proxy, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    let proxy = Proxy::start(Arc::new(AtomicU16::new(port))).await;
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    (proxy, stream)
}

async fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"x").await?;
    stream.read_exact(&mut [0]).await.map(|_| ())
}

/// What arrives at a server, and what comes back from it.
async fn one_way(way: Way) -> [bool; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxy = Proxy::start(Arc::new(AtomicU16::new(port))).await;
    let mut client = TcpStream::connect(proxy.address).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    proxy.set(way);
    client.write_all(b"x").await.unwrap();
    server.write_all(b"x").await.unwrap();
    let mut arrived = [false; 2];
    for (stream, arrived) in [&mut server, &mut client].into_iter().zip(&mut arrived) {
        let mut byte = [0];
        let read = stream.read_exact(&mut byte);
        let read = tokio::time::timeout(Duration::from_millis(200), read).await;
        *arrived = read.is_ok_and(|read| read.is_ok());
    }
    arrived
}

#[tokio::test]
async fn a_link_can_be_held_one_way_only() {
    assert_eq!(one_way(Way::Unheard).await, [false, true]);
    assert_eq!(one_way(Way::Unanswered).await, [true, false]);
    assert_eq!(one_way(Way::Held).await, [false, false]);
    assert_eq!(one_way(Way::Open).await, [true, true]);
}

#[tokio::test]
async fn a_link_is_open_slow_held_and_cut() {
    let (proxy, mut stream) = linked().await;
    echo(&mut stream).await.unwrap();
    proxy.set(Way::Slow);
    let begun = Instant::now();
    echo(&mut stream).await.unwrap();
    assert!(begun.elapsed() >= 2 * SLOW);
    proxy.set(Way::Held);
    let held = tokio::time::timeout(Duration::from_millis(100), echo(&mut stream)).await;
    assert!(held.is_err());
    proxy.set(Way::Open);
    stream.read_exact(&mut [0]).await.unwrap();
    echo(&mut stream).await.unwrap();
    proxy.set(Way::Cut);
    assert!(echo(&mut stream).await.is_err());
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    assert!(echo(&mut stream).await.is_err());
}
