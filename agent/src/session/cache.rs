//! The session cache: what has been opened and validated. The only file that names moka.
//!
//! The cache is found by the exact text of a credential that was opened or checked before: a cookie
//! value, or a digest of Basic credentials. A hit therefore needs neither a key nor a cipher, and no
//! text finds a session that it does not open. The sessions themselves are registered by id as long as
//! anything refers to them, so that the end of a session reaches every text that leads to it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::policy::EvictionPolicy;
use policy_protocol::{Reason, Session, SessionId, Timestamp};

pub use super::cached_session::{CachedSession, RealmHeaders};

/// How long it is remembered that a credential belongs to a dead session. Sessions do not come back.
const DEAD_FOR: Duration = Duration::from_secs(60);
/// How long the end of a session is remembered by id, for answers that are still under way when it is
/// announced. Longer than any call may take.
pub(super) const ENDED_FOR: Duration = Duration::from_secs(60);
/// Ended sessions remembered by id at most; the oldest give way.
const MAX_ENDED: u64 = 1_000_000;
/// A text that nobody presented for this long is forgotten; coming back costs opening one cookie.
const UNUSED_FOR: Duration = Duration::from_secs(3600);
/// Sweeping the registry of sessions that nothing refers to any more starts at this size.
const MIN_SWEEP: usize = 1024;

/// A credential's exact text, or its digest.
type Text = Box<[u8]>;

/// What a credential's text led to.
#[derive(Clone, Debug)]
pub enum Known {
    /// A session.
    Live(Arc<Alias>),
    /// A session that is over.
    Dead(Reason),
}

/// One text that leads to a session, and what that text says beyond the session itself.
#[derive(Debug)]
pub struct Alias {
    /// The zone the text was opened in; empty for credentials other than cookies.
    pub zone: Arc<str>,
    /// The last access that the text speaks of.
    pub last_access: Timestamp,
    /// The client address that the text is bound to.
    pub client_ip: Option<IpAddr>,
    /// The session.
    pub session: Arc<CachedSession>,
}

/// Figures for operators.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct CacheStatistics {
    /// Texts that lead somewhere.
    pub entries: u64,
    /// Their weight in bytes.
    pub bytes: u64,
    /// The bound of their weight in bytes.
    pub max_bytes: u64,
    /// Sessions registered.
    pub sessions: usize,
}

/// See the module.
#[derive(Debug)]
pub struct SessionCache {
    known: moka::sync::Cache<Text, Known, foldhash::fast::RandomState>,
    registry: Mutex<Registry>,
    ended: moka::sync::Cache<SessionId, Reason>,
    ended_users: moka::sync::Cache<String, Timestamp>,
}

#[derive(Debug, Default)]
struct Registry {
    sessions: HashMap<SessionId, Weak<CachedSession>>,
    sweep_at: usize,
    /// Through when every session ended, by the policy server's clock, and when that was announced.
    all_ended: Option<(Timestamp, Instant)>,
}

impl SessionCache {
    /// A cache of at most `bytes`.
    pub fn new(bytes: u64) -> Self {
        let known = moka::sync::Cache::builder()
            .max_capacity(bytes)
            .weigher(|key: &Text, known: &Known| {
                let session = match known {
                    Known::Live(alias) => alias.session.weight(),
                    Known::Dead(_) => 0,
                };
                u32::try_from(key.len() + session).unwrap_or(u32::MAX)
            })
            .expire_after(Lifetimes)
            .time_to_idle(UNUSED_FOR)
            .build_with_hasher(foldhash::fast::RandomState::default());
        Self {
            known,
            registry: Mutex::default(),
            ended: moka::sync::Cache::builder()
                .max_capacity(MAX_ENDED)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(ENDED_FOR)
                .build(),
            ended_users: moka::sync::Cache::builder()
                .max_capacity(MAX_ENDED)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(ENDED_FOR)
                .build(),
        }
    }

    /// What a text led to before. This is the hot path: one lookup, no allocation, no lock of ours.
    pub fn get(&self, text: &[u8]) -> Option<Known> {
        self.known.get(text)
    }

    /// Remembers that a text leads to a session.
    pub fn insert(&self, text: &[u8], alias: Alias) -> Arc<Alias> {
        let alias = Arc::new(alias);
        self.known
            .insert(text.into(), Known::Live(Arc::clone(&alias)));
        alias
    }

    /// Forgets what a text leads to.
    pub fn forget(&self, text: &[u8]) {
        self.known.invalidate(text);
    }

    /// Remembers that a text leads to a session that is over.
    pub fn insert_dead(&self, text: &[u8], reason: Reason) {
        self.known.insert(text.into(), Known::Dead(reason));
    }

    /// The session of an id, if anything still refers to it.
    pub fn find(&self, id: SessionId) -> Option<Arc<CachedSession>> {
        self.registry().sessions.get(&id).and_then(Weak::upgrade)
    }

    /// Registers what Login or Validate returned: a new session, or the new state of one that is known.
    /// The answer may have crossed the announcement of the session's end; then the end wins.
    ///
    /// # Errors
    /// The reason why the session is over.
    pub fn adopt(
        &self,
        session: Session,
        generation: u64,
        now: Timestamp,
    ) -> Result<Arc<CachedSession>, Reason> {
        let mut registry = self.registry();
        if let Some(reason) = self.ended.get(&session.id) {
            return Err(reason);
        }
        let user_ended = self.ended_users.get(&session.identity.universal_id);
        if user_ended.is_some_and(|ended| session.started <= ended) {
            return Err(Reason::REVOKED_SESSION);
        }
        // As long as for one user: by then the policy server gives no answer that does not know of it.
        let all_ended = registry
            .all_ended
            .filter(|(_, at)| at.elapsed() < ENDED_FOR);
        if all_ended.is_some_and(|(through, _)| session.started <= through) {
            return Err(Reason::REVOKED_SESSION);
        }
        let id = session.id;
        if let Some(known) = registry.sessions.get(&id).and_then(Weak::upgrade) {
            return known.update(session, generation, now).map(|()| known);
        }
        let new = Arc::new(CachedSession::new(session, generation, now));
        registry.sessions.insert(id, Arc::downgrade(&new));
        registry.sweep();
        Ok(new)
    }

    /// Ends a session: every text that leads to it is refused from now on.
    pub fn end(&self, id: SessionId, reason: Reason) {
        let registry = self.registry();
        self.ended.insert(id, reason);
        if let Some(session) = registry.sessions.get(&id).and_then(Weak::upgrade) {
            session.end(reason);
        }
    }

    /// Ends every session of a user that started no later than `through`, by the policy server's clock.
    pub fn end_user(&self, universal_id: &str, through: Timestamp) {
        let registry = self.registry();
        // Under the lock. Events of two policy servers may come in any order: the latest time counts.
        let known = self.ended_users.get(universal_id).unwrap_or_default();
        self.ended_users
            .insert(universal_id.to_owned(), through.max(known));
        for session in registry.sessions.values().filter_map(Weak::upgrade) {
            let state = session.state();
            if state.identity.universal_id == universal_id && state.started <= through {
                session.end(Reason::REVOKED_SESSION);
            }
        }
    }

    /// Ends every session that started no later than `through`, by the policy server's clock.
    pub fn end_all(&self, through: Timestamp) {
        let mut registry = self.registry();
        let known = registry.all_ended.map_or(through, |(known, _)| known);
        registry.all_ended = Some((through.max(known), Instant::now()));
        for session in registry.sessions.values().filter_map(Weak::upgrade) {
            if session.state().started <= through {
                session.end(Reason::REVOKED_SESSION);
            }
        }
    }

    /// Forgets which texts lead where. Sessions that are over stay over.
    pub fn flush(&self) {
        self.known.invalidate_all();
    }

    /// Figures for operators.
    pub fn statistics(&self) -> CacheStatistics {
        self.known.run_pending_tasks();
        let live = self
            .registry()
            .sessions
            .values()
            .filter(|session| session.strong_count() > 0)
            .count();
        CacheStatistics {
            entries: self.known.entry_count(),
            bytes: self.known.weighted_size(),
            max_bytes: self.known.policy().max_capacity().unwrap_or_default(),
            sessions: live,
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // No invariant spans a panic: every operation leaves the map usable.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// Drops what nothing refers to, in time proportional to what was added since the last sweep.
    fn sweep(&mut self) {
        if self.sessions.len() >= self.sweep_at.max(MIN_SWEEP) {
            self.sessions
                .retain(|_, session| session.strong_count() > 0);
            self.sweep_at = self.sessions.len() * 2;
        }
    }
}

/// Entries leave when their session can no longer be alive. This bounds memory; who gets in is decided
/// by [`CachedSession::check_times`] against our own clock.
struct Lifetimes;

impl Expiry<Text, Known> for Lifetimes {
    fn expire_after_create(&self, _: &Text, known: &Known, _: Instant) -> Option<Duration> {
        match known {
            Known::Live(alias) => Some(alias.session.lifetime()),
            Known::Dead(_) => Some(DEAD_FOR),
        }
    }

    fn expire_after_update(
        &self,
        key: &Text,
        known: &Known,
        updated_at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, known, updated_at)
    }
}

/// A bounded map whose entries live for a time of their own, for what else must be remembered for a
/// while: decisions and preserved requests.
pub struct BoundedMap<K, V> {
    entries: moka::sync::Cache<K, (V, Duration), foldhash::fast::RandomState>,
}

impl<K, V> std::fmt::Debug for BoundedMap<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundedMap").finish_non_exhaustive()
    }
}

struct OwnLifetime;

impl<K, V> Expiry<K, (V, Duration)> for OwnLifetime {
    fn expire_after_create(&self, _: &K, value: &(V, Duration), _: Instant) -> Option<Duration> {
        Some(value.1)
    }
}

impl<K, V> BoundedMap<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// At most `capacity` in total, by the weight that `weigh` gives.
    pub fn new(capacity: u64, weigh: fn(&K, &V) -> u32) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(capacity)
            // By age alone: what is read often, or by whom, must not decide what new entries push out.
            .eviction_policy(EvictionPolicy::lru())
            .weigher(move |key, (value, _): &(V, Duration)| weigh(key, value))
            .expire_after(OwnLifetime)
            .build_with_hasher(foldhash::fast::RandomState::default());
        Self { entries }
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<V> {
        self.entries.get(key).map(|(value, _)| value)
    }

    /// Keeps a value for `lifetime` at most.
    pub fn insert(&self, key: K, value: V, lifetime: Duration) {
        self.entries.insert(key, (value, lifetime));
    }

    /// Keeps a value for `lifetime` unless there is one; of several who do so at once, one is told yes.
    pub fn claim(&self, key: K, value: V, lifetime: Duration) -> bool {
        // Not `or_insert`, which looks first and inserts afterwards, with nothing to hold others off.
        self.entries
            .entry(key)
            .or_insert_with(|| (value, lifetime))
            .is_fresh()
    }

    /// Lets go at once of what is over.
    pub fn tidy(&self) {
        self.entries.run_pending_tasks();
    }

    /// Takes a value out; of several who ask at once, one gets it.
    pub fn take(&self, key: &K) -> Option<V> {
        self.entries.remove(key).map(|(value, _)| value)
    }
}

#[cfg(test)]
mod tests;
