//! Real servers for tests: Valkey or Redis, PostgreSQL, OpenLDAP.
//!
//! Each listens on the loopback, keeps its data in a temporary folder, is ready when `start` returns,
//! and ends when it is dropped or when the test's process ends, however it ends. The calls block for
//! as long as the server needs. What cannot be done panics: in a test that is the right kind of error.
//!
//! Where a program is not installed, `start` says so loudly and returns nothing, and the test is
//! skipped; with `DOORWARD_REQUIRE_SERVICES=1` it panics.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that cannot do its work fails its test"
)]

mod certificate;
mod folder;
mod port;
mod postgres;
mod process;
mod slapd;
mod valkey;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use certificate::Certificate;
pub use postgres::Postgres;
pub use slapd::Slapd;
pub use valkey::Valkey;

/// A generous end to all waiting: only a test that has failed reaches it.
const DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// Asks until there is an answer.
fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(
            start.elapsed() < DEADLINE,
            "waited {DEADLINE:?} in vain: {what}"
        );
        std::thread::park_timeout(PAUSE);
    }
}

/// A password nobody else on this machine knows, so nobody else's server is taken for ours.
fn random_password() -> String {
    let bytes = getrandom::u64().unwrap().to_be_bytes();
    bytes
        .iter()
        .fold(String::from("pw"), |text, byte| format!("{text}{byte:02x}"))
}

/// Where the program is: in `PATH`, or where Debian puts what only root runs.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// What was found; if nothing was, tells why the test that asks is skipped.
fn or_skip<T>(found: Option<T>, missing: &str, package: &str) -> Option<T> {
    if found.is_none() {
        assert!(
            std::env::var("DOORWARD_REQUIRE_SERVICES").as_deref() != Ok("1"),
            "no {missing}: install {package}"
        );
        let test = std::thread::current();
        let test = test.name().unwrap_or("a test");
        // Not `eprintln!`: of a test that passes, that is kept back.
        let line = format!("SKIPPED: {test}, because there is no {missing}: install {package}\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    }
    found
}
