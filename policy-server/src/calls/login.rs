//! Login(): exchanges credentials for a session.

use std::sync::Arc;
use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::message::{Credentials, LoginAnswer, LoginRequest};
use policy_protocol::{AuthScheme, ProtectionLevel, Reason, SessionId};

use crate::audit::{AuditEvent, Record};
use crate::directory::{Authentication, CertificateFacts, DirectoryError, PasswordState, User};
use crate::server::{CLOCK_SKEW, PolicyServer, failure};
use crate::spec::{SessionType, Spec, address_bytes};
use crate::store::Insertion;

/// The most that the store's time of last access lags behind, in seconds: saves a write to disk for
/// most calls.
const MAX_DRIFT: u64 = 30;

/// Who came of the credentials.
enum Outcome {
    Accepted(Arc<User>),
    /// A known user who may not come in.
    Rejected(Arc<User>, Reason),
    /// Nobody known. The same reason as for a wrong password: who asks must not learn the difference.
    Unknown(Reason),
}

/// Sessions that one login replaces at most.
const MAX_PREVIOUS: usize = 4;

impl PolicyServer {
    /// A success makes a new session id, always, and ends the session that it replaces.
    pub(super) async fn login(&self, request: LoginRequest) -> Result<LoginAnswer, PolicyError> {
        let LoginRequest {
            resource,
            realm,
            credentials,
            client_address,
            previous,
            transaction_id,
        } = request;
        let record = Record {
            client: client_address,
            ..Record::new(AuditEvent::AuthAccept, &resource.agent, &transaction_id)
        }
        .on(&resource, &realm.name);
        let (user, reason) = match self.identify(realm.auth_scheme, credentials).await? {
            Outcome::Accepted(user) => (Some(user), Reason::NONE),
            Outcome::Rejected(user, reason) => {
                Record {
                    event: AuditEvent::AuthReject,
                    user: &user.identity.universal_id,
                    directory: &user.identity.directory.name,
                    reason,
                    ..record
                }
                .write(&self.audit)
                .await?;
                (None, reason)
            }
            Outcome::Unknown(reason) => {
                Record {
                    event: AuditEvent::AuthAttempt,
                    reason,
                    ..record
                }
                .write(&self.audit)
                .await?;
                (None, reason)
            }
        };
        let (Some(user), Some(session_type)) = (user, SessionType::of(realm.auth_scheme)) else {
            return Ok(LoginAnswer::No { reason });
        };
        let identity = &user.identity;
        let now = self.now();
        let revoked = self
            .store
            .revoked_through(&identity.universal_id)
            .await
            .map_err(failure)?;
        let idle_timeout = self.limits.idle(realm.idle_timeout).as_secs();
        let drift = if idle_timeout == 0 {
            MAX_DRIFT
        } else {
            MAX_DRIFT.min(idle_timeout / 4)
        };
        // Times are whole seconds: what starts in the second of a revocation is dated after it, so
        // that neither the sessions before it live on nor the one after it dies.
        let start = revoked.map_or(now, |through| now.max(through.plus(Duration::from_secs(1))));
        let spec = Spec {
            version: Spec::CURRENT_VERSION,
            start_time: start,
            last_time: start,
            max_timeout: self.limits.max(realm.max_timeout).as_secs(),
            idle_timeout,
            level: realm.protection_level.min(ProtectionLevel::MAX),
            id: SessionId::random().map_err(failure)?,
            ip: client_address.map(address_bytes),
            dn: identity.user_dn.clone(),
            directory_oid: identity.directory.oid.clone(),
            directory_name: identity.directory.name.clone(),
            universal_id: identity.universal_id.clone(),
            session_type,
            anonymous: false,
            impersonator_name: None,
            login_name: identity.user_name.clone(),
            persistent: realm.persistent,
            drift: if realm.persistent { drift } else { 0 },
            impersonator_directory_name: None,
            auth_context: realm.name.clone(),
        };
        let keys = self.ticket_keys_for(&previous).await?;
        let sealed = spec.seal(&keys).map_err(failure)?;
        let summary = spec.summary(identity.clone(), resource.agent.clone(), &self.limits);
        let previous = previous.iter().take(MAX_PREVIOUS);
        let replaces = previous
            .filter_map(|ticket| Spec::open(ticket, &keys).ok())
            .filter_map(|previous| self.ending(&previous))
            .collect();
        let record = Record {
            user: &identity.universal_id,
            directory: &identity.directory.name,
            ..record
        };
        let insertion = self
            .store
            .insert(summary, replaces, self.sessions.quota, CLOCK_SKEW, now)
            .await
            .map_err(failure)?;
        self.check_store(&keys)?;
        let Insertion::Kept { ended } = insertion else {
            let reason = Reason::SET_PERSISTENT_SESSION_FAILED;
            Record {
                event: AuditEvent::AuthReject,
                reason,
                ..record
            }
            .write(&self.audit)
            .await?;
            return Ok(LoginAnswer::No { reason });
        };
        if let Err(error) = self.record_login(record, &ended, spec.id).await {
            // Nobody will ever hold this session.
            _ = self.end_session_of_spec(&spec).await;
            return Err(error);
        }
        Ok(LoginAnswer::Yes {
            session: Box::new(spec.session(sealed, &user, &self.limits)),
        })
    }

    /// Records a login and the end of the sessions that gave way to it.
    async fn record_login(
        &self,
        login: Record<'_>,
        ended: &[SessionId],
        new: SessionId,
    ) -> Result<(), PolicyError> {
        for id in ended {
            Record {
                event: AuditEvent::AuthLogout,
                session: Some(*id),
                reason: Reason::REVOKED_SESSION,
                ..login
            }
            .write(&self.audit)
            .await?;
        }
        Record {
            session: Some(new),
            ..login
        }
        .write(&self.audit)
        .await
    }

    /// Who do these credentials belong to? Only those that the auth scheme asks for count.
    async fn identify(
        &self,
        scheme: AuthScheme,
        credentials: Credentials,
    ) -> Result<Outcome, PolicyError> {
        let authentication = match (scheme, credentials) {
            (
                AuthScheme::Form | AuthScheme::Basic,
                Credentials::Password {
                    user_name,
                    password,
                },
            ) => self.directories.authenticate(&user_name, password).await,
            (
                AuthScheme::Certificate,
                Credentials::Certificate {
                    subject,
                    issuer,
                    fingerprint,
                    common_names,
                    emails,
                },
            ) => {
                let certificate = CertificateFacts {
                    fingerprint: &fingerprint,
                    subject: &subject,
                    issuer: &issuer,
                    common_names: &common_names,
                    emails: &emails,
                };
                let found = self.directories.find_certificate(certificate).await;
                found.map(|user| match user {
                    Some(user) => Authentication::Accepted(user, PasswordState::Good),
                    None => Authentication::UnknownUser,
                })
            }
            _ => return Ok(Outcome::Unknown(Reason::UNSUPPORTED_SCHEME)),
        };
        let authentication = authentication.map_err(|error| match error {
            DirectoryError::Busy => PolicyError::Unavailable,
            other => failure(other),
        });
        Ok(match authentication? {
            Authentication::Accepted(user, _) if user.disabled => {
                Outcome::Rejected(user, Reason::USER_DISABLED)
            }
            Authentication::Accepted(user, PasswordState::Good | PasswordState::WillExpire(_)) => {
                Outcome::Accepted(user)
            }
            Authentication::Accepted(user, state) => Outcome::Rejected(user, state.reason()),
            Authentication::WrongPassword(user) | Authentication::Locked(user) => {
                Outcome::Rejected(user, Reason::UNKNOWN_USER)
            }
            Authentication::UnknownUser | Authentication::Ambiguous => {
                Outcome::Unknown(Reason::UNKNOWN_USER)
            }
        })
    }
}
