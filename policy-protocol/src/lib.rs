//! The vocabulary of Doorward: what agents and policy servers say to each other, and how the tokens
//! between them are sealed. Nothing here is asynchronous and nothing opens a socket.
//!
//! | word | meaning |
//! |---|---|
//! | agent | the gateway in front of web applications; holds [agent keys](agent_key) |
//! | policy server | knows users, sessions and policies; holds session ticket keys |
//! | realm | a host and resource prefix that is protected in one way ([`RealmContext`]) |
//! | session id | names a session for its whole life ([`SessionId`]) |
//! | session spec | the session's state, sealed by the policy server, opaque to agents ([`SessionSpec`]) |
//! | protection level | how strongly a session was authenticated, 0 to 1000 ([`ProtectionLevel`]) |
//! | validation period | the longest time an agent may go without asking Validate() |
//! | SSO zone | a name that prefixes cookie names and is bound into every sealed token |
//!
//! The calls are `IsProtected`, `Login`, `Validate`, `Authorize` and `Logout` ([`message`]); their
//! answers YES, NO and CHALLENGE are values, never errors.

pub mod administration;
pub mod agent_key;
pub mod clock;
pub mod event;
pub mod explain;
pub mod hex;
pub mod message;
pub mod realm;
pub mod reason;
pub mod redirect;
pub mod seal;
pub mod secret;
pub mod session;
pub mod session_service;
pub mod sessions;
pub mod user_administration;
pub mod utc;

pub use agent_key::{AgentKey, AgentKeyRing, AgentKeySet, KEY_PROPAGATION};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use event::{Event, EventKind, EventPosition};
pub use realm::{AuthScheme, ProtectionLevel, RealmContext, ResourceContext};
pub use reason::Reason;
pub use seal::{KeyId, SealError, SealingKey, TokenType};
pub use secret::Secret;
pub use session::{Identity, Session, SessionId, SessionSpec, UserDirectory};
pub use utc::UtcStamp;
