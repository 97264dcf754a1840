//! What must survive a restart: persistent sessions, revocations, keys.
//!
//! [`SessionStore`] and [`KeyStore`] are the seams between the policy server and any kind of store;
//! [`sqlite`] is the one kind there is so far. An error of a store is never an answer: whoever asked
//! is refused.

pub mod sqlite;

use futures_util::future::BoxFuture;
use policy_protocol::message::SessionSummary;
use policy_protocol::{Secret, SessionId, Timestamp};

/// Why a store did nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[error("session store: {0}")]
pub struct StoreError(String);

impl StoreError {
    /// The thread that should have done it is gone.
    pub(crate) fn stopped() -> Self {
        Self(String::from("stopped"))
    }
}

/// What a store knows of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether the session, or every session of its user, was revoked.
    pub revoked: bool,
    /// If the session is in the store: when it was last known to be used.
    pub last_access: Option<Timestamp>,
}

/// Keeps persistent sessions, and the revocations of all sessions.
pub trait SessionStore: Send + Sync + 'static {
    /// Keeps a session.
    fn insert(&self, session: SessionSummary) -> BoxFuture<'_, Result<(), StoreError>>;

    /// What is known of a session of this user that started then.
    fn standing<'a>(
        &'a self,
        id: SessionId,
        universal_id: &'a str,
        started: Timestamp,
    ) -> BoxFuture<'a, Result<Standing, StoreError>>;

    /// Records that a session was used; never moves backwards.
    fn touch(&self, id: SessionId, at: Timestamp) -> BoxFuture<'_, Result<(), StoreError>>;

    /// A session that is in the store and has not reached its end.
    fn get(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<SessionSummary>, StoreError>>;

    /// The sessions that are in the store and have not reached their end, newest first, at most
    /// [`MAX_LISTED`]; only those of a universal id or login name, if given.
    fn list<'a>(
        &'a self,
        user: Option<&'a str>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<SessionSummary>, StoreError>>;

    /// Records that a session is dead, and forgets the session. The record is kept until `keep_until`.
    /// Returns whether it is new. When this returns, it is on disk.
    fn revoke_session(
        &self,
        id: SessionId,
        keep_until: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Records that all sessions of a user that started at `through` or before are dead, and forgets
    /// them. The record is kept until `keep_until`. When this returns, it is on disk.
    fn revoke_user<'a>(
        &'a self,
        universal_id: &'a str,
        through: Timestamp,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Through when the sessions of a user are revoked, if they are.
    fn user_revoked_through<'a>(
        &'a self,
        universal_id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Timestamp>, StoreError>>;

    /// Forgets sessions and revocations that have reached their end.
    fn remove_expired(&self, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// The longest list of sessions.
pub const MAX_LISTED: usize = 1000;

/// Keeps the keys, as one text whose meaning is not the store's business. The calls block.
pub trait KeyStore: Send + Sync + 'static {
    /// What was saved last, if anything was.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn load_keys(&self) -> Result<Option<Secret<Vec<u8>>>, StoreError>;

    /// Replaces what was saved. When this returns, it is on disk.
    ///
    /// # Errors
    /// If the store cannot be written; what was saved before is then still there.
    fn save_keys(&self, keys: &Secret<Vec<u8>>) -> Result<(), StoreError>;
}
