//! Why a credential does not do.

use std::sync::Arc;

use policy_protocol::Reason;

use crate::access::Denial;
use crate::config::Realm;
use crate::session::validate::NotValidated;

/// Why a credential does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is not good, or not good enough.
    Refused(Reason),
    /// The policy server cannot be asked, and what is known does not suffice.
    Unavailable,
}

impl Unfit {
    /// What to say of two credentials of which neither does: that one might have done, else the first
    /// reason there is.
    pub(super) const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unavailable, _) | (_, Self::Unavailable) => Self::Unavailable,
            (Self::Refused(Reason::NONE), other) => other,
            (first, Self::Refused(_)) => first,
        }
    }

    /// What is said to a request for `realm` that has no better credential.
    pub fn denial(self, realm: &Arc<Realm>) -> Denial {
        match self {
            Self::Unavailable => Denial::PolicyUnavailable,
            Self::Refused(reason) => Denial::Challenge {
                realm: Arc::clone(realm),
                reason,
            },
        }
    }
}

impl From<Reason> for Unfit {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

impl From<NotValidated> for Unfit {
    fn from(error: NotValidated) -> Self {
        match error {
            NotValidated::Refused(reason) => Self::Refused(reason),
            NotValidated::Unavailable => Self::Unavailable,
        }
    }
}
