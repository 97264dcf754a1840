//! What a policy server tells its agents without being asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{SessionId, Timestamp};

/// A place in the sequence of events of one store.
///
/// An agent that reconnects says where it stopped, to whichever policy server of that store it reaches; if
/// the server no longer has what came after, the agent has a gap and must distrust its cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventPosition {
    /// Which store: all policy servers beside one store number the same events.
    pub instance: String,
    /// The last sequence number seen.
    pub sequence: u64,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// Where it stands.
    pub position: EventPosition,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Every session ended that there was, whoever's it was.
    AllRevoked {
        /// Sessions that started at this time or before are over, by the policy server's clock, which
        /// also dates the start of sessions.
        through: Timestamp,
    },
    /// There are new agent keys to fetch.
    KeysRolled,
    /// The registered agents are others than before. Between policy servers; no agent is told.
    AgentsChanged,
    /// Everything cached about sessions and decisions must be asked anew. Sent when the user directory has
    /// changed: groups and attributes count at once, not after the validation period.
    CacheFlush,
    /// Something that a newer server tells and this agent does not understand: it may mean that what is
    /// cached no longer holds.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// Seconds between heartbeats. An agent that hears nothing for three times as long distrusts its cache.
/// One, because for so long a session that was ended may live on at an agent whose server is stopped or cut
/// off.
pub const HEARTBEAT_SECONDS: u64 = 1;
/// An agent that has heard nothing for so long does not know what it has missed.
pub const SILENCE: Duration = Duration::from_secs(3 * HEARTBEAT_SECONDS);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(event: &str) -> EventKind {
        let text = format!(r#"{{"position":{{"instance":"a","sequence":1}},{event}}}"#);
        serde_json::from_str::<Event>(&text).unwrap().kind
    }

    #[test]
    fn what_a_newer_server_tells_is_unknown_and_no_error() {
        assert_eq!(read(r#""event":"moon_rises""#), EventKind::Unknown);
        assert_eq!(
            read(r#""event":"moon_rises","phase":{"of":[1]}"#),
            EventKind::Unknown
        );
    }

    #[test]
    fn a_known_event_without_its_parts_is_no_event() {
        let text = r#"{"position":{"instance":"a","sequence":1},"event":"all_revoked"}"#;
        assert!(serde_json::from_str::<Event>(text).is_err());
        assert_eq!(
            read(r#""event":"all_revoked","through":7,"later":1"#),
            EventKind::AllRevoked {
                through: Timestamp(7)
            }
        );
    }
}
