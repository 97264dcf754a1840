//! A link that can break: relays TCP on the loopback, and cuts it, holds it or slows it down.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::bounds::SLOW;

/// How the link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As it should be.
    Open,
    /// Connections are reset, and new ones at once.
    Cut,
    /// Connections stay, and nothing comes through: a cable that was pulled.
    Held,
    /// What the one sends who connects is held, and the other way is open.
    Unheard,
    /// What is sent back is held, and the other way is open.
    Unanswered,
    /// Whatever is sent takes its time.
    Slow,
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// From the one who connects.
    There,
    Back,
}

impl Way {
    const fn holds(self, direction: Direction) -> bool {
        matches!(
            (self, direction),
            (Self::Held, _)
                | (Self::Unheard, Direction::There)
                | (Self::Unanswered, Direction::Back)
        )
    }
}

/// One link. It ends with the runtime.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    way: watch::Sender<Way>,
    target: Arc<AtomicU16>,
}

impl Proxy {
    /// A link to a port of the loopback, which may become another.
    pub async fn start(target: Arc<AtomicU16>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, watched) = watch::channel(Way::Open);
        let port = Arc::clone(&target);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(relay(client, Arc::clone(&port), watched.clone()));
            }
        });
        Self {
            address,
            way,
            target,
        }
    }

    /// Breaks it or mends it.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Where it leads.
    pub const fn target(&self) -> &Arc<AtomicU16> {
        &self.target
    }
}

async fn relay(client: TcpStream, target: Arc<AtomicU16>, mut way: watch::Receiver<Way>) {
    // What is dropped is reset.
    client.set_zero_linger().unwrap();
    client.set_nodelay(true).unwrap();
    let until_cut = async |mut way: watch::Receiver<Way>| {
        // An error means that the test is over.
        _ = way.wait_for(|way| *way == Way::Cut).await;
    };
    let cut = until_cut(way.clone());
    let relaying = async {
        if way.wait_for(|way| *way != Way::Held).await.is_err() {
            return;
        }
        let port = target.load(Ordering::SeqCst);
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
            return;
        };
        server.set_zero_linger().unwrap();
        server.set_nodelay(true).unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // Either end ends both: nobody here speaks over half a connection.
        tokio::select! {
            () = pump(from_client, to_server, Direction::There, way.clone()) => {}
            () = pump(from_server, to_client, Direction::Back, way) => {}
        }
    };
    tokio::select! {
        biased;
        () = cut => {}
        () = relaying => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    mut way: watch::Receiver<Way>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let now = match way.wait_for(|way| !way.holds(direction)).await {
            Ok(now) => *now,
            Err(_) => return,
        };
        if now == Way::Slow {
            tokio::time::sleep(SLOW).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
