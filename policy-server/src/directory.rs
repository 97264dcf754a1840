//! User directories: who there is, and whether they are who they say.
//!
//! [`Directory`] is the seam between the policy server and any kind of directory; [`mod@file`] is the one
//! kind there is so far.

pub mod file;
mod file_format;
pub mod password;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use policy_protocol::{Identity, Secret, UserDirectory};

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
    Accepted(Arc<User>),
    /// There is such a user, with another password. For audit records only.
    WrongPassword(Arc<User>),
    /// There is no such user, or one without a password. For audit records only.
    UnknownUser,
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

    /// Whose certificate is this? The TLS layer has verified it.
    fn find_certificate<'a>(
        &'a self,
        fingerprint: &'a str,
        subject: &'a str,
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
