//! What is protected, and how.

use std::time::Duration;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// How strongly a session was authenticated, or must have been: 0 (anonymous) to 1000.
///
/// A session satisfies a realm if its level is equal or higher; otherwise it must step up.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Encode,
    Decode,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
#[cbor(transparent)]
pub struct ProtectionLevel(#[n(0)] pub u16);

impl ProtectionLevel {
    /// The highest level that may be configured.
    pub const MAX: Self = Self(1000);
}

/// How a realm asks for credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AuthScheme {
    /// A login page.
    Form,
    /// HTTP Basic.
    Basic,
    /// A TLS client certificate.
    Certificate,
    /// A login page that also asks for a one-time code.
    Totp,
    /// No credentials: the realm is open.
    None,
}

impl AuthScheme {
    /// The value of `SM_AUTHTYPE`.
    pub const fn auth_type(self) -> &'static str {
        match self {
            Self::Form => "Form",
            Self::Basic => "Basic",
            Self::Certificate => "X509",
            Self::Totp => "Form-TOTP",
            Self::None => "Anonymous",
        }
    }

    /// The longest proof of a second factor, in bytes, that a login page takes beside the password; nothing
    /// if the scheme asks for none.
    pub const fn longest_proof(self) -> Option<usize> {
        match self {
            // A one-time code or a recovery code, with blanks in it.
            Self::Totp => Some(64),
            Self::Form | Self::Basic | Self::Certificate | Self::None => None,
        }
    }
}

/// The resource a call is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResourceContext {
    /// The agent's name.
    pub agent: String,
    /// The host that the request was for, lower case, without a port.
    pub server: String,
    /// The canonical path, without the query.
    pub resource: String,
    /// The HTTP method.
    pub action: String,
}

/// The realm a call is about, as the agent has it configured.
///
/// Agents are authenticated, so a policy server believes what they say of their realms; its own limits
/// can only shorten the timeouts given here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RealmContext {
    /// The realm's name, unique within an agent.
    pub name: String,
    /// The level a session must have.
    pub protection_level: ProtectionLevel,
    /// How credentials are asked for.
    pub auth_scheme: AuthScheme,
    /// Seconds without a request after which a session ends; 0 for never.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub idle_timeout: Duration,
    /// Seconds after login at which a session ends.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub max_timeout: Duration,
    /// Whether the session is kept in the session store and can be listed.
    pub persistent: bool,
}

/// Durations as whole seconds on the wire.
pub mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes whole seconds.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.as_secs())
    }

    /// Reads whole seconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}
