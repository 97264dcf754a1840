//! Who listens to this policy server, and which keys they have; and the same of all others, through the
//! store.
//!
//! Each policy server keeps one record of its own, so that nobody needs to be asked. A rollover waits for
//! the agents in these records.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use policy_protocol::administration::{AgentPresence, HeldKeys, ServerPresence};
use policy_protocol::event::HEARTBEAT_SECONDS;
use policy_protocol::{Secret, SessionId, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::ListenConfig;
use crate::server::PolicyServer;
use crate::store::{RecordChange, RecordKind, Store, StoreError};

/// At most one record is written in this time, however many agents come and go.
const PAUSE: Duration = Duration::from_secs(1);
/// A record is written this often if nothing changes.
const PERIOD: Duration = Duration::from_secs(10);
/// A record that is older than this is of a policy server that is gone: three were missed.
const LIFE: Duration = Duration::from_secs(30);
/// An agent counts for this long after its stream ended: it believes its cache until it has heard nothing for
/// three heartbeats, and reconnects meanwhile.
const LINGER: Duration = Duration::from_secs(3 * HEARTBEAT_SECONDS + 2);
/// Agent processes at most; others are not counted. As many as there may be connections.
const MAX_AGENTS: usize = ListenConfig::MOST_CONNECTIONS;

/// An agent's name, and which process of that name.
pub(crate) type Process = (Arc<str>, Arc<str>);

/// Who listens here.
pub(crate) struct Presence {
    /// This run of this policy server.
    id: String,
    name: String,
    agents: Mutex<HashMap<Process, Listening>>,
    changed: Notify,
}

struct Listening {
    address: Option<SocketAddr>,
    since: Timestamp,
    streams: usize,
    /// When the last stream ended.
    left: Option<Instant>,
    keys: Option<HeldKeys>,
}

/// One stream of an agent; it listens until this is dropped.
pub(crate) struct Stay {
    presence: Arc<Presence>,
    process: Process,
}

impl Drop for Stay {
    fn drop(&mut self) {
        if let Some(agent) = self.presence.agents().get_mut(&self.process) {
            agent.streams -= 1;
            if agent.streams == 0 {
                agent.left = Some(Instant::now());
            }
        }
        self.presence.changed.notify_one();
    }
}

impl Presence {
    /// `address` is where the policy server of this name listens, if it does.
    pub(crate) fn new(name: &str, address: Option<SocketAddr>) -> Result<Self, getrandom::Error> {
        Ok(Self {
            id: SessionId::random()?.to_string(),
            name: address.map_or_else(|| name.to_owned(), |address| format!("{name} {address}")),
            agents: Mutex::default(),
            changed: Notify::new(),
        })
    }

    fn agents(&self) -> MutexGuard<'_, HashMap<Process, Listening>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream begins.
    pub(crate) fn join(
        self: &Arc<Self>,
        process: &Process,
        address: Option<SocketAddr>,
        now: Timestamp,
    ) -> Stay {
        let mut agents = self.agents();
        if agents.len() < MAX_AGENTS || agents.contains_key(process) {
            let agent = agents.entry(process.clone()).or_insert(Listening {
                address,
                since: now,
                streams: 0,
                left: None,
                keys: None,
            });
            agent.streams += 1;
            agent.left = None;
            agent.address = address;
        }
        drop(agents);
        self.changed.notify_one();
        Stay {
            presence: Arc::clone(self),
            process: process.clone(),
        }
    }

    /// An agent that listens has fetched keys.
    pub(crate) fn fetched(&self, process: &Process, keys: HeldKeys) {
        let mut agents = self.agents();
        if let Some(agent) = agents.get_mut(process)
            && agent.keys.replace(keys) != Some(keys)
        {
            drop(agents);
            self.changed.notify_one();
        }
    }

    /// The store is another one: what agents have are not its keys.
    pub(crate) fn forget_keys(&self) {
        for agent in self.agents().values_mut() {
            agent.keys = None;
        }
    }

    /// Who listens here now.
    pub(crate) fn here(&self, now: Timestamp) -> ServerPresence {
        let mut agents = self.agents();
        agents.retain(|_, agent| agent.left.is_none_or(|left| left.elapsed() < LINGER));
        let mut agents: Vec<_> = agents
            .iter()
            .map(|((name, instance), agent)| AgentPresence {
                agent: name.to_string(),
                instance: instance.to_string(),
                address: agent.address,
                since: agent.since,
                keys: agent.keys,
            })
            .collect();
        agents.sort_by(|one, other| {
            (&one.agent, &one.instance).cmp(&(&other.agent, &other.instance))
        });
        ServerPresence {
            id: self.id.clone(),
            name: self.name.clone(),
            written: now,
            agents,
        }
    }

    /// Who listens to any policy server, this one first.
    pub(crate) async fn everywhere(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Vec<ServerPresence>, StoreError> {
        let records = store.records(RecordKind::Presence).await?;
        let others = records
            .into_iter()
            .filter(|(id, _)| *id != self.id)
            .filter_map(|(_, record)| serde_json::from_slice(record.value.expose()).ok())
            .filter(|other: &ServerPresence| now.since(other.written) < LIFE);
        Ok(std::iter::once(self.here(now)).chain(others).collect())
    }

    /// Writes the record. `version` is the one that was written last.
    async fn write(
        &self,
        store: &dyn Store,
        now: Timestamp,
        version: &mut u64,
    ) -> Result<(), StoreError> {
        let value = serde_json::to_vec(&self.here(now)).unwrap_or_default();
        let change = |expected| RecordChange {
            kind: RecordKind::Presence,
            name: self.id.clone(),
            value: Some(Secret::new(value.clone())),
            expected,
            expires: Some(now.plus(LIFE)),
            announce: None,
        };
        if !store.change_record(change(*version)).await? {
            // It was cleaned up, because it could not be written for long, or the store is another one.
            let there = store.record(RecordKind::Presence, &self.id).await?;
            *version = there.map_or(0, |record| record.version);
            if !store.change_record(change(*version)).await? {
                return Ok(());
            }
        }
        *version += 1;
        Ok(())
    }
}

/// Every agent process once: where it came last, with the keys that it fetched last anywhere.
pub(crate) fn processes(servers: &[ServerPresence]) -> Vec<AgentPresence> {
    let mut processes: HashMap<(&str, &str), AgentPresence> = HashMap::new();
    for agent in servers.iter().flat_map(|server| &server.agents) {
        let version = |agent: &AgentPresence| agent.keys.map(|keys| keys.version);
        processes
            .entry((&agent.agent, &agent.instance))
            .and_modify(|known| {
                let keys = if version(agent) > version(known) {
                    agent.keys
                } else {
                    known.keys
                };
                if agent.since >= known.since {
                    known.clone_from(agent);
                }
                known.keys = keys;
            })
            .or_insert_with(|| agent.clone());
    }
    let mut processes: Vec<_> = processes.into_values().collect();
    processes
        .sort_by(|one, other| (&one.agent, &one.instance).cmp(&(&other.agent, &other.instance)));
    processes
}

/// Keeps the record of a policy server, until it is gone.
pub(crate) async fn run(server: Weak<PolicyServer>, presence: Arc<Presence>) {
    let mut version = 0;
    loop {
        {
            let Some(server) = server.upgrade() else {
                return;
            };
            let written = presence.write(&*server.store, server.now(), &mut version);
            if let Err(error) = written.await {
                tracing::debug!(%error, "which agents listen here was not written");
            }
        }
        tokio::time::sleep(PAUSE).await;
        _ = tokio::time::timeout(PERIOD - PAUSE, presence.changed.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy_protocol::KeyId;

    fn process(name: &str, instance: &str) -> Process {
        (name.into(), instance.into())
    }

    fn keys(version: u64) -> HeldKeys {
        HeldKeys {
            version,
            current: KeyId(1),
            next: KeyId(2),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_counts_from_its_first_stream_until_a_while_after_its_last() {
        let presence = Arc::new(Presence::new("p", None).unwrap());
        let of = process("a", "1");
        presence.fetched(&of, keys(1));
        assert!(presence.here(Timestamp(1)).agents.is_empty());
        let first = presence.join(&of, None, Timestamp(1));
        let second = presence.join(&of, None, Timestamp(2));
        presence.fetched(&of, keys(1));
        drop(first);
        tokio::time::sleep(LINGER).await;
        let here = presence.here(Timestamp(3)).agents;
        assert_eq!((here.len(), here[0].keys), (1, Some(keys(1))));
        drop(second);
        assert_eq!(presence.here(Timestamp(3)).agents.len(), 1);
        tokio::time::sleep(LINGER).await;
        assert!(presence.here(Timestamp(3)).agents.is_empty());
    }

    #[test]
    fn a_process_counts_where_it_came_last_with_its_latest_keys() {
        let at = |since, version: Option<u64>| AgentPresence {
            agent: String::from("a"),
            instance: String::from("1"),
            address: None,
            since: Timestamp(since),
            keys: version.map(keys),
        };
        let server = |agents| ServerPresence {
            id: String::new(),
            name: String::new(),
            written: Timestamp(1),
            agents,
        };
        let (old, new) = (at(1, Some(3)), at(2, None));
        for servers in [[old.clone(), new.clone()], [new, old]] {
            let servers = servers.map(|agent| server(vec![agent]));
            let all = processes(&servers);
            assert_eq!(all, [at(2, Some(3))]);
        }
    }
}
