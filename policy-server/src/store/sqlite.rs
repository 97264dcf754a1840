//! SQLite in the state folder: enough for one policy server.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use policy_protocol::message::SessionSummary;
use policy_protocol::{Secret, SessionId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{KeyStore, MAX_LISTED, SessionStore, Standing, StoreError};

/// The database's name in the state folder.
const FILE_NAME: &str = "policy-server.sqlite";
/// The layout below; a file with another one is not touched.
const LAYOUT: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE session (
        id BLOB PRIMARY KEY, universal_id TEXT NOT NULL, user_name TEXT NOT NULL,
        started INTEGER NOT NULL, last_access INTEGER NOT NULL, expires INTEGER NOT NULL,
        summary TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX session_of_user ON session (universal_id);
    CREATE TABLE revoked_session (
        id BLOB PRIMARY KEY, keep_until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE revoked_user (
        universal_id TEXT PRIMARY KEY, through INTEGER NOT NULL, keep_until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE keys (only INTEGER PRIMARY KEY CHECK (only = 1), state BLOB NOT NULL) STRICT;
";

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// The store.
pub struct SqliteStore {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteStore {
    /// Opens the database in the state folder, and makes both if they are absent. Blocks.
    ///
    /// # Errors
    /// If the folder or the database cannot be used.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(state_dir)?;
        let path = state_dir.join(FILE_NAME);
        // Before SQLite does it: it takes the mode of its other files from this one.
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
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
                let transaction = connection.transaction()?;
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "user_version", LAYOUT)?;
                transaction.commit()?;
            }
            other => {
                return Err(StoreError(format!(
                    "{} has layout {other}, not {LAYOUT}",
                    path.display()
                )));
            }
        }
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    /// Runs `work` where blocking is allowed.
    fn run<'a, T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let connection = Arc::clone(&self.connection);
        Box::pin(async move {
            let work = move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
            tokio::task::spawn_blocking(work)
                .await
                .map_err(|_| StoreError::stopped())?
        })
    }
}

/// SQLite's integers are signed; times past the year 292 billion are all the same to us.
fn seconds(time: Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

fn time(seconds: i64) -> Timestamp {
    Timestamp(u64::try_from(seconds).unwrap_or_default())
}

fn summary(row: &Row<'_>) -> Result<(String, Timestamp), rusqlite::Error> {
    Ok((row.get(0)?, time(row.get(1)?)))
}

fn decode((json, last_access): (String, Timestamp)) -> Result<SessionSummary, StoreError> {
    let summary: SessionSummary =
        serde_json::from_str(&json).map_err(|error| StoreError(error.to_string()))?;
    Ok(SessionSummary {
        last_access,
        ..summary
    })
}

impl SessionStore for SqliteStore {
    fn insert(&self, session: SessionSummary) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run(move |connection| {
            let json =
                serde_json::to_string(&session).map_err(|error| StoreError(error.to_string()))?;
            let SessionSummary {
                id,
                identity,
                started,
                last_access,
                expires,
                ..
            } = session;
            connection
                .prepare_cached("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?)")?
                .execute(params![
                    id.as_bytes(),
                    identity.universal_id,
                    identity.user_name,
                    seconds(started),
                    seconds(last_access),
                    seconds(expires),
                    json
                ])?;
            Ok(())
        })
    }

    fn standing<'a>(
        &'a self,
        id: SessionId,
        universal_id: &'a str,
        started: Timestamp,
    ) -> BoxFuture<'a, Result<Standing, StoreError>> {
        let universal_id = universal_id.to_owned();
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM revoked_session WHERE id = ?1)
                     OR EXISTS (SELECT 1 FROM revoked_user WHERE universal_id = ?2 AND through >= ?3),
                     (SELECT last_access FROM session WHERE id = ?1)",
            )?;
            let standing =
                statement.query_row(params![id.as_bytes(), universal_id, seconds(started)], |row| {
                    let last_access: Option<i64> = row.get(1)?;
                    Ok(Standing { revoked: row.get(0)?, last_access: last_access.map(time) })
                })?;
            Ok(standing)
        })
    }

    fn touch(&self, id: SessionId, at: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run(move |connection| {
            connection
                .prepare_cached(
                    "UPDATE session SET last_access = max(last_access, ?2) WHERE id = ?1",
                )?
                .execute(params![id.as_bytes(), seconds(at)])?;
            Ok(())
        })
    }

    fn get(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<SessionSummary>, StoreError>> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT summary, last_access FROM session WHERE id = ? AND expires > ?",
            )?;
            let found = statement
                .query_row(params![id.as_bytes(), seconds(now)], summary)
                .optional()?;
            found.map(decode).transpose()
        })
    }

    fn list<'a>(
        &'a self,
        user: Option<&'a str>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<SessionSummary>, StoreError>> {
        let user = user.map(str::to_owned);
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT summary, last_access FROM session
                 WHERE expires > ?1 AND (?2 IS NULL OR universal_id = ?2 OR user_name = ?2)
                 ORDER BY started DESC LIMIT ?3",
            )?;
            let limit = i64::try_from(MAX_LISTED).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![seconds(now), user, limit], summary)?;
            rows.map(|row| decode(row?)).collect()
        })
    }

    fn revoke_session(
        &self,
        id: SessionId,
        keep_until: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let new = transaction
                .prepare_cached("INSERT OR IGNORE INTO revoked_session VALUES (?, ?)")?
                .execute(params![id.as_bytes(), seconds(keep_until)])?;
            transaction.execute("DELETE FROM session WHERE id = ?", [id.as_bytes()])?;
            transaction.commit()?;
            Ok(new == 1)
        })
    }

    fn revoke_user<'a>(
        &'a self,
        universal_id: &'a str,
        through: Timestamp,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let universal_id = universal_id.to_owned();
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "INSERT INTO revoked_user VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET
                 through = max(through, ?2), keep_until = max(keep_until, ?3)",
                params![universal_id, seconds(through), seconds(keep_until)],
            )?;
            transaction.execute(
                "DELETE FROM session WHERE universal_id = ? AND started <= ?",
                params![universal_id, seconds(through)],
            )?;
            transaction.commit()?;
            Ok(())
        })
    }

    fn user_revoked_through<'a>(
        &'a self,
        universal_id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Timestamp>, StoreError>> {
        let universal_id = universal_id.to_owned();
        self.run(move |connection| {
            let through: Option<i64> = connection
                .prepare_cached("SELECT through FROM revoked_user WHERE universal_id = ?")?
                .query_row([universal_id], |row| row.get(0))
                .optional()?;
            Ok(through.map(time))
        })
    }

    fn remove_expired(&self, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            for statement in [
                "DELETE FROM session WHERE expires <= ?",
                "DELETE FROM revoked_session WHERE keep_until <= ?",
                "DELETE FROM revoked_user WHERE keep_until <= ?",
            ] {
                transaction.execute(statement, [seconds(now)])?;
            }
            transaction.commit()?;
            Ok(())
        })
    }
}

impl KeyStore for SqliteStore {
    fn load_keys(&self) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let state: Option<Vec<u8>> = connection
            .query_row("SELECT state FROM keys", [], |row| row.get(0))
            .optional()?;
        Ok(state.map(Secret::new))
    }

    fn save_keys(&self, keys: &Secret<Vec<u8>>) -> Result<(), StoreError> {
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connection.execute("INSERT OR REPLACE INTO keys VALUES (1, ?)", [keys.expose()])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
