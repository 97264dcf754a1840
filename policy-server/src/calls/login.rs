//! Login(): exchanges credentials for a session.

use std::sync::Arc;
use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::message::{Credentials, LoginAnswer, LoginRequest};
use policy_protocol::{ProtectionLevel, Reason, SessionId};
use tokio::time::Instant;

use super::identify::Outcome;
use crate::audit::{AuditEvent, Record};
use crate::server::{CLOCK_SKEW, PolicyServer, failure};
use crate::spec::{SessionType, Spec, address_bytes};
use crate::store::Insertion;

/// The most that the store's time of last access lags behind, in seconds: saves a write to disk for
/// most calls.
const MAX_DRIFT: u64 = 30;

/// Sessions that one login replaces at most.
const MAX_PREVIOUS: usize = 4;

impl PolicyServer {
    /// A success makes a new session id, always, and ends the session that it replaces.
    pub(super) async fn login(
        self: &Arc<Self>,
        request: LoginRequest,
    ) -> Result<LoginAnswer, PolicyError> {
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
        let start = Instant::now();
        let scheme = realm.auth_scheme;
        let until = match &credentials {
            Credentials::Assertion {
                not_on_or_after, ..
            } => Some(*not_on_or_after),
            Credentials::Password { .. } | Credentials::Certificate { .. } => None,
        };
        let outcome = self
            .identify(&resource, scheme, credentials, client_address)
            .await?;
        let user = match outcome {
            Outcome::Accepted(user) => user,
            Outcome::Challenged(user, reason, challenge) => {
                Record {
                    event: AuditEvent::AuthChallenge,
                    user: &user.identity.universal_id,
                    directory: &user.identity.directory.name,
                    reason,
                    ..record
                }
                .write(&self.audit)
                .await?;
                return Ok(LoginAnswer::Challenge { reason, challenge });
            }
            Outcome::Rejected(rejection) => {
                Record {
                    event: rejection.event(),
                    user: rejection.identity().map_or("", |user| &user.universal_id),
                    directory: rejection.identity().map_or("", |user| &user.directory.name),
                    reason: rejection.why,
                    detail: rejection.detail,
                    ..record
                }
                .write(&self.audit)
                .await?;
                let reason = rejection.told;
                return if self.answer_time.wait(start, rejection.looked).await {
                    Ok(LoginAnswer::No { reason })
                } else {
                    Err(PolicyError::Failure)
                };
            }
        };
        let identity = &user.identity;
        let record = Record {
            user: &identity.universal_id,
            directory: &identity.directory.name,
            ..record
        };
        let Some(session_type) = SessionType::of(scheme) else {
            return self.refuse(record, Reason::UNSUPPORTED_SCHEME).await;
        };
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
        // No session outlives the assertion that it began with.
        let most = until.map_or(Duration::MAX, |until| until.since(start));
        let max_timeout = self.limits.max(realm.max_timeout).min(most);
        if max_timeout.is_zero() {
            let record = Record {
                detail: "assertion that ends before a new session may begin",
                ..record
            };
            return self.refuse(record, Reason::UNKNOWN_USER).await;
        }
        let spec = Spec {
            version: Spec::CURRENT_VERSION,
            start_time: start,
            last_time: start,
            max_timeout: max_timeout.as_secs(),
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
        let replaced: Vec<_> = previous
            .filter_map(|ticket| Spec::open(ticket, &keys).ok())
            .filter_map(|previous| Some((self.ending(&previous)?, previous)))
            .collect();
        let replaces = replaced.iter().map(|(ending, _)| *ending).collect();
        let insertion = self
            .store
            .insert(summary, replaces, self.sessions.quota, CLOCK_SKEW, now)
            .await
            .map_err(failure)?;
        self.check_store(&keys)?;
        let Insertion::Kept { ended } = insertion else {
            let reason = Reason::SET_PERSISTENT_SESSION_FAILED;
            return self.refuse(record, reason).await;
        };
        let gave_way = ended.into_iter().map(|id| Record {
            session: Some(id),
            ..record
        });
        // Of somebody else, perhaps: who logs in as another user leaves the first one's session.
        let replaced = replaced.iter().map(|(_, previous)| Record {
            user: &previous.universal_id,
            directory: &previous.directory_name,
            session: Some(previous.id),
            ..record
        });
        let new = Record {
            session: Some(spec.id),
            ..record
        };
        if let Err(error) = self.record_login(gave_way.chain(replaced), new).await {
            // Nobody will ever hold this session.
            _ = self.end_session_of_spec(&spec).await;
            return Err(error);
        }
        Ok(LoginAnswer::Yes {
            session: Box::new(spec.session(sealed, &user, &self.limits)),
        })
    }

    /// Records that somebody gets no session although their credentials are right.
    async fn refuse(&self, record: Record<'_>, reason: Reason) -> Result<LoginAnswer, PolicyError> {
        Record {
            event: AuditEvent::AuthReject,
            reason,
            ..record
        }
        .write(&self.audit)
        .await?;
        Ok(LoginAnswer::No { reason })
    }

    /// Records the sessions that ended for a login, and the login.
    async fn record_login(
        &self,
        ended: impl Iterator<Item = Record<'_>>,
        login: Record<'_>,
    ) -> Result<(), PolicyError> {
        for session in ended {
            Record {
                event: AuditEvent::AuthLogout,
                reason: Reason::REVOKED_SESSION,
                ..session
            }
            .write(&self.audit)
            .await?;
        }
        login.write(&self.audit).await
    }
}
