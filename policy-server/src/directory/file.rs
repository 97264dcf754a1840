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
//! Further keys: `dn`, `universal_id`, `disabled`, `must_change`, `certificates` (SHA-256 in hex),
//! `certificate_subjects` and `certificate_issuers`. Changes are picked up while running; a file with a
//! mistake in it is reported and ignored.

mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use policy_protocol::{Secret, UserDirectory};

use super::file_format::{Users, changes, read};
use super::name::folded;
use super::password::PasswordChecker;
use super::{
    Authentication, CertificateFacts, Changes, Directory, DirectoryError, MAX_INPUT_LENGTH,
    PasswordChange, User,
};
use crate::config::directories::{DirectoryConfig, FileSettings};
use crate::config::{Problems, read_file};
use crate::file_stamp::{self, FileStamp};

/// A TOML file of users.
pub struct FileDirectory {
    path: PathBuf,
    /// Whether users may change their passwords.
    writable: bool,
    description: UserDirectory,
    loaded: RwLock<Loaded>,
    checker: PasswordChecker,
    /// Held while the file is rewritten.
    writing: tokio::sync::Mutex<()>,
}

/// The file as last read.
struct Loaded {
    users: Arc<Users>,
    /// Time of the last change and length: enough to see an edit.
    stamp: Option<FileStamp>,
    /// What nobody has been told of yet.
    changes: Changes,
}

impl FileDirectory {
    /// Reads the file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(config: &DirectoryConfig, settings: &FileSettings) -> Result<Self, Problems> {
        let path = &settings.path;
        let file_name = path.file_name().unwrap_or_default();
        let description = UserDirectory {
            oid: config.oid.clone(),
            name: config.name.clone(),
            server: file_name.to_string_lossy().into_owned(),
            namespace: String::from("File:"),
        };
        // The stamp first: an edit after it is seen the next time.
        let stamp = file_stamp::of(path);
        let loaded = Loaded {
            users: Arc::new(load(path, &description)?),
            stamp,
            changes: Changes::default(),
        };
        Ok(Self {
            path: path.clone(),
            writable: settings.writable,
            description,
            loaded: RwLock::new(loaded),
            checker: PasswordChecker::new(),
            writing: tokio::sync::Mutex::new(()),
        })
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
    fn reload(&self) -> Result<(), Problems> {
        let seen = self
            .loaded
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .stamp;
        let stamp = file_stamp::of(&self.path);
        if stamp.is_some() && seen == stamp {
            return Ok(());
        }
        let read = load(&self.path, &self.description);
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        // Also after a failure: one mistake is reported once.
        loaded.stamp = stamp;
        let new = read?;
        let changes = changes(&loaded.users, &new);
        loaded.changes.add(changes);
        loaded.users = Arc::new(new);
        tracing::info!(file = %self.path.display(), "users file read again");
        Ok(())
    }
}

fn load(path: &Path, description: &UserDirectory) -> Result<Users, Problems> {
    let (file, text) = read_file(path)?;
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
            let decoy = &users.decoy;
            // A user without a password costs the same as one who does not exist.
            let hash = entry
                .and_then(|entry| entry.password.as_ref())
                .unwrap_or(decoy);
            let matches = self.checker.check(Arc::clone(hash), password).await?;
            Ok(match entry {
                Some(entry) if matches && entry.password.is_some() => {
                    Authentication::Accepted(Arc::clone(&entry.user), entry.password_state())
                }
                Some(entry) => Authentication::WrongPassword(Arc::clone(&entry.user)),
                None => Authentication::UnknownUser,
            })
        })
    }

    fn decoy(&self) -> BoxFuture<'_, Result<(), DirectoryError>> {
        Box::pin(async move {
            let decoy = Arc::clone(&self.users().decoy);
            let nothing = Secret::new(String::new());
            self.checker.check(decoy, nothing).await.map(drop)
        })
    }

    fn change_password<'a>(
        &'a self,
        user: &'a User,
        old: Secret<String>,
        new: Secret<String>,
    ) -> BoxFuture<'a, Result<PasswordChange, DirectoryError>> {
        Box::pin(self.write_password(&user.identity.universal_id, old, new))
    }

    fn find_certificate<'a>(
        &'a self,
        certificate: CertificateFacts<'a>,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        Box::pin(async move {
            let users = self.users();
            let found = users.by_fingerprint.get(certificate.fingerprint);
            let by_subject = || users.by_subject(certificate.subject, certificate.issuer);
            Ok(found.or_else(by_subject).cloned())
        })
    }

    fn find<'a>(
        &'a self,
        universal_id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        Box::pin(async move {
            let users = self.users();
            let entry = users.by_universal_id.get(universal_id);
            Ok(entry.map(|entry| Arc::clone(&entry.user)))
        })
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
            // A change of a password reads the file itself: what was read before it must not take its place.
            let _writing = self.writing.lock().await;
            self.reload().map_err(|problems| {
                tracing::error!(%problems, "users file ignored, the users are as before");
                DirectoryError::Failure
            })?;
            let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
            Ok(std::mem::take(&mut loaded.changes))
        })
    }
}

#[cfg(test)]
mod tests;
