//! Second factors: what a user proves beside the password.
//!
//! [`SecondFactor`] is the seam: whatever can be proven by something that is sent along with a password is one
//! implementation, whether it is typed unasked (a one-time code) or answers a challenge (an assertion of
//! WebAuthn another day). [`Totp`] is the one there is.

mod recovery;
mod totp;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use policy_protocol::user_administration::{Enrolment, SecondFactorStatus};
use policy_protocol::{AuthScheme, Clock, Identity, Secret};

use self::totp::Totp;
use crate::master_key::MasterKey;
use crate::store::{Store, StoreError};

/// What became of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It is the user's.
    Proven,
    /// It is not, or was used before.
    Wrong,
    /// The user has nothing to prove it with.
    NotEnrolled,
}

/// Why it is not known whether a proof is right.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SecondFactorError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a second factor in the store cannot be opened")]
    Unreadable,
    #[error("there is no randomness to be had")]
    NoRandomness,
}

/// Why a user was not enrolled.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum EnrolError {
    #[error("this user has a second factor")]
    Enrolled,
    #[error(transparent)]
    Failed(#[from] SecondFactorError),
}

/// The outcome of a call to a second factor, later.
type Answer<'a, T, E = SecondFactorError> = BoxFuture<'a, Result<T, E>>;

/// A kind of second factor. What it must remember is in the store: the next call may come to another
/// policy server.
pub(crate) trait SecondFactor: Send + Sync + 'static {
    /// Gives a user what proofs are made with. `issuer` is what apps show beside the user's name.
    fn enrol<'a>(
        &'a self,
        user: &'a Identity,
        issuer: &'a str,
    ) -> Answer<'a, Enrolment, EnrolError>;

    /// Takes it away. `false` if there was none.
    fn remove<'a>(&'a self, user: &'a Identity) -> Answer<'a, bool>;

    /// What a user has.
    fn status<'a>(&'a self, user: &'a Identity) -> Answer<'a, Option<SecondFactorStatus>>;

    /// A challenge for this user on `host`, the one the user wants to reach, as the login page understands it.
    /// Nothing if proofs answer none, or the user has nothing to answer with. Called only after the right
    /// password.
    fn begin<'a>(&'a self, user: &'a Identity, host: &'a str) -> Answer<'a, Option<String>>;

    /// Does this prove that it is the user, on this host? One that is spent proves nothing a second time,
    /// whichever policy server is asked; one that is not may still be spent.
    fn verify<'a>(
        &'a self,
        user: &'a Identity,
        host: &'a str,
        proof: &'a Secret<String>,
        spend: bool,
    ) -> Answer<'a, Proof>;
}

/// Makes the second factors of a policy server.
pub(crate) type OpenSecondFactors =
    fn(Arc<dyn Store>, Arc<dyn Clock>, Arc<MasterKey>) -> SecondFactors;

/// The second factors of a policy server.
pub(crate) struct SecondFactors {
    /// What realms of the scheme `totp` ask for, and administrators enrol.
    pub(crate) totp: Box<dyn SecondFactor>,
}

impl SecondFactors {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        master_key: Arc<MasterKey>,
    ) -> Self {
        Self {
            totp: Box::new(Totp::new(store, clock, master_key)),
        }
    }

    /// What an auth scheme asks for beside the password, if it does.
    pub(crate) fn of(&self, scheme: AuthScheme) -> Option<&dyn SecondFactor> {
        match scheme {
            AuthScheme::Totp => Some(&*self.totp),
            AuthScheme::Form | AuthScheme::Basic | AuthScheme::Certificate | AuthScheme::None => {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
