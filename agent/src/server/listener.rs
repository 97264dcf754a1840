//! One listening socket: bound once, accepted from by every worker.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::worker::Context;
use super::{StartError, connection, tls};
use crate::config::Listener;
use crate::config::services::Services;
use crate::http::body::InProgress;
use crate::http::connection_info::ClientTrust;

/// Connections that may wait to be accepted. The system caps it at its own limit.
const BACKLOG: i32 = 4096;

/// How long to pause when accepting fails for want of something, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a client may leave bytes unacknowledged, or its window shut, before the system gives up on
/// it. Also the longest time without progress that hyper's view of a connection may have.
pub(super) const WRITE_STALL: Duration = Duration::from_secs(60);

/// Until a silent client is asked whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// Between such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// A bound address.
#[derive(Debug)]
pub(super) struct Listening {
    /// As configured; the port may be 0.
    pub(super) configured: SocketAddr,
    /// As bound.
    pub(super) local: SocketAddr,
    /// For connections from now on.
    pub(super) settings: ArcSwap<Accepting>,
    closed: watch::Sender<bool>,
}

/// How connections are treated from the start.
#[derive(Debug)]
pub(super) struct Accepting {
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// What client certificates are verified with, if they are asked for.
    pub(super) client_trust: Option<Arc<ClientTrust>>,
    pub(super) require_matching_host: bool,
    pub(super) redirect_to_https: Option<u16>,
    pub(super) proxy_protocol_from: Vec<IpNet>,
    pub(super) services: Option<Arc<Services>>,
}

impl Accepting {
    /// Made ready to take the place of `previous`.
    pub(super) fn prepare(
        listener: &Listener,
        previous: Option<&Self>,
    ) -> Result<Arc<Self>, StartError> {
        let failed = |source| StartError::Tls {
            address: listener.address,
            source,
        };
        // First, so that what changes meanwhile is a change at the next reload.
        let trust = listener.tls.as_ref().map(tls::client_trust).transpose();
        let mut client_trust = trust.map_err(failed)?.flatten().map(Arc::new);
        let former = previous.and_then(|previous| previous.client_trust.as_ref());
        if let (Some(new), Some(former)) = (&client_trust, former)
            && new.equals(former)
        {
            client_trust = Some(Arc::clone(former));
        }
        let tls = listener.tls.as_ref().map(tls::server_config).transpose();
        Ok(Arc::new(Self {
            tls: tls.map_err(failed)?,
            client_trust,
            require_matching_host: listener
                .tls
                .as_ref()
                .is_some_and(|tls| tls.require_matching_host),
            redirect_to_https: listener.redirect_to_https,
            proxy_protocol_from: listener.proxy_protocol_from.clone(),
            services: (!listener.services.is_empty()).then(|| Arc::clone(&listener.services)),
        }))
    }
}

impl Listening {
    /// Binds an address and returns a handle on its socket for each worker.
    ///
    /// One socket, not one per worker by SO_REUSEPORT: that would let a second process take the same
    /// port unnoticed, and would leave a busy worker's queue unserved by the others.
    pub(super) fn bind(
        address: SocketAddr,
        settings: Arc<Accepting>,
        workers: usize,
    ) -> Result<(Arc<Self>, Vec<StdListener>), StartError> {
        let bound = || -> io::Result<_> {
            let socket = Socket::new(
                Domain::for_address(address),
                Type::STREAM,
                Some(Protocol::TCP),
            )?;
            // A restart need not wait for connections of the last run to be forgotten.
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            let socket = StdListener::from(socket);
            let local = socket.local_addr()?;
            let sockets = (0..workers)
                .map(|_| socket.try_clone())
                .collect::<Result<_, _>>()?;
            Ok((local, sockets))
        };
        let (local, sockets) = bound().map_err(|source| StartError::Bind { address, source })?;
        let listening = Self {
            configured: address,
            local,
            settings: ArcSwap::new(settings),
            closed: watch::Sender::new(false),
        };
        Ok((Arc::new(listening), sockets))
    }

    /// Treats connections so from now on. Client certificates that were verified otherwise no longer count.
    pub(super) fn replace_settings(&self, new: Arc<Accepting>) {
        let trust = new.client_trust.clone();
        let old = self.settings.swap(new);
        let kept = |old| trust.is_some_and(|new| Arc::ptr_eq(&new, old));
        if let Some(old) = old.client_trust.as_ref().filter(|old| !kept(*old)) {
            old.supersede();
        }
    }

    /// Client certificates that were verified here no longer count.
    pub(super) fn supersede_trust(&self) {
        if let Some(trust) = &self.settings.load().client_trust {
            trust.supersede();
        }
    }

    /// Stops accepting. The address is free when all workers have noticed.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Accepts connections on one worker until closed. No error ends it.
    pub(super) async fn accept(self: Arc<Self>, socket: StdListener, worker: Arc<Context>) {
        let listener = match TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(address = %self.local, %error, "cannot accept on this worker");
                return;
            }
        };
        let mut closed = self.closed.subscribe();
        loop {
            let accepted = tokio::select! {
                biased;
                _closed = closed.wait_for(|closed| *closed) => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.begin(stream, peer, &worker),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(address = %self.local, %error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn begin(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, worker: &Arc<Context>) {
        let counters = &worker.shared.counters;
        let most = worker.shared.limits.load().connections;
        let Some(slot) = InProgress::try_begin(&counters.connections, most) else {
            counters.connections_refused.fetch_add(1, Ordering::Relaxed);
            return;
        };
        counters
            .connections_accepted
            .fetch_add(1, Ordering::Relaxed);
        if let Err(error) = prepare_stream(&stream) {
            tracing::debug!(%error, "the connection was gone already");
            return;
        }
        let settings = self.settings.load_full();
        let serving =
            connection::serve(stream, peer, self.local, settings, Arc::clone(worker), slot);
        tokio::spawn(serving);
    }
}

fn prepare_stream(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(WRITE_STALL))?;
    Ok(())
}

/// Errors that say something of the connection that was to be accepted, not of the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
