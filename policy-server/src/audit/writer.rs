//! The one thread that writes. Whoever waits for a record waits for all that came before it, in one write:
//! many calls at once cost little more than one.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::output::Output;

/// Bytes that wait to be written at most: tens of thousands of records.
pub(super) const MAX_WAITING: usize = 16 * 1024 * 1024;
/// How long a call waits for its record, of real time: an agent waits for longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long after a failure writing is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Bytes of memory that stay for the next lines.
const KEPT_CAPACITY: usize = 64 * 1024;

/// A record is not known to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotWritten;

/// What waits.
#[derive(Default)]
struct Queue {
    /// Whole lines.
    lines: Vec<u8>,
    /// Who waits for them.
    waiting: Vec<oneshot::Sender<()>>,
    /// Bytes that the thread has taken out and not written yet.
    in_hand: usize,
    /// No more will come.
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines and exchanges them for the empty `lines`; `None` when no more will come.
    fn take(&self, lines: &mut Vec<u8>) -> Option<Vec<oneshot::Sender<()>>> {
        let idle = |queue: &mut Queue| queue.lines.is_empty() && !queue.closed;
        let mut queue = self
            .changed
            .wait_while(self.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        if queue.lines.is_empty() {
            return None;
        }
        std::mem::swap(&mut queue.lines, lines);
        queue.in_hand = lines.len();
        Some(std::mem::take(&mut queue.waiting))
    }

    /// After a failure: tells who waits, and waits itself. Returns whether to try again.
    fn pause(&self) -> bool {
        let mut queue = self.lock();
        queue.waiting.clear();
        let (queue, _) = self
            .changed
            .wait_timeout_while(queue, RETRY, |queue| !queue.closed)
            .unwrap_or_else(PoisonError::into_inner);
        !queue.closed
    }
}

/// Hands lines to the thread. Dropping it lets the thread write what waits and end.
pub(super) struct Writer(Arc<Shared>);

impl Writer {
    pub(super) fn start(output: Output) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name(String::from("audit"))
            .spawn(move || run(&of_thread, output))?;
        Ok(Self(shared))
    }

    /// Returns when a line is written.
    pub(super) async fn write(&self, line: Vec<u8>) -> Result<(), NotWritten> {
        let (written, wait) = oneshot::channel();
        {
            let mut queue = self.0.lock();
            if queue.in_hand + queue.lines.len() + line.len() > MAX_WAITING {
                return Err(NotWritten);
            }
            queue.lines.extend_from_slice(&line);
            queue.waiting.push(written);
        }
        self.0.changed.notify_one();
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotWritten),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_one();
    }
}

fn run(shared: &Shared, mut output: Output) {
    let mut lines = Vec::new();
    while let Some(waiting) = shared.take(&mut lines) {
        if !write(shared, &mut output, &lines, waiting) {
            return;
        }
        lines.clear();
        lines.shrink_to(KEPT_CAPACITY);
    }
}

/// Writes lines, however long it takes, and tells those who wait. Returns whether they were written: a
/// policy server that stops does not wait for a disk.
fn write(
    shared: &Shared,
    output: &mut Output,
    lines: &[u8],
    mut waiting: Vec<oneshot::Sender<()>>,
) -> bool {
    let (mut written, mut failed) = (0, false);
    while let Err(error) = output.write(lines, &mut written) {
        if !failed {
            tracing::error!(%error, "audit records cannot be written: calls fail until they can");
            failed = true;
        }
        // Who waits is told at once; the records stay.
        waiting.clear();
        if !shared.pause() {
            tracing::error!("audit records were not written");
            return false;
        }
    }
    if failed {
        tracing::info!("audit records are written again");
    }
    shared.lock().in_hand = 0;
    for waiter in waiting {
        // One that is gone was told that it failed.
        _ = waiter.send(());
    }
    true
}
