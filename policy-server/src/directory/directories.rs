//! The configured directories, in order.

use std::sync::Arc;

use policy_protocol::Secret;

use super::{
    Authentication, CertificateFacts, Changes, Directory, DirectoryError, PasswordChange, User,
};
#[cfg(not(feature = "ldap"))]
use crate::config::Problem;
use crate::config::Problems;
use crate::config::directories::{DirectoryConfig, DirectoryKind};
use crate::directory::file::FileDirectory;
#[cfg(feature = "ldap")]
use crate::directory::ldap::LdapDirectory;

/// The configured directories, in order.
///
/// A user is the one in the first directory that has the name. A directory that cannot be asked might
/// have it, so nobody further down is taken for its user.
#[derive(Clone)]
pub struct Directories(Vec<Arc<dyn Directory>>);

impl Directories {
    /// Opens all of them.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be opened.
    pub fn open(configs: &[DirectoryConfig]) -> Result<Self, Problems> {
        let opened = configs.iter().map(|config| match &config.kind {
            DirectoryKind::File(settings) => FileDirectory::open(config, settings)
                .map(|file| Arc::new(file) as Arc<dyn Directory>),
            #[cfg(feature = "ldap")]
            DirectoryKind::Ldap(settings) => LdapDirectory::open(config, settings)
                .map(|ldap| Arc::new(ldap) as Arc<dyn Directory>),
            #[cfg(not(feature = "ldap"))]
            DirectoryKind::Ldap(_) => Err(Problems::one(Problem::unplaced(
                &config.name,
                "kind",
                "this program was built without LDAP",
            ))),
        });
        opened.collect::<Result<_, _>>().map(Self)
    }

    /// These ones.
    pub fn new(directories: Vec<Arc<dyn Directory>>) -> Self {
        Self(directories)
    }

    /// The directory that a session names; nothing if it is configured no more.
    pub fn by_oid(&self, oid: &str) -> Option<&Arc<dyn Directory>> {
        self.0
            .iter()
            .find(|directory| directory.description().oid == oid)
    }

    /// Checks a password. Takes as long for a name that does not exist as for a wrong password.
    ///
    /// # Errors
    /// If that cannot be told, because a directory that may have the name gives no answer, or if who asks
    /// could else tell in which directory a name is.
    pub async fn authenticate(
        &self,
        name: &str,
        password: Secret<String>,
    ) -> Result<Authentication, DirectoryError> {
        let mut answer = Authentication::UnknownUser;
        // Directories may take no password for a login as nobody in particular (RFC 4513, section 5.1.2).
        if password.expose().is_empty() {
            return Ok(answer);
        }
        for directory in &self.0 {
            if answer == Authentication::UnknownUser {
                answer = directory.authenticate(name, password.clone()).await?;
                if matches!(answer, Authentication::Accepted(..)) {
                    break;
                }
            } else {
                // Else time would tell in which directory a name is, and an outage that it is in one.
                let decoy = directory.decoy().await;
                decoy.map_err(|_| DirectoryError::FailureAfterRefusal)?;
            }
        }
        Ok(answer)
    }

    /// Whose certificate is this? The TLS layer has verified it.
    ///
    /// # Errors
    /// If that cannot be told.
    pub async fn find_certificate(
        &self,
        certificate: CertificateFacts<'_>,
    ) -> Result<Option<Arc<User>>, DirectoryError> {
        for directory in &self.0 {
            if let Some(user) = directory.find_certificate(certificate).await? {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    /// The directory of this name, or else all of them.
    fn meant(&self, name: Option<&str>) -> impl Iterator<Item = &Arc<dyn Directory>> {
        let is_meant =
            move |one: &&Arc<dyn Directory>| name.is_none_or(|name| one.description().name == name);
        self.0.iter().filter(is_meant)
    }

    /// The user that somebody means who has verified that it is them: in the directory of this name, or else in
    /// the first that has one.
    ///
    /// # Errors
    /// If that cannot be told.
    pub async fn find_by_name(
        &self,
        name: &str,
        directory: Option<&str>,
    ) -> Result<Option<Arc<User>>, DirectoryError> {
        for directory in self.meant(directory) {
            if let Some(user) = directory.find_by_name(name).await? {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    /// The user that an administrator means by a universal id or login name: in the directory of this
    /// name, or else in the first that has one.
    ///
    /// # Errors
    /// If that cannot be told.
    pub async fn find_any(
        &self,
        user: &str,
        directory: Option<&str>,
    ) -> Result<Option<Arc<User>>, DirectoryError> {
        for directory in self.meant(directory) {
            if let Some(user) = directory.find_any(user).await? {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    /// Changes the password of a user in the directory they come from.
    ///
    /// # Errors
    /// If it cannot be told whether it was changed.
    pub async fn change_password(
        &self,
        user: &User,
        old: Secret<String>,
        new: Secret<String>,
    ) -> Result<PasswordChange, DirectoryError> {
        match self.by_oid(&user.identity.directory.oid) {
            Some(directory) => directory.change_password(user, old, new).await,
            None => Ok(PasswordChange::ReadOnly),
        }
    }

    /// Looks for changes that were made outside since the last look. They are in force when this returns.
    /// What was found is told along with the error, if one of the directories failed.
    pub async fn refresh(&self) -> (Changes, Result<(), DirectoryError>) {
        let mut all = Changes::default();
        let mut result = Ok(());
        for directory in &self.0 {
            match directory.refresh().await {
                Ok(changes) => all.add(changes),
                Err(error) => result = Err(error),
            }
        }
        (all, result)
    }
}

impl Changes {
    /// These changes and those.
    pub(super) fn add(&mut self, more: Self) {
        self.to_known_users |= more.to_known_users;
        self.gone.extend(more.gone);
    }
}

#[cfg(test)]
mod tests;
