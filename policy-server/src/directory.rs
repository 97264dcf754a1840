//! User directories: who there is, and whether they are who they say.
//!
//! [`Directory`] is the seam between the policy server and any kind of directory; [`Directories`] are the
//! configured ones in their order. [`mod@file`] is the kind that needs nothing else.

mod directories;
pub mod file;
mod file_format;
#[cfg(feature = "ldap")]
pub mod ldap;
pub mod name;
pub mod password;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use policy_protocol::{Identity, Reason, Secret, UserDirectory};

pub use self::directories::Directories;

/// Longer names and passwords are nobody's, and looking for them would be work for free. In bytes.
pub const MAX_INPUT_LENGTH: usize = 1024;

/// A user, as a directory knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Who they are.
    pub identity: Identity,
    /// Whether they may not log in.
    pub disabled: bool,
}

/// What a directory says to a name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// The password is this user's.
    Accepted(Arc<User>, PasswordState),
    /// There is such a user, with another password or none. For audit records only.
    WrongPassword(Arc<User>),
    /// The directory has locked this user out for now and has not looked at the password. Who asks must
    /// not learn that there is such a user.
    Locked(Arc<User>),
    /// There is no such user. For audit records only.
    UnknownUser,
    /// There are several users of this name, so nobody has it. For audit records only.
    Ambiguous,
}

/// What a directory says of a password that is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordState {
    /// Nothing.
    Good,
    /// It is good for this much longer.
    WillExpire(Duration),
    /// It was set by an administrator and must be changed first.
    MustChange,
    /// It was not changed in time and must be changed first. A directory may refuse even that.
    Expired,
}

impl PasswordState {
    /// The field's reason code.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Good => Reason::NONE,
            Self::WillExpire(_) => Reason::PASSWORD_WILL_EXPIRE,
            Self::MustChange => Reason::PASSWORD_MUST_CHANGE,
            Self::Expired => Reason::PASSWORD_EXPIRED,
        }
    }
}

/// What came of a change of password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordChange {
    /// The new one is in force.
    Changed,
    /// The old one is not this user's: as at a login, for audit records only.
    WrongPassword,
    /// The directory does not take the new one.
    Refused(NewPassword),
    /// Passwords are changed elsewhere.
    ReadOnly,
}

impl PasswordChange {
    /// The field's reason code.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Changed => Reason::PASSWORD_CHANGED,
            Self::WrongPassword => Reason::UNKNOWN_USER,
            Self::Refused(_) => Reason::BAD_PASSWORD_CHANGE,
            Self::ReadOnly => Reason::PASSWORD_CHANGE_FAILED,
        }
    }
}

/// What is wrong with a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewPassword {
    /// It is too short, or too long.
    Length,
    /// It can be guessed, by the directory's rules.
    Weak,
    /// The user has had it before.
    UsedBefore,
    /// The old one is too young to be changed.
    TooSoon,
    /// This user's password may not be changed, or the directory does not say why not.
    NotAllowed,
}

/// What is known of a client certificate. The TLS layer has verified it.
#[derive(Clone, Copy, Debug)]
pub struct CertificateFacts<'a> {
    /// SHA-256 of the DER, in lower-case hex.
    pub fingerprint: &'a str,
    /// The subject's distinguished name (RFC 4514).
    pub subject: &'a str,
    /// The issuer's distinguished name (RFC 4514).
    pub issuer: &'a str,
    /// The common names in the subject.
    pub common_names: &'a [String],
    /// The e-mail addresses among the alternative names.
    pub emails: &'a [String],
}

/// What was changed in a directory from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Whether anything is different about a user who was there before, groups and attributes included.
    pub to_known_users: bool,
    /// The universal ids of users who may not log in any more.
    pub gone: Vec<String>,
}

/// Why a directory gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// Too many logins are waiting.
    #[error("too many logins are waiting for the user directory")]
    Busy,
    /// It cannot be reached or read.
    #[error("the user directory failed")]
    Failure,
    /// The password was looked at and is wrong, and a directory further down gave no answer.
    #[error("a password was refused while another user directory failed")]
    FailureAfterRefusal,
}

/// A user directory.
pub trait Directory: Send + Sync + 'static {
    /// What sessions record of the directory.
    fn description(&self) -> &UserDirectory;

    /// Checks a password. Takes as long for a name that does not exist as for a wrong password.
    fn authenticate<'a>(
        &'a self,
        name: &'a str,
        password: Secret<String>,
    ) -> BoxFuture<'a, Result<Authentication, DirectoryError>>;

    /// Takes as long as [`Self::authenticate`] takes for a name that does not exist.
    fn decoy(&self) -> BoxFuture<'_, Result<(), DirectoryError>>;

    /// Changes a password for somebody who knows the old one. They have just been authenticated with it,
    /// and it is checked again.
    fn change_password<'a>(
        &'a self,
        user: &'a User,
        old: Secret<String>,
        new: Secret<String>,
    ) -> BoxFuture<'a, Result<PasswordChange, DirectoryError>>;

    /// Whose certificate is this?
    fn find_certificate<'a>(
        &'a self,
        certificate: CertificateFacts<'a>,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>>;

    /// The user with a universal id.
    fn find<'a>(
        &'a self,
        universal_id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>>;

    /// The user with a login name, spelled as a login may spell it.
    fn find_by_name<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>>;

    /// The user with a universal id, or else with a login name: what administrators type.
    fn find_any<'a>(
        &'a self,
        user: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        Box::pin(async move {
            match self.find(user).await? {
                Some(found) => Ok(Some(found)),
                None => self.find_by_name(user).await,
            }
        })
    }

    /// Looks for changes that were made outside since the last look. They are in force when this returns.
    fn refresh(&self) -> BoxFuture<'_, Result<Changes, DirectoryError>>;
}
