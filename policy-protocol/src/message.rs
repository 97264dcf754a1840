//! The calls and their answers, as JSON.
//!
//! YES, NO and CHALLENGE are answers. That a server cannot be reached, or fails, is an error of the
//! client that called it; the two are never confused.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::realm::{RealmContext, ResourceContext, seconds};
use crate::{
    AuthScheme, Identity, ProtectionLevel, Reason, Secret, Session, SessionId, SessionSpec,
    Timestamp,
};

/// What a user presents.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// The name as typed.
        user_name: String,
        /// The password as typed.
        password: Secret<String>,
        /// What the password is to be changed to before the login completes.
        #[serde(default)]
        new_password: Option<Secret<String>>,
        /// The proof of a second factor: a one-time code or a recovery code as typed, or what answers the
        /// `challenge` of the login before.
        #[serde(default)]
        code: Option<Secret<String>>,
    },
    /// A client certificate that the TLS layer has verified against the listener's trust anchors.
    Certificate {
        /// The subject's distinguished name.
        subject: String,
        /// The issuer's distinguished name.
        issuer: String,
        /// SHA-256 of the certificate's DER, in lower-case hex.
        fingerprint: String,
        /// The common names in the subject.
        #[serde(default)]
        common_names: Vec<String>,
        /// The e-mail addresses among the alternative names.
        #[serde(default)]
        emails: Vec<String>,
    },
    /// A SAML assertion that the agent has verified. It counts only from agents and issuers that the policy
    /// server is told to believe.
    Assertion {
        /// Whom it is about, as it says: `user@DOMAIN`, `DOMAIN\user` or a plain name.
        name_id: String,
        /// Who issued it.
        issuer: String,
        /// When it is over, and the session with it.
        not_on_or_after: Timestamp,
    },
}

impl Credentials {
    /// A name and a password, and nothing more.
    pub fn password(user_name: &str, password: &str) -> Self {
        Self::Password {
            user_name: user_name.to_owned(),
            password: Secret::new(password.to_owned()),
            new_password: None,
            code: None,
        }
    }
}

/// A session as its holder presents it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionTicket {
    /// Its name.
    pub session_id: SessionId,
    /// Its sealed state.
    pub session_spec: SessionSpec,
}

/// IsProtected().
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IsProtectedRequest {
    /// What is asked about.
    pub resource: ResourceContext,
}

/// The answer to [`IsProtectedRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum IsProtectedAnswer {
    /// A policy of this server covers the resource.
    Yes {
        /// The realm that the policy names.
        realm: String,
    },
    /// No policy of this server covers the resource.
    No,
}

/// Login().
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoginRequest {
    /// What the user wants to reach.
    pub resource: ResourceContext,
    /// The realm it is in.
    pub realm: RealmContext,
    /// What the user presents.
    pub credentials: Credentials,
    /// Where the user is.
    pub client_address: Option<IpAddr>,
    /// The sessions to be replaced: a successful login ends them.
    pub previous: Vec<SessionTicket>,
    /// Joins the records of one request across systems.
    pub transaction_id: String,
}

/// The answer to [`LoginRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum LoginAnswer {
    /// The user is who they say; here is the session.
    Yes {
        /// The new session.
        session: Box<Session>,
    },
    /// Refused. Unknown users and wrong passwords give the same reason.
    No {
        /// Why, as far as the user may know.
        reason: Reason,
    },
    /// The credentials are right, and something more is needed: a new password or a proof, in another
    /// Login() with the same credentials.
    Challenge {
        /// Why: the password must be changed (1, 19, 20), the new one that came along is not in force
        /// (21, 22), or the second factor must be proven in answer to the challenge (15).
        reason: Reason,
        /// What the next proof must answer, for the login page and whatever runs on it. Nothing if proofs
        /// of the realm's auth scheme answer nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        challenge: Option<String>,
    },
}

/// Validate().
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ValidateRequest {
    /// The session.
    pub session: SessionTicket,
    /// What it is used for.
    pub resource: ResourceContext,
    /// The realm that is in.
    pub realm: RealmContext,
    /// Where the user is.
    pub client_address: Option<IpAddr>,
    /// When the agent last saw the session used before this; the policy server may know less.
    pub last_access: Timestamp,
    /// Whether this request is one that does not keep a session alive.
    pub overlooked: bool,
    /// Joins the records of one request across systems.
    pub transaction_id: String,
}

/// The answer to [`ValidateRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ValidateAnswer {
    /// Alive; the spec is newly sealed, the id unchanged.
    Yes {
        /// The session.
        session: Box<Session>,
    },
    /// Dead, or never lived.
    No {
        /// Why.
        reason: Reason,
    },
}

/// Authorize().
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuthorizeRequest {
    /// The session.
    pub session: SessionTicket,
    /// What it is used for.
    pub resource: ResourceContext,
    /// The realm that is in.
    pub realm: RealmContext,
    /// Where the user is, for policies and records.
    pub from: IpAddr,
    /// The same, if the session must be bound to it.
    pub client_address: Option<IpAddr>,
    /// Joins the records of one request across systems.
    pub transaction_id: String,
}

/// One thing a policy adds to an accepted or rejected request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResponseAttribute {
    /// A header to the application.
    Header {
        /// The header's name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A cookie to the browser.
    Cookie {
        /// The cookie's name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// The answer to [`AuthorizeRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum AuthorizeAnswer {
    /// Allowed.
    Yes {
        /// Seconds this answer may be kept.
        #[serde(with = "seconds")]
        #[cfg_attr(feature = "schema", schemars(with = "u64"))]
        ttl: std::time::Duration,
        /// What to add.
        responses: Vec<ResponseAttribute>,
        /// Where to send the browser instead of letting the request through.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redirect: Option<String>,
    },
    /// Not allowed, or not decided: a resource without a policy is not allowed.
    No {
        /// Seconds this answer may be kept.
        #[serde(with = "seconds")]
        #[cfg_attr(feature = "schema", schemars(with = "u64"))]
        ttl: std::time::Duration,
        /// Why.
        reason: Reason,
        /// Where to send the browser instead of refusing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redirect: Option<String>,
    },
}

/// Logout().
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogoutRequest {
    /// The session to end.
    pub session: SessionTicket,
    /// Joins the records of one request across systems.
    pub transaction_id: String,
}

/// The answer to [`LogoutRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum LogoutAnswer {
    /// The session is dead, here and at every agent. Also said of one that was dead already.
    Yes,
    /// This is not a session of this server.
    No {
        /// Why.
        reason: Reason,
    },
}

/// A session as administrators see it: everything but what would let them use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionSummary {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub identity: Identity,
    /// How strongly it was authenticated.
    pub protection_level: ProtectionLevel,
    /// The realm the user logged in to.
    pub realm: String,
    /// The agent that asked.
    pub agent: String,
    /// Where the user was at login.
    pub client_address: Option<IpAddr>,
    /// When the user logged in.
    pub started: Timestamp,
    /// When the session was last known to be used.
    pub last_access: Timestamp,
    /// When it ends at the latest.
    pub expires: Timestamp,
    /// Seconds without a request after which it ends; 0 for never.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub idle_timeout: std::time::Duration,
    /// How it was authenticated.
    pub auth_scheme: AuthScheme,
    /// Whether it lives in the store only: one that is not there is dead.
    pub persistent: bool,
    /// What applications have noted about it.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_without_a_text_is_written_as_ever_and_one_with_it_is_read_by_all() {
        let challenge = |challenge: Option<&str>| LoginAnswer::Challenge {
            reason: Reason::PASSWORD_MUST_CHANGE,
            challenge: challenge.map(str::to_owned),
        };
        let plain = r#"{"answer":"challenge","reason":1}"#;
        assert_eq!(serde_json::to_string(&challenge(None)).unwrap(), plain);
        let with_text = serde_json::to_string(&challenge(Some("x"))).unwrap();
        let read = |text: &str| serde_json::from_str::<LoginAnswer>(text).unwrap();
        assert_eq!(read(plain), challenge(None));
        assert_eq!(read(&with_text), challenge(Some("x")));
        // As an agent reads that knows a field less than there is.
        let more = with_text.replace('}', r#","unknown":1}"#);
        assert_eq!(read(&more), challenge(Some("x")));
    }
}
