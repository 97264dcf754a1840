//! A bounded number of connections, each lent to one call at a time.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connection::{Connection, Connector};
use crate::store::StoreError;

pub(super) struct Pool {
    pub(super) connector: Connector,
    idle: Mutex<Idle>,
    permits: Semaphore,
}

#[derive(Default)]
struct Idle {
    /// The one returned last is lent first.
    connections: Vec<Connection>,
    /// Counts how often all that there were have been given up.
    given_up: u64,
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
        let (idle, made_after) = loop {
            let mut all = self.idle();
            let idle = all.connections.pop();
            if idle.as_ref().is_none_or(|idle| !idle.is_closed()) {
                break (idle, all.given_up);
            }
        };
        let connection = match idle {
            Some(connection) => connection,
            None => self.connector.connect().await?,
        };
        Ok(Lease {
            connection,
            made_after,
            pool: self,
            _permit: permit,
        })
    }

    /// No connection that there is now is lent again: its server may have been replaced.
    pub(super) fn give_up(&self) {
        let mut idle = self.idle();
        idle.given_up += 1;
        idle.connections.clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lent connection. Only [`Self::release`] gives it back: after an error, or a call that was given up,
/// nobody knows what it is still doing, and it is cut.
pub(super) struct Lease<'a> {
    connection: Connection,
    /// [`Idle::given_up`] when it was lent.
    made_after: u64,
    pool: &'a Pool,
    _permit: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// See [`Connection::run`].
    pub(super) async fn run(&self, statements: &str) -> Result<(), StoreError> {
        self.told(self.connection.run(statements).await)
    }

    /// See [`Connection::prepare`].
    pub(super) async fn prepare(&self, sql: &'static str) -> Result<(), StoreError> {
        self.told(self.connection.prepare(sql).await.map(drop))
    }

    /// See [`Connection::query`].
    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.told(self.connection.query(sql, values).await)
    }

    /// What one connection learns is so of all: those that only read would not.
    fn told<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if matches!(outcome, Err(StoreError::ReadOnly)) {
            self.pool.give_up();
        }
        outcome
    }

    /// Everything that was begun has come to its end.
    pub(super) fn release(self) {
        let Self {
            connection,
            made_after,
            pool,
            ..
        } = self;
        let mut idle = pool.idle();
        if idle.given_up == made_after {
            idle.connections.push(connection);
        }
    }
}
