//! What there is, what happens to it, and what must hold.

use super::{AgentId, Fault, Keys, LIFETIME, Mutation, PROPAGATION, SILENCE, ServerId};
use crate::explore::Violation;

/// When schedules start.
pub const START: u8 = 10;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Its name inside what it sealed.
    pub(super) id: u8,
    /// The policy server that made it: two that make a key of one name at once make different keys.
    pub(super) maker: ServerId,
    /// The store that it was made for.
    pub(super) identity: u8,
}

/// A key that only opens, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Retired {
    pub(super) key: Key,
    pub(super) drop_at: u8,
}

/// All keys, at one version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeySet {
    pub(super) identity: u8,
    pub(super) version: u8,
    pub(super) current: Key,
    pub(super) next: Key,
    pub(super) previous: Vec<Retired>,
    pub(super) ticket: Key,
    pub(super) previous_tickets: Vec<Retired>,
}

/// Which version of which store's keys.
pub(super) type Version = (u8, u8);

impl KeySet {
    pub(super) const fn version(&self) -> Version {
        (self.identity, self.version)
    }

    /// The key that a cookie with this key id is opened with.
    pub(super) fn find(&self, id: u8) -> Option<Key> {
        let previous = self.previous.iter().map(|retired| retired.key);
        [self.current, self.next]
            .into_iter()
            .chain(previous)
            .find(|key| key.id == id)
    }

    pub(super) fn find_ticket(&self, id: u8) -> Option<Key> {
        let previous = self.previous_tickets.iter().map(|retired| retired.key);
        [self.ticket]
            .into_iter()
            .chain(previous)
            .find(|key| key.id == id)
    }
}

/// How keys change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// There are none yet.
    First,
    /// Next becomes current.
    Roll,
    /// Keys that nothing alive was sealed with go.
    Drop,
}

/// What is in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Store {
    pub(super) identity: u8,
    pub(super) record: Option<KeySet>,
    /// What is known of each agent.
    pub(super) agents: Vec<Registered>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Registered {
    pub(super) linked: bool,
    /// When its stream ended.
    pub(super) gone_at: Option<u8>,
    pub(super) has: Option<Version>,
}

/// A policy server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Server {
    pub(super) loaded: Option<KeySet>,
    pub(super) changing: Option<Changing>,
}

/// What a policy server is about to store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Changing {
    /// The store that it is made for.
    pub(super) identity: u8,
    /// What it was made from.
    pub(super) base: Option<Version>,
    pub(super) set: KeySet,
    /// When it was made.
    pub(super) begun: u8,
}

/// An agent's link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Link {
    /// There is none.
    #[default]
    Off,
    /// The stream is open; keys come next.
    Opening,
    /// Keys came, and everything after is announced.
    On,
}

/// An agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Agent {
    pub(super) set: Option<KeySet>,
    pub(super) link: Link,
    /// The store that the link was made known to.
    pub(super) linked_to: u8,
    /// Since when its link is dead, which it does not know.
    pub(super) silent_since: Option<u8>,
    /// Whether it has been told of a rollover since it last asked.
    pub(super) news: bool,
    /// An answer that is under way, and when it was asked for.
    pub(super) fetched: Option<(KeySet, u8)>,
    /// When its keys were last known to be the latest.
    pub(super) confirmed_at: u8,
}

impl Agent {
    pub(super) fn is_silent(&self, now: u8) -> bool {
        self.silent_since
            .is_some_and(|since| now >= since + SILENCE)
    }

    pub(super) fn lose_link(&mut self, now: u8) {
        let heard_at = self.silent_since.take().unwrap_or(now);
        // As long as nothing new was announced, a link confirms the keys that were fetched over it.
        if self.link == Link::On && !self.news {
            self.confirmed_at = heard_at;
        }
        self.link = Link::Off;
        self.news = false;
        self.fetched = None;
    }

    /// Whether it keeps its link to the store that a key is of.
    pub(super) fn should_open(&self, key: Key) -> bool {
        let identity = self.set.as_ref().map(|set| set.identity);
        self.link == Link::On && identity == Some(key.identity)
    }

    pub(super) fn opens(&self, key: Key) -> bool {
        self.set.as_ref().and_then(|set| set.find(key.id)) == Some(key)
    }
}

/// What was sealed last with a key: if that opens, whatever was sealed before does.
pub(super) type Sealed = (Key, u8);

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub(super) now: u8,
    pub(super) rolls_left: u8,
    pub(super) faults_left: u8,
    pub(super) last_fault: u8,
    pub(super) store: Store,
    pub(super) servers: Vec<Server>,
    pub(super) agents: Vec<Agent>,
    pub(super) cookies: Vec<Sealed>,
    pub(super) specs: Vec<Sealed>,
}

impl World {
    pub(super) fn new(model: &Keys) -> Self {
        Self {
            now: START,
            rolls_left: model.rolls,
            faults_left: model.faults,
            last_fault: 0,
            store: Store {
                identity: 0,
                record: None,
                agents: vec![Registered::default(); model.agents],
            },
            servers: vec![Server::default(); model.servers],
            agents: vec![Agent::default(); model.agents],
            cookies: Vec::new(),
            specs: Vec::new(),
        }
    }

    pub(super) fn tick(&mut self) {
        self.now += 1;
        let now = self.now;
        self.cookies.retain(|(_, expires)| *expires > now);
        self.specs.retain(|(_, expires)| *expires > now);
    }

    pub(super) fn fail(&mut self, fault: Fault) {
        self.faults_left -= 1;
        self.last_fault = self.now;
        match fault {
            Fault::Break(agent) => self.unlink(agent),
            Fault::HalfOpen(agent) => {
                self.agents[agent].silent_since = Some(self.now);
                self.agents[agent].fetched = None;
                self.leave(agent);
            }
            Fault::Restart(agent) => {
                self.unlink(agent);
                self.agents[agent] = Agent::default();
            }
            Fault::ReplaceStore => {
                self.store = Store {
                    identity: self.store.identity + 1,
                    record: None,
                    agents: vec![Registered::default(); self.agents.len()],
                };
            }
        }
    }

    pub(super) fn may_seal(&self, model: &Keys, number: AgentId) -> bool {
        let agent = &self.agents[number];
        let confirmed = agent.link == Link::On || self.now < agent.confirmed_at + PROPAGATION;
        !model.specs && agent.set.is_some() && (confirmed || model.without(Mutation::SealsForEver))
    }

    /// I5, first half: whoever keeps its link knows a key before its first use anywhere.
    pub(super) fn seal(&mut self, number: AgentId) -> Result<(), Violation> {
        let Some(set) = &self.agents[number].set else {
            return Ok(());
        };
        let key = set.current;
        remember(&mut self.cookies, (key, self.now + LIFETIME));
        let stranger = self
            .agents
            .iter()
            .position(|agent| agent.should_open(key) && !agent.opens(key));
        match stranger {
            Some(agent) => Err(Violation {
                invariant: "I5",
                seen: format!(
                    "agent {number} seals with {key:?}, which agent {agent} does not know"
                ),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn seal_spec(&mut self, server: ServerId) {
        if let Some(set) = &self.servers[server].loaded {
            remember(&mut self.specs, (set.ticket, self.now + LIFETIME));
        }
    }

    /// I5 and I6 for session specs.
    pub(super) fn open_spec(
        &mut self,
        model: &Keys,
        server: ServerId,
        spec: usize,
    ) -> Result<(), Violation> {
        let (key, _) = self.specs[spec];
        let opens = |set: Option<&KeySet>| set.and_then(|set| set.find_ticket(key.id)) == Some(key);
        if !opens(self.servers[server].loaded.as_ref())
            && !model.without(Mutation::NoReload)
            && self.store.record.is_some()
        {
            self.load(server);
        }
        let opened = opens(self.servers[server].loaded.as_ref());
        if !opened && key.identity == self.store.identity {
            return Err(Violation {
                invariant: "I5",
                seen: format!("policy server {server} refuses a spec for its key {key:?}"),
            });
        }
        Ok(())
    }
}

/// Keeps the latest for each key.
fn remember(sealed: &mut Vec<Sealed>, new: Sealed) {
    sealed.retain(|(key, _)| *key != new.0);
    sealed.push(new);
    sealed.sort_unstable_by_key(|(key, _)| (key.identity, key.id, key.maker));
}
