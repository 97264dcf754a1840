//! The key protocol: one key set in the store, changed by whichever policy server finds that it is time.
//!
//! | here | stands for |
//! |---|---|
//! | `world::KeySet` | `AgentKeyState` and `TicketKeyState` in `policy-server`, `AgentKeySet` in `policy-protocol` |
//! | [`Action::Begin`], [`Action::Commit`] | `Keys::change` in `policy-server/src/keys.rs`, with compare-and-swap |
//! | [`Action::Open`] to [`Action::Acknowledge`] | `connect`, `listen`, `load_keys` in `agent/src/session/link.rs`, `AgentKeys::replace` |
//! | [`Action::Seal`] | `issue_cookie` in `agent/src/session/reissue.rs`, login state |
//! | [`Action::OpenSpec`] | `Spec::open` in `policy-server/src/spec.rs` |
//!
//! What an agent hears when, and which stream it trusts, is the business of [`crate::revocation`]. Here a link
//! is kept, or it is not; and while one policy server is asked, any other may be.

mod change;
mod invariants;
mod link;
pub mod world;

use crate::explore::{Model, Violation};
use world::{Change, Link, START, World};

/// How long a cookie or a spec lives at most, in ticks: the max timeout.
pub const LIFETIME: u8 = 1;
/// For how long an agent goes on sealing with keys that it cannot confirm. At least [`DEADLINE`] and
/// [`SILENCE`]: it may lose its link, unnoticed, when it has just put keys in force that were old by then.
pub const PROPAGATION: u8 = 2;
/// An agent that hears nothing for so many ticks has lost its link, and a policy server counts it as linked for
/// as long.
pub const SILENCE: u8 = 1;
/// How long a call for keys takes at most, by the agent's own clock.
pub const DEADLINE: u8 = 1;

/// A rule of the protocol, left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A rollover makes a new key current at once.
    NoNext,
    /// Keys are rolled over although a linked agent does not have the next key. So does whoever forces it.
    Unguarded,
    /// An agent counts as having a key set that was sent to it, whether it has put it in force or not.
    SentIsKnown,
    /// An agent whose stream breaks at the policy server is at once no longer waited for.
    ForgottenAtOnce,
    /// Whoever writes last wins.
    LastWriterWins,
    /// Compare-and-swap compares the number of the version, not the identity of the store it is from.
    VersionOnly,
    /// A policy server hands out the keys that it has in memory.
    FromMemory,
    /// A policy server refuses a spec whose key it does not have, without looking at the store.
    NoReload,
    /// An agent without a link goes on sealing for ever.
    SealsForEver,
    /// An agent puts keys in force that came after the deadline: it was paused.
    LateKeys,
    /// A rollover that took long is stored with the times with which it began.
    SlowCommit,
    /// Keys are kept for as long as a cookie may live that is sealed at the moment of the rollover.
    NoPropagation,
}

/// A model of the key protocol.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Agents.
    pub agents: usize,
    /// Policy servers.
    pub servers: usize,
    /// Ticks.
    pub horizon: u8,
    /// Rollovers begun, at most.
    pub rolls: u8,
    /// Things that break, at most.
    pub faults: u8,
    /// Ticks between one fault and the next, at least.
    pub pause: u8,
    /// Whether it is specs that are sealed, by policy servers, rather than cookies by agents.
    pub specs: bool,
    /// Which rule is left out.
    pub mutation: Option<Mutation>,
}

/// An agent, by number.
pub type AgentId = usize;
/// A policy server, by number.
pub type ServerId = usize;

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An agent loses its link, and knows.
    Break(AgentId),
    /// An agent's link breaks, and it will know only by the silence.
    HalfOpen(AgentId),
    /// An agent is started anew, without keys.
    Restart(AgentId),
    /// The store is replaced by an empty one.
    ReplaceStore,
}

/// What may happen.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Time passes.
    Tick,
    /// Something breaks.
    Fail(Fault),
    /// A policy server loads the keys of the store.
    Load(ServerId),
    /// A policy server makes a new key set from the one it knows.
    Begin(ServerId, Change),
    /// It stores the set, if nothing has come before it.
    Commit(ServerId),
    /// An agent opens an event stream.
    Open(AgentId),
    /// A policy server answers an agent that asks for keys.
    Fetch(AgentId, ServerId),
    /// The agent puts them in force.
    Apply(AgentId),
    /// A policy server is told which keys the agent has in force.
    Acknowledge(AgentId),
    /// An agent sees by the silence that its link is gone.
    LoseLink(AgentId),
    /// An agent seals a cookie.
    Seal(AgentId),
    /// A policy server seals a spec.
    SealSpec(ServerId),
    /// A policy server opens the spec with this place among those that live.
    OpenSpec(ServerId, usize),
}

impl Keys {
    fn without(&self, rule: Mutation) -> bool {
        self.mutation == Some(rule)
    }

    /// Whether something has to happen in this tick.
    fn is_urgent(&self, world: &World) -> bool {
        let unloaded = world
            .servers
            .iter()
            .any(|server| server.loaded != world.store.record);
        unloaded
            || world.agents.iter().any(|agent| {
                let heard = agent.link == Link::On && agent.silent_since.is_none();
                (heard && (agent.news || agent.fetched.is_some())) || agent.is_silent(world.now)
            })
    }
}

impl Model for Keys {
    type State = World;
    type Action = Action;

    fn start(&self) -> World {
        World::new(self)
    }

    fn actions(&self, world: &World, into: &mut Vec<Action>) {
        if world.now < START + self.horizon && !self.is_urgent(world) {
            into.push(Action::Tick);
        }
        for (number, server) in world.servers.iter().enumerate() {
            if server.loaded != world.store.record {
                into.push(Action::Load(number));
            }
            if server.changing.is_some() {
                into.push(Action::Commit(number));
            } else {
                let changes = [Change::First, Change::Roll, Change::Drop].into_iter();
                let due = changes.filter(|change| world.is_due(self, number, *change));
                into.extend(due.map(|change| Action::Begin(number, change)));
            }
            if self.specs && server.loaded.is_some() {
                into.push(Action::SealSpec(number));
                let specs = 0..world.specs.len();
                into.extend(specs.map(|spec| Action::OpenSpec(number, spec)));
            }
        }
        for (number, agent) in world.agents.iter().enumerate() {
            if agent.link == Link::Off && world.store.record.is_some() {
                into.push(Action::Open(number));
            }
            let asks = agent.link == Link::Opening || (agent.link == Link::On && agent.news);
            if asks && agent.fetched.is_none() && agent.silent_since.is_none() {
                let loaded = |server: &usize| world.servers[*server].loaded.is_some();
                let servers = (0..self.servers).filter(loaded);
                into.extend(servers.map(|server| Action::Fetch(number, server)));
            }
            if agent.fetched.is_some() {
                into.push(Action::Apply(number));
            }
            if world.may_acknowledge(number) {
                into.push(Action::Acknowledge(number));
            }
            if agent.is_silent(world.now) {
                into.push(Action::LoseLink(number));
            }
            if world.may_seal(self, number) {
                into.push(Action::Seal(number));
            }
        }
        if world.faults_left > 0 && world.now >= world.last_fault + self.pause {
            for (number, agent) in world.agents.iter().enumerate() {
                if agent.link == Link::On && agent.silent_since.is_none() {
                    into.push(Action::Fail(Fault::HalfOpen(number)));
                }
                if agent.link != Link::Off {
                    into.push(Action::Fail(Fault::Break(number)));
                }
                if agent.set.is_some() {
                    into.push(Action::Fail(Fault::Restart(number)));
                }
            }
            into.push(Action::Fail(Fault::ReplaceStore));
        }
    }

    fn step(&self, world: &mut World, action: Action) -> Result<(), Violation> {
        match action {
            Action::Tick => world.tick(),
            Action::Fail(fault) => world.fail(fault),
            Action::Load(server) => world.load(server),
            Action::Begin(server, change) => world.begin(self, server, change),
            Action::Commit(server) => world.commit(self, server),
            Action::Open(agent) => world.open(agent),
            Action::Fetch(agent, server) => world.fetch(self, agent, server),
            Action::Apply(agent) => world.apply(self, agent),
            Action::Acknowledge(agent) => world.acknowledge(agent),
            Action::LoseLink(agent) => world.agents[agent].lose_link(world.now),
            Action::Seal(agent) => world.seal(agent)?,
            Action::SealSpec(server) => world.seal_spec(server),
            Action::OpenSpec(server, spec) => world.open_spec(self, server, spec)?,
        }
        world.check()
    }
}
