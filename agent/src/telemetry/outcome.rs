//! What became of a request, in one word.

use crate::access::Denial;

/// What became of a request. Closed, so that logs and metrics can be counted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The application answered.
    Forwarded,
    /// Asked to log in.
    Challenged,
    /// A page, picture or redirect of our own: login, logout, keys.
    Served,
    /// Sent from a plain listener to HTTPS, or elsewhere by a policy that lets the user in.
    Redirected,
    /// More than one reading, or none.
    BadRequest,
    /// The Host is not this connection's TLS server name.
    Misdirected,
    /// No realm.
    NotFound,
    /// Not a method of the realm.
    MethodNotAllowed,
    /// A body above the limit, or too many header fields.
    TooLarge,
    /// Known, and not allowed.
    Forbidden,
    /// The policy server could not be asked.
    PolicyUnavailable,
    /// The application could not be reached, or broke off.
    UpstreamUnavailable,
    /// The application took too long.
    UpstreamTimedOut,
    /// A fault of ours.
    Internal,
    /// The client went away before there was an answer.
    Abandoned,
}

impl Outcome {
    /// Every outcome, in the order of their discriminants.
    pub const ALL: [Self; 15] = [
        Self::Forwarded,
        Self::Challenged,
        Self::Served,
        Self::Redirected,
        Self::BadRequest,
        Self::Misdirected,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooLarge,
        Self::Forbidden,
        Self::PolicyUnavailable,
        Self::UpstreamUnavailable,
        Self::UpstreamTimedOut,
        Self::Internal,
        Self::Abandoned,
    ];

    /// The word in logs and metric labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Challenged => "challenged",
            Self::Served => "served",
            Self::Redirected => "redirected",
            Self::BadRequest => "bad_request",
            Self::Misdirected => "misdirected",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooLarge => "too_large",
            Self::Forbidden => "forbidden",
            Self::PolicyUnavailable => "policy_unavailable",
            Self::UpstreamUnavailable => "upstream_unavailable",
            Self::UpstreamTimedOut => "upstream_timed_out",
            Self::Internal => "internal",
            Self::Abandoned => "abandoned",
        }
    }
}

impl From<&Denial> for Outcome {
    fn from(denial: &Denial) -> Self {
        match denial {
            Denial::BadRequest(_) => Self::BadRequest,
            Denial::Misdirected => Self::Misdirected,
            Denial::NotFound => Self::NotFound,
            Denial::MethodNotAllowed => Self::MethodNotAllowed,
            Denial::TooLarge | Denial::TooManyHeaders => Self::TooLarge,
            Denial::Challenge { .. } => Self::Challenged,
            Denial::Forbidden { .. } => Self::Forbidden,
            Denial::Elsewhere { .. } => Self::Redirected,
            Denial::PolicyUnavailable => Self::PolicyUnavailable,
            Denial::UpstreamUnavailable => Self::UpstreamUnavailable,
            Denial::UpstreamTimedOut => Self::UpstreamTimedOut,
            Denial::Internal => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_outcomes_is_in_the_order_of_their_discriminants() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index, "{}", outcome.name());
        }
    }
}
