//! Who do the credentials of a login belong to?

use std::net::IpAddr;
use std::sync::Arc;

use policy_client::PolicyError;
use policy_protocol::message::Credentials;
use policy_protocol::{AuthScheme, Identity, Reason, Secret};

use crate::audit::AuditEvent;
use crate::directory::{
    Authentication, CertificateFacts, DirectoryError, PasswordChange, PasswordState, User,
};
use crate::regulation::{Attempt, Ending, RegulationError};
use crate::server::{PolicyServer, failure};

/// Who came of the credentials.
pub(super) enum Outcome {
    Accepted(Arc<User>),
    /// A known user who must change their password first.
    Challenged(Arc<User>, Reason),
    Rejected(Rejection),
}

/// Somebody who may not come in.
pub(super) struct Rejection {
    /// Who it is, if that is known. For audit records only.
    user: Option<Arc<User>>,
    /// Why, for audit records only.
    pub(super) why: Reason,
    /// What who asks is told. They must not learn whether there is such a user.
    pub(super) told: Reason,
}

impl Rejection {
    fn wrong(user: Option<Arc<User>>) -> Self {
        Self::told(user, Reason::UNKNOWN_USER)
    }

    const fn told(user: Option<Arc<User>>, reason: Reason) -> Self {
        Self {
            user,
            why: reason,
            told: reason,
        }
    }

    /// Without a look at the password.
    const fn unseen(tell: bool) -> Self {
        let why = Reason::EXCESSIVE_FAILED_LOGINS;
        Self {
            user: None,
            why,
            told: if tell { why } else { Reason::UNKNOWN_USER },
        }
    }

    pub(super) fn identity(&self) -> Option<&Identity> {
        self.user.as_ref().map(|user| &user.identity)
    }

    pub(super) fn event(&self) -> AuditEvent {
        if self.user.is_some() || self.why == Reason::EXCESSIVE_FAILED_LOGINS {
            AuditEvent::AuthReject
        } else {
            AuditEvent::AuthAttempt
        }
    }
}

/// What was typed.
struct Typed {
    name: String,
    password: Secret<String>,
    new_password: Option<Secret<String>>,
    /// The proof of a second factor; required at some realms.
    code: Option<Secret<String>>,
    wants_code: bool,
}

impl PolicyServer {
    /// Who do these credentials belong to? Only those that the auth scheme asks for count.
    pub(super) async fn identify(
        self: &Arc<Self>,
        scheme: AuthScheme,
        credentials: Credentials,
        client: Option<IpAddr>,
    ) -> Result<Outcome, PolicyError> {
        match (scheme, credentials) {
            (
                AuthScheme::Form | AuthScheme::Basic | AuthScheme::Totp,
                Credentials::Password {
                    user_name,
                    password,
                    new_password,
                    code,
                },
            ) => {
                let typed = Typed {
                    name: user_name,
                    password,
                    new_password,
                    code,
                    wants_code: scheme == AuthScheme::Totp,
                };
                // Whoever gives up waiting does not stop it: an attempt that is counted is decided.
                let server = Arc::clone(self);
                let decided = tokio::spawn(async move { server.by_password(typed, client).await });
                decided.await.map_err(failure)?
            }
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
                Ok(match found.map_err(failure)? {
                    Some(user) if user.disabled => {
                        Outcome::Rejected(Rejection::told(Some(user), Reason::USER_DISABLED))
                    }
                    Some(user) => Outcome::Accepted(user),
                    None => Outcome::Rejected(Rejection::wrong(None)),
                })
            }
            _ => {
                let rejection = Rejection::told(None, Reason::UNSUPPORTED_SCHEME);
                Ok(Outcome::Rejected(rejection))
            }
        }
    }

    /// Counts the attempt, decides it, and keeps count of what came of it.
    async fn by_password(
        &self,
        typed: Typed,
        client: Option<IpAddr>,
    ) -> Result<Outcome, PolicyError> {
        let regulation = &self.regulation;
        let begun = regulation.begin(&typed.name, client).await;
        let Some(mut attempt) = begun.map_err(unregulated)? else {
            let rejection = Rejection::unseen(regulation.tells());
            return Ok(Outcome::Rejected(rejection));
        };
        let decided = self.decide(typed, &mut attempt).await;
        let ending = match &decided {
            Ok(Outcome::Accepted(_) | Outcome::Challenged(..)) => Ending::Right,
            Ok(Outcome::Rejected(rejection)) if rejection.told == Reason::USER_DISABLED => {
                Ending::Right
            }
            Ok(Outcome::Rejected(_)) => Ending::Wrong,
            Err(_) => Ending::Withdrawn,
        };
        let was_last = regulation.end(attempt, ending).await.map_err(failure)?;
        decided.map(|outcome| match outcome {
            Outcome::Rejected(rejection) if was_last => Outcome::Rejected(Rejection {
                why: Reason::EXCESSIVE_FAILED_LOGINS,
                ..rejection
            }),
            outcome => outcome,
        })
    }

    /// Is all that was typed right?
    async fn decide(&self, typed: Typed, attempt: &mut Attempt) -> Result<Outcome, PolicyError> {
        let password = typed.password.clone();
        let answer = self.directories.authenticate(&typed.name, password).await;
        let (user, state) = match answer.map_err(unanswered)? {
            Authentication::Accepted(user, state) => (user, Some(state)),
            Authentication::WrongPassword(user) | Authentication::Locked(user) => (user, None),
            Authentication::UnknownUser => return Ok(Outcome::Rejected(Rejection::wrong(None))),
        };
        // Somebody with several names does not get several times as many tries.
        let own_name = &user.identity.user_name;
        let may_know = self.regulation.also(attempt, own_name).await;
        let may_know = may_know.map_err(unregulated)?;
        let Some(state) = state.filter(|_| may_know) else {
            return Ok(Outcome::Rejected(Rejection::wrong(Some(user))));
        };
        if user.disabled {
            let rejection = Rejection::told(Some(user), Reason::USER_DISABLED);
            return Ok(Outcome::Rejected(rejection));
        }
        if let Some(new) = typed.new_password {
            let changed = self.directories.change_password(&user, typed.password, new);
            return Ok(match changed.await.map_err(failure)? {
                PasswordChange::Changed => Outcome::Accepted(user),
                PasswordChange::WrongPassword => Outcome::Rejected(Rejection::wrong(Some(user))),
                other @ (PasswordChange::Refused(_) | PasswordChange::ReadOnly) => {
                    Outcome::Challenged(user, other.reason())
                }
            });
        }
        Ok(match state {
            PasswordState::Good | PasswordState::WillExpire(_) => Outcome::Accepted(user),
            PasswordState::MustChange | PasswordState::Expired => {
                Outcome::Challenged(user, state.reason())
            }
        })
    }
}

/// Another policy server may be asked only if this one has counted nothing.
fn unregulated(error: RegulationError) -> PolicyError {
    match error {
        RegulationError::Busy => {
            tracing::warn!(%error, "login refused");
            PolicyError::Unavailable
        }
        RegulationError::Store(error) => failure(error),
    }
}

/// The attempt is withdrawn then, and counts nowhere.
fn unanswered(error: DirectoryError) -> PolicyError {
    match error {
        DirectoryError::Busy => {
            tracing::warn!(%error, "login refused");
            PolicyError::Unavailable
        }
        DirectoryError::Failure => failure(error),
    }
}
