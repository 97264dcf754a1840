//! Watches the logs of the whole test process for what must never be in them.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

static NEEDLES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LINES: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Our own crates at their most talkative; the libraries as an operator would have them.
const FILTER: &str =
    "info,agent=trace,policy_server=trace,policy_client=trace,access=trace,audit=trace";

/// Directs all logs here, once.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(FILTER))
            .with_ansi(false)
            .with_writer(Watch);
        // Another subscriber would make the tests of this module fail.
        let _ = subscriber.try_init();
    });
}

/// From now on notes every log line that contains `secret`.
pub fn watch_for(secret: &str) {
    NEEDLES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(secret.into());
}

/// The lines that contain one of these secrets.
pub fn leaks(secrets: &[&str]) -> Vec<String> {
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    found
        .iter()
        .filter(|line| secrets.iter().any(|secret| line.contains(secret)))
        .cloned()
        .collect()
}

/// Lines logged so far.
pub fn lines() -> usize {
    LINES.load(std::sync::atomic::Ordering::SeqCst)
}

struct Watch;

impl io::Write for Watch {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let line = String::from_utf8_lossy(bytes);
        let needles = NEEDLES.lock().unwrap_or_else(PoisonError::into_inner);
        if needles.iter().any(|needle| line.contains(needle)) {
            FOUND
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line.into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Watch {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_a_log_line_is_found() {
        install();
        watch_for("a-very-odd-secret");
        tracing::info!("someone said a-very-odd-secret aloud");
        assert_eq!(leaks(&["a-very-odd-secret"]).len(), 1);
    }
}
