//! Credentials that come with every request: Basic and client certificates.
//!
//! Checking a password costs tens of milliseconds, so a session that a credential led to is found again
//! by a keyed digest of the credential, as it would be by its cookie.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header;
use policy_protocol::message::Credentials;
use policy_protocol::{AuthScheme, Reason, SessionId, Timestamp};
use zeroize::Zeroizing;

use super::NotLoggedIn;
use crate::access::Visit;
use crate::access::authenticate::{self, Unfit};
use crate::config::Realm;
use crate::session::Sessions;
use crate::session::cache::{Alias, CachedSession, Known};

/// The longest `Authorization` that is looked at, in bytes: a name and a password of generous size.
const MAX_AUTHORIZATION: usize = 8192;
/// The longest user name, as in the systems this one works beside.
pub const MAX_USER_NAME: usize = 256;
/// The longest password.
pub const MAX_PASSWORD: usize = 4096;

/// Clients differ in whether they pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What those who wait for one login get.
pub type LoggedIn = Result<Arc<Alias>, Unfit>;

/// Turns credentials into keys of the cache that tell nothing about them. The key is new in each process.
#[derive(Debug)]
pub struct CredentialDigest(hmac::Key);

impl CredentialDigest {
    /// A digest with a random key.
    pub fn random() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        // Without randomness nothing else works either: no session could be made, no cookie sealed.
        let _ = getrandom::fill(key.as_mut_slice());
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()))
    }

    /// Everything that a login with this credential depends on (R5).
    fn of(&self, realm: &Realm, credential: &[u8], visit: &Visit<'_>) -> Box<[u8]> {
        let mut context = hmac::Context::with_key(&self.0);
        let address = visit
            .bound_address()
            .map(|address| address.to_string())
            .unwrap_or_default();
        for part in [realm.name.as_bytes(), address.as_bytes(), credential] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        // No cookie starts with a zero byte, so the two kinds of keys never meet.
        [&[0], context.sign().as_ref()].concat().into()
    }
}

/// Credentials that a request brings itself.
#[derive(Debug)]
pub struct Presented {
    /// Finds the session that they led to before.
    key: Box<[u8]>,
    credentials: Credentials,
}

/// The request's own credentials, if the realm takes such.
pub fn presented(sessions: &Sessions, visit: &Visit<'_>, realm: &Realm) -> Option<Presented> {
    let (credential, credentials) = match realm.scheme {
        AuthScheme::Basic => {
            let value = visit.headers.get(header::AUTHORIZATION)?.as_bytes();
            (value.to_vec(), basic(value)?)
        }
        AuthScheme::Certificate => {
            let certificate = visit.conn.valid_certificate(visit.now)?;
            let credentials = Credentials::Certificate {
                subject: certificate.subject.clone(),
                issuer: certificate.issuer.clone(),
                fingerprint: certificate.fingerprint.clone(),
                common_names: certificate.common_names.clone(),
                emails: certificate.emails.clone(),
            };
            (certificate.fingerprint.clone().into_bytes(), credentials)
        }
        AuthScheme::Form | AuthScheme::Totp | AuthScheme::None => return None,
    };
    let key = sessions.credential_digest.of(realm, &credential, visit);
    drop(Zeroizing::new(credential));
    Some(Presented { key, credentials })
}

impl Presented {
    /// The session that these credentials led to before, if it is not over.
    pub fn known(
        &self,
        sessions: &Sessions,
        visit: &Visit<'_>,
        realm: &Realm,
    ) -> Option<Arc<Alias>> {
        known(sessions, &self.key, realm, visit.now)
    }

    /// Logs in, once for however many requests bring the same credentials at once. The new session takes the
    /// place of those of the request's cookies, and of `given_up`.
    ///
    /// # Errors
    /// Why that makes no session.
    pub async fn log_in(
        self,
        sessions: &Arc<Sessions>,
        visit: &Visit<'_>,
        realm: &Arc<Realm>,
        given_up: Option<&CachedSession>,
    ) -> Result<Arc<Alias>, Unfit> {
        let (mut previous, _) = authenticate::tickets(sessions, visit).await;
        previous.extend(given_up.map(CachedSession::ticket));
        let resource = visit.resource_context();
        let login = Login {
            sessions: Arc::clone(sessions),
            key: self.key.clone(),
            realm: Arc::clone(realm),
            zone: Arc::clone(visit.site.cookies.zone()),
            client_ip: visit.bound_address(),
            now: visit.now,
            given_up: given_up.map(CachedSession::id),
            call: super::LoginCall::new(visit, realm, resource, self.credentials, previous),
        };
        let outcome = sessions.logins.run(self.key, || login.run()).await;
        outcome.unwrap_or(Err(Unfit::Unavailable))
    }
}

fn known(sessions: &Sessions, key: &[u8], realm: &Realm, now: Timestamp) -> Option<Arc<Alias>> {
    let Some(Known::Live(alias)) = sessions.cache.get(key) else {
        return None;
    };
    let session = &alias.session;
    let times = |()| session.check_times(realm, alias.last_access, now);
    session.check_alive().and_then(times).ok()?;
    Some(alias)
}

/// A login, free of the requests that wait for it.
struct Login {
    sessions: Arc<Sessions>,
    key: Box<[u8]>,
    realm: Arc<Realm>,
    zone: Arc<str>,
    client_ip: Option<IpAddr>,
    now: Timestamp,
    given_up: Option<SessionId>,
    call: super::LoginCall,
}

impl Login {
    async fn run(self) -> LoggedIn {
        let Self { sessions, key, .. } = self;
        // Now that no such login is under way, whatever one has begun is in the cache.
        let begun = known(&sessions, &key, &self.realm, self.now);
        if let Some(begun) = begun.filter(|alias| Some(alias.session.id()) != self.given_up) {
            return Ok(begun);
        }
        let session = match self.call.run(&sessions).await {
            Ok(Ok(session)) => session,
            // As on the page: nobody learns that the password of a disabled account was right.
            Ok(Err(NotLoggedIn::Refused(Reason::USER_DISABLED))) => {
                return Err(Unfit::Refused(Reason::UNKNOWN_USER));
            }
            // There is no page here to change a password or answer a challenge on.
            Ok(Err(NotLoggedIn::Refused(reason) | NotLoggedIn::Challenged { reason, .. })) => {
                return Err(Unfit::Refused(reason));
            }
            Err(_) => return Err(Unfit::Unavailable),
        };
        let alias = Alias {
            zone: self.zone,
            // The beginning of time: a cookie is due at once.
            last_access: Timestamp(0),
            client_ip: self.client_ip,
            session,
        };
        // While the login still counts as under way, and also if nobody waits for it any more.
        Ok(sessions.cache.insert(&key, alias))
    }
}

/// User name and password of a Basic `Authorization`.
pub(crate) fn basic(value: &[u8]) -> Option<Credentials> {
    if value.len() > MAX_AUTHORIZATION {
        return None;
    }
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = Zeroizing::new(BASE64.decode(encoded.trim_ascii()).ok()?);
    let (user_name, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    credentials(user_name, password)
}

/// A name and a password within bounds.
pub(crate) fn credentials(user_name: &str, password: &str) -> Option<Credentials> {
    (is_name(user_name) && password.len() <= MAX_PASSWORD)
        .then(|| Credentials::password(user_name, password))
}

/// Whether somebody may be called this.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_USER_NAME && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests;
