//! What a policy server tells its agents without being asked.

use serde::{Deserialize, Serialize};

use crate::{SessionId, Timestamp};

/// A place in one policy server's stream of events.
///
/// An agent that reconnects says where it stopped; if the server no longer has what came after (or is
/// another server, or restarted), the agent has a gap and must distrust its cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPosition {
    /// Which run of which server: new at every start.
    pub instance: String,
    /// The last sequence number seen.
    pub sequence: u64,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Where it stands.
    pub position: EventPosition,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// Everything that is known to have been missed has been told. `gap` says that there may be more.
    Hello {
        /// Whether events may have been missed.
        gap: bool,
    },
    /// Nothing happened, but the stream is alive. Sent every [`HEARTBEAT_SECONDS`].
    Heartbeat,
    /// A session ended.
    SessionRevoked {
        /// Which.
        session_id: SessionId,
    },
    /// Every session of a user ended that there was.
    UserRevoked {
        /// The user's universal id.
        universal_id: String,
        /// Sessions that started at this time or before are over, by the policy server's clock, which
        /// also dates the start of sessions.
        through: Timestamp,
    },
    /// Every session of all users ended that there was.
    AllRevoked {
        /// Sessions that started at this time or before are over.
        through: Timestamp,
    },
    /// There are new agent keys to fetch.
    KeysRolled,
    /// The registered agents are others than before. Between policy servers; no agent is told.
    AgentsChanged,
    /// Everything cached about sessions and decisions must be asked anew. Sent when the user directory has
    /// changed: groups and attributes count at once, not after the validation period.
    CacheFlush,
}

/// Seconds between heartbeats. An agent that hears nothing for three times as long distrusts its cache.
pub const HEARTBEAT_SECONDS: u64 = 5;
