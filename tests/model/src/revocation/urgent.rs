//! What the clock may not pass by: whatever nothing holds up.

use super::world::World;
use super::{Action, AgentId, Revocation, agent, server};

/// Whether something has to happen in this tick.
pub(super) fn pending(model: &Revocation, world: &World) -> bool {
    let uncommitted = world.store.feed().iter().any(|entry| !entry.committed);
    let at_servers = || {
        (0..model.servers).any(|number| {
            server::has_news(world, number) || server::is_newly_blind(model, world, number)
        })
    };
    let at_agents = || (0..model.agents).any(|number| at_agent(model, world, number));
    uncommitted || at_servers() || at_agents()
}

fn at_agent(model: &Revocation, world: &World, number: AgentId) -> bool {
    let agent = &world.agents[number];
    if agent.paused {
        return false;
    }
    let lost = agent
        .link
        .as_ref()
        .is_some_and(|link| agent::has_lost_link(world, number, link));
    if lost || agent::may_deliver(world, number) {
        return true;
    }
    let mut flights = agent.flights.iter().enumerate();
    flights.any(|(index, flight)| {
        let mut actions = agent::flight_actions(model, world, number, index, flight);
        actions.any(|action| match action {
            // A server that is there answers at once; one that is not has its turn.
            Action::TryNext(..) => flight.said.is_none() || world.is_cut(number, flight.server),
            _ => true,
        })
    })
}
