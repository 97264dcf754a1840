//! SMSESSION: what an agent remembers of a session in the browser.
//!
//! The nine fields are those that cookies of this name have always had (ATTR_USERDN to
//! ATTR_LASTSESSIONTIME), and the session spec, sealed by the policy server, goes with them, and the realm of the login.

use std::net::IpAddr;
use std::time::Duration;

use minicbor::{Decode, Encode};
use policy_protocol::message::SessionTicket;
use policy_protocol::{
    AgentKeyRing, Reason, Session, SessionId, SessionSpec, Timestamp, TokenType, seal,
};

/// What the cookie says after logout.
pub const LOGGED_OFF: &str = "LOGGEDOFF";

/// A cookie from this far in the future is not a matter of clocks that disagree.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// A cookie that cannot be used; always the same, whatever is wrong with it.
pub const INVALID: Reason = Reason::INVALID_SESSION;

/// There are no agent keys yet, or not the newest.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no agent keys have been received from the policy server yet")]
pub struct KeysMissing;

/// The claims of an opened SMSESSION.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SessionClaims {
    /// ATTR_USERDN: the user's distinguished name.
    #[n(0)]
    pub user_dn: String,
    /// ATTR_SESSIONID.
    #[n(1)]
    pub session_id: SessionId,
    /// ATTR_USERNAME: the login name.
    #[n(2)]
    pub user_name: String,
    /// ATTR_CLIENTIP: where the user was at login, if sessions are bound to it.
    #[n(3)]
    client_ip: Option<String>,
    /// ATTR_DEVICENAME: the agent that sealed the cookie.
    #[n(4)]
    pub device_name: String,
    /// ATTR_IDLESESSIONTIMEOUT, in seconds; 0 for never.
    #[n(5)]
    idle_timeout: u64,
    /// ATTR_MAXSESSIONTIMEOUT, in seconds after the start.
    #[n(6)]
    max_timeout: u64,
    /// ATTR_STARTSESSIONTIME.
    #[n(7)]
    pub started: Timestamp,
    /// ATTR_LASTSESSIONTIME.
    #[n(8)]
    pub last_access: Timestamp,
    /// The session spec.
    #[n(9)]
    session_spec: String,
    /// The realm that the login was to, if an agent has told.
    #[n(10)]
    pub made_for: Option<String>,
}

impl SessionClaims {
    /// What a cookie of `session` is to say. A session starts by the policy server's clock, which may be
    /// later than the request that began it.
    pub fn new(
        session: &Session,
        device_name: &str,
        client_ip: Option<IpAddr>,
        last_access: Timestamp,
    ) -> Self {
        Self {
            user_dn: session.identity.user_dn.clone(),
            session_id: session.id,
            user_name: session.identity.user_name.clone(),
            client_ip: client_ip.map(|address| address.to_string()),
            device_name: device_name.to_owned(),
            idle_timeout: session.idle_timeout.as_secs(),
            max_timeout: session.max_timeout.as_secs(),
            started: session.started,
            last_access: last_access.max(session.started),
            session_spec: session.spec.as_str().to_owned(),
            made_for: None,
        }
    }

    /// The same with the realm that the login was to: every agent must know, not only the one that logged in.
    pub fn made_for(self, realm: Option<String>) -> Self {
        Self {
            made_for: realm,
            ..self
        }
    }

    /// Seals the claims with the current agent key.
    ///
    /// # Errors
    /// If they do not fit into a cookie.
    pub fn seal(&self, ring: &AgentKeyRing, zone: &str) -> Result<String, seal::SealError> {
        let plaintext = minicbor::to_vec(self).expect("writing to memory cannot fail");
        ring.current().seal(TokenType::Session, zone, &plaintext)
    }

    /// Opens a cookie value of a zone.
    ///
    /// # Errors
    /// [`INVALID`], whatever is wrong.
    pub fn open(text: &[u8], ring: &AgentKeyRing, zone: &str) -> Result<Self, Reason> {
        let plaintext =
            seal::open(text, TokenType::Session, zone, |id| ring.find(id)).map_err(|_| INVALID)?;
        let mut decoder = minicbor::Decoder::new(&plaintext);
        let claims: Self = decoder.decode().map_err(|_| INVALID)?;
        let client_ip_is_valid = claims
            .client_ip
            .as_deref()
            .is_none_or(|ip| ip.parse::<IpAddr>().is_ok());
        let complete = decoder.position() == plaintext.len();
        if complete && client_ip_is_valid && claims.session_spec.len() <= SessionSpec::MAX_LENGTH {
            Ok(claims)
        } else {
            Err(INVALID)
        }
    }

    /// Whether the session may still be alive, as far as the cookie itself tells.
    ///
    /// # Errors
    /// The reason why it cannot be.
    pub fn check_times(&self, now: Timestamp) -> Result<(), Reason> {
        let latest = now.plus(MAX_CLOCK_SKEW);
        if self.started > latest || self.last_access > latest || self.last_access < self.started {
            return Err(INVALID);
        }
        if now.since(self.started).as_secs() >= self.max_timeout {
            return Err(Reason::EXPIRED_SESSION);
        }
        Ok(())
    }

    /// Where the user was at login.
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.client_ip.as_deref().and_then(|ip| ip.parse().ok())
    }

    /// The session as the policy server wants it.
    pub fn ticket(&self) -> SessionTicket {
        SessionTicket {
            session_id: self.session_id,
            session_spec: self.session_spec(),
        }
    }

    /// The session spec.
    pub fn session_spec(&self) -> SessionSpec {
        SessionSpec::new(self.session_spec.clone())
    }
}

/// Whether a cookie value claims to be sealed with a key that is not here. Strangers can make it do so.
pub fn names_unknown_key(text: &[u8], ring: &AgentKeyRing) -> bool {
    seal::key_id(text, TokenType::Session).is_some_and(|id| ring.find(id).is_none())
}

#[cfg(test)]
mod tests;
