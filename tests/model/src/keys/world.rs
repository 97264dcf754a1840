//! What there is, what happens to it, and what must hold.

use super::{AgentId, DEADLINE, Fault, Keys, LIFETIME, Mutation, PROPAGATION, SILENCE, ServerId};
use crate::explore::Violation;

/// When schedules start.
pub const START: u8 = 10;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Its name inside what it sealed.
    id: u8,
    /// The policy server that made it: two that make a key of one name at once make different keys.
    maker: ServerId,
    /// The store that it was made for.
    identity: u8,
}

/// A key that only opens, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Retired {
    key: Key,
    drop_at: u8,
}

/// All keys, at one version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeySet {
    identity: u8,
    version: u8,
    current: Key,
    next: Key,
    previous: Vec<Retired>,
    ticket: Key,
    previous_tickets: Vec<Retired>,
}

/// Which version of which store's keys.
type Version = (u8, u8);

impl KeySet {
    const fn version(&self) -> Version {
        (self.identity, self.version)
    }

    /// The key that a cookie with this key id is opened with.
    fn find(&self, id: u8) -> Option<Key> {
        let previous = self.previous.iter().map(|retired| retired.key);
        [self.current, self.next]
            .into_iter()
            .chain(previous)
            .find(|key| key.id == id)
    }

    fn find_ticket(&self, id: u8) -> Option<Key> {
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
    identity: u8,
    pub(super) record: Option<KeySet>,
    /// What is known of each agent.
    agents: Vec<Registered>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Registered {
    linked: bool,
    /// When its stream ended.
    gone_at: Option<u8>,
    has: Option<Version>,
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
    identity: u8,
    /// What it was made from.
    base: Option<Version>,
    set: KeySet,
    /// When it was made.
    begun: u8,
}

/// An agent's link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Link {
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
    linked_to: u8,
    /// Since when its link is dead, which it does not know.
    pub(super) silent_since: Option<u8>,
    /// Whether it has been told of a rollover since it last asked.
    pub(super) news: bool,
    /// An answer that is under way, and when it was asked for.
    pub(super) fetched: Option<(KeySet, u8)>,
    /// When its keys were last known to be the latest.
    confirmed_at: u8,
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
    fn should_open(&self, key: Key) -> bool {
        let identity = self.set.as_ref().map(|set| set.identity);
        self.link == Link::On && identity == Some(key.identity)
    }

    fn opens(&self, key: Key) -> bool {
        self.set.as_ref().and_then(|set| set.find(key.id)) == Some(key)
    }
}

/// What was sealed last with a key: if that opens, whatever was sealed before does.
type Sealed = (Key, u8);

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub(super) now: u8,
    rolls_left: u8,
    pub(super) faults_left: u8,
    pub(super) last_fault: u8,
    pub(super) store: Store,
    pub(super) servers: Vec<Server>,
    pub(super) agents: Vec<Agent>,
    cookies: Vec<Sealed>,
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

    /// Whether a server would change the keys now.
    pub(super) fn is_due(&self, model: &Keys, server: ServerId, change: Change) -> bool {
        let loaded = self.servers[server].loaded.as_ref();
        match (change, loaded) {
            (Change::First, None) => self.store.record.is_none(),
            (Change::First, Some(_)) | (Change::Roll | Change::Drop, None) => false,
            (Change::Roll, Some(set)) => {
                self.rolls_left > 0
                    && (model.without(Mutation::Unguarded) || self.all_have(model, set.version()))
            }
            (Change::Drop, Some(set)) => {
                let old = set.previous.iter().chain(&set.previous_tickets);
                old.into_iter().any(|retired| retired.drop_at <= self.now)
            }
        }
    }

    /// Whether every agent that is linked has the next key of a version.
    fn all_have(&self, model: &Keys, version: Version) -> bool {
        let lingers = !model.without(Mutation::ForgottenAtOnce);
        self.store.agents.iter().all(|agent| {
            let counts = agent.linked
                || (lingers && agent.gone_at.is_some_and(|gone| self.now <= gone + SILENCE));
            !counts
                || agent
                    .has
                    .is_some_and(|has| has.0 == version.0 && has.1 >= version.1)
        })
    }

    /// Makes a new set. What is in the server's memory may be old by now: storing it will tell.
    pub(super) fn begin(&mut self, model: &Keys, server: ServerId, change: Change) {
        let base = self.servers[server].loaded.clone();
        let version = base.as_ref().map(KeySet::version);
        let set = match (change, base) {
            (Change::Roll, Some(set)) => {
                self.rolls_left -= 1;
                self.rolled(model, server, set)
            }
            (Change::Drop, Some(mut set)) => {
                set.version += 1;
                set.previous.retain(|retired| retired.drop_at > self.now);
                set.previous_tickets
                    .retain(|retired| retired.drop_at > self.now);
                set
            }
            (_, _) => {
                let identity = self.store.identity;
                let make = |id| Key {
                    id,
                    maker: server,
                    identity,
                };
                KeySet {
                    identity,
                    version: 0,
                    current: make(0),
                    next: make(1),
                    previous: Vec::new(),
                    ticket: make(0),
                    previous_tickets: Vec::new(),
                }
            }
        };
        self.servers[server].changing = Some(Changing {
            identity: set.identity,
            base: version,
            set,
            begun: self.now,
        });
    }

    fn rolled(&self, model: &Keys, maker: ServerId, mut set: KeySet) -> KeySet {
        let unknown = if model.without(Mutation::NoPropagation) {
            0
        } else {
            PROPAGATION
        };
        let drop_at = self.now + LIFETIME + unknown;
        let next = Key {
            id: set.next.id + 1,
            maker,
            identity: set.identity,
        };
        set.version += 1;
        set.previous.insert(
            0,
            Retired {
                key: set.current,
                drop_at,
            },
        );
        set.current = if model.without(Mutation::NoNext) {
            next
        } else {
            set.next
        };
        set.next = next;
        set.previous_tickets.insert(
            0,
            Retired {
                key: set.ticket,
                drop_at,
            },
        );
        set.ticket = Key {
            id: set.ticket.id + 1,
            maker,
            identity: set.identity,
        };
        set
    }

    pub(super) fn commit(&mut self, model: &Keys, server: ServerId) {
        let Some(Changing {
            identity,
            base,
            set,
            begun,
        }) = self.servers[server].changing.take()
        else {
            return;
        };
        let stored = self.store.record.as_ref().map(|set| set.version);
        let same_version = stored == base.map(|(_, version)| version);
        let same_store = identity == self.store.identity || model.without(Mutation::VersionOnly);
        let wins = (same_version && same_store) || model.without(Mutation::LastWriterWins);
        // The times in it hold for the tick in which they were written.
        let in_time = begun == self.now || model.without(Mutation::SlowCommit);
        if wins && in_time {
            self.store.record = Some(set.clone());
            self.servers[server].loaded = Some(set);
            for agent in &mut self.agents {
                agent.news |= agent.link != Link::Off && agent.silent_since.is_none();
            }
        }
    }

    pub(super) fn load(&mut self, server: ServerId) {
        let before = std::mem::replace(&mut self.servers[server].loaded, self.store.record.clone());
        self.servers[server].changing = None;
        let identity = |set: &Option<KeySet>| set.as_ref().map(|set| set.identity);
        // Streams of another store's events end.
        if before.is_some() && identity(&before) != identity(&self.store.record) {
            for agent in 0..self.agents.len() {
                if self.agents[agent].linked_to != self.store.identity {
                    self.unlink(agent);
                }
            }
        }
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

    fn unlink(&mut self, agent: AgentId) {
        self.agents[agent].lose_link(self.now);
        self.leave(agent);
    }

    /// The policy server's side of a link is gone.
    fn leave(&mut self, agent: AgentId) {
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

/// Keeps the latest for each key.
fn remember(sealed: &mut Vec<Sealed>, new: Sealed) {
    sealed.retain(|(key, _)| *key != new.0);
    sealed.push(new);
    sealed.sort_unstable_by_key(|(key, _)| (key.identity, key.id, key.maker));
}
