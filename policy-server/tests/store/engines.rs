//! The engines, each with an empty store of its own, and what tests say to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use policy_protocol::message::SessionSummary;
use policy_protocol::{AuthScheme, Identity, ProtectionLevel, SessionId, Timestamp, UserDirectory};
use policy_server::store::sqlite::SqliteStore;
use policy_server::store::{Ending, Insertion, Quota, Store};
use tempfile::TempDir;

/// The policy server's time, if nothing else is said.
pub(crate) const NOW: Timestamp = Timestamp(1_000_000);
/// When sessions of tests end at the latest.
pub(crate) const EXPIRES: Timestamp = Timestamp(NOW.0 + 10_000);
/// How long revocations of sessions that gave way are kept beyond their end.
pub(crate) const MARGIN: Duration = Duration::from_secs(60);

/// An empty store that can be opened.
pub(crate) enum Engine {
    /// By one at a time.
    Sqlite(TempDir),
    /// As often as one likes.
    #[cfg(feature = "postgres")]
    Postgres(policy_server::config::store::RemoteStore),
    /// As often as one likes.
    #[cfg(feature = "valkey")]
    Valkey(Box<test_services::Valkey>),
}

impl Engine {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn postgres() -> Option<Self> {
        let server = test_services::Postgres::shared()?;
        let database = server.database();
        Some(Self::Postgres(crate::postgres::settings(server, &database)))
    }

    #[cfg(feature = "valkey")]
    pub(crate) fn valkey() -> Option<Self> {
        Some(Self::Valkey(Box::new(test_services::Valkey::start()?)))
    }

    /// Opens the store, as a policy server does.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(dir) => Arc::new(SqliteStore::open(dir.path()).unwrap()),
            #[cfg(feature = "postgres")]
            Self::Postgres(settings) => {
                let store = policy_server::store::postgres::PostgresStore::open(settings);
                Arc::new(store.await.unwrap())
            }
            #[cfg(feature = "valkey")]
            Self::Valkey(server) => {
                let settings = crate::valkey::settings(server.url(), server);
                let store = policy_server::store::valkey::ValkeyStore::open(&settings);
                Arc::new(store.await.unwrap())
            }
        }
    }
}

pub(crate) fn id(byte: u8) -> SessionId {
    SessionId::from_bytes([byte; SessionId::LENGTH])
}

/// A session of a user that began so many seconds after [`NOW`].
pub(crate) fn session(byte: u8, user: &str, after: u64) -> SessionSummary {
    let started = Timestamp(NOW.0 + after);
    SessionSummary {
        id: id(byte),
        identity: Identity {
            user_name: format!("{user}-name"),
            user_dn: format!("uid={user}"),
            universal_id: String::from(user),
            directory: UserDirectory {
                name: String::from("users"),
                ..UserDirectory::default()
            },
            groups: Vec::new(),
            attributes: BTreeMap::new(),
        },
        protection_level: ProtectionLevel(5),
        realm: String::from("realm"),
        agent: String::from("agent"),
        client_address: None,
        started,
        last_access: started,
        expires: EXPIRES,
        idle_timeout: Duration::ZERO,
        auth_scheme: AuthScheme::Form,
        persistent: true,
        properties: BTreeMap::new(),
    }
}

pub(crate) fn ending(byte: u8) -> Ending {
    Ending {
        id: id(byte),
        keep_until: EXPIRES,
    }
}

/// Keeps a session that nothing has to give way to.
pub(crate) async fn insert(store: &Arc<dyn Store>, session: SessionSummary) {
    let kept = insert_with(store, session, None).await;
    assert_eq!(kept, Insertion::Kept { ended: Vec::new() });
}

pub(crate) async fn insert_with(
    store: &Arc<dyn Store>,
    session: SessionSummary,
    quota: Option<Quota>,
) -> Insertion {
    let inserted = store.insert(session, Vec::new(), quota, MARGIN, NOW);
    inserted.await.unwrap()
}
