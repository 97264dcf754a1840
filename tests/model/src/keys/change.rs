//! How policy servers change the keys: each as it finds it due, and one of them wins.

use super::world::{Change, Changing, Key, KeySet, Link, Retired, Version, World};
use super::{Keys, LIFETIME, Mutation, PROPAGATION, SILENCE, ServerId};

impl World {
    /// Whether a server would change the keys now.
    pub(super) fn is_due(&self, model: &Keys, server: ServerId, change: Change) -> bool {
        let loaded = self.servers[server].loaded.as_ref();
        match (change, loaded) {
            (Change::First, None) => self.store.record.is_none(),
            (Change::First, Some(_)) | (Change::Roll | Change::Drop, None) => false,
            (Change::Roll, Some(set)) => {
                self.rolls_left > 0
                    && (model.without(Mutation::Unguarded) || self.all_have(model, set.version()))
            }
            (Change::Drop, Some(set)) => {
                let old = set.previous.iter().chain(&set.previous_tickets);
                old.into_iter().any(|retired| retired.drop_at <= self.now)
            }
        }
    }

    /// Whether every agent that is linked has the next key of a version.
    fn all_have(&self, model: &Keys, version: Version) -> bool {
        let lingers = !model.without(Mutation::ForgottenAtOnce);
        self.store.agents.iter().all(|agent| {
            let counts = agent.linked
                || (lingers && agent.gone_at.is_some_and(|gone| self.now <= gone + SILENCE));
            !counts
                || agent
                    .has
                    .is_some_and(|has| has.0 == version.0 && has.1 >= version.1)
        })
    }

    /// Makes a new set. What is in the server's memory may be old by now: storing it will tell.
    pub(super) fn begin(&mut self, model: &Keys, server: ServerId, change: Change) {
        let base = self.servers[server].loaded.clone();
        let version = base.as_ref().map(KeySet::version);
        let set = match (change, base) {
            (Change::Roll, Some(set)) => {
                self.rolls_left -= 1;
                self.rolled(model, server, set)
            }
            (Change::Drop, Some(mut set)) => {
                set.version += 1;
                set.previous.retain(|retired| retired.drop_at > self.now);
                set.previous_tickets
                    .retain(|retired| retired.drop_at > self.now);
                set
            }
            (_, _) => {
                let identity = self.store.identity;
                let make = |id| Key {
                    id,
                    maker: server,
                    identity,
                };
                KeySet {
                    identity,
                    version: 0,
                    current: make(0),
                    next: make(1),
                    previous: Vec::new(),
                    ticket: make(0),
                    previous_tickets: Vec::new(),
                }
            }
        };
        self.servers[server].changing = Some(Changing {
            identity: set.identity,
            base: version,
            set,
            begun: self.now,
        });
    }

    fn rolled(&self, model: &Keys, maker: ServerId, mut set: KeySet) -> KeySet {
        let unknown = if model.without(Mutation::NoPropagation) {
            0
        } else {
            PROPAGATION
        };
        let drop_at = self.now + LIFETIME + unknown;
        let next = Key {
            id: set.next.id + 1,
            maker,
            identity: set.identity,
        };
        set.version += 1;
        set.previous.insert(
            0,
            Retired {
                key: set.current,
                drop_at,
            },
        );
        set.current = if model.without(Mutation::NoNext) {
            next
        } else {
            set.next
        };
        set.next = next;
        set.previous_tickets.insert(
            0,
            Retired {
                key: set.ticket,
                drop_at,
            },
        );
        set.ticket = Key {
            id: set.ticket.id + 1,
            maker,
            identity: set.identity,
        };
        set
    }

    pub(super) fn commit(&mut self, model: &Keys, server: ServerId) {
        let Some(Changing {
            identity,
            base,
            set,
            begun,
        }) = self.servers[server].changing.take()
        else {
            return;
        };
        let stored = self.store.record.as_ref().map(|set| set.version);
        let same_version = stored == base.map(|(_, version)| version);
        let same_store = identity == self.store.identity || model.without(Mutation::VersionOnly);
        let wins = (same_version && same_store) || model.without(Mutation::LastWriterWins);
        // The times in it hold for the tick in which they were written.
        let in_time = begun == self.now || model.without(Mutation::SlowCommit);
        if wins && in_time {
            self.store.record = Some(set.clone());
            self.servers[server].loaded = Some(set);
            for agent in &mut self.agents {
                agent.news |= agent.link != Link::Off && agent.silent_since.is_none();
            }
        }
    }

    pub(super) fn load(&mut self, server: ServerId) {
        let before = std::mem::replace(&mut self.servers[server].loaded, self.store.record.clone());
        self.servers[server].changing = None;
        let identity = |set: &Option<KeySet>| set.as_ref().map(|set| set.identity);
        // Streams of another store's events end.
        if before.is_some() && identity(&before) != identity(&self.store.record) {
            for agent in 0..self.agents.len() {
                if self.agents[agent].linked_to != self.store.identity {
                    self.unlink(agent);
                }
            }
        }
    }
}
