//! What there is, and what breaks.

use super::{Act, AgentId, Fault, Mutation, Repair, Revocation, ServerId, SessionNumber};
use super::{SILENCE, TAIL, bound, server};
use crate::explore::Violation;

/// When schedules start. Not 0, so that times before it can be named.
pub const START: u8 = 20;
/// A policy server that has not seen a store yet.
pub const NO_IDENTITY: u8 = u8::MAX;
/// A time before everything.
pub const NEVER: u8 = 0;
/// Users, each of two sessions.
const USERS: usize = 2;

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A session ended.
    Session(SessionNumber),
    /// A user's sessions that started no later than that ended.
    User(usize, u8),
    /// Everything must be asked anew.
    Flush,
}

/// An event in the feed. Its number is its place, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub(super) event: Event,
    pub(super) committed: bool,
}

/// What comes over an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// An event, by its number.
    Event { identity: u8, sequence: u8 },
    /// Everything missed that is known has been told.
    Hello {
        identity: u8,
        sequence: u8,
        gap: bool,
    },
    /// The stream is alive.
    Heartbeat { identity: u8, sequence: u8 },
    /// The stream is over.
    End,
}

/// A session. Everything but `revoked`, `started` and `identity` is what an all-knowing observer notes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// When it started, by the clock that dates sessions.
    pub(super) started: Option<u8>,
    /// Whether the store has a record that it is over.
    pub(super) revoked: bool,
    /// The store whose keys sealed its spec.
    pub(super) identity: u8,
    /// When its end was acknowledged.
    pub(super) ended_at: Option<u8>,
    /// Whether it ended because the store was replaced.
    pub(super) replaced: bool,
    /// What each agent could have known since its end.
    pub(super) since: Vec<Since>,
}

/// What an agent had all the time since a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Since {
    /// A link to a policy server that saw the store.
    pub(super) undisturbed: bool,
    /// The policy servers that it could ask, one bit for each.
    pub(super) reachable: u8,
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    pub(super) running: bool,
    pub(super) identity: u8,
    /// The feeds of this store and of those before it.
    feeds: Vec<Vec<Entry>>,
    /// Through when the sessions of each user are revoked.
    through: [u8; USERS],
    pub(super) sessions: Vec<Session>,
}

/// A policy server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    pub(super) running: bool,
    pub(super) paused: bool,
    pub(super) store_cut: bool,
    pub(super) tail_stalled: bool,
    /// The store that its keys and its ring are from.
    pub(super) identity: u8,
    /// The events that it keeps, one bit for each.
    pub(super) ring: u16,
    /// The number of the last event that it knows of.
    pub(super) sequence: u8,
    /// When it last read the feed.
    pub(super) read_at: u8,
    /// The flag of [`Mutation::TailIsAFlag`].
    pub(super) alive: bool,
}

/// A session as an agent caches it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cached {
    pub(super) validated_at: u8,
    pub(super) generation: u8,
    pub(super) ended: bool,
}

/// An event stream as an agent holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    pub(super) server: ServerId,
    /// Whether the server still knows of it.
    pub(super) open: bool,
    /// What is under way.
    pub(super) queue: Vec<Item>,
}

impl Link {
    /// Whether a server still sends into it.
    pub(super) fn is_from(&self, server: ServerId) -> bool {
        self.open && self.server == server
    }
}

/// What a policy server says of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Said {
    Yes,
    Revoked,
    Invalid,
    /// It cannot tell.
    Failure,
}

/// A call of Validate() that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flight {
    pub(super) session: SessionNumber,
    pub(super) server: ServerId,
    pub(super) tried: u8,
    pub(super) said: Option<Said>,
    /// When the call began; what the answer is stamped with, and the generation.
    pub(super) asked_at: u8,
    pub(super) generation: u8,
    /// When it went to this server.
    pub(super) turn_at: u8,
    /// When the last request that waits for it began.
    pub(super) joined_at: u8,
    /// Noted by the observer: the servers that could be asked all the time, one bit for each.
    pub(super) reachable: u8,
    /// Noted by the observer: whether the agent was paused since the last request joined.
    pub(super) slept: bool,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agent {
    pub(super) paused: bool,
    pub(super) link: Option<Link>,
    pub(super) listening: bool,
    pub(super) heard_at: u8,
    pub(super) generation: u8,
    /// Which store, and the number of the last event.
    pub(super) position: Option<(u8, u8)>,
    pub(super) cached: Vec<Option<Cached>>,
    /// When each session's end was heard of: kept for a while.
    pub(super) tombstones: Vec<Option<u8>>,
    /// The same for users: when, and through when.
    pub(super) user_tombstones: [Option<(u8, u8)>; USERS],
    pub(super) flights: Vec<Flight>,
    /// Noted by the observer: the events heard, or covered by a gap, one bit for each.
    pub(super) heard: u16,
    /// Noted by the observer: the sessions whose end it has been told of, one bit for each.
    pub(super) heard_end: u8,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub(super) now: u8,
    pub(super) faults_left: u8,
    pub(super) acts_left: u8,
    pub(super) last_fault: u8,
    pub(super) last_act: u8,
    pub(super) store: Store,
    pub(super) servers: Vec<Server>,
    pub(super) agents: Vec<Agent>,
    /// The servers that each agent cannot reach, one bit for each.
    pub(super) cut: Vec<u8>,
}

/// Whose a session is.
pub(super) const fn user_of(session: SessionNumber) -> usize {
    session / 2
}

impl World {
    pub(super) fn new(model: &Revocation) -> Self {
        let nobody = Session {
            started: None,
            revoked: false,
            identity: 0,
            ended_at: None,
            replaced: false,
            since: Vec::new(),
        };
        let mut sessions = vec![nobody; model.sessions];
        sessions[0].started = Some(START - 1);
        let server = Server {
            running: true,
            paused: false,
            store_cut: false,
            tail_stalled: false,
            identity: 0,
            ring: 0,
            sequence: 0,
            read_at: START,
            alive: true,
        };
        let agent = Agent {
            paused: false,
            link: None,
            listening: false,
            heard_at: NEVER,
            generation: 0,
            position: None,
            cached: vec![None; model.sessions],
            tombstones: vec![None; model.sessions],
            user_tombstones: [None; USERS],
            flights: Vec::new(),
            heard: 0,
            heard_end: 0,
        };
        Self {
            now: START,
            faults_left: model.faults,
            acts_left: model.acts,
            last_fault: NEVER,
            last_act: NEVER,
            store: Store {
                running: true,
                identity: 0,
                feeds: vec![Vec::new()],
                through: [NEVER; USERS],
                sessions,
            },
            servers: vec![server; model.servers],
            agents: vec![agent; model.agents],
            cut: vec![0; model.agents],
        }
    }

    /// Whether a server runs and reaches the store.
    pub(super) fn sees_store(&self, server: ServerId) -> bool {
        let Server {
            running,
            paused,
            store_cut,
            ..
        } = self.servers[server];
        running && !paused && !store_cut && self.store.running
    }

    /// Whether a server can read the feed.
    pub(super) fn reads_feed(&self, server: ServerId) -> bool {
        self.sees_store(server) && !self.servers[server].tail_stalled
    }

    pub(super) fn is_cut(&self, agent: AgentId, server: ServerId) -> bool {
        self.cut[agent] & (1 << server) != 0
    }

    /// The servers that an agent can ask if it runs, one bit for each.
    pub(super) fn reachable(&self, agent: AgentId) -> u8 {
        (0..self.servers.len())
            .filter(|server| self.sees_store(*server) && !self.is_cut(agent, *server))
            .fold(0, |reachable, server| reachable | 1 << server)
    }

    fn is_undisturbed(&self, agent: AgentId) -> bool {
        let Agent {
            paused,
            listening,
            ref link,
            ..
        } = self.agents[agent];
        let reachable = self.reachable(agent);
        let is_good = |link: &Link| {
            let server = link.server;
            link.open && reachable & (1 << server) != 0 && !self.servers[server].tail_stalled
        };
        listening && !paused && link.as_ref().is_some_and(is_good)
    }

    /// Notes what the invariants are later judged by.
    pub(super) fn observe(&mut self, model: &Revocation) {
        for agent in 0..model.agents {
            let since = self.since_now(agent);
            for session in &mut self.store.sessions {
                if let Some(noted) = session.since.get_mut(agent) {
                    noted.undisturbed &= since.undisturbed;
                    noted.reachable &= since.reachable;
                }
            }
            let paused = self.agents[agent].paused;
            let reachable = if paused { 0 } else { self.reachable(agent) };
            for flight in &mut self.agents[agent].flights {
                flight.reachable &= reachable;
                flight.slept |= paused;
            }
        }
    }

    /// Beyond some age it does not matter how old something is: states that differ in that only are one.
    pub(super) fn forget_ages(&mut self, model: &Revocation) {
        let oldest = |age: u8| self.now.saturating_sub(age);
        let (silent, blind) = (oldest(SILENCE), oldest(TAIL));
        let stale = oldest(model.validation_period + model.outage_grace);
        let forgotten = oldest(model.remembered());
        for server in &mut self.servers {
            server.read_at = server.read_at.max(blind);
        }
        for agent in &mut self.agents {
            agent.heard_at = agent.heard_at.max(silent);
            // A request that waits is judged by when it began.
            let began = agent.flights.iter().map(|flight| flight.joined_at).min();
            let stale = stale.saturating_sub(self.now - began.unwrap_or(self.now));
            for cached in agent.cached.iter_mut().flatten() {
                cached.validated_at = cached.validated_at.max(stale);
            }
            for tombstone in &mut agent.tombstones {
                *tombstone = tombstone.filter(|heard_at| *heard_at > forgotten);
            }
        }
    }

    fn since_now(&self, agent: AgentId) -> Since {
        Since {
            undisturbed: self.is_undisturbed(agent),
            reachable: self.reachable(agent),
        }
    }

    /// Notes that a session is over, and that whoever ended it has been told.
    fn note_end(&mut self, session: SessionNumber, replaced: bool) {
        let since = (0..self.agents.len())
            .map(|agent| self.since_now(agent))
            .collect();
        let now = self.now;
        let ended = &mut self.store.sessions[session];
        if ended.started.is_some() && ended.ended_at.is_none() {
            ended.ended_at = Some(now);
            ended.replaced = replaced;
            ended.since = since;
        }
    }

    /// I1, I3 and I6: judges that an agent lets in a request that began then. One whose agent `slept` while it
    /// waited is that of an agent that nobody could be asked from.
    pub(super) fn admitted(
        &self,
        model: &Revocation,
        agent: AgentId,
        session: SessionNumber,
        began: u8,
        slept: bool,
    ) -> Result<(), Violation> {
        if self.agents[agent].heard_end & (1 << session) != 0 {
            return Err(Violation {
                invariant: "I3",
                seen: format!("agent {agent} lets in session {session} after it heard of its end"),
            });
        }
        let over = &self.store.sessions[session];
        let Some(ended_at) = over.ended_at else {
            return Ok(());
        };
        let since = over.since[agent];
        let bound = if since.undisturbed {
            bound::UNDISTURBED
        } else if since.reachable != 0 && !slept {
            (bound::DISTURBED - model.stricter).min(model.bound_cut_off())
        } else {
            model.bound_cut_off()
        };
        if began < ended_at.saturating_add(bound) {
            return Ok(());
        }
        Err(Violation {
            invariant: if over.replaced { "I6" } else { "I1" },
            seen: format!(
                "agent {agent} lets in session {session}, {} ticks after its end ({since:?}, bound {bound})",
                began - ended_at
            ),
        })
    }

    /// I2: judges that an agent turns away a request, for good or for now.
    pub(super) fn refused(
        &self,
        agent: AgentId,
        session: SessionNumber,
        said: Said,
        reachable: u8,
    ) -> Result<(), Violation> {
        let lives = self.store.sessions[session].ended_at.is_none();
        if lives && (said != Said::Failure || reachable != 0) {
            return Err(Violation {
                invariant: "I2",
                seen: format!(
                    "agent {agent} refuses session {session}, which nobody ended: {said:?}"
                ),
            });
        }
        Ok(())
    }

    /// I4: judges what an agent believes to have heard.
    pub(super) fn complete(&self, agent: AgentId) -> Result<(), Violation> {
        let Agent {
            listening,
            position,
            heard,
            ..
        } = self.agents[agent];
        let Some((identity, sequence)) = position.filter(|_| listening) else {
            return Ok(());
        };
        match (1..=sequence).find(|number| heard & (1 << number) == 0) {
            Some(missed) => Err(Violation {
                invariant: "I4",
                seen: format!(
                    "agent {agent} stands at {sequence} of store {identity} without event {missed}, and knows of no gap"
                ),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn faults(&self, model: &Revocation) -> Vec<Fault> {
        let mut faults = Vec::new();
        for agent in 0..model.agents {
            let known = &self.agents[agent];
            if known.link.is_some() && !known.paused {
                faults.push(Fault::BreakLink(agent));
            }
            if !known.paused {
                faults.push(Fault::PauseAgent(agent));
            }
            let uncut = (0..model.servers).filter(|server| !self.is_cut(agent, *server));
            faults.extend(uncut.map(|server| Fault::CutNetwork(agent, server)));
            let cached = (0..model.sessions).filter(|session| known.cached[*session].is_some());
            faults.extend(cached.map(|session| Fault::Evict(agent, session)));
        }
        for (number, server) in self.servers.iter().enumerate() {
            if server.running && !server.paused {
                faults.push(Fault::PauseServer(number));
                faults.push(Fault::StopServer(number));
            }
            if !server.store_cut {
                faults.push(Fault::CutStore(number));
            }
            if !server.tail_stalled {
                faults.push(Fault::StallTail(number));
            }
        }
        if self.store.running {
            faults.push(Fault::StopStore);
        }
        faults.push(Fault::ReplaceStore);
        faults
    }

    pub(super) fn repairs(&self, model: &Revocation) -> Vec<Repair> {
        let mut repairs = Vec::new();
        for agent in 0..model.agents {
            if self.agents[agent].paused {
                repairs.push(Repair::Agent(agent));
            }
            let cut = (0..model.servers).filter(|server| self.is_cut(agent, *server));
            repairs.extend(cut.map(|server| Repair::Network(agent, server)));
        }
        for (number, server) in self.servers.iter().enumerate() {
            if server.paused {
                repairs.push(Repair::ServerGoesOn(number));
            }
            if !server.running {
                repairs.push(Repair::ServerStarts(number));
            }
            if server.store_cut {
                repairs.push(Repair::ServerToStore(number));
            }
            if server.tail_stalled {
                repairs.push(Repair::Tail(number));
            }
        }
        if !self.store.running {
            repairs.push(Repair::Store);
        }
        repairs
    }

    pub(super) fn fail(&mut self, fault: Fault) {
        self.faults_left -= 1;
        self.last_fault = self.now;
        match fault {
            Fault::BreakLink(agent) => self.agents[agent].lose_link(),
            Fault::CutNetwork(agent, server) => self.cut[agent] |= 1 << server,
            Fault::PauseAgent(agent) => self.agents[agent].paused = true,
            Fault::PauseServer(server) => self.servers[server].paused = true,
            Fault::StopServer(server) => {
                self.servers[server].running = false;
                server::close_streams(self, server, false);
            }
            Fault::CutStore(server) => self.servers[server].store_cut = true,
            Fault::StallTail(server) => self.servers[server].tail_stalled = true,
            Fault::StopStore => self.store.running = false,
            Fault::ReplaceStore => self.replace_store(),
            Fault::Evict(agent, session) => self.agents[agent].cached[session] = None,
        }
    }

    pub(super) fn mend(&mut self, repair: Repair) {
        match repair {
            Repair::Network(agent, server) => self.cut[agent] &= !(1 << server),
            Repair::Agent(agent) => self.agents[agent].paused = false,
            Repair::ServerGoesOn(server) => self.servers[server].paused = false,
            Repair::ServerStarts(server) => {
                self.servers[server] = Server {
                    running: true,
                    paused: false,
                    store_cut: self.servers[server].store_cut,
                    tail_stalled: false,
                    identity: NO_IDENTITY,
                    ring: 0,
                    sequence: 0,
                    read_at: NEVER,
                    alive: false,
                }
            }
            Repair::ServerToStore(server) => self.servers[server].store_cut = false,
            Repair::Tail(server) => self.servers[server].tail_stalled = false,
            Repair::Store => self.store.running = true,
        }
    }

    fn replace_store(&mut self) {
        self.store.running = true;
        self.store.identity += 1;
        self.store.feeds.push(Vec::new());
        self.store.through = [NEVER; USERS];
        for session in 0..self.store.sessions.len() {
            self.store.sessions[session].revoked = false;
            self.note_end(session, true);
        }
    }

    pub(super) fn act(&mut self, model: &Revocation, act: Act) {
        self.acts_left -= 1;
        self.last_act = self.now;
        match act {
            Act::Login(agent, server, session) => {
                let clock = self.store_clock(model, server);
                let revoked = self.store.through[user_of(session)];
                // What starts in the second of a revocation is dated after it.
                let started = if model.without(Mutation::SameSecond) {
                    clock
                } else {
                    clock.max(revoked + 1)
                };
                let identity = self.store.identity;
                let new = &mut self.store.sessions[session];
                (new.started, new.identity) = (Some(started), identity);
                let reachable = self.reachable(agent);
                let known = &mut self.agents[agent];
                known.flights.push(Flight {
                    session,
                    server,
                    tried: u8::MAX,
                    said: Some(Said::Yes),
                    asked_at: self.now,
                    generation: known.generation,
                    turn_at: self.now,
                    joined_at: self.now,
                    reachable,
                    slept: false,
                });
            }
            Act::Logout(agent, _, session) => {
                self.agents[agent].end(session, self.now);
                self.revoke_session(model, session);
            }
            Act::Revoke(_, session) => self.revoke_session(model, session),
            Act::RevokeUser(server, session) => {
                let user = user_of(session);
                let through = self.store_clock(model, server);
                self.revoke_user(user, through);
                self.store.append(Event::User(user, through), true);
            }
            Act::RevokeAll(server) => {
                let through = self.store_clock(model, server);
                for user in 0..USERS {
                    self.revoke_user(user, through);
                }
                self.store.append(Event::Flush, true);
            }
        }
    }

    /// What the second policy server's clock says is two ticks behind, where clocks of policy servers count.
    fn store_clock(&self, model: &Revocation, server: ServerId) -> u8 {
        if model.without(Mutation::OwnClocks) && server == 1 {
            self.now - 2
        } else {
            self.now
        }
    }

    fn revoke_session(&mut self, model: &Revocation, session: SessionNumber) {
        self.store.sessions[session].revoked = true;
        self.note_end(session, false);
        let committed = !model.without(Mutation::NumberBeforeCommit);
        self.store.append(Event::Session(session), committed);
    }

    fn revoke_user(&mut self, user: usize, through: u8) {
        let through = through.max(self.store.through[user]);
        self.store.through[user] = through;
        for session in (0..self.store.sessions.len()).filter(|session| user_of(*session) == user) {
            // Whatever clocks say: who was logged in when this was acknowledged is logged out.
            self.note_end(session, false);
        }
    }
}

impl Store {
    pub(super) fn feed(&self) -> &[Entry] {
        &self.feeds[usize::from(self.identity)]
    }

    /// The event with a number, in this store's feed or an earlier one's.
    pub(super) fn event(&self, identity: u8, sequence: u8) -> Event {
        self.feeds[usize::from(identity)][usize::from(sequence) - 1].event
    }

    /// The number of the last event that can be read.
    pub(super) fn last(&self) -> u8 {
        let last = self.feed().iter().rposition(|entry| entry.committed);
        last.map_or(0, |index| u8::try_from(index + 1).unwrap_or(u8::MAX))
    }

    /// The events that can be read, one bit for each.
    pub(super) fn readable(&self) -> u16 {
        let entries = self.feed().iter().enumerate();
        entries
            .filter(|(_, entry)| entry.committed)
            .fold(0, |bits, (index, _)| bits | 1 << (index + 1))
    }

    fn append(&mut self, event: Event, committed: bool) {
        self.feeds[usize::from(self.identity)].push(Entry { event, committed });
    }

    pub(super) fn commit(&mut self, number: usize) {
        self.feeds[usize::from(self.identity)][number].committed = true;
    }

    /// Whether a record says that a session is over.
    pub(super) fn is_revoked(&self, session: SessionNumber) -> bool {
        let Session {
            revoked, started, ..
        } = self.sessions[session];
        revoked || started.is_some_and(|started| started <= self.through[user_of(session)])
    }

    /// What somebody may do now. Which policy server does it matters only where clocks do.
    pub(super) fn acts(&self, model: &Revocation, world: &World) -> Vec<Act> {
        let mut acts = Vec::new();
        let count = if model.without(Mutation::OwnClocks) {
            model.servers
        } else {
            1
        };
        let healthy = || (0..model.servers).filter(|server| world.sees_store(*server));
        let lives = |number: SessionNumber| {
            let session = &self.sessions[number];
            session.started.is_some() && session.ended_at.is_none()
        };
        for server in healthy().take(count) {
            for session in (0..self.sessions.len()).filter(|session| lives(*session)) {
                acts.push(Act::Revoke(server, session));
                acts.push(Act::RevokeUser(server, session));
            }
            acts.push(Act::RevokeAll(server));
        }
        for agent in 0..model.agents {
            let reachable = world.reachable(agent);
            for server in healthy()
                .filter(|server| reachable & (1 << server) != 0)
                .take(count)
            {
                for session in 0..self.sessions.len() {
                    if lives(session) {
                        acts.push(Act::Logout(agent, server, session));
                    } else if self.sessions[session].started.is_none() {
                        acts.push(Act::Login(agent, server, session));
                    }
                }
            }
        }
        acts
    }
}
