//! Serves the router over HTTPS: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.

mod connection;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use self::tls::Tls;
use crate::agents::Hash;
use crate::config::ListenConfig;
use crate::http::credentials::Peer;
use crate::http::{UnderWay, router};
use crate::server::PolicyServer;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a policy server could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// Certificate or key cannot be used.
    #[error("{file}: {problem}")]
    Certificate {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
}

/// A policy server that is being served. Dropping it stops it, without waiting.
pub struct RunningPolicyServer {
    /// The address it listens on.
    pub address: SocketAddr,
    stopping: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl RunningPolicyServer {
    /// Accepts nothing more, ends event streams, lets calls in progress finish, and returns when all
    /// connections are closed and all calls done, also those whose callers have gone.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        // An error means that it has stopped already.
        _ = self.accepting.await;
    }
}

/// Serves a policy server over HTTPS until it is told to stop.
///
/// # Errors
/// If the certificate is unusable or the address is taken.
pub async fn serve(
    server: Arc<PolicyServer>,
    listen: ListenConfig,
) -> Result<RunningPolicyServer, ServeError> {
    let tls = Tls::watch(&listen)?;
    let failed = |error| ServeError::Listen {
        address: listen.address,
        error,
    };
    let listener = TcpListener::bind(listen.address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (stopping, stop) = watch::channel(false);
    let under_way = UnderWay::default();
    let router = router(&server, Some(stop.clone()), under_way.clone());
    let accepting = accept(listener, listen.max_connections, tls, router, stop);
    let accepting = tokio::spawn(async move {
        accepting.await;
        under_way.finish().await;
    });
    Ok(RunningPolicyServer {
        address,
        stopping,
        accepting,
    })
}

/// Whether the certificate can be served.
#[cfg(test)]
pub(crate) fn usable(listen: &ListenConfig) -> bool {
    Tls::watch(listen).is_ok()
}

async fn accept(
    listener: TcpListener,
    max_connections: usize,
    tls: Arc<Tls>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(max_connections));
    let mut connections = JoinSet::new();
    loop {
        // A connection that cannot be served waits in the kernel's queue, which is bounded too.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: trying again at once would only burn time.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, stop) = (router.clone(), stop.clone());
        let connection = connection(stream, address, tls.acceptor(), router, stop);
        connections.spawn(async move {
            let _permit = permit;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    router: Router,
    mut stop: watch::Receiver<bool>,
) -> Result<(), connection::ConnectionError> {
    stream.set_nodelay(true)?;
    let stream = tokio::select! {
        // Who has not even said hello keeps nobody from stopping.
        _ = stop.wait_for(|stopping| *stopping) => return Ok(()),
        stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => stream??,
    };
    let session = stream.get_ref().1;
    let is_http2 = session.alpn_protocol() == Some(b"h2");
    let leaf = session.peer_certificates().and_then(<[_]>::first);
    let peer = Peer {
        address,
        certificate: leaf.map(|certificate| Hash::of(certificate)),
    };
    connection::serve(stream, peer, is_http2, router, stop).await
}
