//! An engine with an empty store: started, filled fast, looked at from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use policy_protocol::Secret;
use policy_server::config::store::RemoteStore;
use policy_server::store::Store;
use policy_server::store::postgres::PostgresStore;
use policy_server::store::sqlite::SqliteStore;
use policy_server::store::valkey::ValkeyStore;
use tempfile::TempDir;
use test_services::{Postgres, Valkey};

/// Which engine is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// In this process.
    Sqlite,
    /// Valkey or Redis that writes its file to disk every second.
    Valkey,
    /// The same, but every answer waits for the disk.
    ValkeyAlways,
    /// PostgreSQL, every commit waits for the disk.
    Postgres,
}

impl EngineKind {
    /// Its name on the command line.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sqlite" => Some(Self::Sqlite),
            "valkey" => Some(Self::Valkey),
            "valkey-always" => Some(Self::ValkeyAlways),
            "postgres" => Some(Self::Postgres),
            _ => None,
        }
    }
}

/// A running engine. Dropping it stops it and removes what it wrote.
pub struct Engine {
    server: Server,
    store: Option<Arc<dyn Store>>,
}

enum Server {
    /// The folder on disk.
    Sqlite(TempDir),
    Valkey(Box<Valkey>, &'static str),
    Postgres(Box<Postgres>),
}

impl Engine {
    /// Starts it; nothing if its programs are not installed.
    pub async fn start(kind: EngineKind) -> Option<Self> {
        let server = match kind {
            EngineKind::Sqlite => Server::Sqlite(tempfile::tempdir().unwrap()),
            EngineKind::Valkey => {
                let server = Valkey::start_with(&[("appendfsync", "everysec")])?;
                Server::Valkey(Box::new(server), "everysec")
            }
            EngineKind::ValkeyAlways => Server::Valkey(Box::new(Valkey::start()?), "always"),
            EngineKind::Postgres => Server::Postgres(Box::new(Postgres::start_with(&[
                ("shared_buffers", "512MB"),
                ("max_wal_size", "4GB"),
            ])?)),
        };
        let mut engine = Self {
            server,
            store: None,
        };
        engine.store = Some(engine.open().await);
        Some(engine)
    }

    /// The store.
    ///
    /// # Panics
    /// Never between calls: it is away only while it moves.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.store.as_ref().expect("open"))
    }

    async fn open(&self) -> Arc<dyn Store> {
        match &self.server {
            Server::Sqlite(folder) => Arc::new(SqliteStore::open(folder.path()).unwrap()),
            Server::Valkey(server, _) => {
                let settings = remote(format!("redis://{}/", server.address()), server.password());
                Arc::new(ValkeyStore::open(&settings).await.unwrap())
            }
            Server::Postgres(server) => {
                let (user, address) = (server.user(), server.address());
                let url = format!("postgres://{user}@{address}/postgres?sslmode=disable");
                let settings = remote(url, server.password());
                Arc::new(PostgresStore::open(&settings).await.unwrap())
            }
        }
    }

    /// Lets writes be acknowledged before they are on disk, or no longer. Filling a store would else
    /// take hours, and what is measured afterwards is the same.
    pub async fn hurry(&mut self, on: bool) {
        match &mut self.server {
            Server::Valkey(server, usually) => {
                let fsync = if on { "no" } else { *usually };
                let done = server.command(&["CONFIG", "SET", "appendfsync", fsync]);
                assert_eq!(done.unwrap(), "+OK\r\n");
            }
            Server::Postgres(server) => {
                let (url, fsync) = (server.url(), if on { "off" } else { "on" });
                for statement in [
                    &*format!("ALTER SYSTEM SET fsync = {fsync}"),
                    "SELECT pg_reload_conf()",
                    "ANALYZE",
                    "CHECKPOINT",
                ] {
                    server.sql(&url, statement).unwrap();
                }
            }
            Server::Sqlite(folder) => {
                // SQLite's caution is not ours to change, but memory makes it cheap.
                let memory = Path::new("/dev/shm");
                let into = if on && memory.is_dir() {
                    tempfile::tempdir_in(memory)
                } else {
                    tempfile::tempdir()
                };
                let into = into.unwrap();
                self.store = None;
                let copied = Command::new("cp")
                    .arg("-a")
                    .arg(folder.path().join("."))
                    .arg(into.path())
                    .status();
                assert!(copied.unwrap().success());
                assert!(Command::new("sync").status().unwrap().success());
                *folder = into;
                self.store = Some(self.open().await);
            }
        }
    }

    /// Memory of the server's processes, or of this one, in bytes: what several share counts once.
    pub fn memory(&self) -> u64 {
        let process = match &self.server {
            Server::Sqlite(_) => std::process::id(),
            Server::Valkey(server, _) => server.process_id(),
            Server::Postgres(server) => server.process_id(),
        };
        let children = format!("/proc/{process}/task/{process}/children");
        let children = fs::read_to_string(children).unwrap_or_default();
        let family = children.split_whitespace().map(String::from);
        let own = std::iter::once(process.to_string());
        let family: Vec<_> = match &self.server {
            // The children of this process are other servers and their guards.
            Server::Sqlite(_) => own.collect(),
            _ => own.chain(family).collect(),
        };
        family.iter().map(|process| proportional(process)).sum()
    }

    /// Bytes on disk in its data folder.
    pub fn disk(&self) -> u64 {
        let folder: PathBuf = match &self.server {
            Server::Sqlite(folder) => folder.path().to_owned(),
            Server::Valkey(server, _) => server.folder().to_owned(),
            Server::Postgres(server) => server.folder().to_owned(),
        };
        size(&folder)
    }
}

fn remote(url: String, password: &str) -> RemoteStore {
    RemoteStore {
        url,
        password: Some(Secret::new(password.to_owned())),
        ca_file: None,
        // Nothing is to fail: what is slow is to be seen as slow.
        timeout: Duration::from_secs(30),
        connections: 8,
        // It is filled faster than it would write.
        allow_data_loss: true,
    }
}

fn proportional(process: &str) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    kilobytes.map_or(0, |number| number.trim().parse::<u64>().unwrap() * 1024)
}

/// Files that vanish meanwhile do not count.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
