//! One connection to PostgreSQL.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Row, SimpleQueryMessage, Statement};

use super::feed::LISTEN;
use super::tls::Tls;
use crate::config::store::RemoteStore;
use crate::store::StoreError;

/// What was sent must be acknowledged within this, or the connection is lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// A connection that is idle for so long is tried, so that firewalls know it.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How to connect.
pub(super) struct Connector {
    config: Config,
    tls: Tls,
    timeout: Duration,
}

impl Connector {
    /// Blocks: reads certificates.
    pub(super) fn new(settings: &RemoteStore) -> Result<Self, StoreError> {
        // What was wrong is not said: it may quote a password.
        let mut config: Config = settings.url.parse().map_err(|_| {
            let problem = "the URL is not one of PostgreSQL: postgres://user@host:5432/database";
            StoreError::Failed(String::from(problem))
        })?;
        if config.get_password().is_some() {
            let problem = "the password belongs into password_file, not into the URL";
            return Err(StoreError::Failed(String::from(problem)));
        }
        if let Some(password) = &settings.password {
            config.password(password.expose());
        }
        // In clear only if the operator says so.
        if config.get_ssl_mode() != SslMode::Disable {
            config.ssl_mode(SslMode::Require);
        }
        // The server gives up before we do, and a host of several before the last one.
        let timeout = settings.timeout.mul_f32(0.75);
        config
            .connect_timeout(timeout)
            .tcp_user_timeout(UNACKNOWLEDGED)
            .keepalives_idle(KEEPALIVE)
            // Neither a standby nor one that was made read-only, because it may have been replaced: it does not
            // know who was logged out since.
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("doorward");
        }
        Ok(Self {
            config,
            tls: Tls::new(settings.ca_file.as_deref())?,
            timeout,
        })
    }

    /// A new connection to a server that takes writes.
    pub(super) async fn connect(&self) -> Result<Connection, StoreError> {
        let (client, mut driver) = self.config.connect(self.tls.clone()).await?;
        let (notify, notified) = watch::channel(());
        let driver = tokio::spawn(async move {
            // Ends with the client, or with the connection.
            while let Some(Ok(message)) = std::future::poll_fn(|cx| driver.poll_message(cx)).await {
                if let AsyncMessage::Notification(_) = message {
                    notify.send_replace(());
                }
            }
        });
        let connection = Connection {
            client,
            driver,
            notified,
            statements: Mutex::default(),
        };
        connection.set_up(self.timeout).await?;
        Ok(connection)
    }
}

/// A connection. What is not known to have come to its end on it is cut off when it is dropped.
pub(super) struct Connection {
    client: Client,
    driver: JoinHandle<()>,
    notified: watch::Receiver<()>,
    /// Prepared once per connection.
    statements: Mutex<HashMap<&'static str, Statement>>,
}

impl Connection {
    /// Whatever the server's or the user's defaults are.
    async fn set_up(&self, timeout: Duration) -> Result<(), StoreError> {
        let milliseconds = timeout.as_millis();
        let settings = format!(
            "SET synchronous_commit = on; SET default_transaction_isolation = 'read committed';
             SET statement_timeout = {milliseconds};
             SET idle_in_transaction_session_timeout = {milliseconds};
             SET client_encoding = 'UTF8'; SET jit = off; SELECT pg_is_in_recovery();"
        );
        let answers = self.client.simple_query(&settings).await?;
        let in_recovery = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        if in_recovery == Some("f") {
            Ok(())
        } else {
            // A standby lags: it does not know yet who was logged out.
            Err(StoreError::Failed(String::from(
                "the server is in recovery: it may not know the latest revocations",
            )))
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Learns of notifications that come from now on.
    pub(super) async fn listen(&self) -> Result<(), StoreError> {
        self.run(LISTEN).await
    }

    /// Changes at every notification, and is closed with the connection.
    pub(super) fn notified(&self) -> watch::Receiver<()> {
        self.notified.clone()
    }

    /// Runs statements that neither take nor return values.
    pub(super) async fn run(&self, statements: &str) -> Result<(), StoreError> {
        Ok(self.client.batch_execute(statements).await?)
    }

    /// Runs one statement and returns its rows. Calls made at the same time are sent in the order in
    /// which they are polled first, if their statements are prepared.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepare(sql).await?;
        Ok(self.client.query(&statement, values).await?)
    }

    /// Prepares a statement, if that was not done before.
    pub(super) async fn prepare(&self, sql: &'static str) -> Result<Statement, StoreError> {
        let statements = || {
            self.statements
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let known = statements().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        statements().insert(sql, statement.clone());
        Ok(statement)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
