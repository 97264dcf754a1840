//! A policy server for unit tests: hands out the keys it is told to, lets everybody in if it is told to, and answers
//! nothing else.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use policy_client::{EventStream, PolicyCalls, PolicyError};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, LoginAnswer, LoginRequest, LogoutAnswer, LogoutRequest,
    ValidateAnswer, ValidateRequest,
};
use policy_protocol::{
    AgentKey, AgentKeySet, EventPosition, KeyId, ManualClock, Secret, SessionId, Timestamp,
};
use tokio::sync::Semaphore;

use super::Sessions;
use super::sample::session;
use crate::telemetry::metrics::Metrics;

/// See the module.
pub(crate) struct ScriptedPolicy {
    /// The current key, or none to have every call fail.
    pub(crate) current: Mutex<Option<u32>>,
    /// Calls for keys that have been answered or wait.
    pub(crate) asked: AtomicUsize,
    /// Calls for keys that may be answered.
    pub(crate) answers: Semaphore,
    /// When sessions begin that logins are answered with, or none to have every login fail.
    pub(crate) begins: Mutex<Option<Timestamp>>,
    logins: AtomicUsize,
    assertion_key: Secret<Vec<u8>>,
}

impl ScriptedPolicy {
    pub(crate) fn new(current: u32) -> Arc<Self> {
        let key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Arc::new(Self {
            current: Mutex::new(Some(current)),
            asked: AtomicUsize::new(0),
            answers: Semaphore::new(Semaphore::MAX_PERMITS),
            begins: Mutex::default(),
            logins: AtomicUsize::new(0),
            assertion_key: Secret::new(key.unwrap().as_ref().to_vec()),
        })
    }

    /// Sessions of an agent that asks this policy server.
    pub(crate) fn sessions(self: &Arc<Self>, now: Timestamp) -> Arc<Sessions> {
        Arc::new(Sessions::new(
            Arc::clone(self) as _,
            Arc::new(ManualClock::at(now)),
            Arc::new(Metrics::new(1)),
            1 << 20,
        ))
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Logins that began a session.
    pub(crate) fn logins(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }

    /// The session that the login of this number began, from one.
    pub(crate) fn session_id(login: usize) -> SessionId {
        SessionId::from_bytes([u8::try_from(login).unwrap(); 20])
    }

    /// The keys with `current` in force, as at this server. It is their version, too.
    pub(crate) fn keys(&self, current: u32) -> AgentKeySet {
        let key = |id| AgentKey {
            id: KeyId(id),
            key: Secret::new([u8::try_from(id).unwrap(); 32]),
        };
        AgentKeySet {
            store: String::from("store"),
            version: current.into(),
            current: key(current),
            next: key(current + 1),
            previous: vec![key(current - 1)],
            static_key: key(200),
            assertion_key: self.assertion_key.clone(),
        }
    }
}

type Answer<T> = BoxFuture<'static, Result<T, PolicyError>>;

fn silence<T: Send + 'static>() -> Answer<T> {
    ready(Err(PolicyError::NoConnection)).boxed()
}

impl PolicyCalls for ScriptedPolicy {
    fn login(&self, _: LoginRequest) -> Answer<LoginAnswer> {
        let Some(started) = *self.begins.lock().unwrap() else {
            return silence();
        };
        let number = self.logins.fetch_add(1, Ordering::SeqCst) + 1;
        let number = u8::try_from(number).unwrap();
        let session = Box::new(session(number, "alice", started));
        ready(Ok(LoginAnswer::Yes { session })).boxed()
    }

    fn validate(&self, _: ValidateRequest) -> Answer<ValidateAnswer> {
        silence()
    }

    fn authorize(&self, _: AuthorizeRequest) -> Answer<AuthorizeAnswer> {
        silence()
    }

    fn logout(&self, _: LogoutRequest) -> Answer<LogoutAnswer> {
        silence()
    }

    fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>> {
        Box::pin(async {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.answers.acquire().await.unwrap().forget();
            let current = *self.current.lock().unwrap();
            current
                .map(|current| self.keys(current))
                .ok_or(PolicyError::NoConnection)
        })
    }

    fn events(&self, _: Option<EventPosition>) -> Answer<EventStream> {
        silence()
    }
}
