//! What an agent does: keeps its link, its trust and its cache, and judges requests.

use super::world::{Agent, Cached, Event, Flight, Item, Link, Said, World, user_of};
use super::{Action, AgentId, DISTRUSTED, Mutation, Revocation, SILENCE, ServerId, SessionNumber};
use super::{TURN, server};
use crate::explore::Violation;

/// What an agent may do.
pub(super) fn actions(model: &Revocation, world: &World, number: AgentId, into: &mut Vec<Action>) {
    let agent = &world.agents[number];
    if agent.paused {
        return;
    }
    match &agent.link {
        Some(link) => {
            if may_deliver(world, number) {
                into.push(Action::Deliver(number));
            }
            if has_lost_link(world, number, link) {
                into.push(Action::LoseLink(number));
            }
        }
        None => {
            let servers = (0..model.servers).filter(|server| {
                !world.is_cut(number, *server) && server::takes_listeners(model, world, *server)
            });
            into.extend(servers.map(|server| Action::Connect(number, server)));
        }
    }
    for (session, state) in world.store.sessions.iter().enumerate() {
        if state.started.is_none() {
            continue;
        }
        if !agent.needs_call(model, session, world.now)
            || agent.joins(model, session, world.now).is_some()
        {
            into.push(Action::Present(number, session, 0));
        } else if agent.flights.len() < model.calls {
            let servers = 0..if model.any_first { model.servers } else { 1 };
            into.extend(servers.map(|server| Action::Present(number, session, server)));
        }
    }
    for (index, flight) in agent.flights.iter().enumerate() {
        into.extend(flight_actions(model, world, number, index, flight));
    }
}

/// What may happen to a call. What is urgent among it, see `urgent`.
pub(super) fn flight_actions(
    model: &Revocation,
    world: &World,
    agent: AgentId,
    index: usize,
    flight: &Flight,
) -> impl Iterator<Item = Action> + use<> {
    let answers = flight.said.is_some() && !world.is_cut(agent, flight.server);
    let decides = flight.said.is_none() && server::takes_calls(world, agent, flight.server);
    let turn_is_over = world.now >= flight.turn_at + TURN || !world.servers[flight.server].running;
    let moves_on = turn_is_over && next_server(model, flight).is_some();
    let is_late = world.now >= flight.asked_at + model.deadline();
    [
        answers.then_some(Action::Answer(agent, index)),
        decides.then_some(Action::Decide(agent, index)),
        moves_on.then_some(Action::TryNext(agent, index)),
        is_late.then_some(Action::TimeOut(agent, index)),
    ]
    .into_iter()
    .flatten()
}

/// Whether something is there for an agent to read.
pub(super) fn may_deliver(world: &World, agent: AgentId) -> bool {
    let link = world.agents[agent].link.as_ref();
    link.is_some_and(|link| !link.queue.is_empty() && !world.is_cut(agent, link.server))
}

/// Whether an agent can see that its stream is dead.
pub(super) fn has_lost_link(world: &World, number: AgentId, link: &Link) -> bool {
    let closed = !link.open && !world.is_cut(number, link.server);
    closed || world.agents[number].is_silent(world.now)
}

/// Opens a stream at a server, from where the last one ended.
pub(super) fn connect(model: &Revocation, world: &mut World, number: AgentId, server: ServerId) {
    let queue = server::greeting(model, world, server, world.agents[number].position);
    let agent = &mut world.agents[number];
    agent.heard_at = world.now;
    agent.link = Some(Link {
        server,
        open: true,
        queue,
    });
}

/// Reads the next event.
pub(super) fn deliver(
    model: &Revocation,
    world: &mut World,
    number: AgentId,
) -> Result<(), Violation> {
    let now = world.now;
    let agent = &mut world.agents[number];
    let Some(link) = &mut agent.link else {
        return Ok(());
    };
    let item = link.queue.remove(0);
    // What comes after too long a silence does not end it: the agent itself may have slept.
    if agent.is_silent(now) && !model.without(Mutation::LateEvents) {
        agent.lose_link();
        return Ok(());
    }
    agent.heard_at = now;
    match item {
        Item::Event { identity, sequence } => {
            let event = world.store.event(identity, sequence);
            let sessions: Vec<_> = world
                .store
                .sessions
                .iter()
                .map(|known| known.started)
                .collect();
            agent.hear(event, &sessions, now);
            agent.heard |= 1 << sequence;
            agent.position = Some((identity, sequence));
        }
        Item::Hello {
            identity,
            sequence,
            gap,
        } => {
            if gap {
                agent.generation += 1;
                agent.heard = (2 << sequence) - 1;
            }
            agent.listening = true;
            agent.position = Some((identity, sequence));
        }
        Item::Heartbeat { identity, sequence } => agent.position = Some((identity, sequence)),
        Item::End => agent.lose_link(),
    }
    world.complete(number)
}

/// A request with a session: let in from the cache, refused from it, or waiting for a call.
pub(super) fn present(
    model: &Revocation,
    world: &mut World,
    number: AgentId,
    session: SessionNumber,
    server: ServerId,
) -> Result<(), Violation> {
    let now = world.now;
    let reachable = world.reachable(number);
    let agent = &mut world.agents[number];
    if agent.has_ended(session) {
        return world.refused(number, session, Said::Revoked, 0);
    }
    if !agent.needs_call(model, session, now) {
        return world.admitted(model, number, session, now, false);
    }
    match agent.joins(model, session, now) {
        Some(flight) => {
            agent.flights[flight].joined_at = now;
            agent.flights[flight].slept = false;
        }
        None => agent.flights.push(Flight {
            session,
            server,
            tried: 1 << server,
            said: None,
            asked_at: now,
            generation: agent.generation,
            turn_at: now,
            joined_at: now,
            reachable,
            slept: false,
        }),
    }
    Ok(())
}

/// An answer arrives.
pub(super) fn answer(
    model: &Revocation,
    world: &mut World,
    number: AgentId,
    index: usize,
) -> Result<(), Violation> {
    let now = world.now;
    let flight = world.agents[number].flights[index].clone();
    let is_late = now > flight.asked_at + model.deadline();
    if is_late && !model.without(Mutation::LateAnswers) {
        return time_out(model, world, number, index);
    }
    let session = flight.session;
    let said = flight.said.unwrap_or(Said::Failure);
    if said == Said::Failure {
        return try_next(model, world, number, index);
    }
    let started = world.store.sessions[session].started;
    let agent = &mut world.agents[number];
    agent.flights.remove(index);
    match said {
        Said::Yes if agent.may_adopt(model, session, started, now) => {
            let on_arrival = model.without(Mutation::StampOnArrival);
            agent.cached[session] = Some(Cached {
                validated_at: if on_arrival { now } else { flight.asked_at },
                generation: if on_arrival {
                    agent.generation
                } else {
                    flight.generation
                },
                ended: false,
            });
            world.admitted(model, number, session, flight.joined_at, flight.slept)
        }
        Said::Yes => world.refused(number, session, Said::Revoked, 0),
        Said::Revoked => {
            agent.end(session, now);
            world.refused(number, session, said, 0)
        }
        Said::Invalid | Said::Failure => world.refused(number, session, said, 0),
    }
}

/// A call goes on to the next server, or fails.
pub(super) fn try_next(
    model: &Revocation,
    world: &mut World,
    number: AgentId,
    index: usize,
) -> Result<(), Violation> {
    let flight = &mut world.agents[number].flights[index];
    let Some(next) = next_server(model, flight) else {
        return time_out(model, world, number, index);
    };
    flight.server = next;
    flight.tried |= 1 << next;
    flight.said = None;
    flight.turn_at = world.now;
    Ok(())
}

/// A call fails. The only thing an outage may stretch is how long ago a policy server said yes.
pub(super) fn time_out(
    model: &Revocation,
    world: &mut World,
    number: AgentId,
    index: usize,
) -> Result<(), Violation> {
    let agent = &mut world.agents[number];
    let flight = agent.flights.remove(index);
    let (session, began) = (flight.session, flight.joined_at);
    if agent.has_ended(session) {
        return world.refused(number, session, Said::Revoked, 0);
    }
    let stretched = model.validation_period + model.outage_grace;
    let suffices = agent.cached[session].as_ref().is_some_and(|cached| {
        cached.generation == agent.generation
            && began.saturating_sub(cached.validated_at) < stretched
    });
    if suffices {
        world.admitted(model, number, session, began, flight.slept)
    } else {
        world.refused(number, session, Said::Failure, flight.reachable)
    }
}

/// Who is asked next, if anybody is left.
fn next_server(model: &Revocation, flight: &Flight) -> Option<ServerId> {
    (0..model.servers)
        .find(|server| flight.tried & (1 << server) == 0)
        .filter(|_| !model.without(Mutation::OneTry))
}

impl Agent {
    /// The link is gone, and with it the trust in the cache.
    pub(super) fn lose_link(&mut self) {
        self.link = None;
        self.listening = false;
    }

    pub(super) fn is_silent(&self, now: u8) -> bool {
        now - self.heard_at >= SILENCE
    }

    /// Whether an answer stamped with a time and a generation is too old to do.
    pub(super) fn needs_call(&self, model: &Revocation, session: SessionNumber, now: u8) -> bool {
        let Some(cached) = &self.cached[session] else {
            return true;
        };
        if cached.ended {
            return false;
        }
        let silent = self.is_silent(now) && !model.without(Mutation::TrustIsAFlag);
        let trusted = (self.listening && !silent) || model.without(Mutation::NoDistrust);
        let period = if cached.generation != self.generation {
            0
        } else if trusted {
            model.validation_period
        } else {
            model.validation_period.min(DISTRUSTED)
        };
        now - cached.validated_at >= period
    }

    pub(super) fn has_ended(&self, session: SessionNumber) -> bool {
        self.cached[session]
            .as_ref()
            .is_some_and(|cached| cached.ended)
    }

    /// The call under way that a request may share.
    fn joins(&self, model: &Revocation, session: SessionNumber, now: u8) -> Option<usize> {
        let same = |flight: &Flight| {
            let in_time =
                now < flight.asked_at + model.deadline() || model.without(Mutation::JoinsLateCalls);
            flight.session == session && flight.generation == self.generation && in_time
        };
        self.flights.iter().position(same)
    }

    /// Whether an answer YES counts, or has crossed the news of the session's end.
    fn may_adopt(
        &self,
        model: &Revocation,
        session: SessionNumber,
        started: Option<u8>,
        now: u8,
    ) -> bool {
        let remembered = |heard_at: u8| now - heard_at < model.remembered();
        let session_ended = self.tombstones[session].is_some_and(remembered);
        let user_ended = self.user_tombstones[user_of(session)]
            .is_some_and(|(heard_at, through)| remembered(heard_at) && started <= Some(through));
        let crossed = (session_ended || user_ended) && !model.without(Mutation::NoTombstones);
        !crossed && !self.has_ended(session)
    }

    fn hear(&mut self, event: Event, started: &[Option<u8>], now: u8) {
        match event {
            Event::Session(session) => self.end(session, now),
            Event::User(user, through) => {
                let known = self.user_tombstones[user].map_or(0, |(_, through)| through);
                self.user_tombstones[user] = Some((now, through.max(known)));
                for (session, started) in started.iter().enumerate() {
                    let ends = started.is_some_and(|started| started <= through);
                    if user_of(session) == user && ends {
                        self.end_cached(session);
                    }
                }
            }
            Event::Flush => self.generation += 1,
        }
    }

    /// A session is over, as far as this agent knows.
    pub(super) fn end(&mut self, session: SessionNumber, now: u8) {
        self.tombstones[session] = Some(now);
        self.end_cached(session);
    }

    fn end_cached(&mut self, session: SessionNumber) {
        self.heard_end |= 1 << session;
        if let Some(cached) = &mut self.cached[session] {
            cached.ended = true;
        }
    }
}
