//! Connections to Valkey: made when needed, checked before use, thrown away when anything is wrong.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, TlsCertificates};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::store::RemoteStore;
use crate::store::StoreError;

/// One connection that all calls share: Valkey answers in order, and one is enough for all it can do.
pub(super) struct Link {
    client: Client,
    timeout: Duration,
    current: Mutex<Current>,
    made: AtomicU64,
    allow_data_loss: bool,
    /// That data may be lost, once for all connections.
    said: Once,
}

/// The connection that calls share.
enum Current {
    None,
    /// With its number for [`Link::discard`].
    Connected(u64, MultiplexedConnection),
    /// When the last attempt was over.
    Failed(Instant),
}

/// What a server is set to that writes what it acknowledges.
const WRITES: [(&str, &str); 2] = [
    ("appendfsync", "always"),
    ("no-appendfsync-on-rewrite", "no"),
];

impl From<redis::RedisError> for StoreError {
    fn from(error: redis::RedisError) -> Self {
        if error.code() == Some("REPLACED") {
            Self::Replaced
        } else if matches!(error.code(), Some("OOM" | "MISCONF")) {
            Self::NoRoom(error.to_string())
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Failed(error.to_string())
        }
    }
}

impl Link {
    pub(super) fn new(settings: &RemoteStore) -> Result<Self, StoreError> {
        let info = settings.url.as_str().into_connection_info()?;
        let mut login = info.redis_settings().clone();
        if let Some(password) = &settings.password {
            login = login.set_password(password.expose());
        }
        let root_cert = match &settings.ca_file {
            Some(file) => Some(std::fs::read(file)?),
            None => None,
        };
        let info = info.set_redis_settings(login);
        let client = if settings.url.starts_with("rediss:") {
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert,
            };
            Client::build_with_tls(info, certificates)?
        } else {
            Client::open(info)?
        };
        Ok(Self {
            client,
            timeout: settings.timeout,
            current: Mutex::new(Current::None),
            made: AtomicU64::new(0),
            allow_data_loss: settings.allow_data_loss,
            said: Once::new(),
        })
    }

    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A new connection to a server that may be used. `answers_within` bounds each answer.
    pub(super) async fn connect(
        &self,
        answers_within: Option<Duration>,
    ) -> Result<MultiplexedConnection, StoreError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(answers_within);
        let connecting = async {
            let mut connection = self
                .client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
            check(&info)?;
            self.check_writes(&mut connection).await?;
            Ok(connection)
        };
        let connected = tokio::time::timeout(self.timeout, connecting).await;
        connected.unwrap_or(Err(StoreError::TimedOut))
    }

    /// Refuses a server that acknowledges what it has not yet written, unless it is allowed to: with
    /// `appendfsync everysec` it does so while it waits for the disk, up to two seconds, and a SIGKILL then loses
    /// logouts that users were told of. One that does not let itself be asked (managed ones) is used.
    async fn check_writes(&self, connection: &mut MultiplexedConnection) -> Result<(), StoreError> {
        for (setting, wanted) in WRITES {
            let mut question = redis::cmd("CONFIG");
            question.arg("GET").arg(setting);
            let answer = match question.query_async::<Vec<String>>(connection).await {
                Err(error) if error.is_io_error() => return Err(error.into()),
                answer => answer.unwrap_or_default(),
            };
            let problem = match answer.as_slice() {
                [_, value] if value == wanted => continue,
                [_, value] => format!(
                    "{setting} {value}: it may lose logouts if it is killed: set {setting} {wanted}"
                ),
                _ => {
                    self.warn(&format!(
                        "the store does not tell its {setting}: unless that is {wanted}, it may lose logouts"
                    ));
                    continue;
                }
            };
            if !self.allow_data_loss {
                return Err(StoreError::Failed(format!(
                    "{problem}, or [store] allow_data_loss"
                )));
            }
            self.warn(&problem);
        }
        Ok(())
    }

    fn warn(&self, problem: &str) {
        self.said.call_once(|| tracing::warn!("{problem}"));
    }

    /// The connection in use, and its number for [`Self::discard`].
    pub(super) async fn connection(&self) -> Result<(u64, MultiplexedConnection), StoreError> {
        let asked = Instant::now();
        let mut current = self.current.lock().await;
        match &*current {
            Current::Connected(number, connection) => return Ok((*number, connection.clone())),
            // Whoever waited for this attempt does not wait for another: there may be a thousand in line.
            Current::Failed(at) if *at >= asked => {
                return Err(StoreError::Failed(String::from(
                    "there was no connection a moment ago",
                )));
            }
            Current::None | Current::Failed(_) => {}
        }
        let connection = match self.connect(Some(self.timeout)).await {
            Ok(connection) => connection,
            Err(error) => {
                *current = Current::Failed(Instant::now());
                return Err(error);
            }
        };
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        *current = Current::Connected(number, connection.clone());
        Ok((number, connection))
    }

    /// The connection of this number is not used again.
    pub(super) async fn discard(&self, number: u64) {
        let mut current = self.current.lock().await;
        if matches!(&*current, Current::Connected(known, _) if *known == number) {
            *current = Current::None;
        }
    }
}

/// Refuses a server that could forget what it was told: a replica, one that evicts, and one that keeps
/// nothing on disk.
fn check(info: &str) -> Result<(), StoreError> {
    let says = |key: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
            .map(str::trim)
    };
    let wanted = [
        ("role", "master", "it is a replica, which may lag behind"),
        (
            "maxmemory_policy",
            "noeviction",
            "it may evict revocations: set maxmemory-policy noeviction",
        ),
        (
            "aof_enabled",
            "1",
            "it keeps nothing on disk: set appendonly yes",
        ),
        ("loading", "0", "it is still loading"),
    ];
    for (key, value, otherwise) in wanted {
        if says(key) != Some(value) {
            return Err(StoreError::Failed(format!("{key}: {otherwise}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Replication\r\nrole:master\r\nloading:0\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\n";

    #[test]
    fn a_server_that_could_forget_is_refused() {
        check(GOOD).unwrap();
        for (good, bad) in [
            ("role:master", "role:slave"),
            ("noeviction", "allkeys-lru"),
            ("aof_enabled:1", "aof_enabled:0"),
            ("loading:0", "loading:1"),
            ("role:master\r\n", ""),
        ] {
            assert!(check(&GOOD.replace(good, bad)).is_err(), "{bad}");
        }
    }

    /// Somebody who takes connections and says nothing: as a network that loses everything.
    #[tokio::test(start_paused = true)]
    async fn whoever_waited_for_an_attempt_that_failed_waits_for_no_other() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let timeout = Duration::from_secs(2);
        let link = Link::new(&RemoteStore {
            url: format!("redis://{}", silent.local_addr().unwrap()),
            password: None,
            ca_file: None,
            timeout,
            connections: 1,
            allow_data_loss: false,
        })
        .unwrap();
        let began = Instant::now();
        let calls = (0..10).map(|_| link.connection());
        for outcome in futures_util::future::join_all(calls).await {
            assert!(outcome.is_err());
        }
        assert!(began.elapsed() < 2 * timeout, "{:?}", began.elapsed());
        // Who comes later tries anew.
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(matches!(link.connection().await, Err(StoreError::TimedOut)));
    }
}
