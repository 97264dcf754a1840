//! What it takes to run the agent's own code beside the model, and to compare what they decide.

use super::world::{Event, Item, Said, World};
use super::{AgentId, Revocation, SessionNumber};

/// What an agent reads next from its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// `Hello`.
    Hello {
        /// Whether something may be missed.
        gap: bool,
    },
    /// A session ended.
    Session(SessionNumber),
    /// The sessions of a user (see [`user_of`]) that started no later than that ended.
    User(usize, u8),
    /// Everything must be asked anew.
    Flush,
    /// Nothing to act upon.
    Nothing,
}

/// How an agent meets a request with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// From its cache: let in.
    LetsIn,
    /// From its cache: refused.
    Refuses,
    /// It has to ask.
    Asks,
}

/// An answer that an agent is about to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// About which session.
    pub session: SessionNumber,
    /// Whether it is YES.
    pub yes: bool,
    /// Whether it is NO, because the session is over.
    pub over: bool,
    /// Whether the call is past its deadline.
    pub late: bool,
    /// When the call began.
    pub asked_at: u8,
    /// The model's generation when the call began.
    pub generation: u8,
}

/// Whose a session is.
pub const fn user_of(session: SessionNumber) -> usize {
    super::world::user_of(session)
}

impl World {
    /// The time, in ticks.
    pub const fn now(&self) -> u8 {
        self.now
    }

    /// When a session started, if it did.
    pub fn started(&self, session: SessionNumber) -> Option<u8> {
        self.store.sessions[session].started
    }

    /// Whether an agent has a stream.
    pub fn has_link(&self, agent: AgentId) -> bool {
        self.agents[agent].link.is_some()
    }

    /// When an agent last read something from its stream.
    pub fn heard_at(&self, agent: AgentId) -> u8 {
        self.agents[agent].heard_at
    }

    /// The agent's generation in the model.
    pub fn generation(&self, agent: AgentId) -> u8 {
        self.agents[agent].generation
    }

    /// What an agent reads next.
    pub fn next_told(&self, agent: AgentId) -> Told {
        let item = self.agents[agent]
            .link
            .as_ref()
            .and_then(|link| link.queue.first());
        match item {
            Some(Item::Hello { gap, .. }) => Told::Hello { gap: *gap },
            Some(Item::Event { identity, sequence }) => {
                match self.store.event(*identity, *sequence) {
                    Event::Session(session) => Told::Session(session),
                    Event::User(user, through) => Told::User(user, through),
                    Event::Flush => Told::Flush,
                }
            }
            Some(Item::Heartbeat { .. } | Item::End) | None => Told::Nothing,
        }
    }

    /// The answer to one of an agent's calls.
    pub fn answered(&self, model: &Revocation, agent: AgentId, call: usize) -> Answered {
        let flight = &self.agents[agent].flights[call];
        Answered {
            session: flight.session,
            yes: flight.said == Some(Said::Yes),
            over: flight.said == Some(Said::Revoked),
            late: self.now > flight.asked_at + model.deadline(),
            asked_at: flight.asked_at,
            generation: flight.generation,
        }
    }

    /// How an agent would meet a request now.
    pub fn judge(&self, model: &Revocation, agent: AgentId, session: SessionNumber) -> Judgement {
        let known = &self.agents[agent];
        if known.has_ended(session) {
            Judgement::Refuses
        } else if known.needs_call(model, session, self.now) {
            Judgement::Asks
        } else {
            Judgement::LetsIn
        }
    }
}
