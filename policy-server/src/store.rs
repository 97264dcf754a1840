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
pub mod sqlite;
#[cfg(feature = "valkey")]
pub mod valkey;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use policy_protocol::message::SessionSummary;
use policy_protocol::{EventKind, Secret, SessionId, Timestamp};

/// Why a store gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached, or says that it failed.
    #[error("session store: {0}")]
    Failed(String),
    /// It did not answer in time. Whether it did what was asked is not known.
    #[error("session store: no answer in time")]
    TimedOut,
    /// It is not the store that was opened: emptied, restored or exchanged.
    #[error("session store: this is another store than before")]
    Replaced,
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

/// What a store knows of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether the session, every session of its user, or every session of all was revoked.
    pub revoked: bool,
    /// If the session is in the store: when it was last known to be used.
    pub last_access: Option<Timestamp>,
}

/// A revocation of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The session.
    pub id: SessionId,
    /// Until when the record is needed: the session's latest end.
    pub keep_until: Timestamp,
}

/// How many sessions a user may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// At most so many, the new one included.
    pub sessions: u32,
    /// What gives way to the new session when there are as many already.
    pub on_excess: OnExcess,
}

impl Quota {
    /// Which of a user's `others` give way to a new session, the first ones first; `None` if none may. What it
    /// replaces does not count.
    fn gives_way(
        self,
        others: impl Iterator<Item = Ending>,
        replaces: &[Ending],
    ) -> Option<Vec<Ending>> {
        let counts = |other: &Ending| replaces.iter().all(|replaced| replaced.id != other.id);
        let mut others: Vec<_> = others.filter(counts).collect();
        let room = usize::try_from(self.sessions).unwrap_or(usize::MAX);
        let excess = (others.len() + 1).saturating_sub(room);
        if excess > 0 && self.on_excess == OnExcess::Refuse {
            return None;
        }
        others.truncate(excess);
        Some(others)
    }
}

/// What happens at a login beyond the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExcess {
    /// The login is refused.
    Refuse,
    /// The sessions that began first end.
    EndOldest,
    /// The sessions that would end first, by [`ends`], end now.
    EndNextToExpire,
}

/// What became of a new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// It is kept; these others of its user ended for it, because of the quota.
    Kept {
        /// The sessions that gave way.
        ended: Vec<SessionId>,
    },
    /// The user has as many sessions as they may; nothing was changed.
    OverQuota,
}

/// Which sessions to list: those that all given conditions hold for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// A universal id or login name.
    pub user: Option<String>,
    /// The agent that asked for the login.
    pub agent: Option<String>,
    /// The realm that was logged in to.
    pub realm: Option<String>,
    /// Begun at this time or before.
    pub started_until: Option<Timestamp>,
    /// Begun at this time or after.
    pub started_from: Option<Timestamp>,
}

impl SessionFilter {
    /// Whether a session is one of those.
    pub fn matches(&self, session: &SessionSummary) -> bool {
        let is = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|it| it == has);
        let user = &session.identity;
        (is(&self.user, &user.universal_id) || is(&self.user, &user.user_name))
            && is(&self.agent, &session.agent)
            && is(&self.realm, &session.realm)
            && self
                .started_until
                .is_none_or(|until| session.started <= until)
            && self.started_from.is_none_or(|from| session.started >= from)
    }
}

/// A place in a list of sessions: the last one seen. Lists are sorted by start and id, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListCursor {
    /// When it began.
    pub started: Timestamp,
    /// Its id.
    pub id: SessionId,
}

/// A part of a list of sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions, newest first. There may be fewer than asked for, even none, before the end.
    pub sessions: Vec<SessionSummary>,
    /// Where the list goes on, if it does.
    pub next: Option<ListCursor>,
}

/// The most sessions on one page.
pub const MAX_PAGE: usize = 1000;

/// A small value that is changed by compare-and-swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it holds; sealed by whoever wrote it if that is secret.
    pub value: Secret<Vec<u8>>,
    /// [`first_version`] for a new record, one more at every change.
    pub version: u64,
}

/// What kind of thing a record is. With its name it is the record's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// The keys: one record.
    Keys,
    /// A registered agent, by name.
    Agent,
    /// Which agents a policy server has, and which keys they have, by policy server.
    Presence,
    /// Failed logins, by user or network.
    Regulation,
    /// A user's second factor, by a hash of the user's directory and universal id.
    SecondFactor,
}

impl RecordKind {
    /// How engines write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Agent => "agent",
            Self::Presence => "presence",
            Self::Regulation => "regulation",
            Self::SecondFactor => "second-factor",
        }
    }
}

/// The version of a record that is made: random, from 1 to 2⁴⁸, which every engine and JSON hold exactly.
/// Whoever has read a record that was removed and made again meanwhile must not find its version there.
///
/// # Errors
/// Without randomness.
pub fn first_version() -> Result<u64, StoreError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| StoreError::Failed(error.to_string()))?;
    Ok((u64::from_be_bytes(random) >> 16) + 1)
}

/// A change of a record.
#[derive(Clone, Debug)]
pub struct RecordChange {
    /// What kind of record.
    pub kind: RecordKind,
    /// Its name.
    pub name: String,
    /// What it is to hold; `None` to remove it.
    pub value: Option<Secret<Vec<u8>>>,
    /// The version that must be there for the change to be made; 0 if there must be none.
    pub expected: u64,
    /// When the record may be forgotten, if ever.
    pub expires: Option<Timestamp>,
    /// What is appended to the feed with it.
    pub announce: Option<EventKind>,
}

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

/// When a session in the store ends if nothing more is heard of it. A store knows of uses late (agents
/// validate once in a validation period, which is at most the idle timeout), so the idle timeout counts
/// twice. Rows whose end has come are neither counted, listed nor found, and are cleaned up.
pub fn ends(session: &SessionSummary, last_access: Timestamp) -> Timestamp {
    if session.idle_timeout.is_zero() {
        session.expires
    } else {
        session
            .expires
            .min(last_access.plus(2 * session.idle_timeout))
    }
}

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
