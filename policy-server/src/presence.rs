//! Who listens to this policy server, and which keys they have; and the same of all others, through the
//! store.
//!
//! Each policy server keeps one record of its own, so that nobody needs to be asked. A rollover waits for
//! the agents in these records.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use policy_protocol::administration::{AgentPresence, HeldKeys, ServerPresence};
use policy_protocol::event::HEARTBEAT_SECONDS;
use policy_protocol::{Secret, SessionId, Timestamp};
use tokio::sync::{Notify, oneshot};
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
/// Agent processes at most, and streams of all of them: as many as there may be connections.
const MAX_AGENTS: usize = ListenConfig::MOST_CONNECTIONS;
/// Processes of one agent's name at most: who has one agent's secret cannot take the places of all others.
const MAX_OF_NAME: usize = MAX_AGENTS / 8;
/// Streams of one process at most; the oldest ends for one more. A process needs one: more are there while
/// the policy server has not learned that a connection is gone.
const MAX_STREAMS: usize = 4;

/// An agent's name, and which process of that name.
pub(crate) type Process = (Arc<str>, Arc<str>);

/// Who listens here.
pub(crate) struct Presence {
    /// This run of this policy server.
    id: String,
    name: String,
    agents: Mutex<HashMap<Process, Listening>>,
    /// How many streams there have been: their numbers.
    streams: AtomicU64,
    changed: Notify,
}

struct Listening {
    address: Option<SocketAddr>,
    since: Timestamp,
    /// Those that listen, the oldest first. Without its sender a stream ends.
    streams: VecDeque<(u64, oneshot::Sender<()>)>,
    /// When the last stream ended.
    left: Option<Instant>,
    keys: Option<HeldKeys>,
}

/// Why nobody more may listen.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("{MAX_OF_NAME} processes of the agent {0:?} listen already")]
    OfName(String),
    #[error("{MAX_AGENTS} agents listen already")]
    OfAll,
}

/// One stream of an agent; it listens until this is dropped.
pub(crate) struct Stay {
    presence: Arc<Presence>,
    process: Process,
    number: u64,
}

impl Drop for Stay {
    fn drop(&mut self) {
        if let Some(agent) = self.presence.agents().get_mut(&self.process) {
            agent.streams.retain(|(number, _)| *number != self.number);
            if agent.streams.is_empty() && agent.left.is_none() {
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
            streams: AtomicU64::new(0),
            changed: Notify::new(),
        })
    }

    fn agents(&self) -> MutexGuard<'_, HashMap<Process, Listening>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream begins. What is received is the end of it: an error, because a newer one took its place.
    pub(crate) fn join(
        self: &Arc<Self>,
        process: &Process,
        address: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<(Stay, oneshot::Receiver<()>), Full> {
        let mut agents = self.agents();
        forget_gone(&mut agents);
        if !agents.contains_key(process) {
            let of_name = agents.keys().filter(|(name, _)| *name == process.0);
            if of_name.count() >= MAX_OF_NAME {
                return Err(Full::OfName(process.0.to_string()));
            }
        }
        let others = agents.iter().filter(|(other, _)| *other != process);
        // Who has no stream any more still has its place.
        let taken: usize = others.map(|(_, agent)| agent.streams.len().max(1)).sum();
        let own = agents.get(process).map_or(0, |agent| agent.streams.len());
        if taken + own.min(MAX_STREAMS - 1) >= MAX_AGENTS {
            return Err(Full::OfAll);
        }
        let number = self.streams.fetch_add(1, Ordering::Relaxed);
        let (sender, replaced) = oneshot::channel();
        let agent = agents.entry(process.clone()).or_insert(Listening {
            address,
            since: now,
            streams: VecDeque::new(),
            left: None,
            keys: None,
        });
        agent.streams.push_back((number, sender));
        if agent.streams.len() > MAX_STREAMS {
            agent.streams.pop_front();
        }
        agent.left = None;
        agent.address = address;
        drop(agents);
        self.changed.notify_one();
        let stay = Stay {
            presence: Arc::clone(self),
            process: process.clone(),
            number,
        };
        Ok((stay, replaced))
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
        forget_gone(&mut agents);
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
            // It is the first, or was cleaned up because it could not be written for long, or the store is
            // another one.
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

fn forget_gone(agents: &mut HashMap<Process, Listening>) {
    agents.retain(|_, agent| agent.left.is_none_or(|left| left.elapsed() < LINGER));
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
mod tests;
