//! Why the login page is shown, as far as the user may know.

use policy_protocol::Reason;

/// Why the login page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The name and the password do not fit together. Also said of unknown and of disabled users.
    WrongCredentials,
    /// The same, where a one-time code was asked for: which of them was wrong is not told.
    WrongCredentialsOrCode,
    /// Too many failed attempts.
    TooManyAttempts,
    /// The password must be changed first.
    PasswordMustChange,
    /// The password was not changed in time.
    PasswordExpired,
    /// The new password was not typed twice.
    PasswordsDiffer,
    /// The directory does not take the new password.
    PasswordNotTaken,
    /// Passwords are not changed here.
    PasswordNotChanged,
    /// The second factor must answer a challenge.
    ProofWanted,
    /// The session is not known any more.
    SessionEnded,
    /// The session reached its max timeout.
    SessionExpired,
    /// The session reached its idle timeout.
    SessionIdle,
    /// The session is bound to another client address.
    AddressChanged,
    /// The realm's protection level is above the session's.
    StepUp,
    /// The user logged out.
    LoggedOut,
    /// The form was open for longer than its state lives.
    FormExpired,
    /// The policy server cannot be asked.
    Unavailable,
}

impl Message {
    /// All messages.
    pub(super) const ALL: [Self; 17] = [
        Self::WrongCredentials,
        Self::WrongCredentialsOrCode,
        Self::TooManyAttempts,
        Self::PasswordMustChange,
        Self::PasswordExpired,
        Self::PasswordsDiffer,
        Self::PasswordNotTaken,
        Self::PasswordNotChanged,
        Self::ProofWanted,
        Self::SessionEnded,
        Self::SessionExpired,
        Self::SessionIdle,
        Self::AddressChanged,
        Self::StepUp,
        Self::LoggedOut,
        Self::FormExpired,
        Self::Unavailable,
    ];

    /// What to say when a request was challenged for `reason`; nothing to a visitor without a session.
    pub const fn for_challenge(reason: Reason) -> Option<Self> {
        match reason {
            Reason::NONE => None,
            Reason::EXPIRED_SESSION => Some(Self::SessionExpired),
            Reason::IDLE_SESSION => Some(Self::SessionIdle),
            Reason::AUTH_LEVEL_TOO_LOW => Some(Self::StepUp),
            Reason::INVALID_SESSION_IP => Some(Self::AddressChanged),
            Reason::USER_LOGOUT => Some(Self::LoggedOut),
            Reason::SERVER_EXCEPTION => Some(Self::Unavailable),
            _ => Some(Self::SessionEnded),
        }
    }

    /// What to say when Login() refused for `reason`. Whether a name exists is never part of it.
    pub const fn for_failed_login(reason: Reason, asks_code: bool) -> Self {
        match reason {
            Reason::EXCESSIVE_FAILED_LOGINS => Self::TooManyAttempts,
            Reason::SERVER_EXCEPTION => Self::Unavailable,
            _ if asks_code => Self::WrongCredentialsOrCode,
            _ => Self::WrongCredentials,
        }
    }

    /// What to say when Login() asks for something more, because of `reason`.
    pub const fn for_challenged_login(reason: Reason) -> Self {
        match reason {
            Reason::PASSWORD_EXPIRED => Self::PasswordExpired,
            Reason::BAD_PASSWORD_CHANGE => Self::PasswordNotTaken,
            Reason::PASSWORD_CHANGE_FAILED => Self::PasswordNotChanged,
            Reason::TOKEN_CARD_CHALLENGE => Self::ProofWanted,
            _ => Self::PasswordMustChange,
        }
    }

    /// The key of its text.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::WrongCredentials => "message_wrong_credentials",
            Self::WrongCredentialsOrCode => "message_wrong_credentials_or_code",
            Self::TooManyAttempts => "message_too_many_attempts",
            Self::PasswordMustChange => "message_password_must_change",
            Self::PasswordExpired => "message_password_expired",
            Self::PasswordsDiffer => "message_passwords_differ",
            Self::PasswordNotTaken => "message_password_not_taken",
            Self::PasswordNotChanged => "message_password_not_changed",
            Self::ProofWanted => "message_proof_wanted",
            Self::SessionEnded => "message_session_ended",
            Self::SessionExpired => "message_session_expired",
            Self::SessionIdle => "message_session_idle",
            Self::AddressChanged => "message_address_changed",
            Self::StepUp => "message_step_up",
            Self::LoggedOut => "message_logged_out",
            Self::FormExpired => "message_form_expired",
            Self::Unavailable => "message_unavailable",
        }
    }

    /// Whether something went wrong, as opposed to merely being due.
    pub(super) const fn is_error(self) -> bool {
        matches!(
            self,
            Self::WrongCredentials
                | Self::WrongCredentialsOrCode
                | Self::TooManyAttempts
                | Self::PasswordsDiffer
                | Self::PasswordNotTaken
                | Self::PasswordNotChanged
                | Self::Unavailable
        )
    }
}
