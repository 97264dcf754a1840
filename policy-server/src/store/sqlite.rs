//! SQLite in the state folder: enough for one policy server.

mod feed;
mod records;
mod sessions;

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use policy_protocol::message::SessionSummary;
use policy_protocol::{EventKind, SessionId, Timestamp};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::watch;

use super::{
    Ending, FeedPart, Insertion, ListCursor, Quota, Record, RecordChange, RecordKind,
    SessionFilter, SessionPage, Standing, Store, StoreError, StoreFuture, seconds,
};

/// The database's name in the state folder.
const FILE_NAME: &str = "policy-server.sqlite";
/// Held by the one policy server that uses the folder.
const LOCK_NAME: &str = "policy-server.lock";
/// How long a policy server that is about to end may still hold the lock.
const PATIENCE: Duration = Duration::from_secs(1);
/// The layout below; a file with another one is not touched.
const LAYOUT: i64 = 2;
const SCHEMA: &str = "
    CREATE TABLE session (
        id BLOB PRIMARY KEY, universal_id TEXT NOT NULL, user_name TEXT NOT NULL,
        agent TEXT NOT NULL, realm TEXT NOT NULL,
        started INTEGER NOT NULL, last_access INTEGER NOT NULL, expires INTEGER NOT NULL,
        ends INTEGER NOT NULL, idle_timeout INTEGER NOT NULL, summary TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX session_of_user ON session (universal_id);
    CREATE INDEX session_by_start ON session (started, id);
    CREATE INDEX session_by_end ON session (ends);
    CREATE TABLE revoked_session (
        id BLOB PRIMARY KEY, keep_until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX revoked_session_by_end ON revoked_session (keep_until);
    CREATE TABLE revoked_user (
        universal_id TEXT PRIMARY KEY, through INTEGER NOT NULL, keep_until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE revoked_all (
        only INTEGER PRIMARY KEY CHECK (only = 1), through INTEGER NOT NULL, keep_until INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE record (
        kind TEXT, name TEXT, value BLOB NOT NULL, version INTEGER NOT NULL, expires INTEGER,
        PRIMARY KEY (kind, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE feed (sequence INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL) STRICT;
    CREATE TABLE identity (only INTEGER PRIMARY KEY CHECK (only = 1), name TEXT NOT NULL) STRICT;
";

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::ReadOnly) => Self::NoRoom(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// The store.
pub struct SqliteStore {
    connection: Arc<Mutex<Connection>>,
    identity: String,
    /// The number of the last entry of the feed. Nobody else writes to the file.
    feed_end: watch::Sender<u64>,
    _lock: File,
}

impl SqliteStore {
    /// Opens the database in the state folder, and makes both if they are absent. Blocks.
    ///
    /// # Errors
    /// If the folder or the database cannot be used, or another policy server uses them.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(state_dir)?;
        let lock = locked(&state_dir.join(LOCK_NAME))?;
        let path = state_dir.join(FILE_NAME);
        // Before SQLite does it: it takes the mode of its other files from this one.
        private(&path)?;
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A revocation that a power cut undoes would let a stolen cookie back in.
        connection.pragma_update(None, "synchronous", "FULL")?;
        // What is deleted, keys above all, is overwritten.
        connection.pragma_update(None, "secure_delete", true)?;
        let layout: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match layout {
            LAYOUT => {}
            0 => {
                let name = SessionId::random()
                    .map_err(|error| StoreError::Failed(error.to_string()))?
                    .to_string();
                let transaction = connection.transaction()?;
                transaction.execute_batch(SCHEMA)?;
                transaction.execute("INSERT INTO identity VALUES (1, ?)", [&name])?;
                transaction.pragma_update(None, "user_version", LAYOUT)?;
                transaction.commit()?;
            }
            other => {
                return Err(StoreError::Failed(format!(
                    "{} has layout {other}, not {LAYOUT}",
                    path.display()
                )));
            }
        }
        // Not part of the layout: files from before are the same with it.
        let index = "CREATE INDEX IF NOT EXISTS session_of_name ON session (user_name)";
        connection.execute(index, [])?;
        let identity = connection.query_row("SELECT name FROM identity", [], |row| row.get(0))?;
        let end = feed::end(&connection)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            identity,
            feed_end: watch::Sender::new(end),
            _lock: lock,
        })
    }

    /// Runs `work` where blocking is allowed.
    fn run<'a, T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'a, T> {
        let connection = Arc::clone(&self.connection);
        Box::pin(async move {
            let work = move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
            tokio::task::spawn_blocking(work)
                .await
                .map_err(|_| StoreError::stopped())?
        })
    }

    /// Runs `work` in one transaction, and wakes whoever waits for the feed.
    fn transact<'a, T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'a, T> {
        let feed_end = self.feed_end.clone();
        self.run(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let outcome = work(&transaction)?;
            let end = feed::end(&transaction)?;
            transaction.commit()?;
            feed_end.send_if_modified(|known| std::mem::replace(known, end) != end);
            Ok(outcome)
        })
    }
}

/// Makes the file if it is absent, for nobody else to read.
fn private(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Two policy servers in one folder would each think that nobody else writes.
fn locked(path: &Path) -> Result<File, StoreError> {
    let file = private(path)?;
    let patience = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < patience => {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Failed(String::from(
                    "another policy server uses this folder; several need a shared store ([store])",
                )));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

impl Store for SqliteStore {
    fn identity(&self) -> String {
        self.identity.clone()
    }

    /// The file is open for as long as this lives: nobody exchanges it.
    fn rejoin(&self) -> StoreFuture<'_, String> {
        Box::pin(async { Ok(self.identity()) })
    }

    fn insert(
        &self,
        session: SessionSummary,
        replaces: Vec<Ending>,
        quota: Option<Quota>,
        margin: Duration,
        now: Timestamp,
    ) -> StoreFuture<'_, Insertion> {
        self.insert_session(session, replaces, quota, margin, now)
    }

    fn standing<'a>(
        &'a self,
        id: SessionId,
        universal_id: &'a str,
        started: Timestamp,
    ) -> StoreFuture<'a, Standing> {
        let universal_id = universal_id.to_owned();
        self.run(move |connection| sessions::standing(connection, id, &universal_id, started))
    }

    fn touch(&self, uses: Vec<(SessionId, Timestamp)>) -> StoreFuture<'_, ()> {
        self.transact(move |transaction| sessions::touch(transaction, &uses))
    }

    fn get(&self, id: SessionId, now: Timestamp) -> StoreFuture<'_, Option<SessionSummary>> {
        self.run(move |connection| sessions::get(connection, id, now))
    }

    fn list(
        &self,
        filter: SessionFilter,
        after: Option<ListCursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'_, SessionPage> {
        self.run(move |connection| sessions::list(connection, &filter, after, limit, now))
    }

    fn set_properties(
        &self,
        id: SessionId,
        changes: BTreeMap<String, Option<String>>,
        now: Timestamp,
    ) -> StoreFuture<'_, Option<BTreeMap<String, String>>> {
        self.transact(move |transaction| sessions::set_properties(transaction, id, changes, now))
    }

    fn revoke_session(&self, ending: Ending) -> StoreFuture<'_, bool> {
        self.transact(move |transaction| sessions::revoke(transaction, ending))
    }

    fn revoke_user<'a>(
        &'a self,
        universal_id: &'a str,
        through: Timestamp,
        keep_until: Timestamp,
    ) -> StoreFuture<'a, ()> {
        let universal_id = universal_id.to_owned();
        self.transact(move |transaction| {
            sessions::revoke_user(transaction, universal_id, through, keep_until)
        })
    }

    fn revoke_all(&self, through: Timestamp, keep_until: Timestamp) -> StoreFuture<'_, ()> {
        self.transact(move |transaction| sessions::revoke_all(transaction, through, keep_until))
    }

    fn revoked_through<'a>(&'a self, universal_id: &'a str) -> StoreFuture<'a, Option<Timestamp>> {
        let universal_id = universal_id.to_owned();
        self.run(move |connection| sessions::revoked_through(connection, &universal_id))
    }

    fn remove_expired(&self, now: Timestamp) -> StoreFuture<'_, ()> {
        self.transact(move |transaction| {
            for statement in [
                "DELETE FROM session WHERE ends <= ?",
                "DELETE FROM revoked_session WHERE keep_until <= ?",
                "DELETE FROM revoked_user WHERE keep_until <= ?",
                "DELETE FROM revoked_all WHERE keep_until <= ?",
                "DELETE FROM record WHERE expires <= ?",
            ] {
                transaction.execute(statement, [seconds(now)])?;
            }
            feed::trim(transaction)
        })
    }

    fn record<'a>(&'a self, kind: RecordKind, name: &'a str) -> StoreFuture<'a, Option<Record>> {
        let name = name.to_owned();
        self.run(move |connection| records::one(connection, kind, &name))
    }

    fn records(&self, kind: RecordKind) -> StoreFuture<'_, BTreeMap<String, Record>> {
        self.run(move |connection| records::all(connection, kind))
    }

    fn change_record(&self, change: RecordChange) -> StoreFuture<'_, bool> {
        self.transact(move |transaction| records::change(transaction, change))
    }

    fn append(&self, event: EventKind) -> StoreFuture<'_, ()> {
        self.transact(move |transaction| feed::append(transaction, &event))
    }

    fn feed_end(&self) -> StoreFuture<'_, u64> {
        Box::pin(async { Ok(*self.feed_end.borrow()) })
    }

    fn feed(&self, after: u64, wait: Duration) -> StoreFuture<'_, FeedPart> {
        Box::pin(async move {
            let mut end = self.feed_end.subscribe();
            let news = end.wait_for(|end| *end != after);
            // Late or not: the part says what there is.
            _ = tokio::time::timeout(wait, news).await;
            self.run(move |connection| feed::part(connection, after))
                .await
        })
    }
}

#[cfg(test)]
mod tests;
