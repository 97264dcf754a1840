//! The store of a run: a real server.

use std::net::SocketAddr;

use test_services::{Postgres, Valkey};

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Valkey or Redis.
    Valkey,
    /// The same, and empty after each restart: what no installation should be.
    Forgetful,
    /// PostgreSQL.
    Postgres,
}

/// The server.
#[derive(Debug)]
pub enum StoreServer {
    /// Valkey or Redis, as policy servers want it: it writes what it acknowledges, and a SIGKILL loses nothing.
    Valkey(Valkey),
    /// The same, and empty after each restart.
    Forgetful(Valkey),
    /// PostgreSQL. Nobody pulls the plug here, so it need not wait for the disk.
    Postgres(Postgres),
}

impl StoreServer {
    /// Starts one; nothing if the program is missing, which is said loudly.
    pub fn start(engine: Engine) -> Option<Self> {
        Some(match engine {
            Engine::Valkey => Self::Valkey(Valkey::start()?),
            Engine::Forgetful => Self::Forgetful(Valkey::start()?),
            Engine::Postgres => Self::Postgres(Postgres::start_with(&[("fsync", "off")])?),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Valkey(server) | Self::Forgetful(server) => server.address(),
            Self::Postgres(server) => server.address(),
        }
    }

    /// The section of a policy server's configuration, over a link.
    pub fn section(&self, link: SocketAddr) -> String {
        let (kind, url) = match self {
            Self::Valkey(_) | Self::Forgetful(_) => ("valkey", format!("redis://{link}/")),
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
            Self::Valkey(server) | Self::Forgetful(server) => server.password(),
            Self::Postgres(server) => server.password(),
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        match self {
            Self::Valkey(server) | Self::Forgetful(server) => server.kill(),
            Self::Postgres(server) => server.kill(),
        }
    }

    /// Starts it again, with what it had, unless it is forgetful.
    pub fn restart(&mut self) {
        match self {
            Self::Valkey(server) => server.restart(),
            Self::Forgetful(server) => server.wipe(),
            Self::Postgres(server) => server.restart(),
        }
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        match self {
            Self::Valkey(server) | Self::Forgetful(server) => server.pause(),
            Self::Postgres(server) => server.pause(),
        }
    }

    /// SIGCONT.
    pub fn resume(&self) {
        match self {
            Self::Valkey(server) | Self::Forgetful(server) => server.resume(),
            Self::Postgres(server) => server.resume(),
        }
    }
}
