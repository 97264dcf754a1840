//! Data workers: a thread with a single-threaded runtime, on which its connections stay.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};

use super::counters::ServerCounters;
use super::listener::Listening;
use crate::config::Limits;
use crate::pipeline::Pipeline;

/// What all workers have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) limits: ArcSwap<Limits>,
    pub(super) counters: Arc<ServerCounters>,
}

/// What the connections of one worker have in common.
#[derive(Debug)]
pub(super) struct Context {
    /// An index into pools that are kept for each worker.
    pub(super) index: usize,
    pub(super) shared: Arc<Shared>,
    /// One for each worker: every connection looks at it whenever it is woken, and must not meet a lock
    /// of another core there.
    pub(super) draining: watch::Sender<bool>,
}

/// A worker's thread.
#[derive(Debug)]
pub(super) struct Worker {
    context: Arc<Context>,
    sockets: mpsc::UnboundedSender<(Arc<Listening>, TcpListener)>,
    thread: JoinHandle<()>,
}

impl Shared {
    pub(super) fn new(limits: Limits, pipeline: Arc<Pipeline>) -> Self {
        Self {
            pipeline,
            limits: ArcSwap::from_pointee(limits),
            counters: Arc::default(),
        }
    }
}

impl Worker {
    /// Starts a thread that serves what it is given to listen on.
    pub(super) fn start(index: usize, shared: &Arc<Shared>) -> io::Result<Self> {
        let draining = watch::Sender::new(false);
        let context = Arc::new(Context {
            index,
            shared: Arc::clone(shared),
            draining,
        });
        let (sockets, mut received) = mpsc::unbounded_channel::<(Arc<Listening>, TcpListener)>();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let worker = Arc::clone(&context);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                runtime.block_on(async {
                    while let Some((listening, socket)) = received.recv().await {
                        tokio::spawn(listening.accept(socket, Arc::clone(&worker)));
                    }
                });
                // Does not wait for name look-ups that are under way.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            context,
            sockets,
            thread,
        })
    }

    /// Accepts from one more socket.
    pub(super) fn listen(&self, listening: Arc<Listening>, socket: TcpListener) {
        if self.sockets.send((listening, socket)).is_err() {
            tracing::error!(worker = self.context.index, "the worker is gone");
        }
    }

    /// Tells its connections to end after what they are doing.
    pub(super) fn drain(&self) {
        self.context.draining.send_replace(true);
    }

    /// Ends the thread and with it every connection that is left.
    pub(super) async fn stop(self) {
        drop(self.sockets);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!(worker = self.context.index, "the worker ended badly");
        }
    }
}
