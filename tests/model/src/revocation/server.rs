//! What a policy server does: tails the feed, takes listeners, answers Validate().

use super::world::{Item, Said, World};
use super::{AgentId, Mutation, Revocation, ServerId, TAIL, is_some};

/// Events that an agent can still get after it was away. Few, so that some are lost.
const KEPT: usize = 2;

/// Whether a server may say that nothing is missed.
pub(super) fn takes_listeners(model: &Revocation, world: &World, number: ServerId) -> bool {
    let server = &world.servers[number];
    let sees = if model.without(Mutation::BlindHeartbeats) {
        true
    } else if model.without(Mutation::TailIsAFlag) {
        server.alive
    } else {
        world.now - server.read_at < TAIL
    };
    server.running && !server.paused && is_some(server.identity) && sees
}

/// Whether a server has to end its streams.
pub(super) fn is_newly_blind(model: &Revocation, world: &World, number: ServerId) -> bool {
    let server = &world.servers[number];
    let blind = world.now - server.read_at >= TAIL;
    if !server.running || server.paused || !blind || model.without(Mutation::BlindHeartbeats) {
        return false;
    }
    let mut links = world.agents.iter().filter_map(|agent| agent.link.as_ref());
    let streams = links.any(|link| link.is_from(number));
    streams || (model.without(Mutation::TailIsAFlag) && server.alive)
}

/// Ends the streams of a server that is blind.
pub(super) fn go_blind(world: &mut World, number: ServerId) {
    world.servers[number].alive = false;
    close_streams(world, number, true);
}

/// Ends the streams of a server, which may or may not live to tell.
pub(super) fn close_streams(world: &mut World, number: ServerId, tell: bool) {
    for agent in &mut world.agents {
        if let Some(link) = agent.link.as_mut().filter(|link| link.is_from(number)) {
            link.open = false;
            if tell {
                link.queue.push(Item::End);
            }
        }
    }
}

/// Whether reading the feed would change anything.
pub(super) fn may_tail(world: &World, number: ServerId) -> bool {
    has_news(world, number)
        || (world.reads_feed(number) && world.servers[number].read_at < world.now)
}

/// Whether reading the feed would tell a server anything.
pub(super) fn has_news(world: &World, number: ServerId) -> bool {
    let server = &world.servers[number];
    let news = server.identity != world.store.identity || server.sequence < world.store.last();
    world.reads_feed(number) && news
}

/// Reads the feed. Another identity is another store: nothing of the one before counts.
pub(super) fn tail(_: &Revocation, world: &mut World, number: ServerId) {
    let (identity, last) = (world.store.identity, world.store.last());
    let server = &mut world.servers[number];
    server.read_now(world.now);
    let readable = world.store.readable();
    if server.identity != identity {
        return change_store(world, number);
    }
    let new = (server.sequence + 1..=last).filter(|number| readable & (1 << number) != 0);
    let new: Vec<u8> = new.collect();
    server.ring = newest(
        new.iter()
            .fold(server.ring, |ring, number| ring | 1 << number),
    );
    server.sequence = last;
    for agent in &mut world.agents {
        if let Some(link) = agent.link.as_mut().filter(|link| link.is_from(number)) {
            let items = new
                .iter()
                .map(|&sequence| Item::Event { identity, sequence });
            link.queue.extend(items);
        }
    }
}

/// The store is another one: its keys and its feed count, and nothing of the one before.
fn change_store(world: &mut World, number: ServerId) {
    let server = &mut world.servers[number];
    server.identity = world.store.identity;
    server.ring = newest(world.store.readable());
    server.sequence = world.store.last();
    close_streams(world, number, true);
}

impl super::world::Server {
    pub(super) fn read_now(&mut self, now: u8) {
        self.read_at = now;
        self.alive = true;
    }
}

const fn newest(mut ring: u16) -> u16 {
    while ring.count_ones() as usize > KEPT {
        ring &= ring - 1;
    }
    ring
}

/// What a new listener is told first.
pub(super) fn greeting(
    model: &Revocation,
    world: &World,
    number: ServerId,
    position: Option<(u8, u8)>,
) -> Vec<Item> {
    let server = &world.servers[number];
    let (identity, sequence) = (server.identity, server.sequence);
    let oldest = match server.ring {
        0 => sequence,
        ring => u8::try_from(ring.trailing_zeros()).unwrap_or(u8::MAX) - 1,
    };
    let known = position.filter(|(from, at)| *from == identity && (oldest..=sequence).contains(at));
    let from = known.map_or(sequence, |(_, at)| at);
    let missed = (from + 1..=sequence).filter(|number| server.ring & (1 << number) != 0);
    let mut told: Vec<Item> = missed
        .map(|sequence| Item::Event { identity, sequence })
        .collect();
    let gap = known.is_none() && !model.without(Mutation::ResumeWithoutGap);
    let place = if model.without(Mutation::HelloFirst) {
        0
    } else {
        told.len()
    };
    told.insert(
        place,
        Item::Hello {
            identity,
            sequence,
            gap,
        },
    );
    told
}

/// Whether a server takes a call.
pub(super) fn takes_calls(world: &World, agent: AgentId, number: ServerId) -> bool {
    let server = &world.servers[number];
    server.running && !server.paused && !world.is_cut(agent, number)
}

/// Decides on a call of Validate().
pub(super) fn decide(model: &Revocation, world: &mut World, agent: AgentId, flight: usize) {
    let (session, number) = {
        let flight = &world.agents[agent].flights[flight];
        (flight.session, flight.server)
    };
    // What is read of the store says which store it is from: the tail may learn it much later.
    if world.sees_store(number)
        && world.servers[number].identity != world.store.identity
        && !model.without(Mutation::IdentityUnchecked)
    {
        change_store(world, number);
    }
    let identity = world.servers[number].identity;
    let said = if !world.sees_store(number) || !is_some(identity) {
        Said::Failure
    } else if world.store.sessions[session].identity != identity {
        Said::Invalid
    } else if world.store.is_revoked(session) {
        Said::Revoked
    } else {
        Said::Yes
    };
    world.agents[agent].flights[flight].said = Some(said);
}
