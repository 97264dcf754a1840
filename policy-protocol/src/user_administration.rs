//! What administrators ask of a user's logins and second factor, as JSON.

use serde::{Deserialize, Serialize};

use crate::{Secret, Timestamp};

/// How the logins of a user stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserStatus {
    /// The user's universal id; nothing if no directory knows one of this name. What follows is counted
    /// for names that nobody has, too.
    pub universal_id: Option<String>,
    /// Failed logins in a row.
    pub failed_logins: u32,
    /// Until when no password is looked at, if that is so.
    pub refused_until: Option<Timestamp>,
    /// The second factor, if the user has one.
    pub second_factor: Option<SecondFactorStatus>,
}

/// What a user has for a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SecondFactorStatus {
    /// When it was enrolled.
    pub enrolled: Timestamp,
    /// Recovery codes that were not used.
    pub recovery_codes: usize,
}

/// Gives a user a second factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnrolRequest {
    /// What authenticator apps show beside the user's name.
    pub issuer: String,
}

/// What the user's authenticator app needs to know. It is told once and never again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Enrolment {
    /// All of it as an address for a QR code: `otpauth://totp/…`.
    pub uri: Secret<String>,
    /// The secret alone, in base 32, to be typed.
    pub secret: Secret<String>,
    /// Codes that work once each, without the app.
    pub recovery_codes: Vec<Secret<String>>,
}
