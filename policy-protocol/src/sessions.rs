//! Sessions administration, as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::message::SessionSummary;
use crate::realm::seconds;
use crate::{Reason, Timestamp};

/// Which sessions to list: those that all given conditions hold for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SessionQuery {
    /// Whose: a universal id or login name.
    pub user: Option<String>,
    /// The agent that asked for the login.
    pub agent: Option<String>,
    /// The realm that was logged in to.
    pub realm: Option<String>,
    /// Begun at this time or after: seconds since 1970.
    pub started_from: Option<Timestamp>,
    /// Begun at this time or before: seconds since 1970.
    pub started_until: Option<Timestamp>,
    /// Sessions on one page: 100 unless given, 1000 at most. There may be fewer.
    pub limit: Option<usize>,
    /// Where the list goes on: `next` of the page before.
    pub after: Option<String>,
}

/// A page of a list of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionList {
    /// The sessions, the newest first. There may be none on a page before the last.
    pub sessions: Vec<SessionSummary>,
    /// Where the list goes on, if it does.
    pub next: Option<String>,
}

/// A session, and what will become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionDetails {
    /// The session.
    #[serde(flatten)]
    pub session: SessionSummary,
    /// What holds for it.
    pub limits: EffectiveLimits,
}

/// What holds for a session: what its realm asked for at login, under the caps of the policy server as
/// they are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EffectiveLimits {
    /// Seconds without a request after which it ends; 0 for never.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub idle_timeout: Duration,
    /// Seconds after its start at which it ends.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub max_timeout: Duration,
    /// When it ends unless it is used. An agent may know of a later use than the policy server.
    pub idle_end: Option<Timestamp>,
    /// When it ends however much it is used.
    pub max_end: Timestamp,
    /// When it ends unless it is used: the earlier of the two.
    pub ends: Timestamp,
    /// Why it will end then: 42 (idle) or 4 (expired).
    pub because: Reason,
}

/// Properties to set, or to remove if they have no value.
pub type PropertyChanges = BTreeMap<String, Option<String>>;
