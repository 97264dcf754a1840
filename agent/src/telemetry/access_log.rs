//! One line for each request, on standard output.
//!
//! A line is formatted where the request ran, into its worker's buffer; a thread of its own writes the
//! buffers out. A request therefore never waits for a disk or a pipe, and never allocates: when the
//! reader of standard output stands still, lines are dropped and counted.
//!
//! Text, one space between the fields, `-` for what is not known:
//!
//! ```text
//! 2026-11-21T20:27:03.125Z 203.0.113.9 "alice" "payroll" "GET app.example.com/reports HTTP/2" 200 forwarded 1843 7f3c9a
//! time                     client      user    realm     request                              status outcome  µs  transaction id
//! ```
//!
//! JSON has the same under the names `time`, `client`, `user`, `realm`, `method`, `host`, `path`,
//! `version`, `status`, `outcome`, `duration_us` and `transaction_id`. The query is never written: it may
//! carry secrets.

use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use http::Version;

use super::outcome::Outcome;
use crate::config::LogSettings;
use policy_protocol::UtcStamp;

mod format;

/// A buffer that holds this much is written at once. Few, large writes; about 200 lines.
const FLUSH_BYTES: usize = 32 * 1024;
/// A buffer never holds more than this: some 5000 lines for each worker while nobody reads.
const MAX_BYTES: usize = 1024 * 1024;
/// A line is written at the latest after this time.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// What is told of a request.
#[derive(Clone, Copy, Debug)]
pub struct AccessRecord<'a> {
    /// Joins the records of one request across systems.
    pub transaction_id: &'a str,
    /// Where it came from.
    pub client: IpAddr,
    /// The HTTP method.
    pub method: &'a str,
    /// The host it was for.
    pub host: &'a str,
    /// The path. Never the query.
    pub path: &'a str,
    /// The HTTP version towards the client.
    pub version: Version,
    /// The status that the client got.
    pub status: u16,
    /// The user, if one was let in.
    pub user: Option<&'a str>,
    /// The realm, if one covers the path.
    pub realm: Option<&'a str>,
    /// What became of it.
    pub outcome: Outcome,
    /// From its head's arrival to its response's head.
    pub duration: Duration,
}

/// The access log. Where it is switched off, there is none.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    json: bool,
    workers: Box<[Worker]>,
    output: Mutex<Output>,
    stop: AtomicBool,
    dropped: AtomicU64,
}

/// A worker's lines. Only the worker appends and only the writer takes away, by swapping the buffer for an
/// empty one, so the lock is free but for an instant each second. Aligned so that no two workers share a
/// cache line (128: adjacent lines are fetched in pairs).
#[repr(align(128))]
#[derive(Default)]
struct Worker(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    stamp: UtcStamp,
}

struct Output {
    to: Box<dyn Write + Send>,
    spare: Vec<u8>,
}

impl AccessLog {
    /// The access log to standard output, for `workers` data threads; `None` if it is switched off.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(settings: &LogSettings, workers: usize) -> io::Result<Option<Self>> {
        settings
            .access_log
            .then(|| Self::start_to(settings.json, workers, Box::new(io::stdout())))
            .transpose()
    }

    /// The same to any output.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start_to(json: bool, workers: usize, to: Box<dyn Write + Send>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            json,
            workers: (0..workers.max(1)).map(|_| Worker::default()).collect(),
            output: Mutex::new(Output {
                to,
                spare: Vec::new(),
            }),
            stop: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
        });
        let writer = std::thread::Builder::new()
            .name(String::from("access-log"))
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    while !shared.stop.load(Ordering::Acquire) {
                        std::thread::park_timeout(FLUSH_INTERVAL);
                        shared.write_out();
                    }
                }
            })?;
        Ok(Self {
            shared,
            writer: Some(writer),
        })
    }

    /// Notes a request that ran on data thread `worker`.
    pub fn record(&self, worker: usize, record: &AccessRecord<'_>) {
        let shared = &*self.shared;
        let mut lines = lock(&shared.workers[worker % shared.workers.len()].0);
        let Lines { text, stamp } = &mut *lines;
        let before = text.len();
        if before >= MAX_BYTES {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if shared.json {
            format::json(text, stamp, SystemTime::now(), record);
        } else {
            format::text(text, stamp, SystemTime::now(), record);
        }
        let full = before < FLUSH_BYTES && text.len() >= FLUSH_BYTES;
        drop(lines);
        if full && let Some(writer) = &self.writer {
            writer.thread().unpark();
        }
    }

    /// Writes out what there is now; blocks until it is written.
    pub fn flush(&self) {
        self.shared.write_out();
    }

    /// Lines that were dropped because nobody read the output.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for AccessLog {
    /// Writes the last lines.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(writer) = self.writer.take() {
            writer.thread().unpark();
            // Its panic would have been reported on standard error; there is nothing left to do.
            let _ = writer.join();
        }
        self.shared.write_out();
    }
}

impl Shared {
    fn write_out(&self) {
        let mut output = lock(&self.output);
        let Output { to, spare } = &mut *output;
        for worker in &self.workers {
            std::mem::swap(&mut lock(&worker.0).text, spare);
            // An output that is gone (a closed pipe) is no reason to stop serving.
            let _ = to.write_all(spare);
            spare.clear();
        }
        let _ = to.flush();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("json", &self.json)
            .finish_non_exhaustive()
    }
}

/// A panic while a line was formatted spoils one line, not the log.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
