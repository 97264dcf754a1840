//! What all policy servers of one installation share: sessions, revocations, records and the feed.
//!
//! [`Store`] is the seam between a policy server and any engine; [`sqlite`] is the one that needs no
//! server. A policy server keeps nothing of its own beside a store, so any number of them may use one.
//! An error of a store is never an answer: whoever asked is refused.
//!
//! * **Sessions**: every session that began, for listing, quotas and, if it is persistent, for its life.
//! * **Revocations**: of a session, of a user, of everybody. They outlive what they end.
//! * **Records**: small values (keys, agents, counters) that are changed by compare-and-swap, so that
//!   several policy servers agree without electing one of them.
//! * **The feed**: one sequence of events for all agents of all policy servers. What is announced is
//!   appended in the same transaction that does it: neither is ever there without the other.
//! * **The identity**: a random name made with the store. Whatever finds another one there answers
//!   [`StoreError::Replaced`]: a store that comes back empty has forgotten its revocations, and must not
//!   be asked who is alive.

#[cfg(feature = "postgres")]
pub mod postgres;
mod record;
mod session;
pub mod sqlite;
#[cfg(feature = "valkey")]
pub mod valkey;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use policy_protocol::message::SessionSummary;
use policy_protocol::{EventKind, SessionId, Timestamp};

pub use self::record::{Record, RecordChange, RecordKind, first_version};
pub use self::session::{
    Ending, Insertion, ListCursor, MAX_PAGE, OnExcess, Quota, SessionFilter, SessionPage, Standing,
    ends,
};

/// Why a store gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached, or says that it failed.
    #[error("session store: {0}")]
    Failed(String),
    /// It answers, and takes no writes: no room, or a disk that was made read-only.
    #[error("session store has no room: {0}")]
    NoRoom(String),
    /// It did not answer in time. Whether it did what was asked is not known.
    #[error("session store: no answer in time")]
    TimedOut,
    /// It is not the store that was opened: emptied, restored or exchanged.
    #[error("session store: this is another store than before")]
    Replaced,
    /// It was made read-only. Another may have taken its place and know more: it is not to be asked any more.
    #[error("session store: it was made read-only, and another may have taken its place")]
    ReadOnly,
}

impl StoreError {
    /// The thread that should have done it is gone.
    pub(crate) fn stopped() -> Self {
        Self::Failed(String::from("stopped"))
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The outcome of a call to a store, later.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A part of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedPart {
    /// The entries that follow, in order, without holes. None if nothing happened in time.
    Entries(Vec<(u64, EventKind)>),
    /// What follows is no longer kept, or the place is beyond the end: the feed goes on after this
    /// number, and what was before may have been missed.
    Gap {
        /// The number of the last entry there is.
        end: u64,
    },
}

/// The most entries in one [`FeedPart`].
pub const MAX_FEED_PART: usize = 1000;
/// Entries of the feed that an engine keeps at least. Engines may keep more.
pub const FEED_KEPT: u64 = 100_000;

/// Integers of databases are signed; times past the year 292 billion are all the same to us.
fn seconds(time: Timestamp) -> i64 {
    number(time.0)
}

/// The time that was written as [`seconds`].
fn time(seconds: i64) -> Timestamp {
    Timestamp(place(seconds))
}

/// A number as databases have it.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number that was written as [`number`].
fn place(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The store. All calls may be made at the same time and from any policy server; each is one
/// transaction. When a call that changes something returns `Ok`, the change is as durable as the engine
/// makes anything.
///
/// `now` is the policy server's time; engines do not look at clocks of their own to decide anything.
pub trait Store: Send + Sync + 'static {
    /// The store's identity: `EventPosition::instance` of its feed.
    fn identity(&self) -> String;

    /// Takes the store that is there now for the right one, after [`StoreError::Replaced`]; gives an
    /// empty one an identity. Returns the identity.
    fn rejoin(&self) -> StoreFuture<'_, String>;

    /// Keeps a new session, ends those that it replaces, and those that must give way to it by the
    /// quota, which are kept as ended until their `expires` and `margin` more. Sessions that are
    /// replaced do not count for the quota.
    fn insert(
        &self,
        session: SessionSummary,
        replaces: Vec<Ending>,
        quota: Option<Quota>,
        margin: Duration,
        now: Timestamp,
    ) -> StoreFuture<'_, Insertion>;

    /// What is known of a session of this user that started then.
    fn standing<'a>(
        &'a self,
        id: SessionId,
        universal_id: &'a str,
        started: Timestamp,
    ) -> StoreFuture<'a, Standing>;

    /// Records that sessions were used; never moves backwards. Unknown ones are passed over.
    fn touch(&self, uses: Vec<(SessionId, Timestamp)>) -> StoreFuture<'_, ()>;

    /// A session that is in the store and has not reached its end.
    fn get(&self, id: SessionId, now: Timestamp) -> StoreFuture<'_, Option<SessionSummary>>;

    /// Sessions that have not reached their end, `limit` (at most [`MAX_PAGE`]) of those after `after`.
    fn list(
        &self,
        filter: SessionFilter,
        after: Option<ListCursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'_, SessionPage>;

    /// Sets properties of a session, or removes those without a value. Returns the properties it then
    /// has, or `None` if it is not in the store.
    fn set_properties(
        &self,
        id: SessionId,
        changes: BTreeMap<String, Option<String>>,
        now: Timestamp,
    ) -> StoreFuture<'_, Option<BTreeMap<String, String>>>;

    /// Records that a session is dead, forgets it, and appends `SessionRevoked` to the feed. Returns
    /// whether that is news; if not, nothing is appended.
    fn revoke_session(&self, ending: Ending) -> StoreFuture<'_, bool>;

    /// Records that all sessions of a user that started at `through` or before are dead, forgets them,
    /// and appends `UserRevoked` to the feed. Never moves backwards.
    fn revoke_user<'a>(
        &'a self,
        universal_id: &'a str,
        through: Timestamp,
        keep_until: Timestamp,
    ) -> StoreFuture<'a, ()>;

    /// The same for all sessions of all users, with `AllRevoked`.
    fn revoke_all(&self, through: Timestamp, keep_until: Timestamp) -> StoreFuture<'_, ()>;

    /// Through when the sessions of a user are revoked, by [`Self::revoke_user`] or
    /// [`Self::revoke_all`], if they are.
    fn revoked_through<'a>(&'a self, universal_id: &'a str) -> StoreFuture<'a, Option<Timestamp>>;

    /// Forgets what has reached its end: sessions, revocations, records, old entries of the feed. In
    /// steps, if there is much; whatever is left is for the next time.
    fn remove_expired(&self, now: Timestamp) -> StoreFuture<'_, ()>;

    /// A record.
    fn record<'a>(&'a self, kind: RecordKind, name: &'a str) -> StoreFuture<'a, Option<Record>>;

    /// All records of a kind, by name.
    fn records(&self, kind: RecordKind) -> StoreFuture<'_, BTreeMap<String, Record>>;

    /// Changes a record if it has the expected version. Returns whether it had.
    fn change_record(&self, change: RecordChange) -> StoreFuture<'_, bool>;

    /// Appends to the feed.
    fn append(&self, event: EventKind) -> StoreFuture<'_, ()>;

    /// The number of the last entry of the feed, 0 if there never was one.
    fn feed_end(&self) -> StoreFuture<'_, u64>;

    /// The entries after `after`, at most [`MAX_FEED_PART`]. Waits up to `wait`, of real time, for the
    /// first. An answer without entries says that the store is alive and nothing happened; an engine
    /// that cannot vouch for that within `wait` and a second more gives an error.
    fn feed(&self, after: u64, wait: Duration) -> StoreFuture<'_, FeedPart>;
}
