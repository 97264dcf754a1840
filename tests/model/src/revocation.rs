//! The revocation protocol: one store, policy servers that tail its feed, agents that cache sessions.
//!
//! Time is counted in ticks, one for each heartbeat. What nothing holds up happens within the tick in which it
//! becomes possible: `urgent` keeps the clock from passing it by. What is held up is a fault, and there are as
//! many faults as [`Revocation::faults`] says, in any order and at any moment.
//!
//! | here | stands for |
//! |---|---|
//! | `world::Store`, `acts` | the shared store, with the feed appended in the transaction of what it announces |
//! | `server` | `policy-server`: `events.rs` (ring, Hello, heartbeats), `calls/{validate,logout,login}.rs`, the tail of the feed |
//! | `agent` | `agent/src/session/{trust,cache,validate,link}.rs`, `keep_valid` in `agent/src/access/authenticate.rs`, the silence bound in `policy-client/src/event_lines.rs`, retries in `transport.rs` |

mod acts;
mod agent;
pub mod beside;
mod faults;
mod invariants;
mod server;
mod urgent;
pub mod world;

use crate::explore::{Model, Violation};
use world::{Item, NO_IDENTITY, START, World};

/// An agent, by number.
pub type AgentId = usize;
/// A policy server, by number.
pub type ServerId = usize;
/// A session, by number. Sessions 0 and 1 belong to one user, 2 and 3 to another.
pub type SessionNumber = usize;

/// An agent that hears nothing for so many ticks distrusts its cache.
pub const SILENCE: u8 = 3;
/// A policy server that has not read the feed for so many ticks is blind.
pub const TAIL: u8 = 2;
/// How long an answer is good while events do not arrive.
pub const DISTRUSTED: u8 = 1;
/// How long a call waits for one server before it goes on to the next.
const TURN: u8 = 1;

/// The bounds that I1 states, in ticks after the acknowledgement: a request that begins then, or later, is
/// refused.
pub mod bound {
    use super::{SILENCE, TAIL};

    /// The agent kept its link to a policy server that kept the store.
    pub const UNDISTURBED: u8 = 1;
    /// One policy server was always there to ask, whatever else broke. The last heartbeat may be sent almost
    /// [`TAIL`] after the feed was last read, be under way for almost [`SILENCE`], and be believed for another;
    /// each "almost" is a tick.
    pub const DISTURBED: u8 = TAIL + 2 * SILENCE - 3;
}

/// A rule of the protocol, left out. Each must make the checker find a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Agents do not remember what ended for answers that are under way.
    NoTombstones,
    /// They forget it while a call may still be under way.
    ShortTombstones,
    /// An answer that comes after the deadline by the agent's own clock is taken: the agent was paused.
    LateAnswers,
    /// A request joins a call that is past its deadline: the agent was paused.
    JoinsLateCalls,
    /// An answer is stamped with the time when it arrives.
    StampOnArrival,
    /// Events may arrive for ever, as far as the agent believes: trust is a flag that the link lowers, not a lease.
    TrustIsAFlag,
    /// An event that comes after too long a silence ends the silence: the agent was paused.
    LateEvents,
    /// Losing the link lowers no trust.
    NoDistrust,
    /// No gap is ever reported.
    ResumeWithoutGap,
    /// Hello comes before what was missed.
    HelloFirst,
    /// A policy server sends heartbeats and takes listeners whether it sees the store or not.
    BlindHeartbeats,
    /// Whether the tail is alive is a flag that a watchdog lowers, not the age of the last read.
    TailIsAFlag,
    /// Events get their number before their transaction is committed.
    NumberBeforeCommit,
    /// Validate() does not check whether the store is the one its keys belong to.
    IdentityUnchecked,
    /// Revocations of users and starts of sessions are dated by the clock of each policy server.
    OwnClocks,
    /// A session that starts in the second of its user's revocation is dated in that second.
    SameSecond,
    /// A call that one server does not answer is not tried at another.
    OneTry,
}

/// A model of the revocation protocol.
#[derive(Clone, Debug)]
pub struct Revocation {
    /// Agents.
    pub agents: usize,
    /// Policy servers.
    pub servers: usize,
    /// Sessions: the first is there from the start, others may log in.
    pub sessions: usize,
    /// Calls that one agent has under way, at most.
    pub calls: usize,
    /// Ticks.
    pub horizon: u8,
    /// Things that break, at most.
    pub faults: u8,
    /// Logins and revocations, at most.
    pub acts: u8,
    /// Ticks between one fault and the next, and between one act and the next, at least.
    pub pause: u8,
    /// The realm's validation period, in ticks.
    pub validation_period: u8,
    /// How much longer an answer is good while no policy server can be asked, in ticks.
    pub outage_grace: u8,
    /// Ticks taken off [`bound::DISTURBED`], to show that it cannot be shorter.
    pub stricter: u8,
    /// Which rule is left out.
    pub mutation: Option<Mutation>,
    /// Which faults there are.
    pub may_break: fn(Fault) -> bool,
    /// Which acts there are.
    pub may_act: fn(Act) -> bool,
    /// Whether calls begin at any server, rather than at the first.
    pub any_first: bool,
}

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The event stream breaks, and the agent knows.
    BreakLink(AgentId),
    /// Nothing passes between an agent and a server, and nobody is told.
    CutNetwork(AgentId, ServerId),
    /// An agent is stopped and will go on (SIGSTOP, a machine that moves).
    PauseAgent(AgentId),
    /// The same with a policy server.
    PauseServer(ServerId),
    /// A policy server is killed.
    StopServer(ServerId),
    /// A policy server cannot reach the store.
    CutStore(ServerId),
    /// A policy server's reading of the feed hangs; its other calls to the store do not.
    StallTail(ServerId),
    /// The store is away, and keeps what it has.
    StopStore,
    /// The store is replaced by an empty one.
    ReplaceStore,
    /// The agent's cache drops a session: it was full.
    Evict(AgentId, SessionNumber),
}

/// What heals.
#[derive(Clone, Copy, Debug)]
pub enum Repair {
    /// See [`Fault::CutNetwork`].
    Network(AgentId, ServerId),
    /// See [`Fault::PauseAgent`].
    Agent(AgentId),
    /// See [`Fault::PauseServer`].
    ServerGoesOn(ServerId),
    /// See [`Fault::StopServer`].
    ServerStarts(ServerId),
    /// See [`Fault::CutStore`].
    ServerToStore(ServerId),
    /// See [`Fault::StallTail`].
    Tail(ServerId),
    /// See [`Fault::StopStore`].
    Store,
}

/// What somebody does; acknowledged at once, because the store has it.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// A user logs in.
    Login(AgentId, ServerId, SessionNumber),
    /// A user logs out.
    Logout(AgentId, ServerId, SessionNumber),
    /// An administrator ends a session.
    Revoke(ServerId, SessionNumber),
    /// An administrator ends the sessions of a session's user.
    RevokeUser(ServerId, SessionNumber),
    /// An administrator ends all sessions.
    RevokeAll(ServerId),
}

/// What may happen.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Time passes.
    Tick,
    /// Something breaks.
    Break(Fault),
    /// Something heals.
    Mend(Repair),
    /// Somebody does something.
    Act(Act),
    /// The store commits the transaction that appended an event (only with [`Mutation::NumberBeforeCommit`]).
    Commit(usize),
    /// A policy server reads the feed.
    Tail(ServerId),
    /// A policy server that sees that it is blind ends its streams.
    GoBlind(ServerId),
    /// An agent opens an event stream.
    Connect(AgentId, ServerId),
    /// An agent reads the next event.
    Deliver(AgentId),
    /// An agent sees that its stream has been silent for too long, or is closed.
    LoseLink(AgentId),
    /// A request with a session comes to an agent; if a call is needed, this server is asked first.
    Present(AgentId, SessionNumber, ServerId),
    /// A policy server decides on a call.
    Decide(AgentId, usize),
    /// Its answer arrives.
    Answer(AgentId, usize),
    /// A call goes on to the next server.
    TryNext(AgentId, usize),
    /// A call has taken too long.
    TimeOut(AgentId, usize),
}

impl Revocation {
    fn without(&self, rule: Mutation) -> bool {
        self.mutation == Some(rule)
    }

    /// How long a call takes at most: every server gets its turn.
    fn deadline(&self) -> u8 {
        TURN * u8::try_from(self.servers).unwrap_or(u8::MAX)
    }

    /// How long agents remember what ended: longer than any call may take.
    fn remembered(&self) -> u8 {
        if self.without(Mutation::ShortTombstones) {
            self.deadline() - 1
        } else {
            self.deadline() + 1
        }
    }

    /// The bound of I1 for an agent that no policy server could be reached from.
    fn bound_cut_off(&self) -> u8 {
        let stretched = self.validation_period + self.outage_grace;
        stretched.max(self.deadline() + 1)
    }
}

impl Model for Revocation {
    type State = World;
    type Action = Action;

    fn start(&self) -> World {
        World::new(self)
    }

    fn actions(&self, world: &World, into: &mut Vec<Action>) {
        if world.now < START + self.horizon && !urgent::pending(self, world) {
            into.push(Action::Tick);
        }
        for (number, entry) in world.store.feed().iter().enumerate() {
            if !entry.committed {
                into.push(Action::Commit(number));
            }
        }
        for server in 0..self.servers {
            if server::may_tail(world, server) {
                into.push(Action::Tail(server));
            }
            if server::is_newly_blind(self, world, server) {
                into.push(Action::GoBlind(server));
            }
        }
        for agent in 0..self.agents {
            agent::actions(self, world, agent, into);
        }
        let rested = |last: u8| world.now >= last.saturating_add(self.pause);
        if world.acts_left > 0 && rested(world.last_act) {
            let acts = world.store.acts(self, world).into_iter();
            into.extend(acts.filter(|act| (self.may_act)(*act)).map(Action::Act));
        }
        if world.faults_left > 0 && rested(world.last_fault) {
            let faults = world.faults(self).into_iter();
            into.extend(
                faults
                    .filter(|fault| (self.may_break)(*fault))
                    .map(Action::Break),
            );
        }
        into.extend(world.repairs(self).into_iter().map(Action::Mend));
    }

    fn step(&self, world: &mut World, action: Action) -> Result<(), Violation> {
        match action {
            Action::Tick => self.tick(world),
            Action::Break(fault) => world.fail(fault),
            Action::Mend(repair) => world.mend(repair),
            Action::Act(act) => world.act(self, act),
            Action::Commit(number) => world.store.commit(number),
            Action::Tail(server) => server::tail(self, world, server),
            Action::GoBlind(server) => server::go_blind(world, server),
            Action::Connect(agent, server) => agent::connect(self, world, agent, server),
            Action::Deliver(agent) => agent::deliver(self, world, agent)?,
            Action::LoseLink(agent) => world.agents[agent].lose_link(),
            Action::Present(agent, session, server) => {
                agent::present(self, world, agent, session, server)?;
            }
            Action::Decide(agent, flight) => server::decide(self, world, agent, flight),
            Action::Answer(agent, flight) => agent::answer(self, world, agent, flight)?,
            Action::TryNext(agent, flight) => agent::try_next(self, world, agent, flight)?,
            Action::TimeOut(agent, flight) => agent::time_out(self, world, agent, flight)?,
        }
        world.observe(self);
        Ok(())
    }
}

impl Revocation {
    fn tick(&self, world: &mut World) {
        world.now += 1;
        for server in 0..self.servers {
            // Nothing new is in the feed, or time would not pass: reading it proves life and no more.
            if world.reads_feed(server) && world.servers[server].identity == world.store.identity {
                world.servers[server].read_now(world.now);
            }
            if !server::takes_listeners(self, world, server) {
                continue;
            }
            let identity = world.servers[server].identity;
            let sequence = world.servers[server].sequence;
            for (agent, cut) in world.agents.iter_mut().zip(&world.cut) {
                let silent = agent.is_silent(world.now);
                let reads = !agent.paused && cut & (1 << server) == 0 && !silent;
                if let Some(link) = agent.link.as_mut().filter(|link| link.is_from(server)) {
                    if reads {
                        // Nothing else is in the queue, or time would not pass.
                        agent.heard_at = world.now;
                        agent.position = Some((identity, sequence));
                        continue;
                    }
                    // The last of several heartbeats in a row says all.
                    if matches!(link.queue.last(), Some(Item::Heartbeat { .. })) {
                        link.queue.pop();
                    }
                    link.queue.push(Item::Heartbeat { identity, sequence });
                }
            }
        }
        world.forget_ages(self);
    }
}

/// Whether an identity is that of a store, rather than of none.
const fn is_some(identity: u8) -> bool {
    identity != NO_IDENTITY
}
