//! What session services ask for a user who shows a session: about that session, and, if the user administers
//! sessions, about those of others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::SessionId;
use crate::message::SessionTicket;
use crate::sessions::{PropertyChanges, SessionDetails, SessionList, SessionQuery};
use crate::{Reason, ResourceContext, Timestamp};

/// A question or a wish, and the session by whose right it is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionServiceRequest {
    /// The session by whose right this is asked.
    pub session: SessionTicket,
    /// Where it was asked, for records.
    pub resource: ResourceContext,
    /// When the session was last used, as far as the agent knows: its own cache answers most requests. Not a new use.
    #[serde(default)]
    pub last_access: Timestamp,
    /// What is to be done.
    pub operation: SessionOperation,
    /// Where the user is, for records.
    pub from: IpAddr,
    /// The same, if the session must be bound to it.
    pub client_address: Option<IpAddr>,
    /// Joins the records of one request across systems.
    pub transaction_id: String,
}

/// What is to be done. Nothing of it counts as a use of a session: Validate() does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum SessionOperation {
    /// Tell of the session itself.
    Describe,
    /// Set and remove properties of the session itself, all or none.
    SetProperties {
        /// Which; null removes.
        changes: PropertyChanges,
    },
    /// Tell of sessions. For administrators.
    List {
        /// Which.
        query: SessionQuery,
        /// None of these realms' sessions.
        #[serde(default)]
        except_realms: Vec<String>,
    },
    /// End a session. For administrators.
    End {
        /// Which.
        session_id: SessionId,
    },
    /// End the sessions of a user. For administrators, who mean every bearer of a login name, and for users who name
    /// themselves: theirs end, and no namesake's.
    EndUser {
        /// A universal id or login name.
        user: String,
        /// Sessions of this realm only.
        #[serde(default)]
        realm: Option<String>,
        /// None of these realms' sessions.
        #[serde(default)]
        except_realms: Vec<String>,
    },
}

/// The answer to [`SessionServiceRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum SessionServiceAnswer {
    /// The session asked about.
    Session {
        /// The session, and what will become of it.
        details: Box<SessionDetails>,
        /// Whether its user may administer sessions of others.
        administrator: bool,
        /// The names of the properties that sessions may have.
        #[serde(default)]
        property_names: BTreeSet<String>,
    },
    /// The properties that the session has now.
    Properties {
        /// Name and value.
        properties: BTreeMap<String, String>,
    },
    /// The sessions asked for.
    Sessions {
        /// A page of them.
        list: SessionList,
    },
    /// It is done, or there was nothing left to do.
    Done,
    /// The session that was shown is dead, or none of this server.
    No {
        /// Why.
        reason: Reason,
    },
    /// The session is alive, and its user may not do this.
    Forbidden,
    /// A property's name is not one that `[sessions] properties` allows.
    PropertyNotAllowed,
    /// A property's value is longer than 1024 bytes.
    PropertyTooLong,
    /// The place in a list is none that was given out.
    InvalidCursor,
}
