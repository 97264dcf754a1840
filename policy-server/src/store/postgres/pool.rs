//! A bounded number of connections, each lent to one call at a time.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connection::{Connection, Connector};
use crate::store::StoreError;

pub(super) struct Pool {
    pub(super) connector: Connector,
    /// The one returned last is lent first.
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Pool {
    pub(super) fn new(connector: Connector, connections: usize) -> Self {
        Self {
            connector,
            idle: Mutex::default(),
            permits: Semaphore::new(connections),
        }
    }

    /// Waits for a connection, and makes one if none is idle. How long that takes is bounded by the
    /// deadline of the call that asks.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, StoreError> {
        let permit = self.permits.acquire().await;
        let permit = permit.map_err(|_| StoreError::stopped())?;
        let idle = loop {
            let idle = self.idle().pop();
            if idle.as_ref().is_none_or(|idle| !idle.is_closed()) {
                break idle;
            }
        };
        let connection = match idle {
            Some(connection) => connection,
            None => self.connector.connect().await?,
        };
        Ok(Lease {
            connection,
            pool: self,
            _permit: permit,
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lent connection. Only [`Self::release`] gives it back: after an error, or a call that was given up,
/// nobody knows what it is still doing, and it is cut.
pub(super) struct Lease<'a> {
    connection: Connection,
    pool: &'a Pool,
    _permit: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// See [`Connection::run`].
    pub(super) async fn run(&self, statements: &str) -> Result<(), StoreError> {
        self.connection.run(statements).await
    }

    /// See [`Connection::prepare`].
    pub(super) async fn prepare(&self, sql: &'static str) -> Result<(), StoreError> {
        self.connection.prepare(sql).await.map(drop)
    }

    /// See [`Connection::query`].
    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.connection.query(sql, values).await
    }

    /// Everything that was begun has come to its end.
    pub(super) fn release(self) {
        let Self {
            connection, pool, ..
        } = self;
        pool.idle().push(connection);
    }
}
