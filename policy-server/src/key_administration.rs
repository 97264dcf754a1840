//! Keys are rolled over, when it is time and when an administrator says so.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::Timestamp;
use policy_protocol::administration::{
    AgentPresence, KeysReport, RollAnswer, RollReason, RollRequest, RollWhich,
};

use crate::keys::{KeyError, Refusal, Rollover};
use crate::master_key;
use crate::presence;
use crate::server::{PolicyServer, failure};

/// A rollover by schedule waits so long for agents that lack the next key. One that works fetches keys every
/// six minutes; one that never does must not keep a key in use for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Since when a rollover by schedule waits for agents, if it does.
#[derive(Default)]
pub(crate) struct RolloverWait(Mutex<Option<Timestamp>>);

impl RolloverWait {
    fn since(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has to wait, from now on at the latest. `false` if it has done so for long enough.
    fn goes_on(&self, now: Timestamp) -> bool {
        now.since(*self.since().get_or_insert(now)) < LONGEST_WAIT
    }

    fn end(&self) {
        *self.since() = None;
    }
}

impl PolicyServer {
    /// All keys, without the keys themselves, and which agents have which.
    ///
    /// # Errors
    /// If the store failed.
    pub async fn keys_report(&self) -> Result<KeysReport, PolicyError> {
        self.record("show-keys", "", None).await?;
        let keys = self.keys.latest().await.map_err(failure)?;
        let servers = self.presence.everywhere(&*self.store, self.now());
        let state = &keys.state;
        Ok(KeysReport {
            version: keys.version,
            rolled_at: state.rolled_at,
            rolled_because: state.rolled_because,
            next_rollover: state.rolled_at.plus(self.rollover),
            agent_keys: state.agent.rolling.report(),
            static_key: state.agent.static_key.id,
            ticket_keys: state.ticket.report(),
            servers: servers.await.map_err(failure)?,
        })
    }

    /// Makes the next agent key and session ticket key current, and new ones next; the old ones open for as
    /// long as anything they sealed may live. Or replaces the static key. Agents are told.
    ///
    /// # Errors
    /// If the store failed; whether keys were rolled over is then not known.
    pub async fn roll_keys(&self, request: &RollRequest) -> Result<RollAnswer, PolicyError> {
        self.recorded_after("roll-keys", "", None, self.roll_by_command(request))
            .await
    }

    async fn roll_by_command(&self, request: &RollRequest) -> Result<RollAnswer, PolicyError> {
        let no = |problem: String, agents| Ok(RollAnswer::No { problem, agents });
        let next = match &request.next_key {
            None => None,
            Some(_) if request.which == RollWhich::Static => {
                let problem = "the static key is made by the policy servers, and cannot be given";
                return no(problem.to_owned(), Vec::new());
            }
            Some(text) => match master_key::parse(text.expose()) {
                None => {
                    let problem = "the next key must be base64 of 32 bytes";
                    return no(problem.to_owned(), Vec::new());
                }
                next => next,
            },
        };
        let order = Rollover {
            which: request.which,
            next,
            reason: if request.force {
                RollReason::Forced
            } else {
                RollReason::Command
            },
            unless_within: Duration::ZERO,
            agents: self.listening().await?,
        };
        match self.keys.roll(&order).await {
            Ok(_) => {
                tracing::info!(which = ?request.which, "keys rolled over by command");
                Ok(RollAnswer::Yes {
                    version: self.keys.in_use().version,
                })
            }
            Err(KeyError::Refused(Refusal::AgentsBehind(agents))) => {
                no(Refusal::AgentsBehind(Vec::new()).to_string(), agents)
            }
            Err(KeyError::Refused(refusal)) => no(refusal.to_string(), Vec::new()),
            Err(error) => Err(failure(error)),
        }
    }

    /// Every agent process that listens to any policy server.
    async fn listening(&self) -> Result<Vec<AgentPresence>, PolicyError> {
        let servers = self.presence.everywhere(&*self.store, self.now());
        Ok(presence::processes(&servers.await.map_err(failure)?))
    }

    /// Rolls keys over if it is time and no agent is in the way, and drops keys that nobody needs.
    pub(crate) async fn look_after_keys(&self) -> Result<(), PolicyError> {
        let rolled_at = self.keys.in_use().state.rolled_at;
        if self.now().since(rolled_at) >= self.rollover {
            let mut order = Rollover {
                which: RollWhich::Rolling,
                next: None,
                reason: RollReason::Schedule,
                // Not if another policy server was faster.
                unless_within: self.rollover,
                agents: self.listening().await?,
            };
            let mut rolled = self.keys.roll(&order).await;
            if let Err(KeyError::Refused(Refusal::AgentsBehind(behind))) = &rolled {
                let agents: Vec<_> = behind.iter().map(|agent| &agent.agent).collect();
                if self.rollover_wait.goes_on(self.now()) {
                    tracing::warn!(
                        ?agents,
                        "a rollover waits for agents that lack the next key"
                    );
                    return self.tidy_keys().await;
                }
                tracing::warn!(
                    ?agents,
                    "a rollover passes over agents that lack the next key"
                );
                order.agents.clear();
                rolled = self.keys.roll(&order).await;
            }
            if rolled.map_err(failure)? {
                tracing::info!("keys rolled over");
            }
        }
        self.rollover_wait.end();
        self.tidy_keys().await
    }

    async fn tidy_keys(&self) -> Result<(), PolicyError> {
        self.keys.tidy().await.map_err(failure)?;
        Ok(())
    }
}
