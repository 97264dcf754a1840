//! Rolling over: when it may be done, and what becomes of the keys.

use std::time::Duration;

use policy_protocol::administration::{AgentPresence, RollReason, RollWhich};
use policy_protocol::seal::KEY_LENGTH;
use policy_protocol::{KEY_PROPAGATION, Secret, Timestamp};

use super::record::KeyState;
use super::{Changed, KeyError, Keys, KeysInUse};
use crate::config::Limits;
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
            if order.reason != RollReason::Forced {
                check(keys, order)?;
                let longest = state.agent.rolling.previous.len();
                if longest.max(state.ticket.previous.len()) >= MAX_PREVIOUS {
                    return Err(Refusal::TooMany.into());
                }
            }
            match order.which {
                RollWhich::Rolling => self.roll_over(state, order, now)?,
                RollWhich::Static => {
                    let new = random_key(|id| state.agent.iter().any(|key| key.id == id))?;
                    let old = std::mem::replace(&mut state.agent.static_key, new);
                    // What it sealed may outlive sessions, but nothing is meant to live longer than this.
                    let drop_at = now.plus(Limits::LONGEST + KEY_PROPAGATION);
                    state.agent.rolling.retire(old, drop_at);
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
    // The static key seals at once: there is nothing that anybody could know before.
    if behind.is_empty() || order.which == RollWhich::Static {
        Ok(())
    } else {
        Err(Refusal::AgentsBehind(behind))
    }
}
