//! What administrators ask of keys and agents, and what policy servers tell each other of them, as JSON.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::realm::seconds;
use crate::{KeyId, Secret, Timestamp};

/// Why there are the keys that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RollReason {
    /// There were none.
    First,
    /// It was time.
    Schedule,
    /// An administrator said so.
    Command,
    /// An administrator insisted, whoever did not have the next key.
    Forced,
}

/// All keys, without the keys themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeysReport {
    /// One more at every change of any key.
    pub version: u64,
    /// When the keys were last rolled over, or made.
    pub rolled_at: Timestamp,
    /// Why.
    pub rolled_because: RollReason,
    /// When they will be.
    pub next_rollover: Timestamp,
    /// What seals `SMSESSION`.
    pub agent_keys: KeyRingReport,
    /// What seals what outlives sessions.
    pub static_key: KeyId,
    /// What seals session specs.
    pub ticket_keys: KeyRingReport,
    /// Which agents have which agent keys.
    pub servers: Vec<ServerPresence>,
}

/// Keys that roll over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyRingReport {
    /// Seals.
    pub current: KeyId,
    /// Will seal after the next rollover.
    pub next: KeyId,
    /// Open what they sealed, newest first.
    pub previous: Vec<RetiredKeyReport>,
}

/// A key that only opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetiredKeyReport {
    /// Its name.
    pub id: KeyId,
    /// When nothing that it sealed can be alive.
    pub drop_at: Timestamp,
}

/// A policy server and the agents that listen to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerPresence {
    /// This run of this policy server.
    pub id: String,
    /// Host and address.
    pub name: String,
    /// When it said so.
    pub written: Timestamp,
    /// Who listens to it.
    pub agents: Vec<AgentPresence>,
}

/// An agent process that listens to a policy server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentPresence {
    /// The agent's name.
    pub agent: String,
    /// Which process of that name; the name itself if it does not say.
    pub instance: String,
    /// Where it is, if it is not in the policy server's process.
    pub address: Option<SocketAddr>,
    /// Since when.
    pub since: Timestamp,
    /// The keys that it fetched last, here.
    pub keys: Option<HeldKeys>,
}

/// Which agent keys an agent has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeldKeys {
    /// [`KeysReport::version`] at that time.
    pub version: u64,
    /// What it seals with.
    pub current: KeyId,
    /// What it will seal with.
    pub next: KeyId,
}

/// Which keys to roll over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RollWhich {
    /// Agent keys and session ticket keys: next becomes current.
    Rolling,
    /// The static key is replaced.
    Static,
}

/// Rolls keys over.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RollRequest {
    /// Which.
    pub which: RollWhich,
    /// The secret to make the new next keys from: base64 of 32 bytes. Random ones unless given.
    pub next_key: Option<Secret<String>>,
    /// Whether agents that do not have the next key yet, and keys that are still needed, do not count.
    pub force: bool,
}

/// The answer to [`RollRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum RollAnswer {
    /// Done.
    Yes {
        /// What there is now.
        version: u64,
    },
    /// Nothing was changed.
    No {
        /// Why not, in a sentence.
        problem: String,
        /// The agents that do not have the next key yet, if that is why.
        agents: Vec<AgentPresence>,
    },
}

/// All agents, and where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentsReport {
    /// Those that may ask, by name.
    pub agents: Vec<AgentReport>,
    /// Those that listen.
    pub servers: Vec<ServerPresence>,
}

/// An agent that may ask, and how it proves itself. If it has both, it needs both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentReport {
    /// Its name.
    pub name: String,
    /// When it was added; absent if it stands in the policy server's configuration.
    pub created: Option<Timestamp>,
    /// Any of these secrets will do, until each expires.
    pub secrets: Vec<CredentialReport>,
    /// Any of these certificates will do, until each expires.
    pub certificates: Vec<CredentialReport>,
}

/// Something that an agent may prove itself with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialReport {
    /// SHA-256 of a certificate (DER), in lower-case hex. Nothing of a secret is told.
    pub fingerprint: Option<String>,
    /// When it stops to hold, if it has been replaced.
    pub expires: Option<Timestamp>,
}

/// Adds an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddAgentRequest {
    /// Its name.
    pub name: String,
    /// Whether to make a secret for it.
    pub secret: bool,
    /// The fingerprint of its certificate.
    pub certificate: Option<String>,
}

/// Gives an agent a new secret, or a new certificate if one is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RotateAgentRequest {
    /// The fingerprint of the new certificate.
    pub certificate: Option<String>,
    /// How long the old ones still hold.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub grace: Duration,
}

/// The answer to [`AddAgentRequest`] and [`RotateAgentRequest`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum AgentAnswer {
    /// Done.
    Yes {
        /// The new secret, if one was made. It is told once: only a hash is kept.
        secret: Option<Secret<String>>,
    },
    /// Nothing was changed.
    No {
        /// Why not, in a sentence.
        problem: String,
    },
}
