//! A TOML file of users.
//!
//! ```toml
//! [[users]]
//! name = "alice"
//! password = "$argon2id$v=19$m=19456,t=2,p=1$…"   # doorward hash-password
//! groups = ["staff"]
//! attributes = { mail = "alice@example.com", phone = ["1", "2"] }
//! ```
//!
//! Further keys: `dn`, `universal_id`, `disabled`, `certificates` (SHA-256 in hex) and
//! `certificate_subjects`. Changes are picked up while running; a file with a mistake in it is
//! reported and ignored.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use policy_protocol::{Secret, UserDirectory};

use super::file_format::{Entry, Users, changes, folded, read};
use super::password::PasswordChecker;
use super::{Authentication, Changes, Directory, DirectoryError, User};
use crate::config::{Problem, Problems};

/// Longer names and passwords are nobody's, and hashing them would be work for free.
const MAX_INPUT_LENGTH: usize = 1024;

/// A TOML file of users.
pub struct FileDirectory {
    path: PathBuf,
    description: UserDirectory,
    loaded: RwLock<Loaded>,
    checker: PasswordChecker,
}

/// The file as last read.
struct Loaded {
    users: Arc<Users>,
    /// Time of the last change and length: enough to see an edit.
    stamp: Option<(SystemTime, u64)>,
}

impl FileDirectory {
    /// Reads the file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(path: &Path) -> Result<Self, Problems> {
        let description = Self::describe(path);
        // The stamp first: an edit after it is seen the next time.
        let stamp = stamp(path);
        let loaded = Loaded {
            users: Arc::new(load(path, &description)?),
            stamp,
        };
        Ok(Self {
            path: path.to_owned(),
            description,
            loaded: RwLock::new(loaded),
            checker: PasswordChecker::new(),
        })
    }

    /// What sessions record of the directory in a file.
    pub fn describe(path: &Path) -> UserDirectory {
        let name = |part: Option<&std::ffi::OsStr>| {
            part.map(|part| part.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        UserDirectory {
            // The path may change with the machine, but sessions go on.
            oid: String::from("file"),
            name: name(path.file_stem()),
            server: name(path.file_name()),
            namespace: String::from("File:"),
        }
    }

    fn users(&self) -> Arc<Users> {
        Arc::clone(
            &self
                .loaded
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .users,
        )
    }

    /// Reads the file again if it has changed.
    ///
    /// # Errors
    /// Everything that is wrong with it; what was read before stays in force.
    fn reload(&self) -> Result<Changes, Problems> {
        let seen = self
            .loaded
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .stamp;
        let stamp = stamp(&self.path);
        if stamp.is_some() && seen == stamp {
            return Ok(Changes::default());
        }
        let read = load(&self.path, &self.description);
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        // Also after a failure: one mistake is reported once.
        loaded.stamp = stamp;
        let new = read?;
        let changes = changes(&loaded.users, &new);
        loaded.users = Arc::new(new);
        tracing::info!(file = %self.path.display(), "users file read again");
        Ok(changes)
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn load(path: &Path, description: &UserDirectory) -> Result<Users, Problems> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problems::one(Problem::unplaced(&file, "", &error.to_string())))?;
    read(&text, &file, description)
}

impl Directory for FileDirectory {
    fn description(&self) -> &UserDirectory {
        &self.description
    }

    fn authenticate<'a>(
        &'a self,
        name: &'a str,
        password: Secret<String>,
    ) -> BoxFuture<'a, Result<Authentication, DirectoryError>> {
        Box::pin(async move {
            let users = self.users();
            let fits =
                name.len() <= MAX_INPUT_LENGTH && password.expose().len() <= MAX_INPUT_LENGTH;
            let entry = if fits {
                users.by_name.get(&folded(name))
            } else {
                None
            };
            let password = if fits {
                password
            } else {
                Secret::new(String::new())
            };
            // A user without a password costs the same as one who does not exist.
            let (user, hash) = match entry {
                Some(Entry {
                    user,
                    password: Some(hash),
                }) => (Some(user), hash),
                _ => (None, &users.decoy),
            };
            let matches = self.checker.check(Arc::clone(hash), password).await?;
            Ok(match user {
                Some(user) if matches => Authentication::Accepted(Arc::clone(user)),
                Some(user) => Authentication::WrongPassword(Arc::clone(user)),
                None => Authentication::UnknownUser,
            })
        })
    }

    fn find_certificate<'a>(
        &'a self,
        fingerprint: &'a str,
        subject: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        Box::pin(async move {
            let users = self.users();
            let found = users.by_fingerprint.get(fingerprint);
            Ok(found.or_else(|| users.by_subject.get(subject)).cloned())
        })
    }

    fn find<'a>(
        &'a self,
        universal_id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        Box::pin(async move { Ok(self.users().by_universal_id.get(universal_id).cloned()) })
    }

    fn find_by_name<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        Box::pin(async move {
            let users = self.users();
            let entry = users.by_name.get(&folded(name));
            Ok(entry.map(|entry| Arc::clone(&entry.user)))
        })
    }

    fn refresh(&self) -> BoxFuture<'_, Result<Changes, DirectoryError>> {
        // A small local file, read only when it has changed.
        Box::pin(async move {
            self.reload().map_err(|problems| {
                tracing::error!(%problems, "users file ignored, the users are as before");
                DirectoryError::Failure
            })
        })
    }
}

#[cfg(test)]
mod tests;
