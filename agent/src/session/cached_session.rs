//! One session as it is cached: what Login or Validate last said, and what has happened since.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use http::{HeaderName, HeaderValue};
use policy_protocol::message::SessionTicket;
use policy_protocol::{Reason, Session, SessionId, SessionSpec, Timestamp};

use crate::config::Realm;

/// Bytes that a cached session takes besides its texts.
const OVERHEAD: usize = 1024;
/// Realms whose headers are kept ready for one session.
const MAX_RENDERED: usize = 8;
/// [`CachedSession::ended`] while the session is alive.
const ALIVE: u32 = u32::MAX;

/// A session in the cache. What changes with every request is atomic; what changes with every call of
/// Validate() is replaced as a whole.
#[derive(Debug)]
pub struct CachedSession {
    id: SessionId,
    state: ArcSwap<Session>,
    /// When the policy server last said that it is alive.
    validated_at: AtomicU64,
    /// What the answer was stamped with, see [`Trust`](super::trust::Trust).
    generation: AtomicU64,
    last_access: AtomicU64,
    /// A reason code, or [`ALIVE`].
    ended: AtomicU32,
    rendered: ArcSwap<Vec<Arc<RealmHeaders>>>,
    cookie: ArcSwapOption<IssuedCookie>,
    /// The spec that the policy server last said yes to, and has since replaced.
    proven: ArcSwapOption<SessionSpec>,
    /// The realm that the login was to which made it, if that was here or a cookie says so.
    made_for: ArcSwapOption<String>,
}

/// What an application in one realm is told of a session: ready-made.
#[derive(Debug)]
pub struct RealmHeaders {
    /// The realm, compared by address: a new configuration has new realms.
    pub realm: Arc<Realm>,
    /// What it was made from, compared by address: every call of Validate() brings a new one.
    pub session: Arc<Session>,
    /// Request headers for the application.
    pub headers: Arc<[(HeaderName, HeaderValue)]>,
    /// `Set-Cookie` values for the browser.
    pub cookies: Arc<[HeaderValue]>,
    /// When the assertion among the headers must be made anew, if there is one.
    pub renew_at: Option<Timestamp>,
}

/// The cookie that was last issued for a session.
#[derive(Debug)]
pub struct IssuedCookie {
    /// The whole `Set-Cookie` value.
    pub set_cookie: HeaderValue,
    /// The access it speaks of.
    pub last_access: Timestamp,
}

impl CachedSession {
    pub(super) fn new(session: Session, generation: u64, now: Timestamp) -> Self {
        Self {
            id: session.id,
            validated_at: AtomicU64::new(now.0),
            generation: AtomicU64::new(generation),
            last_access: AtomicU64::new(session.last_access.0),
            ended: AtomicU32::new(ALIVE),
            rendered: ArcSwap::default(),
            cookie: ArcSwapOption::empty(),
            proven: ArcSwapOption::empty(),
            made_for: ArcSwapOption::empty(),
            state: ArcSwap::from_pointee(session),
        }
    }

    /// Takes over a new answer of Validate().
    pub(super) fn update(
        &self,
        session: Session,
        generation: u64,
        now: Timestamp,
    ) -> Result<(), Reason> {
        self.check_alive()?;
        self.last_access
            .fetch_max(session.last_access.0, Ordering::AcqRel);
        self.state.store(Arc::new(session));
        self.cookie.store(None);
        self.generation.store(generation, Ordering::Release);
        self.validated_at.store(now.0, Ordering::Release);
        Ok(())
    }

    /// The session's name.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Its name, and the policy server's own memory of it.
    pub fn ticket(&self) -> SessionTicket {
        self.state.load().ticket()
    }

    /// What Login or Validate last said.
    pub fn state(&self) -> Guard<Arc<Session>> {
        self.state.load()
    }

    /// Remembers that the policy server said yes to `spec`, although its answer brought a newer one:
    /// requests that came together bring the same old cookie.
    pub fn prove(&self, spec: SessionSpec) {
        self.proven.store(Some(Arc::new(spec)));
    }

    /// Whether `spec` is known to be one of this session.
    pub fn owns_spec(&self, spec: &SessionSpec) -> bool {
        self.state.load().spec == *spec || self.proven.load().as_deref() == Some(spec)
    }

    /// Remembers which realm the login was to that made it.
    pub fn make_for(&self, realm: String) {
        self.made_for.store(Some(Arc::new(realm)));
    }

    /// The realm that the login was to which made it, if that is known.
    pub fn made_for(&self) -> Option<String> {
        self.made_for.load().as_deref().cloned()
    }

    /// Whether a login to `realm` made it, as far as is known.
    pub fn was_made_for(&self, realm: &str) -> bool {
        self.made_for
            .load()
            .as_deref()
            .is_some_and(|name| name == realm)
    }

    /// Ends the session. The first reason stays.
    pub fn end(&self, reason: Reason) {
        let _ = self.ended.compare_exchange(
            ALIVE,
            reason.0.into(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
    }

    /// Whether the session is alive as far as is known.
    ///
    /// # Errors
    /// The reason why it is over.
    pub fn check_alive(&self) -> Result<(), Reason> {
        match u16::try_from(self.ended.load(Ordering::Acquire)) {
            Ok(reason) => Err(Reason(reason)),
            Err(_) => Ok(()),
        }
    }

    /// Checks max and idle timeout exactly. A realm's own limits can only shorten the session's.
    /// `text_access` is the last access that the presented credential speaks of.
    ///
    /// # Errors
    /// The reason why the session is over.
    pub fn check_times(
        &self,
        realm: &Realm,
        text_access: Timestamp,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let state = self.state.load();
        if now.since(state.started) >= state.max_timeout.min(realm.max_timeout) {
            return Err(Reason::EXPIRED_SESSION);
        }
        let idle_timeout = shorter(state.idle_timeout, realm.idle_timeout);
        let last_access = self.last_access().max(text_access);
        if !idle_timeout.is_zero() && now.since(last_access) >= idle_timeout {
            return Err(Reason::IDLE_SESSION);
        }
        Ok(())
    }

    /// When the session was last used.
    pub fn last_access(&self) -> Timestamp {
        Timestamp(self.last_access.load(Ordering::Acquire))
    }

    /// Marks the session as used.
    pub fn touch(&self, now: Timestamp) {
        // A load first: the line of a busy session is then written once a second, not at every request.
        if self.last_access.load(Ordering::Relaxed) < now.0 {
            self.last_access.fetch_max(now.0, Ordering::AcqRel);
        }
    }

    /// When, and at which generation, the policy server last said that the session is alive.
    pub fn validated(&self) -> (Timestamp, u64) {
        // Generation last: an update in between makes the answer look older, never fresher.
        let at = Timestamp(self.validated_at.load(Ordering::Acquire));
        (at, self.generation.load(Ordering::Acquire))
    }

    /// Seconds until the session ends at the latest.
    pub fn time_to_expire(&self, now: Timestamp) -> u64 {
        let state = self.state.load();
        state
            .max_timeout
            .saturating_sub(now.since(state.started))
            .as_secs()
    }

    /// The headers for a realm, made by `render` unless they are ready.
    ///
    /// # Errors
    /// What `render` fails with.
    pub fn headers_for<E>(
        &self,
        realm: &Arc<Realm>,
        now: Timestamp,
        render: impl FnOnce(&Arc<Session>) -> Result<RealmHeaders, E>,
    ) -> Result<Arc<RealmHeaders>, E> {
        let state = self.state.load();
        let rendered = self.rendered.load();
        let is_ready = |ready: &&Arc<RealmHeaders>| {
            Arc::ptr_eq(&ready.realm, realm)
                && Arc::ptr_eq(&ready.session, &state)
                && ready.renew_at.is_none_or(|renew_at| now < renew_at)
        };
        if let Some(ready) = rendered.iter().find(is_ready) {
            return Ok(Arc::clone(ready));
        }
        // Two requests may render at once and one list replace the other: work is lost, nothing else,
        // because whatever is in a list names what it was made from.
        let new = Arc::new(render(&state)?);
        let others = rendered
            .iter()
            .filter(|ready| !Arc::ptr_eq(&ready.realm, realm))
            .take(MAX_RENDERED - 1);
        self.rendered.store(Arc::new(
            [&new].into_iter().chain(others).cloned().collect(),
        ));
        Ok(new)
    }

    /// The cookie that was last issued, if it speaks of an access no older than `grace` ago.
    pub fn recent_cookie(&self, now: Timestamp, grace: Duration) -> Option<HeaderValue> {
        let issued = self.cookie.load();
        let recent = issued
            .as_ref()
            .filter(|issued| now.since(issued.last_access) < grace)?;
        Some(recent.set_cookie.clone())
    }

    /// Remembers the cookie that was issued.
    pub fn remember_cookie(&self, issued: IssuedCookie) {
        self.cookie.store(Some(Arc::new(issued)));
    }

    /// The longest this session can be of any use in the cache.
    pub(super) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.time_to_expire(self.last_access()))
    }

    /// An estimate of its bytes.
    pub(super) fn weight(&self) -> usize {
        let state = self.state.load();
        let identity = &state.identity;
        let groups: usize = identity.groups.iter().map(String::len).sum();
        let attributes: usize = identity
            .attributes
            .iter()
            .map(|(name, values)| name.len() + values.iter().map(String::len).sum::<usize>())
            .sum();
        OVERHEAD + 2 * (state.spec.as_str().len() + identity.user_dn.len() + groups + attributes)
    }
}

/// The shorter of two timeouts, where zero is none.
fn shorter(one: Duration, other: Duration) -> Duration {
    if one.is_zero() || !other.is_zero() && other < one {
        other
    } else {
        one
    }
}
