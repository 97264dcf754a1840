//! What administrators do about a user's logins: lockouts and second factors. Users are named by login
//! name or universal id.

use std::sync::Arc;

use policy_client::PolicyError;
use policy_protocol::user_administration::{Enrolment, UserStatus};

use crate::directory::User;
use crate::second_factor::EnrolError;
use crate::server::{PolicyServer, failure};

/// Why a user was not given a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEnrolled {
    /// No directory knows a user of this name.
    #[error("there is no such user")]
    UnknownUser,
    /// It must be taken away first.
    #[error("the user has a second factor")]
    Already,
    /// It cannot be done at the moment.
    #[error(transparent)]
    Failed(#[from] PolicyError),
}

impl PolicyServer {
    /// How the logins of somebody stand.
    ///
    /// # Errors
    /// If store or directory failed.
    pub async fn user_status(&self, name: &str) -> Result<UserStatus, PolicyError> {
        self.record("user-status", name, None).await?;
        let user = self.user(name).await?;
        let identity = user.as_ref().map(|user| &user.identity);
        let mut standing = self.regulation.standing(name).await.map_err(failure)?;
        if let Some(identity) = identity {
            let of_user = self.regulation.standing(&identity.user_name).await;
            standing = standing.worse(of_user.map_err(failure)?);
            let of_codes = self.regulation.standing_of_codes(identity).await;
            standing = standing.worse(of_codes.map_err(failure)?);
        }
        let second_factor = match identity {
            Some(identity) => self.second_factors.totp.status(identity).await,
            None => Ok(None),
        };
        Ok(UserStatus {
            universal_id: identity.map(|identity| identity.universal_id.clone()),
            failed_logins: standing.failures,
            refused_until: standing.refused_until,
            second_factor: second_factor.map_err(failure)?,
        })
    }

    /// Forgets the failed logins of somebody.
    ///
    /// # Errors
    /// If store or directory failed.
    pub async fn unlock_user(&self, name: &str) -> Result<(), PolicyError> {
        self.recorded_first("unlock-user", name, None, self.forgive(name))
            .await
    }

    async fn forgive(&self, name: &str) -> Result<(), PolicyError> {
        self.regulation.forgive(name).await.map_err(failure)?;
        if let Some(user) = self.user(name).await? {
            let forgiven = self.regulation.forgive(&user.identity.user_name).await;
            forgiven.map_err(failure)?;
            let forgiven = self.regulation.forgive_codes(&user.identity).await;
            forgiven.map_err(failure)?;
        }
        Ok(())
    }

    /// Gives a user a second factor. `issuer` is what apps show beside the user's name.
    ///
    /// # Errors
    /// If the user is unknown, has one, or something failed.
    pub async fn enrol_second_factor(
        &self,
        name: &str,
        issuer: &str,
    ) -> Result<Enrolment, NotEnrolled> {
        self.recorded_first("enrol-second-factor", name, None, self.enrol(name, issuer))
            .await
    }

    async fn enrol(&self, name: &str, issuer: &str) -> Result<Enrolment, NotEnrolled> {
        let user = self.user(name).await?;
        let user = user.ok_or(NotEnrolled::UnknownUser)?;
        let enrolled = self.second_factors.totp.enrol(&user.identity, issuer).await;
        enrolled.map_err(|error| match error {
            EnrolError::Enrolled => NotEnrolled::Already,
            EnrolError::Failed(error) => NotEnrolled::Failed(failure(error)),
        })
    }

    /// Takes a user's second factor away. `false` if there was none.
    ///
    /// # Errors
    /// If store or directory failed.
    pub async fn remove_second_factor(&self, name: &str) -> Result<bool, PolicyError> {
        // Less is then asked for at logins: that is given, not taken.
        let removal = self.disenrol(name);
        self.recorded_first("remove-second-factor", name, None, removal)
            .await
    }

    async fn disenrol(&self, name: &str) -> Result<bool, PolicyError> {
        let removed = match self.user(name).await? {
            Some(user) => self.second_factors.totp.remove(&user.identity).await,
            None => Ok(false),
        };
        removed.map_err(failure)
    }

    pub(crate) async fn user(&self, name: &str) -> Result<Option<Arc<User>>, PolicyError> {
        let found = self.directories.find_any(name, None).await;
        found.map_err(failure)
    }
}
