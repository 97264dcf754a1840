//! How agents come by the keys.

use super::world::{KeySet, Link, Registered, World};
use super::{AgentId, DEADLINE, Keys, Mutation, ServerId};

impl World {
    pub(super) fn unlink(&mut self, agent: AgentId) {
        self.agents[agent].lose_link(self.now);
        self.leave(agent);
    }

    /// The policy server's side of a link is gone.
    pub(super) fn leave(&mut self, agent: AgentId) {
        let registered = &mut self.store.agents[agent];
        if registered.linked {
            registered.linked = false;
            registered.gone_at = Some(self.now);
        }
    }

    /// The policy server counts an agent as linked before it says Hello, and before it hands out keys.
    pub(super) fn open(&mut self, agent: AgentId) {
        self.agents[agent].link = Link::Opening;
        self.agents[agent].linked_to = self.store.identity;
        self.store.agents[agent] = Registered {
            linked: true,
            gone_at: None,
            has: None,
        };
    }

    pub(super) fn fetch(&mut self, model: &Keys, agent: AgentId, server: ServerId) {
        if self.agents[agent].linked_to != self.store.identity {
            // Another store does not know of this link, and would not wait for the agent.
            return self.unlink(agent);
        }
        let from_memory = model.without(Mutation::FromMemory);
        let set = if from_memory {
            &self.servers[server].loaded
        } else {
            &self.store.record
        };
        let Some(set) = set.clone() else { return };
        if model.without(Mutation::SentIsKnown) {
            self.store.agents[agent].has = Some(set.version());
        }
        self.agents[agent].news = false;
        self.agents[agent].fetched = Some((set, self.now));
    }

    pub(super) fn apply(&mut self, model: &Keys, agent: AgentId) {
        let now = self.now;
        let agent = &mut self.agents[agent];
        let Some((set, asked_at)) = agent.fetched.take() else {
            return;
        };
        if now <= asked_at + DEADLINE || model.without(Mutation::LateKeys) {
            agent.set = Some(set);
            agent.confirmed_at = asked_at;
            agent.link = Link::On;
        }
    }

    pub(super) fn may_acknowledge(&self, number: AgentId) -> bool {
        let agent = &self.agents[number];
        let has = agent.set.as_ref().map(KeySet::version);
        agent.link == Link::On
            && agent.silent_since.is_none()
            && has != self.store.agents[number].has
    }

    pub(super) fn acknowledge(&mut self, agent: AgentId) {
        self.store.agents[agent].has = self.agents[agent].set.as_ref().map(KeySet::version);
    }
}
