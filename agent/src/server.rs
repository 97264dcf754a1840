//! Accepting connections: listeners, TLS, HTTP, draining.
//!
//! `run` starts data workers, one thread each with a runtime of its own, so that a request stays on
//! its core from the client's socket to the upstream's. `listener` binds and accepts, `connection`
//! is the life of one connection, `stack` what stands between hyper and the pipeline.

mod activity;
mod client_certificate;
mod connection;
mod counters;
mod guard;
mod listener;
mod proxy_protocol;
mod stack;
mod tls;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::config::{Limits, Listener};
use crate::pipeline::Pipeline;
pub use counters::ServerCounters;
use listener::{Accepting, Listening};
pub use tls::TlsError;
use worker::{Shared, Worker};

/// How often draining looks whether the last connection has ended.
const DRAIN_POLL: Duration = Duration::from_millis(10);

/// Why the server cannot start, or cannot take on new settings.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is not free, or not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A listener cannot end TLS.
    #[error("listener {address}: {source}")]
    Tls {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: TlsError,
    },
    /// The system gives no thread, or no runtime for it.
    #[error("cannot start a worker: {0}")]
    Worker(#[from] io::Error),
}

/// A server that runs until it is drained or dropped.
#[derive(Debug)]
pub struct RunningServer {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
    listening: Mutex<Vec<Arc<Listening>>>,
    drain_timeout: Duration,
}

/// Binds all addresses, starts the workers and serves.
///
/// # Errors
/// When an address cannot be bound, a certificate cannot be read or a thread cannot be started; then
/// nothing runs.
pub fn run(
    listeners: &[Listener],
    limits: &Limits,
    workers: NonZeroUsize,
    drain_timeout: Duration,
    pipeline: Arc<Pipeline>,
) -> Result<RunningServer, StartError> {
    let shared = Arc::new(Shared::new(limits.clone(), pipeline));
    let workers = (0..workers.get()).map(|index| Worker::start(index, &shared));
    let server = RunningServer {
        workers: workers.collect::<Result<_, _>>()?,
        shared,
        listening: Mutex::default(),
        drain_timeout,
    };
    server.reload(listeners, limits)?;
    Ok(server)
}

impl RunningServer {
    /// The bound addresses, in the order of the configuration.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listening()
            .iter()
            .map(|listening| listening.local)
            .collect()
    }

    /// What happens now and what happened so far, for metrics.
    pub fn counters(&self) -> &Arc<ServerCounters> {
        &self.shared.counters
    }

    /// Takes on new listeners and limits for new connections. A listener whose address is unchanged
    /// keeps its socket; new ones are bound before old ones close; certificates are read anew. Open
    /// connections stay as they are, but for those with a client certificate that was verified with other
    /// authorities or lists: it no longer counts, and they end with what is in progress on them.
    ///
    /// # Errors
    /// As for [`run`]; then everything stays as it was.
    pub fn reload(&self, listeners: &[Listener], limits: &Limits) -> Result<(), StartError> {
        let mut listening = self.listening();
        let mut old = listening.clone();
        let mut prepared = Vec::with_capacity(listeners.len());
        for listener in listeners {
            let kept = old
                .iter()
                .position(|old| old.configured == listener.address);
            let previous = kept.map(|at| old[at].settings.load_full());
            let accepting = Accepting::prepare(listener, previous.as_deref())?;
            let (listening, sockets) = match kept {
                Some(at) => (old.remove(at), Vec::new()),
                None => {
                    Listening::bind(listener.address, Arc::clone(&accepting), self.workers.len())?
                }
            };
            prepared.push((listening, accepting, sockets));
        }
        // From here on nothing can fail.
        self.shared.limits.store(Arc::new(limits.clone()));
        let mut now = Vec::with_capacity(prepared.len());
        for (listening, accepting, sockets) in prepared {
            listening.replace_settings(accepting);
            for (worker, socket) in self.workers.iter().zip(sockets) {
                worker.listen(Arc::clone(&listening), socket);
            }
            now.push(listening);
        }
        for gone in old {
            gone.close();
            gone.supersede_trust();
        }
        *listening = now;
        Ok(())
    }

    /// Stops accepting, lets requests in progress and tunnels end, and returns when they have, or when
    /// the drain timeout is over: then what is left is cut off.
    pub async fn drain(self) {
        self.listening()
            .iter()
            .for_each(|listening| listening.close());
        self.workers.iter().for_each(Worker::drain);
        let deadline = Instant::now() + self.drain_timeout;
        let connections = &self.shared.counters.connections;
        while connections.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
            sleep(DRAIN_POLL).await;
        }
        let left = connections.load(Ordering::Acquire);
        if left > 0 {
            tracing::warn!(
                connections = left,
                "cut off at the end of the drain timeout"
            );
        }
        for worker in self.workers {
            worker.stop().await;
        }
    }

    fn listening(&self) -> MutexGuard<'_, Vec<Arc<Listening>>> {
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
