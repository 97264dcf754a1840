//! The session spec: a session's state, sealed for this policy server alone.
//!
//! The twenty fields and their names are those of the SMSESSION cookie's session spec as its vendor
//! lists them; the encoding (a CBOR array in an envelope of `policy_protocol::seal`) is our own.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use minicbor::{Decode, Encode};
use policy_protocol::message::{SessionSummary, SessionTicket};
use policy_protocol::{
    AuthScheme, Identity, ProtectionLevel, Reason, SealError, Session, SessionId, SessionSpec,
    Timestamp, TokenType, seal,
};

use crate::config::Limits;
use crate::directory::User;
use crate::ticket_keys::TicketKeys;

/// The only version so far.
const VERSION: u8 = 1;
/// Specs never leave the policy server readable, so they belong to no SSO zone.
const ZONE: &str = "";

/// The contents of a session spec.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Spec {
    /// SessionVersion: the layout of what follows.
    #[n(0)]
    pub(crate) version: u8,
    /// SessionStartTime: when the user logged in.
    #[n(1)]
    pub(crate) start_time: Timestamp,
    /// SessionLastTime: the last Validate(), or the login.
    #[n(2)]
    pub(crate) last_time: Timestamp,
    /// SessionMaxTimeout, in seconds.
    #[n(3)]
    pub(crate) max_timeout: u64,
    /// SessionIdleTimeout, in seconds; 0 for never.
    #[n(4)]
    pub(crate) idle_timeout: u64,
    /// SessionLevel: the protection level.
    #[n(5)]
    pub(crate) level: ProtectionLevel,
    /// SessionId.
    #[n(6)]
    pub(crate) id: SessionId,
    /// SessionIp: the client address at login, if the agent told it; IPv4 as mapped IPv6.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub(crate) ip: Option<[u8; 16]>,
    /// SessionDn: the user's distinguished name.
    #[n(8)]
    pub(crate) dn: String,
    /// SessionDirOid: the user directory.
    #[n(9)]
    pub(crate) directory_oid: String,
    /// SessionDirName: the user directory's name.
    #[n(10)]
    pub(crate) directory_name: String,
    /// SessionUnivId: the user's universal id.
    #[n(11)]
    pub(crate) universal_id: String,
    /// SessionType: the auth scheme.
    #[n(12)]
    pub(crate) session_type: SessionType,
    /// SessionAnonymous: whether nobody in particular logged in. Not so far.
    #[n(13)]
    pub(crate) anonymous: bool,
    /// SessionImpersonatorName: who acts as this user. Nobody so far.
    #[n(14)]
    pub(crate) impersonator_name: Option<String>,
    /// SessionLoginName: the name that was logged in with.
    #[n(15)]
    pub(crate) login_name: String,
    /// SessionPersistent: whether the session is in the session store.
    #[n(16)]
    pub(crate) persistent: bool,
    /// SessionDrift: seconds that the store's time of last access may lag behind; 0 if not persistent.
    #[n(17)]
    pub(crate) drift: u64,
    /// SessionImpersonatorDirName: where the impersonator was found. Nowhere so far.
    #[n(18)]
    pub(crate) impersonator_directory_name: Option<String>,
    /// SessionAuthContext: the realm that was logged in to.
    #[n(19)]
    pub(crate) auth_context: String,
}

/// SessionType: the auth scheme as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum SessionType {
    /// A login page.
    #[n(1)]
    Form,
    /// HTTP Basic.
    #[n(2)]
    Basic,
    /// A client certificate.
    #[n(3)]
    Certificate,
    /// A login page and a one-time code.
    #[n(4)]
    Totp,
}

impl SessionType {
    /// The type of sessions made with a scheme; none are made without credentials.
    pub(crate) const fn of(scheme: AuthScheme) -> Option<Self> {
        match scheme {
            AuthScheme::Form => Some(Self::Form),
            AuthScheme::Basic => Some(Self::Basic),
            AuthScheme::Certificate => Some(Self::Certificate),
            AuthScheme::Totp => Some(Self::Totp),
            AuthScheme::None => None,
        }
    }

    pub(crate) const fn scheme(self) -> AuthScheme {
        match self {
            Self::Form => AuthScheme::Form,
            Self::Basic => AuthScheme::Basic,
            Self::Certificate => AuthScheme::Certificate,
            Self::Totp => AuthScheme::Totp,
        }
    }
}

/// An address as specs hold it: one address has one form.
pub(crate) const fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

impl Spec {
    /// A spec with the version of this code.
    pub(crate) const CURRENT_VERSION: u8 = VERSION;

    /// Seals the spec with the current session ticket key.
    ///
    /// # Errors
    /// If there is no randomness, or the spec would be longer than [`SessionSpec::MAX_LENGTH`].
    pub(crate) fn seal(&self, keys: &TicketKeys) -> Result<SessionSpec, SpecError> {
        let plain = minicbor::to_vec(self).map_err(|_| SpecError::Sealing)?;
        let sealed = keys.current().seal(TokenType::SessionSpec, ZONE, &plain)?;
        if sealed.len() > SessionSpec::MAX_LENGTH {
            return Err(SpecError::TooLong);
        }
        Ok(SessionSpec::new(sealed))
    }

    /// Opens a ticket: the spec must be ours and belong to the session id.
    ///
    /// # Errors
    /// `INVALID_SESSION` whatever is wrong with the spec, `INVALID_SESSION_ID` for another's.
    pub(crate) fn open(ticket: &SessionTicket, keys: &TicketKeys) -> Result<Self, Reason> {
        let sealed = ticket.session_spec.as_str().as_bytes();
        if sealed.len() > SessionSpec::MAX_LENGTH {
            return Err(Reason::INVALID_SESSION);
        }
        let plain = seal::open(sealed, TokenType::SessionSpec, ZONE, |id| keys.find(id))
            .map_err(|_| Reason::INVALID_SESSION)?;
        let spec: Self = minicbor::decode(&plain).map_err(|_| Reason::INVALID_SESSION)?;
        if spec.version != VERSION {
            return Err(Reason::INVALID_SESSION);
        }
        if spec.id == ticket.session_id {
            Ok(spec)
        } else {
            Err(Reason::INVALID_SESSION_ID)
        }
    }

    /// The max timeout in force: the caps may be lower now than they were at login. What was said at
    /// login stays in the spec, because revocations must last for as long as any copy of it could live.
    pub(crate) fn max_timeout(&self, limits: &Limits) -> Duration {
        limits.max(Duration::from_secs(self.max_timeout))
    }

    /// The idle timeout in force; zero for never.
    pub(crate) fn idle_timeout(&self, limits: &Limits) -> Duration {
        limits.idle(Duration::from_secs(self.idle_timeout))
    }

    /// The latest end of the session, whatever the caps will be.
    pub(crate) const fn expires(&self) -> Timestamp {
        self.start_time.plus(Duration::from_secs(self.max_timeout))
    }

    /// The client address at login.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.ip
            .map(|octets| IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())
    }

    /// The session as administrators see it.
    pub(crate) fn summary(
        &self,
        identity: Identity,
        agent: String,
        limits: &Limits,
    ) -> SessionSummary {
        SessionSummary {
            id: self.id,
            identity,
            protection_level: self.level,
            realm: self.auth_context.clone(),
            agent,
            client_address: self.address(),
            started: self.start_time,
            last_access: self.last_time,
            expires: self.expires(),
            idle_timeout: self.idle_timeout(limits),
            auth_scheme: self.session_type.scheme(),
            persistent: self.persistent,
            properties: BTreeMap::new(),
        }
    }

    /// The session as agents see it, under the caps in force.
    pub(crate) fn session(&self, sealed: SessionSpec, user: &User, limits: &Limits) -> Session {
        Session {
            id: self.id,
            spec: sealed,
            identity: user.identity.clone(),
            auth_scheme: self.session_type.scheme(),
            protection_level: self.level,
            started: self.start_time,
            last_access: self.last_time,
            idle_timeout: self.idle_timeout(limits),
            max_timeout: self.max_timeout(limits),
            persistent: self.persistent,
        }
    }
}

/// Why a spec could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpecError {
    /// No randomness.
    #[error("the session spec cannot be sealed")]
    Sealing,
    /// Names too long for a cookie.
    #[error("the session spec would be too long: shorten the user's names or the realm's")]
    TooLong,
}

impl From<SealError> for SpecError {
    fn from(_: SealError) -> Self {
        Self::Sealing
    }
}

#[cfg(test)]
mod tests;
