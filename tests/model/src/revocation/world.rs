//! What there is.

use super::{AgentId, Revocation, SILENCE, ServerId, SessionNumber, TAIL};

/// When schedules start. Not 0, so that times before it can be named.
pub const START: u8 = 20;
/// A policy server that has not seen a store yet.
pub const NO_IDENTITY: u8 = u8::MAX;
/// A time before everything.
pub const NEVER: u8 = 0;
/// Users, each of two sessions.
pub(super) const USERS: usize = 2;

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Event {
    /// A session ended.
    Session(SessionNumber),
    /// A user's sessions that started no later than that ended.
    User(usize, u8),
    /// Everything must be asked anew.
    Flush,
}

/// An event in the feed. Its number is its place, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) event: Event,
    pub(super) committed: bool,
}

/// What comes over an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
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
pub(super) struct Session {
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
pub(super) struct Since {
    /// A link to a policy server that saw the store.
    pub(super) undisturbed: bool,
    /// The policy servers that it could ask, one bit for each.
    pub(super) reachable: u8,
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Store {
    pub(super) running: bool,
    pub(super) identity: u8,
    /// The feeds of this store and of those before it.
    pub(super) feeds: Vec<Vec<Entry>>,
    /// Through when the sessions of each user are revoked.
    pub(super) through: [u8; USERS],
    pub(super) sessions: Vec<Session>,
}

/// A policy server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Server {
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
    /// The flag of `Mutation::TailIsAFlag`.
    pub(super) alive: bool,
}

/// A session as an agent caches it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cached {
    pub(super) validated_at: u8,
    pub(super) generation: u8,
    pub(super) ended: bool,
}

/// An event stream as an agent holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
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
pub(super) enum Said {
    Yes,
    Revoked,
    Invalid,
    /// It cannot tell.
    Failure,
}

/// A call of Validate() that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flight {
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
pub(super) struct Agent {
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

    pub(super) fn append(&mut self, event: Event, committed: bool) {
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
}
