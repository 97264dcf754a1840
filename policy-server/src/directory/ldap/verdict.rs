//! What the answer to a bind says of a password.

use ldap3::LdapResult;

use super::operation::{Failed, SUCCESS};
use super::password_policy::{Remark, active_directory_code};
use crate::directory::PasswordState;

// Result codes of a bind (RFC 4511, appendix A) that are about who binds.
pub(super) const CONSTRAINT_VIOLATION: u32 = 19;
const NO_SUCH_OBJECT: u32 = 32;
const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
const INVALID_CREDENTIALS: u32 = 49;
pub(super) const UNWILLING_TO_PERFORM: u32 = 53;

// Active Directory's reasons that it gives for right passwords only.
const AD_DISABLED: u32 = 0x533;
const AD_PASSWORD_EXPIRED: u32 = 0x532;
const AD_ACCOUNT_EXPIRED: u32 = 0x701;
const AD_MUST_CHANGE: u32 = 0x773;
/// And one that it gives for any.
const AD_LOCKED: u32 = 0x775;

/// What a bind as a user says.
pub(super) enum Verdict {
    Right(PasswordState),
    /// The password is right, and the directory lets them in no more.
    Disabled,
    Wrong,
    Locked,
}

/// What the answer to a bind says of the password.
///
/// # Errors
/// If it says nothing of it.
pub(super) fn verdict(result: &LdapResult, remark: Remark) -> Result<Verdict, Failed> {
    Ok(match result.rc {
        SUCCESS => Verdict::Right(remark.state()),
        INVALID_CREDENTIALS if remark.is_locked() => Verdict::Locked,
        INVALID_CREDENTIALS if remark.is_expired() => Verdict::Right(PasswordState::Expired),
        INVALID_CREDENTIALS => match active_directory_code(&result.text) {
            Some(AD_MUST_CHANGE) => Verdict::Right(PasswordState::MustChange),
            Some(AD_PASSWORD_EXPIRED) => Verdict::Right(PasswordState::Expired),
            Some(AD_DISABLED | AD_ACCOUNT_EXPIRED) => Verdict::Disabled,
            Some(AD_LOCKED) => Verdict::Locked,
            _ => Verdict::Wrong,
        },
        // An entry without a password, and one that was deleted since it was found.
        INAPPROPRIATE_AUTHENTICATION | NO_SUCH_OBJECT => Verdict::Wrong,
        // 389 Directory Server: too many wrong passwords; inactivated.
        CONSTRAINT_VIOLATION => Verdict::Locked,
        UNWILLING_TO_PERFORM if result.text.contains("nactivated") => Verdict::Locked,
        _ => return Err(result.into()),
    })
}
