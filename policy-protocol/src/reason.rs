//! Why a session or a login was refused.

use serde::{Deserialize, Serialize};

/// A reason code as it appears in `SMAUTHREASON`.
///
/// The numbers are those that agents of this kind have used for decades, so that existing login pages
/// and log analysis keep working. Unknown numbers are carried unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Reason(pub u16);

impl Reason {
    /// No particular reason: the visitor simply has no session yet.
    pub const NONE: Self = Self(0);
    /// The password must be changed before the login completes.
    pub const PASSWORD_MUST_CHANGE: Self = Self(1);
    /// The session cannot be read or is not known.
    pub const INVALID_SESSION: Self = Self(2);
    /// The session was ended: by logout, by step-up, or by an administrator.
    pub const REVOKED_SESSION: Self = Self(3);
    /// The session has reached its max timeout.
    pub const EXPIRED_SESSION: Self = Self(4);
    /// The session's protection level is below the realm's.
    pub const AUTH_LEVEL_TOO_LOW: Self = Self(5);
    /// The user is not in any directory.
    pub const UNKNOWN_USER: Self = Self(6);
    /// The user is disabled.
    pub const USER_DISABLED: Self = Self(7);
    /// The session id does not belong to the session spec.
    pub const INVALID_SESSION_ID: Self = Self(8);
    /// The session was used from another client address than the one it was made for.
    pub const INVALID_SESSION_IP: Self = Self(9);
    /// The client's certificate was revoked by its issuer.
    pub const CERTIFICATE_REVOKED: Self = Self(10);
    /// The list of revoked certificates is too old to trust.
    pub const CRL_OUT_OF_DATE: Self = Self(11);
    /// The password is right; a second factor must be proven in answer to a challenge.
    pub const TOKEN_CARD_CHALLENGE: Self = Self(15);
    /// The password will expire soon; the login completes.
    pub const PASSWORD_WILL_EXPIRE: Self = Self(18);
    /// The password was not changed in time, and must be changed before the login completes.
    pub const PASSWORD_EXPIRED: Self = Self(19);
    /// The password must be changed at once, before anything else.
    pub const IMMEDIATE_PASSWORD_CHANGE: Self = Self(20);
    /// The password could not be changed.
    pub const PASSWORD_CHANGE_FAILED: Self = Self(21);
    /// The directory does not take the new password.
    pub const BAD_PASSWORD_CHANGE: Self = Self(22);
    /// The new password is in force.
    pub const PASSWORD_CHANGED: Self = Self(23);
    /// Too many failed logins.
    pub const EXCESSIVE_FAILED_LOGINS: Self = Self(24);
    /// The policy server failed.
    pub const SERVER_EXCEPTION: Self = Self(35);
    /// The auth scheme is not one the policy server supports.
    pub const UNSUPPORTED_SCHEME: Self = Self(37);
    /// The session could not be put into the session store: its user has as many as they may.
    pub const SET_PERSISTENT_SESSION_FAILED: Self = Self(40);
    /// The user logged out.
    pub const USER_LOGOUT: Self = Self(41);
    /// The session was idle for longer than its idle timeout.
    pub const IDLE_SESSION: Self = Self(42);

    /// A short name for audit records.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "none",
            1 => "password_must_change",
            2 => "invalid_session",
            3 => "revoked_session",
            4 => "expired_session",
            5 => "auth_level_too_low",
            6 => "unknown_user",
            7 => "user_disabled",
            8 => "invalid_session_id",
            9 => "invalid_session_ip",
            10 => "certificate_revoked",
            11 => "crl_out_of_date",
            15 => "token_card_challenge",
            18 => "password_will_expire",
            19 => "password_expired",
            20 => "immediate_password_change",
            21 => "password_change_failed",
            22 => "bad_password_change",
            23 => "password_changed",
            24 => "excessive_failed_logins",
            35 => "server_exception",
            37 => "unsupported_scheme",
            40 => "set_persistent_session_failed",
            41 => "user_logout",
            42 => "idle_session",
            _ => "other",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
