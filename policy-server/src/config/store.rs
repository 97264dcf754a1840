//! `[store]`: where all policy servers of one installation keep what they share.

use std::path::PathBuf;
use std::time::Duration;

use policy_protocol::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::validate::Checker;

/// How long one call to a store may take unless the configuration says otherwise: an agent waits for
/// longer, and can still ask another policy server.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections to a shared store unless the configuration says otherwise.
const DEFAULT_CONNECTIONS: u16 = 8;

/// Where keys, sessions, revocations and the feed are.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreSection {
    /// Which engine.
    #[serde(default)]
    pub kind: StoreKind,
    /// For `valkey` and `postgres`: its address, without a password. `rediss://user@host:6379/0`,
    /// `redis://…` without TLS; `postgres://user@host:5432/database`.
    #[schemars(with = "Option<String>")]
    pub url: Option<Spanned<String>>,
    /// A file with the password.
    #[schemars(with = "Option<String>")]
    pub password_file: Option<Spanned<String>>,
    /// Certificates (PEM) of the authorities to trust; the system's if absent.
    pub ca_file: Option<String>,
    /// How long one call may take: `2s` unless given.
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Spanned<String>>,
    /// Connections at most: 8 unless given.
    pub connections: Option<u16>,
    /// For `valkey`: use the server although a crash of it may undo logouts that were acknowledged.
    #[schemars(with = "Option<bool>")]
    pub allow_data_loss: Option<Spanned<bool>>,
}

/// Which engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// SQLite in the state folder, for one policy server.
    #[default]
    Sqlite,
    /// Valkey or Redis.
    Valkey,
    /// PostgreSQL.
    Postgres,
}

/// Where keys, sessions, revocations and the feed are.
#[derive(Clone, Debug)]
pub enum StoreConfig {
    /// In the state folder.
    Sqlite,
    /// In Valkey or Redis.
    Valkey(RemoteStore),
    /// In PostgreSQL.
    Postgres(RemoteStore),
}

/// A store that is reached over the network.
#[derive(Clone, Debug)]
pub struct RemoteStore {
    /// Its address, without a password.
    pub url: String,
    /// The password, if it wants one.
    pub password: Option<Secret<String>>,
    /// Trust anchors (PEM); the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// How long one call may take.
    pub timeout: Duration,
    /// Connections at most.
    pub connections: u16,
    /// Whether Valkey may acknowledge what it has not yet written to disk.
    pub allow_data_loss: bool,
}

/// Checks the section.
pub(super) fn validate(checker: &mut Checker<'_>, section: StoreSection) -> StoreConfig {
    let range = Duration::from_millis(100)..=Duration::from_secs(30);
    let timeout = section.timeout.as_ref();
    let timeout = checker.duration("store.timeout", timeout, DEFAULT_TIMEOUT, range);
    let password = section
        .password_file
        .as_ref()
        .and_then(|file| checker.password("store", file));
    let allow_data_loss = section.allow_data_loss;
    if section.kind != StoreKind::Valkey
        && let Some(given) = &allow_data_loss
    {
        let rule = "only Valkey can be told to lose data: take this out";
        checker.report(given, "store.allow_data_loss", rule);
    }
    let Some(url) = section.url else {
        if section.kind != StoreKind::Sqlite {
            checker.report_unplaced("store.url", "this kind of store needs an address");
        }
        return StoreConfig::Sqlite;
    };
    let schemes: &[&str] = match section.kind {
        StoreKind::Sqlite => &[],
        StoreKind::Valkey => &["rediss://", "redis://"],
        StoreKind::Postgres => &["postgres://", "postgresql://"],
    };
    if section.kind == StoreKind::Sqlite {
        let rule = "SQLite has no address: set kind to \"valkey\" or \"postgres\"";
        checker.report(&url, "store.url", rule);
    } else if !schemes
        .iter()
        .any(|scheme| url.get_ref().starts_with(scheme))
    {
        let rule = format!("must start with {}", schemes.join(" or "));
        checker.report(&url, "store.url", &rule);
    }
    let remote = RemoteStore {
        url: url.into_inner(),
        password,
        ca_file: section.ca_file.map(|file| checker.base.join(file)),
        timeout,
        connections: section.connections.unwrap_or(DEFAULT_CONNECTIONS).max(1),
        allow_data_loss: allow_data_loss.is_some_and(Spanned::into_inner),
    };
    match section.kind {
        StoreKind::Sqlite => StoreConfig::Sqlite,
        StoreKind::Valkey => StoreConfig::Valkey(remote),
        StoreKind::Postgres => StoreConfig::Postgres(remote),
    }
}
