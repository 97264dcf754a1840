//! Stands between an agent and its policy server: counts calls, and can cut or hold them.

use std::collections::{BTreeMap, VecDeque};
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use policy_client::{EventStream, PolicyCalls, PolicyError};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest, LoginAnswer,
    LoginRequest, LogoutAnswer, LogoutRequest, ValidateAnswer, ValidateRequest,
};
use policy_protocol::session_service::{SessionServiceAnswer, SessionServiceRequest};
use policy_protocol::{AgentKeySet, EventKind, EventPosition};
use tokio::sync::{Semaphore, watch};

/// One of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// IsProtected().
    IsProtected,
    /// Login().
    Login,
    /// Validate().
    Validate,
    /// Authorize().
    Authorize,
    /// Logout().
    Logout,
    /// What session services ask.
    SessionService,
    /// The agent keys.
    AgentKeys,
    /// The event stream.
    Events,
}

/// How the way to the policy server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// Every call fails, and event streams break.
    Cut(PolicyError),
    /// Calls wait; events go on.
    Held,
}

/// What is watched and cut, for all agents of a test together.
#[derive(Debug)]
pub struct PolicyWatch {
    counts: Mutex<BTreeMap<Call, usize>>,
    validations: Mutex<Vec<(ValidateRequest, ValidateAnswer)>>,
    logins: Mutex<VecDeque<LoginAnswer>>,
    way: watch::Sender<Way>,
    passes: Semaphore,
    rollovers_hidden: AtomicBool,
}

impl Default for PolicyWatch {
    fn default() -> Self {
        Self {
            counts: Mutex::default(),
            validations: Mutex::default(),
            logins: Mutex::default(),
            way: watch::Sender::new(Way::Open),
            passes: Semaphore::new(0),
            rollovers_hidden: AtomicBool::new(false),
        }
    }
}

impl PolicyWatch {
    /// How often a call was made so far.
    pub fn count(&self, call: Call) -> usize {
        self.counts.lock().unwrap().get(&call).copied().unwrap_or(0)
    }

    /// Every Validate() that was answered, with its answer.
    pub fn validations(&self) -> Vec<(ValidateRequest, ValidateAnswer)> {
        self.validations.lock().unwrap().clone()
    }

    /// The next Login() that has no answer yet gets this one, and the policy server does not hear of it.
    pub fn answer_login(&self, answer: LoginAnswer) {
        self.logins.lock().unwrap().push_back(answer);
    }

    /// From now on every call fails with `error`, and event streams break.
    pub fn cut(&self, error: PolicyError) {
        self.way.send_replace(Way::Cut(error));
    }

    /// From now on calls wait.
    pub fn hold(&self) {
        self.way.send_replace(Way::Held);
    }

    /// One call that waits goes on.
    pub fn let_one_pass(&self) {
        self.passes.add_permits(1);
    }

    /// All is well again; calls that wait go on.
    pub fn open(&self) {
        self.way.send_replace(Way::Open);
    }

    /// From now on no agent hears of new keys.
    pub fn hide_rollovers(&self) {
        self.rollovers_hidden.store(true, Ordering::SeqCst);
    }

    /// Whether calls get through.
    pub fn is_open(&self) -> bool {
        *self.way.borrow() == Way::Open
    }

    /// Counts a call, and waits until it may go on.
    async fn pass(&self, call: Call) -> Result<(), PolicyError> {
        *self.counts.lock().unwrap().entry(call).or_default() += 1;
        let free = matches!(call, Call::AgentKeys | Call::Events);
        let mut way = self.way.subscribe();
        let now = tokio::select! {
            biased;
            way = way.wait_for(|way| free || *way != Way::Held) => *way.expect("the sender is ours"),
            permit = self.passes.acquire() => {
                permit.expect("nobody closes it").forget();
                return Ok(());
            }
        };
        if let Way::Cut(error) = now {
            Err(error)
        } else {
            Ok(())
        }
    }

    async fn until_cut(&self) {
        let mut way = self.way.subscribe();
        way.wait_for(|way| matches!(way, Way::Cut(_)))
            .await
            .expect("the sender is ours");
    }
}

/// A policy server that may be away: between stop and start there is none.
pub type Slot = Arc<watch::Sender<Option<Arc<dyn PolicyCalls>>>>;

/// One agent's way to its policy server.
pub struct Watched {
    watch: Arc<PolicyWatch>,
    server: Slot,
}

impl Watched {
    /// Passes calls on to whatever is in `server`, under the eyes of `watch`.
    pub fn new(watch: &Arc<PolicyWatch>, server: &Slot) -> Self {
        Self {
            watch: Arc::clone(watch),
            server: Arc::clone(server),
        }
    }

    async fn server(&self, call: Call) -> Result<Arc<dyn PolicyCalls>, PolicyError> {
        self.watch.pass(call).await?;
        self.server
            .borrow()
            .clone()
            .ok_or(PolicyError::NoConnection)
    }
}

impl PolicyCalls for Watched {
    fn is_protected(
        &self,
        request: IsProtectedRequest,
    ) -> BoxFuture<'_, Result<IsProtectedAnswer, PolicyError>> {
        Box::pin(async move {
            self.server(Call::IsProtected)
                .await?
                .is_protected(request)
                .await
        })
    }

    fn login(&self, request: LoginRequest) -> BoxFuture<'_, Result<LoginAnswer, PolicyError>> {
        Box::pin(async move {
            let server = self.server(Call::Login).await?;
            let given = self.watch.logins.lock().unwrap().pop_front();
            match given {
                Some(answer) => Ok(answer),
                None => server.login(request).await,
            }
        })
    }

    fn validate(
        &self,
        request: ValidateRequest,
    ) -> BoxFuture<'_, Result<ValidateAnswer, PolicyError>> {
        Box::pin(async move {
            let answer = self
                .server(Call::Validate)
                .await?
                .validate(request.clone())
                .await?;
            self.watch
                .validations
                .lock()
                .unwrap()
                .push((request, answer.clone()));
            Ok(answer)
        })
    }

    fn authorize(
        &self,
        request: AuthorizeRequest,
    ) -> BoxFuture<'_, Result<AuthorizeAnswer, PolicyError>> {
        Box::pin(async move { self.server(Call::Authorize).await?.authorize(request).await })
    }

    fn logout(&self, request: LogoutRequest) -> BoxFuture<'_, Result<LogoutAnswer, PolicyError>> {
        Box::pin(async move { self.server(Call::Logout).await?.logout(request).await })
    }

    fn session_service(
        &self,
        request: SessionServiceRequest,
    ) -> BoxFuture<'_, Result<SessionServiceAnswer, PolicyError>> {
        Box::pin(async move {
            let server = self.server(Call::SessionService).await?;
            server.session_service(request).await
        })
    }

    fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>> {
        Box::pin(async move { self.server(Call::AgentKeys).await?.agent_keys().await })
    }

    fn events(
        &self,
        position: Option<EventPosition>,
    ) -> BoxFuture<'_, Result<EventStream, PolicyError>> {
        Box::pin(async move {
            let events = self.server(Call::Events).await?.events(position).await?;
            let watch = Arc::clone(&self.watch);
            let events = events.filter(move |event| {
                let rolled = matches!(event, Ok(event) if event.kind == EventKind::KeysRolled);
                ready(!rolled || !watch.rollovers_hidden.load(Ordering::SeqCst))
            });
            let watch = Arc::clone(&self.watch);
            let mut server = self.server.subscribe();
            let gone = Box::pin(async move {
                tokio::select! {
                    () = watch.until_cut() => {}
                    _ = server.changed() => {}
                }
            });
            let broken = stream::iter([Err(PolicyError::NoConnection)]);
            Ok(Box::pin(events.take_until(gone).chain(broken)) as EventStream)
        })
    }
}
