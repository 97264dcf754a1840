//! Calls to the policy server, made on the control runtime.
//!
//! A client's pooled connections belong to the runtime that opened them, and workers come and go. And a
//! call that a user has caused (a login, a logout) is to be made even if the user's connection breaks. What a login
//! begins then, nobody will hold: it ends.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, TryFutureExt as _};
use policy_client::{EventStream, PolicyCalls, PolicyError};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest, LoginAnswer,
    LoginRequest, LogoutAnswer, LogoutRequest, ValidateAnswer, ValidateRequest,
};
use policy_protocol::session_service::{SessionServiceAnswer, SessionServiceRequest};
use policy_protocol::{AgentKeySet, EventPosition};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::cache::ENDED_FOR;
use crate::config::defaults::MAX_POLICY_TIMEOUT;
use crate::login::unsent_logouts::UnsentLogouts;

/// See the module.
pub(super) struct OnRuntime {
    calls: Arc<dyn PolicyCalls>,
    runtime: Handle,
    permits: Arc<Semaphore>,
    login_permits: Arc<Semaphore>,
    unsent_logouts: Arc<UnsentLogouts>,
}

/// Calls under way at most, logins apart. A client that gives up frees its place among the requests, not its call.
const MAX_CALLS: usize = 1024;
/// Logins under way at most. They are slow, and strangers can cause as many as they like: those must not take the
/// place of what sessions need.
const MAX_LOGINS: usize = 256;
/// What comes later than this after a call began is no answer. Whoever answers keeps its own, shorter deadline;
/// but an agent that was stopped (SIGSTOP, a machine that moves) finds the answer there when it goes on, and
/// may have forgotten what ended meanwhile.
pub(super) const MAX_CALL: Duration = MAX_POLICY_TIMEOUT.saturating_add(Duration::from_secs(10));
const _: () = assert!(MAX_CALL.as_secs() + 10 < ENDED_FOR.as_secs());

impl OnRuntime {
    /// Calls of `calls` will run on `runtime`. Sessions that nobody takes go to `unsent_logouts`.
    pub(super) fn new(
        calls: Arc<dyn PolicyCalls>,
        runtime: Handle,
        unsent_logouts: Arc<UnsentLogouts>,
    ) -> Self {
        Self {
            calls,
            runtime,
            permits: Arc::new(Semaphore::new(MAX_CALLS)),
            login_permits: Arc::new(Semaphore::new(MAX_LOGINS)),
            unsent_logouts,
        }
    }

    fn run<T, F>(
        &self,
        call: impl FnOnce(Arc<dyn PolicyCalls>) -> F,
    ) -> BoxFuture<'_, Result<T, PolicyError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, PolicyError>> + Send + 'static,
    {
        self.run_within(&self.permits, call)
    }

    fn run_within<T, F>(
        &self,
        permits: &Arc<Semaphore>,
        call: impl FnOnce(Arc<dyn PolicyCalls>) -> F,
    ) -> BoxFuture<'_, Result<T, PolicyError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, PolicyError>> + Send + 'static,
    {
        let Ok(permit) = Arc::clone(permits).try_acquire_owned() else {
            return ready(Err(PolicyError::Failure)).boxed();
        };
        let begun = Instant::now();
        let call = call(Arc::clone(&self.calls));
        let task = self.runtime.spawn(async move {
            let _permit = permit;
            call.await
        });
        // Where the answer is taken, not in the task: this may wait for long after that.
        task.map(move |outcome| {
            if begun.elapsed() >= MAX_CALL {
                return Err(PolicyError::TimedOut);
            }
            // A call that panicked is a call that failed.
            outcome.unwrap_or(Err(PolicyError::Failure))
        })
        .boxed()
    }
}

/// A session that has begun, until whoever asked for it has it. If they have gone, or come too late, it ends: it would
/// count as one of its user's, and nobody could end it.
struct Unclaimed {
    logout: Option<LogoutRequest>,
    unsent_logouts: Arc<UnsentLogouts>,
}

impl Unclaimed {
    fn claim(mut self) {
        self.logout = None;
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(logout) = self.logout.take() {
            self.unsent_logouts.add_untried(logout);
        }
    }
}

impl PolicyCalls for OnRuntime {
    fn is_protected(
        &self,
        request: IsProtectedRequest,
    ) -> BoxFuture<'_, Result<IsProtectedAnswer, PolicyError>> {
        self.run(|calls| async move { calls.is_protected(request).await })
    }

    fn login(&self, request: LoginRequest) -> BoxFuture<'_, Result<LoginAnswer, PolicyError>> {
        let unsent_logouts = Arc::clone(&self.unsent_logouts);
        let transaction_id = request.transaction_id.clone();
        let answered = self.run_within(&self.login_permits, |calls| async move {
            let answer = calls.login(request).await?;
            let begun = match &answer {
                LoginAnswer::Yes { session } => Some(session.ticket()),
                LoginAnswer::No { .. } | LoginAnswer::Challenge { .. } => None,
            };
            let unclaimed = Unclaimed {
                logout: begun.map(|session| LogoutRequest {
                    session,
                    transaction_id,
                }),
                unsent_logouts,
            };
            Ok((answer, unclaimed))
        });
        let claimed = answered.map_ok(|(answer, unclaimed)| {
            unclaimed.claim();
            answer
        });
        claimed.boxed()
    }

    fn validate(
        &self,
        request: ValidateRequest,
    ) -> BoxFuture<'_, Result<ValidateAnswer, PolicyError>> {
        self.run(|calls| async move { calls.validate(request).await })
    }

    fn authorize(
        &self,
        request: AuthorizeRequest,
    ) -> BoxFuture<'_, Result<AuthorizeAnswer, PolicyError>> {
        self.run(|calls| async move { calls.authorize(request).await })
    }

    fn logout(&self, request: LogoutRequest) -> BoxFuture<'_, Result<LogoutAnswer, PolicyError>> {
        self.run(|calls| async move { calls.logout(request).await })
    }

    fn session_service(
        &self,
        request: SessionServiceRequest,
    ) -> BoxFuture<'_, Result<SessionServiceAnswer, PolicyError>> {
        self.run(|calls| async move { calls.session_service(request).await })
    }

    fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>> {
        self.run(|calls| async move { calls.agent_keys().await })
    }

    fn events(
        &self,
        position: Option<EventPosition>,
    ) -> BoxFuture<'_, Result<EventStream, PolicyError>> {
        self.run(|calls| async move { calls.events(position).await })
    }
}

#[cfg(test)]
mod tests {
    use policy_protocol::message::Credentials;
    use policy_protocol::{AuthScheme, ProtectionLevel, RealmContext, ResourceContext, Timestamp};

    use super::*;
    use crate::session::scripted_policy::ScriptedPolicy;

    fn on_this_runtime(policy: &Arc<ScriptedPolicy>) -> OnRuntime {
        OnRuntime::new(Arc::clone(policy) as _, Handle::current(), Arc::default())
    }

    /// A login that lasts for ever.
    fn slow_login(calls: &OnRuntime) -> BoxFuture<'_, Result<(), PolicyError>> {
        calls.run_within(&calls.login_permits, |_| std::future::pending())
    }

    #[tokio::test]
    async fn logins_do_not_take_the_place_of_other_calls() {
        let policy = ScriptedPolicy::new(7);
        let calls = on_this_runtime(&policy);
        let under_way: Vec<_> = (0..MAX_CALLS).map(|_| slow_login(&calls)).collect();
        let refused = under_way.into_iter().filter_map(|call| call.now_or_never());
        assert_eq!(refused.count(), MAX_CALLS - MAX_LOGINS);
        assert!(calls.agent_keys().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_after_the_deadline_is_no_answer() {
        let just = Duration::from_millis(1);
        for (late, expected) in [
            (MAX_CALL - just, None),
            (MAX_CALL, Some(PolicyError::TimedOut)),
        ] {
            let policy = ScriptedPolicy::new(7);
            let calls = on_this_runtime(&policy);
            let asked = calls.agent_keys();
            while policy.asked() == 0 {
                tokio::task::yield_now().await;
            }
            // The policy server has answered, and nobody has looked.
            tokio::time::advance(late).await;
            assert_eq!(asked.await.err(), expected);
        }
    }

    fn login_request() -> LoginRequest {
        LoginRequest {
            resource: ResourceContext {
                agent: String::from("agent-1"),
                server: String::from("app.test"),
                resource: String::from("/"),
                action: String::from("GET"),
            },
            realm: RealmContext {
                name: String::from("app"),
                protection_level: ProtectionLevel(5),
                auth_scheme: AuthScheme::Form,
                idle_timeout: Duration::ZERO,
                max_timeout: Duration::from_secs(1),
                persistent: false,
            },
            credentials: Credentials::password("alice", "pw"),
            client_address: None,
            previous: Vec::new(),
            transaction_id: String::from("1"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_nobody_takes_ends() {
        let policy = ScriptedPolicy::new(7);
        *policy.begins.lock().unwrap() = Some(Timestamp(1));
        let calls = on_this_runtime(&policy);
        let unsent = || calls.unsent_logouts.sessions();
        let answered = async |logins| {
            while policy.logins() < logins {
                tokio::task::yield_now().await;
            }
        };

        assert!(calls.login(login_request()).await.is_ok());
        assert_eq!(unsent(), []);

        // Gone before the answer, and between it and a look at it.
        drop(calls.login(login_request()));
        answered(2).await;
        while unsent() != [ScriptedPolicy::session_id(2)] {
            tokio::task::yield_now().await;
        }
        let late = calls.login(login_request());
        answered(3).await;
        assert_eq!(unsent().len(), 1);
        tokio::time::advance(MAX_CALL).await;
        assert_eq!(late.await.err(), Some(PolicyError::TimedOut));
        assert!(unsent().contains(&ScriptedPolicy::session_id(3)));
    }
}
