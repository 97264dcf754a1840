//! What a server says of a password beyond yes and no: the password policy control
//! (draft-behera-ldap-password-policy-10, section 6), and Active Directory's codes.

use std::time::Duration;

use ldap3::LdapResult;
use ldap3::controls::RawControl;

use crate::directory::{NewPassword, PasswordState};

const OID: &str = "1.3.6.1.4.1.42.2.27.8.5.1";

/// Asks for the control; a server that does not know it says nothing.
pub(super) fn request() -> RawControl {
    RawControl {
        ctype: OID.to_owned(),
        crit: false,
        val: None,
    }
}

/// A server's remark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remark {
    warning: Option<Warning>,
    error: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Warning {
    /// The password is good for so many seconds.
    Seconds(u64),
    /// It has expired, and is good for so many more logins.
    Logins,
}

// The control's errors.
const EXPIRED: u8 = 0;
const LOCKED: u8 = 1;
const CHANGE_AFTER_RESET: u8 = 2;
const WEAK: u8 = 5;
const TOO_SHORT: u8 = 6;
const TOO_YOUNG: u8 = 7;
const IN_HISTORY: u8 = 8;

impl Remark {
    /// What came along with a result.
    pub(super) fn of(result: &LdapResult) -> Self {
        let control = result.ctrls.iter().find(|control| control.1.ctype == OID);
        let value = control.and_then(|control| control.1.val.as_deref());
        value.and_then(parse).unwrap_or_default()
    }

    /// Of a password that the server took.
    pub(super) const fn state(self) -> PasswordState {
        match (self.error, self.warning) {
            (Some(CHANGE_AFTER_RESET), _) => PasswordState::MustChange,
            (Some(EXPIRED), _) | (_, Some(Warning::Logins)) => PasswordState::Expired,
            (_, Some(Warning::Seconds(left))) => {
                PasswordState::WillExpire(Duration::from_secs(left))
            }
            _ => PasswordState::Good,
        }
    }

    /// Whether the server says no although the password is right.
    pub(super) fn is_expired(self) -> bool {
        self.error == Some(EXPIRED)
    }

    /// Whether the server did not look at the password.
    pub(super) fn is_locked(self) -> bool {
        self.error == Some(LOCKED)
    }

    /// What is wrong with a new password, if the server says.
    pub(super) fn refusal(self) -> Option<NewPassword> {
        Some(match self.error? {
            WEAK => NewPassword::Weak,
            TOO_SHORT => NewPassword::Length,
            TOO_YOUNG => NewPassword::TooSoon,
            IN_HISTORY => NewPassword::UsedBefore,
            _ => NewPassword::NotAllowed,
        })
    }
}

/// Active Directory's reason for a refused bind, as in `80090308: LdapErr: DSID-…, comment:
/// AcceptSecurityContext error, data 773, v4563`. Windows error codes, in hex.
pub(super) fn active_directory_code(text: &str) -> Option<u32> {
    let (_, after) = text.split_once("AcceptSecurityContext error, data ")?;
    let (code, _) = after.split_once(',')?;
    u32::from_str_radix(code, 16).ok()
}

/// `SEQUENCE { warning [0] CHOICE { [0] INTEGER, [1] INTEGER } OPTIONAL, error [1] ENUMERATED OPTIONAL }`
fn parse(value: &[u8]) -> Option<Remark> {
    let (tag, mut rest, _) = element(value)?;
    if tag != 0x30 {
        return None;
    }
    let mut remark = Remark::default();
    while !rest.is_empty() {
        let (tag, content, after) = element(rest)?;
        match tag {
            0xa0 => {
                let (kind, number, _) = element(content)?;
                remark.warning = match kind {
                    0x80 => Some(Warning::Seconds(unsigned(number)?)),
                    0x81 => Some(Warning::Logins),
                    _ => None,
                };
            }
            0x81 => remark.error = Some(u8::try_from(unsigned(content)?).ok()?),
            _ => {}
        }
        rest = after;
    }
    Some(remark)
}

/// Tag, content and what follows. The control is never as long as to need a longer form of length.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, length @ 0..=0x7f, rest @ ..] = bytes else {
        return None;
    };
    let (content, after) = rest.split_at_checked(usize::from(*length))?;
    Some((*tag, content, after))
}

fn unsigned(bytes: &[u8]) -> Option<u64> {
    let fits = (1..=8).contains(&bytes.len()) && bytes[0] < 0x80;
    let number = bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    fits.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_is_read_as_the_draft_writes_it() {
        for (bytes, state) in [
            (&[0x30, 0][..], PasswordState::Good),
            (&[0x30, 3, 0x81, 1, 2], PasswordState::MustChange),
            (&[0x30, 3, 0x81, 1, 0], PasswordState::Expired),
            (&[0x30, 5, 0xa0, 3, 0x81, 1, 3], PasswordState::Expired),
            (
                &[0x30, 6, 0xa0, 4, 0x80, 2, 0x0e, 0x10],
                PasswordState::WillExpire(Duration::from_secs(3600)),
            ),
            (
                &[0x30, 8, 0xa0, 3, 0x80, 1, 9, 0x81, 1, 2],
                PasswordState::MustChange,
            ),
        ] {
            assert_eq!(parse(bytes).unwrap().state(), state, "{bytes:?}");
        }
        let weak = parse(&[0x30, 3, 0x81, 1, 6]).unwrap();
        assert_eq!(weak.refusal(), Some(NewPassword::Length));
        assert_eq!(Remark::default().refusal(), None);
    }

    #[test]
    fn what_is_no_control_is_not_read() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x31, 0],
            &[0x30, 0x81, 0],
            &[0x30, 9, 0x81, 1, 2],
            &[0x30, 3, 0x81, 2, 2],
            &[0x30, 2, 0x81, 0],
            &[0x30, 4, 0x81, 2, 1, 0],
            &[0x30, 3, 0x81, 1, 0xff],
        ] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn active_directory_says_why_in_words() {
        let text = "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data 773, v4563";
        assert_eq!(active_directory_code(text), Some(0x773));
        assert_eq!(active_directory_code("data 773,"), None);
        assert_eq!(active_directory_code(""), None);
    }
}
