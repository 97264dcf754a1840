//! SMSESSION cookies, agent keys and the session cache.
//!
//! [`Sessions`] is what the rest of the agent uses; it outlives every reload of the configuration.

pub mod cache;
mod cached_session;
pub mod cookie;
mod key_fetch;
pub mod keys;
pub mod link;
mod on_runtime;
pub mod reissue;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
pub(crate) mod scripted_policy;
pub mod single_flight;
pub mod trust;
pub mod validate;

use std::sync::Arc;

use policy_client::PolicyCalls;
use policy_protocol::event::SILENCE;
use policy_protocol::{Clock, Timestamp};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use self::single_flight::SingleFlight;
use crate::telemetry::metrics::Metrics;

/// One-time texts remembered at most, some hundred bytes each. To push one out takes as many forms that were filled in, by whomever.
const MAX_USED_ONCE: u64 = 100_000;

/// Everything that is known about sessions, for the life of the process.
pub struct Sessions {
    /// What has been opened and validated.
    pub cache: cache::SessionCache,
    /// What opens and seals cookies.
    pub keys: keys::AgentKeys,
    /// Whether the cache may be believed.
    pub trust: trust::Trust,
    /// Who is asked on a miss.
    pub policy: Arc<dyn PolicyCalls>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Requests that wait for a login.
    pub preserved: crate::login::preserve::PreservedRequests,
    /// One-time texts of session services that were used.
    pub used_once: cache::BoundedMap<String, ()>,
    /// Turns credentials that come with every request into keys of the cache.
    pub credential_digest: crate::login::direct::CredentialDigest,
    /// Logouts that the policy server has yet to hear of.
    pub unsent_logouts: Arc<crate::login::unsent_logouts::UnsentLogouts>,
    /// Proofs with SAML assertions that were used: over all listeners and configurations.
    #[cfg(feature = "saml")]
    pub saml_replays: crate::services::vsphere::saml::replay::Replays,
    /// Counters.
    pub metrics: Arc<Metrics>,
    key_fetch: key_fetch::KeyFetch,
    /// Joined for no longer than events are trusted without another: an answer may be as old as its call.
    validations: SingleFlight<validate::FlightKey, validate::Validated>,
    /// Where calls to the policy server are made.
    runtime: Handle,
    /// Logins with credentials that come with every request, by a digest of them.
    pub logins: SingleFlight<Box<[u8]>, crate::login::direct::LoggedIn>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions")
            .field("cache", &self.cache)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl Sessions {
    /// Nothing known yet. Must be made on the runtime that is to make the calls to the policy server.
    pub fn new(
        policy: Arc<dyn PolicyCalls>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        cache_bytes: u64,
    ) -> Self {
        let runtime = Handle::current();
        let unsent_logouts = Arc::default();
        Self {
            cache: cache::SessionCache::new(cache_bytes),
            keys: keys::AgentKeys::default(),
            trust: trust::Trust::default(),
            key_fetch: key_fetch::KeyFetch::on(runtime.clone()),
            validations: SingleFlight::on(runtime.clone(), SILENCE),
            logins: SingleFlight::on(runtime.clone(), on_runtime::MAX_CALL),
            used_once: cache::BoundedMap::new(MAX_USED_ONCE, |_, ()| 1),
            preserved: crate::login::preserve::PreservedRequests::default(),
            credential_digest: crate::login::direct::CredentialDigest::random(),
            #[cfg(feature = "saml")]
            saml_replays: crate::services::vsphere::saml::replay::Replays::default(),
            policy: Arc::new(on_runtime::OnRuntime::new(
                policy,
                runtime.clone(),
                Arc::clone(&unsent_logouts),
            )),
            unsent_logouts,
            runtime,
            clock,
            metrics,
        }
    }

    /// Carries out what was asked for, also if whoever asked does not wait for it: a request ends with its
    /// connection, wherever it is.
    pub(crate) fn carry_out<T: Send + 'static>(
        &self,
        act: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.runtime.spawn(act)
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
