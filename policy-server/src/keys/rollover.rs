//! Rolling over: when it may be done, and what becomes of the keys.

use std::time::Duration;

use policy_protocol::administration::{AgentPresence, RollReason, RollWhich};
use policy_protocol::seal::KEY_LENGTH;
use policy_protocol::{Secret, Timestamp};

use super::record::KeyState;
use super::{Changed, KeyError, Keys, KeysInUse};
use crate::rolling_keys::{MAX_PREVIOUS, UnusableKey, check_new, derived_key, random_key};

/// Why keys are not rolled over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there are agents that do not have the next key yet")]
    AgentsBehind(Vec<AgentPresence>),
    #[error("there are {MAX_PREVIOUS} previous keys already, and the oldest may still be needed")]
    TooMany,
    #[error(transparent)]
    Key(#[from] UnusableKey),
}

/// How to roll over.
#[derive(Debug)]
pub(crate) struct Rollover {
    pub(crate) which: RollWhich,
    /// What to make the next keys from, if not from randomness.
    pub(crate) next: Option<Secret<[u8; KEY_LENGTH]>>,
    pub(crate) reason: RollReason,
    /// Not if the last one was less than this ago.
    pub(crate) unless_within: Duration,
    /// Agents that listen to any policy server.
    pub(crate) agents: Vec<AgentPresence>,
}

impl Keys {
    /// Rolls keys over. Returns whether that was done: not if it is not due.
    pub(crate) async fn roll(&self, order: &Rollover) -> Result<bool, KeyError> {
        self.change(|keys, state| {
            let now = self.clock.now();
            if now.since(state.rolled_at) < order.unless_within {
                return Ok(Changed::No);
            }
            state.agent.rolling.drop_old(now);
            state.ticket.drop_old(now);
            // The static key seals at once, and replaces one that opens nothing from then on.
            if order.which == RollWhich::Rolling && order.reason != RollReason::Forced {
                check(keys, order)?;
                let longest = state.agent.rolling.previous.len();
                if longest.max(state.ticket.previous.len()) >= MAX_PREVIOUS {
                    return Err(Refusal::TooMany.into());
                }
            }
            match order.which {
                RollWhich::Rolling => self.roll_over(state, order, now)?,
                RollWhich::Static => {
                    let is_taken = |id| state.agent.iter().any(|key| key.id == id);
                    state.agent.static_key = random_key(is_taken)?;
                }
            }
            Ok(Changed::ForAgents)
        })
        .await
    }

    fn roll_over(
        &self,
        state: &mut KeyState,
        order: &Rollover,
        now: Timestamp,
    ) -> Result<(), KeyError> {
        let (agent, ticket) = match &order.next {
            None => (
                random_key(|id| state.agent.iter().any(|key| key.id == id))?,
                random_key(|id| state.ticket.iter().any(|key| key.id == id))?,
            ),
            Some(secret) => (
                check_new(derived_key(secret, "agent key")?, state.agent.iter())
                    .map_err(Refusal::from)?,
                check_new(
                    derived_key(secret, "session ticket key")?,
                    state.ticket.iter(),
                )
                .map_err(Refusal::from)?,
            ),
        };
        let drop_at = now.plus(self.lifetime);
        state.agent.rolling.roll(agent, drop_at);
        state.ticket.roll(ticket, drop_at);
        state.rolled_at = now;
        state.rolled_because = order.reason;
        Ok(())
    }
}

/// Nobody may be caught by the next key.
fn check(keys: &KeysInUse, order: &Rollover) -> Result<(), Refusal> {
    let next = keys.held().next;
    let has_next = |agent: &&AgentPresence| {
        agent
            .keys
            .is_some_and(|held| held.next == next || held.current == next)
    };
    let behind: Vec<_> = order
        .agents
        .iter()
        .filter(|agent| !has_next(agent))
        .cloned()
        .collect();
    if behind.is_empty() {
        Ok(())
    } else {
        Err(Refusal::AgentsBehind(behind))
    }
}
