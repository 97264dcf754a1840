//! What breaks, and what heals.

use super::world::{NEVER, NO_IDENTITY, Server, USERS, World};
use super::{Fault, Repair, Revocation, server};

impl World {
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

    pub(super) fn replace_store(&mut self) {
        self.store.running = true;
        self.store.identity += 1;
        self.store.feeds.push(Vec::new());
        self.store.through = [NEVER; USERS];
        for session in 0..self.store.sessions.len() {
            self.store.sessions[session].revoked = false;
            self.note_end(session, true);
        }
    }
}
