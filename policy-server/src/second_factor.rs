//! Second factors: what a user proves beside the password.
//!
//! [`SecondFactor`] is the seam: whatever can be proven by something that is typed or sent along with a
//! password (a one-time code today, an assertion of WebAuthn another day) is one implementation.
//! [`Totp`] is the one there is.

mod recovery;
mod totp;

use futures_util::future::BoxFuture;
use policy_protocol::{Identity, Secret};

use crate::store::StoreError;

pub(crate) use self::totp::{EnrolError, Totp};

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

/// A kind of second factor.
pub(crate) trait SecondFactor: Send + Sync + 'static {
    /// Does this prove that it is the user? One that is spent proves nothing a second time, whichever
    /// policy server is asked; one that is not may still be spent.
    fn verify<'a>(
        &'a self,
        user: &'a Identity,
        proof: &'a Secret<String>,
        spend: bool,
    ) -> BoxFuture<'a, Result<Proof, SecondFactorError>>;
}
