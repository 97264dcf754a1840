//! The operations, and what each is called where.

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Credentials for a token.
    Login,
    /// Whether credentials do, without a token.
    Blogin,
    /// The end of a session.
    Logout,
    /// Whether a session may do something.
    Authorize,
}

impl Operation {
    /// By its segment of a path.
    pub(super) fn of_path(segment: &str) -> Option<Self> {
        match segment {
            "login" => Some(Self::Login),
            "blogin" => Some(Self::Blogin),
            "logout" => Some(Self::Logout),
            "authz" => Some(Self::Authorize),
            _ => None,
        }
    }

    /// By the name of an element in a SOAP body, in whatever case.
    pub(super) fn of_element(name: &str) -> Option<Self> {
        let all = [Self::Login, Self::Blogin, Self::Logout, Self::Authorize];
        all.into_iter()
            .find(|operation| name.eq_ignore_ascii_case(operation.element()))
    }

    const fn element(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Blogin => "blogin",
            Self::Logout => "logout",
            Self::Authorize => "authorize",
        }
    }

    /// The root of its answer in REST.
    pub(super) const fn rest_answer(self) -> &'static str {
        match self {
            Self::Login | Self::Blogin => "loginResponse",
            Self::Logout => "logoutResponse",
            Self::Authorize => "authorizationResult",
        }
    }

    /// Its answer in SOAP.
    pub(super) const fn soap_answer(self) -> &'static str {
        match self {
            Self::Login => "loginResponse",
            Self::Blogin => "bloginResponse",
            Self::Logout => "logoutResponse",
            Self::Authorize => "authorizeResponse",
        }
    }

    /// What its answer calls names and values.
    pub(super) const fn responses(self) -> &'static str {
        match self {
            Self::Login | Self::Blogin | Self::Logout => "authenticationResponses",
            Self::Authorize => "authorizationResponses",
        }
    }

    /// The result code of a call that cannot be understood, or not be taken.
    pub(super) const fn bad_request(self) -> &'static str {
        match self {
            Self::Login | Self::Blogin => "LOGIN_ERROR",
            Self::Logout => "LOGOUT_FAILURE",
            Self::Authorize => "SERVER_ERROR",
        }
    }

    /// The result code where the policy server gives no answer.
    pub(super) const fn unavailable(self) -> &'static str {
        match self {
            // As documented, blank included.
            Self::Login | Self::Blogin => "Server Error",
            Self::Logout => "SERVER_ERROR",
            Self::Authorize => "NOT_CONNECTED",
        }
    }
}
