//! Sessions as agents see them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::message::SessionTicket;
use crate::realm::{AuthScheme, ProtectionLevel, seconds};
use crate::{Secret, Timestamp};

/// Names one session for its whole life: 20 random bytes from the policy server.
///
/// It is new at each login and each step-up, and is not a credential by itself: without the session
/// spec that was sealed with it, no policy server accepts it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct SessionId(#[cbor(n(0), with = "minicbor::bytes")] [u8; Self::LENGTH]);

impl SessionId {
    /// Bytes in a session id, as in the systems this one works beside.
    pub const LENGTH: usize = 20;

    /// A new random id.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; Self::LENGTH];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// An id with the given bytes.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The id's bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SessionId {
    /// Only a prefix: enough to follow a session through a log, not enough to name it elsewhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = URL_SAFE_NO_PAD.encode(self.0);
        write!(f, "{}…", &text[..6])
    }
}

/// A text that is not a session id.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a session id: expected 27 characters of URL-safe base64")]
pub struct InvalidSessionId(());

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| InvalidSessionId(()))?;
        bytes.try_into().map(Self).map_err(|_| InvalidSessionId(()))
    }
}

impl Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for SessionId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SessionId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Names one session for its whole life: 20 random bytes in URL-safe base64.",
            "type": "string",
            "pattern": "^[A-Za-z0-9_-]{27}$",
        })
    }
}

/// The session's state, sealed by the policy server with a session ticket key. Opaque to agents.
///
/// It changes at every Validate(), because it holds the time of the last access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct SessionSpec(Secret<String>);

impl std::hash::Hash for SessionSpec {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl SessionSpec {
    /// The longest spec that is accepted, in bytes. The classic limit, and what leaves room for the
    /// other fields in a cookie of 4096 bytes.
    pub const MAX_LENGTH: usize = 2048;

    /// Wraps a sealed spec.
    pub const fn new(sealed: String) -> Self {
        Self(Secret::new(sealed))
    }

    /// The sealed text.
    pub const fn as_str(&self) -> &str {
        self.0.expose().as_str()
    }
}

/// The user directory a user was found in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserDirectory {
    /// A stable identifier.
    pub oid: String,
    /// The name an administrator gave it.
    pub name: String,
    /// Where it is: a file name or a host.
    pub server: String,
    /// What kind it is, such as `File:` or `LDAP:`.
    pub namespace: String,
}

/// Who a session belongs to, and what the policy server says of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Identity {
    /// The login name.
    pub user_name: String,
    /// The distinguished name.
    pub user_dn: String,
    /// The identifier that stays the same when names change.
    pub universal_id: String,
    /// The directory the user was found in.
    pub directory: UserDirectory,
    /// The user's groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Directory attributes, each with one or more values.
    #[serde(default)]
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// A live session, as Login and Validate return it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// The session's name.
    pub id: SessionId,
    /// The session's state, newly sealed.
    pub spec: SessionSpec,
    /// Whose it is.
    pub identity: Identity,
    /// How it was authenticated.
    pub auth_scheme: AuthScheme,
    /// How strongly.
    pub protection_level: ProtectionLevel,
    /// When the user logged in.
    pub started: Timestamp,
    /// When the session was last used, as far as the policy server knows.
    pub last_access: Timestamp,
    /// Seconds without a request after which it ends; 0 for never.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub idle_timeout: Duration,
    /// Seconds after `started` at which it ends.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub max_timeout: Duration,
    /// Whether it is in the session store.
    pub persistent: bool,
}

impl Session {
    /// As its holder presents it.
    pub fn ticket(&self) -> SessionTicket {
        SessionTicket {
            session_id: self.id,
            session_spec: self.spec.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_survives_text_and_json() {
        let id = SessionId::random().unwrap();
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<SessionId>(&json).unwrap(), id);
        assert!("short".parse::<SessionId>().is_err());
    }

    #[test]
    fn debug_output_holds_neither_the_whole_id_nor_the_spec() {
        let id = SessionId::from_bytes([7; 20]);
        assert!(!format!("{id:?}").contains(&id.to_string()));
        assert!(!format!("{:?}", SessionSpec::new(String::from("sealed"))).contains("sealed"));
    }
}
