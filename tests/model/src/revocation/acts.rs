//! What users and administrators do, through whichever policy server.

use super::world::{Event, Flight, Said, Store, USERS, World, user_of};
use super::{Act, Mutation, Revocation, ServerId, SessionNumber};

impl World {
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
