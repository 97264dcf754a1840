//! The store of a run: a real server.

use std::net::SocketAddr;

use test_services::{Postgres, Valkey};

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Valkey or Redis.
    Valkey,
    /// The same, keeping everything in memory only: what no installation should do.
    Forgetful,
    /// PostgreSQL.
    Postgres,
}

/// The server.
#[derive(Debug)]
pub enum StoreServer {
    /// Valkey or Redis, as `test-services` starts it: with an append-only file that is flushed every second. What
    /// was acknowledged survives the process, if not the machine.
    Valkey(Valkey),
    /// PostgreSQL.
    Postgres(Postgres),
}

impl StoreServer {
    /// Starts one; nothing if the program is missing, which is said loudly.
    pub fn start(engine: Engine) -> Option<Self> {
        Some(match engine {
            Engine::Valkey => Self::Valkey(Valkey::start()?),
            Engine::Forgetful => Self::Valkey(Valkey::start_with(&[("appendonly", "no")])?),
            Engine::Postgres => Self::Postgres(Postgres::start()?),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Valkey(server) => server.address(),
            Self::Postgres(server) => server.address(),
        }
    }

    /// The section of a policy server's configuration, over a link.
    pub fn section(&self, link: SocketAddr) -> String {
        let (kind, url) = match self {
            Self::Valkey(_) => ("valkey", format!("redis://{link}/")),
            Self::Postgres(server) => (
                "postgres",
                format!(
                    "postgres://{}@{link}/postgres?sslmode=disable",
                    server.user()
                ),
            ),
        };
        format!("[store]\nkind = {kind:?}\nurl = {url:?}\npassword_file = \"store.password\"\n")
    }

    /// The password.
    pub fn password(&self) -> &str {
        match self {
            Self::Valkey(server) => server.password(),
            Self::Postgres(server) => server.password(),
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        match self {
            Self::Valkey(server) => server.kill(),
            Self::Postgres(server) => server.kill(),
        }
    }

    /// Starts it again, with what it had.
    pub fn restart(&mut self) {
        match self {
            Self::Valkey(server) => server.restart(),
            Self::Postgres(server) => server.restart(),
        }
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        match self {
            Self::Valkey(server) => server.pause(),
            Self::Postgres(server) => server.pause(),
        }
    }

    /// SIGCONT.
    pub fn resume(&self) {
        match self {
            Self::Valkey(server) => server.resume(),
            Self::Postgres(server) => server.resume(),
        }
    }
}
