//! Who do the credentials of a login belong to?

mod prove;

use std::net::IpAddr;
use std::sync::Arc;

use policy_client::PolicyError;
use policy_protocol::message::Credentials;
use policy_protocol::{AuthScheme, Identity, Reason, ResourceContext, Secret, Timestamp};

use crate::audit::AuditEvent;
use crate::directory::{
    Authentication, CertificateFacts, DirectoryError, PasswordChange, PasswordState, User,
};
use crate::regulation::{Attempt, Ending, RegulationError};
use crate::server::{PolicyServer, failure};

/// Who came of the credentials.
pub(super) enum Outcome {
    Accepted(Arc<User>),
    /// A known user who must change their password first, or prove a second factor, and what the next
    /// proof must answer.
    Challenged(Arc<User>, Reason, Option<String>),
    Rejected(Rejection),
}

/// Somebody who may not come in.
pub(super) struct Rejection {
    /// Who it is, if that is known. For audit records only.
    user: Option<Arc<User>>,
    /// Why, for audit records only.
    pub(super) why: Reason,
    /// The same in words.
    pub(super) detail: &'static str,
    /// What who asks is told. They must not learn whether there is such a user.
    pub(super) told: Reason,
    /// Whether a password was looked at, which takes its time.
    pub(super) looked: bool,
}

impl Rejection {
    /// Nobody, or not with these credentials.
    fn wrong(user: Option<Arc<User>>, detail: &'static str) -> Self {
        Self {
            detail,
            ..Self::told(user, Reason::UNKNOWN_USER)
        }
    }

    const fn told(user: Option<Arc<User>>, reason: Reason) -> Self {
        Self {
            user,
            why: reason,
            detail: "",
            told: reason,
            looked: false,
        }
    }

    /// Without a look at the password.
    const fn unseen(tell: bool) -> Self {
        let why = Reason::EXCESSIVE_FAILED_LOGINS;
        Self {
            user: None,
            why,
            detail: "",
            told: if tell { why } else { Reason::UNKNOWN_USER },
            looked: false,
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
    /// The proof of a second factor; required by some schemes.
    code: Option<Secret<String>>,
    scheme: AuthScheme,
    /// The host that the user wants to reach.
    host: String,
}

/// What an agent says that an assertion says.
struct Asserted<'a> {
    agent: &'a str,
    issuer: &'a str,
    name_id: &'a str,
    until: Timestamp,
}

impl PolicyServer {
    /// Who do these credentials belong to? Only those that the auth scheme asks for count.
    pub(super) async fn identify(
        self: &Arc<Self>,
        resource: &ResourceContext,
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
                    scheme,
                    host: resource.server.clone(),
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
                    None => Outcome::Rejected(Rejection::wrong(None, "certificate")),
                })
            }
            (
                AuthScheme::Form | AuthScheme::Basic,
                Credentials::Assertion {
                    name_id,
                    issuer,
                    not_on_or_after,
                },
            ) => {
                let asserted = Asserted {
                    agent: &resource.agent,
                    issuer: &issuer,
                    name_id: &name_id,
                    until: not_on_or_after,
                };
                self.by_assertion(asserted).await
            }
            _ => {
                let rejection = Rejection::told(None, Reason::UNSUPPORTED_SCHEME);
                Ok(Outcome::Rejected(rejection))
            }
        }
    }

    /// Nothing is guessed here, so nothing is counted: as with certificates.
    async fn by_assertion(&self, asserted: Asserted<'_>) -> Result<Outcome, PolicyError> {
        let Some(issuer) = self.assertions.believed(asserted.issuer, asserted.agent) else {
            return Ok(wrong(None, "assertion of an issuer that is not believed"));
        };
        if asserted.until <= self.now() {
            return Ok(wrong(None, "assertion that is over"));
        }
        let Some(name) = issuer.name_of(asserted.name_id) else {
            return Ok(wrong(None, "assertion about a name of another domain"));
        };
        let found = self
            .directories
            .find_by_name(name, issuer.directory.as_deref())
            .await;
        Ok(match found.map_err(failure)? {
            Some(user) if user.disabled => {
                Outcome::Rejected(Rejection::told(Some(user), Reason::USER_DISABLED))
            }
            Some(user) => Outcome::Accepted(user),
            None => wrong(None, "assertion"),
        })
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
            Err(_) if attempt.is_refused() => Ending::Wrong,
            Err(_) => Ending::Withdrawn,
        };
        let was_last = regulation.end(attempt, ending).await.map_err(failure)?;
        decided.map(|outcome| match outcome {
            Outcome::Rejected(rejection) => Outcome::Rejected(Rejection {
                why: if was_last {
                    Reason::EXCESSIVE_FAILED_LOGINS
                } else {
                    rejection.why
                },
                looked: true,
                ..rejection
            }),
            outcome => outcome,
        })
    }

    /// Is all that was typed right? Who asks learns only whether it is, not what of it.
    async fn decide(&self, typed: Typed, attempt: &mut Attempt) -> Result<Outcome, PolicyError> {
        let password = typed.password.clone();
        let answer = self.directories.authenticate(&typed.name, password).await;
        if answer == Err(DirectoryError::FailureAfterRefusal) {
            attempt.refused();
        }
        let (user, state) = match answer.map_err(unanswered)? {
            Authentication::Accepted(user, state) => (user, Ok(state)),
            Authentication::WrongPassword(user) => (user, Err("password")),
            Authentication::Locked(user) => (user, Err("locked in the directory")),
            Authentication::UnknownUser => return Ok(wrong(None, "name")),
            Authentication::Ambiguous => return Ok(wrong(None, "several users of this name")),
        };
        // Somebody with several names does not get several times as many tries.
        let own_name = &user.identity.user_name;
        let may_know = self.regulation.also(attempt, own_name).await;
        if !may_know.map_err(unregulated)? {
            return Ok(Outcome::Rejected(Rejection {
                user: Some(user),
                ..Rejection::unseen(false)
            }));
        }
        let state = match state {
            Ok(state) => state,
            Err(detail) => return Ok(wrong(Some(user), detail)),
        };
        let must_change = matches!(state, PasswordState::MustChange | PasswordState::Expired);
        // Nothing is guessed yet, so nothing is counted.
        if typed.is_unproven()
            && let Some(challenge) = self.challenge(&user, &typed).await?
        {
            let reason = Reason::TOKEN_CARD_CHALLENGE;
            return Ok(Outcome::Challenged(user, reason, Some(challenge)));
        }
        // A code works once: not for a step on the way.
        let is_last = !must_change && typed.new_password.is_none();
        if let Err(detail) = self.prove(&user, &typed, is_last).await? {
            return Ok(wrong(Some(user), detail));
        }
        if user.disabled {
            let rejection = Rejection::told(Some(user), Reason::USER_DISABLED);
            return Ok(Outcome::Rejected(rejection));
        }
        let Some(new) = typed.new_password.clone() else {
            return if must_change {
                self.once_more(user, &typed, state.reason()).await
            } else {
                Ok(Outcome::Accepted(user))
            };
        };
        let old = typed.password.clone();
        let changed = self.directories.change_password(&user, old, new).await;
        match changed.map_err(failure)? {
            PasswordChange::Changed => {}
            PasswordChange::WrongPassword => return Ok(wrong(Some(user), "password")),
            other @ (PasswordChange::Refused(_) | PasswordChange::ReadOnly) => {
                return self.once_more(user, &typed, other.reason()).await;
            }
        }
        // Not "not processed": the password is another one by now, and who repeats the login has the old one.
        let proven = self.prove(&user, &typed, true).await;
        Ok(match proven.map_err(|_| PolicyError::Failure)? {
            Ok(()) => Outcome::Accepted(user),
            Err(detail) => wrong(Some(user), detail),
        })
    }
}

fn wrong(user: Option<Arc<User>>, detail: &'static str) -> Outcome {
    Outcome::Rejected(Rejection::wrong(user, detail))
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
        DirectoryError::Failure | DirectoryError::FailureAfterRefusal => failure(error),
    }
}
