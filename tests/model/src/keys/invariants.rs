//! What must hold in every state.

use super::world::{Agent, KeySet, Link, World};
use crate::explore::Violation;

impl World {
    /// What must hold in every state.
    pub(super) fn check(&self) -> Result<(), Violation> {
        self.one_set()?;
        self.nothing_from_before()?;
        self.whoever_listens_is_up_to_date()?;
        for (number, agent) in self.agents.iter().enumerate() {
            let mut live = self.cookies.iter().map(|(key, _)| *key);
            let refused = live.find(|key| agent.should_open(*key) && !agent.opens(*key));
            if let Some(key) = refused {
                return Err(Violation {
                    invariant: "I5",
                    seen: format!("agent {number} refuses a cookie that lives for its key {key:?}"),
                });
            }
        }
        Ok(())
    }

    /// I5: what has the same version is the same.
    fn one_set(&self) -> Result<(), Violation> {
        let at_servers = self
            .servers
            .iter()
            .filter_map(|server| server.loaded.as_ref());
        let at_agents = self.agents.iter().filter_map(|agent| agent.set.as_ref());
        let sets: Vec<_> = self
            .store
            .record
            .iter()
            .chain(at_servers)
            .chain(at_agents)
            .collect();
        let differ =
            |one: &KeySet, other: &KeySet| one.version() == other.version() && one != other;
        let two = sets
            .iter()
            .any(|one| sets.iter().any(|other| differ(one, other)));
        if !two {
            return Ok(());
        }
        Err(Violation {
            invariant: "I5",
            seen: String::from("there are two key sets of one version"),
        })
    }

    /// I5: who keeps its link, and has been told of nothing that it has not fetched, has the latest.
    fn whoever_listens_is_up_to_date(&self) -> Result<(), Violation> {
        let latest = self.store.record.as_ref();
        let is_behind = |agent: &Agent| {
            let waits = agent.news || agent.fetched.is_some() || agent.silent_since.is_some();
            let has = agent.set.as_ref();
            let same_store = has.map(|set| set.identity) == latest.map(|set| set.identity);
            agent.link == Link::On && !waits && same_store && has != latest
        };
        match self.agents.iter().position(is_behind) {
            Some(agent) => Err(Violation {
                invariant: "I5",
                seen: format!(
                    "agent {agent} does not have the latest keys, and will not ask for them"
                ),
            }),
            None => Ok(()),
        }
    }

    /// I6: keys of another store are not in this one.
    fn nothing_from_before(&self) -> Result<(), Violation> {
        let Some(set) = &self.store.record else {
            return Ok(());
        };
        let tickets = set
            .previous_tickets
            .iter()
            .chain(&set.previous)
            .map(|retired| retired.key);
        let mut keys = [set.current, set.next, set.ticket]
            .into_iter()
            .chain(tickets);
        match keys.find(|key| key.identity != self.store.identity) {
            Some(key) => Err(Violation {
                invariant: "I6",
                seen: format!("{key:?} opens again, in store {}", self.store.identity),
            }),
            None => Ok(()),
        }
    }
}
