//! Attempts with codes of a second factor, counted for the user and from wherever they come: only a right
//! code forgives wrong ones.

use policy_protocol::Identity;

use super::name::Name;
use super::{Attempt, Patience, Regulation, RegulationError, Standing, Step};
use crate::store::StoreError;

impl Regulation {
    /// Counts an attempt; `None` if the code must not be looked at.
    pub(crate) async fn begin_code(
        &self,
        user: &Identity,
    ) -> Result<Option<Attempt>, RegulationError> {
        let name = Name::of_code(user);
        let mut attempt = Attempt::from(None);
        let patience = Patience::new();
        loop {
            match self.count(&name, false, &attempt).await? {
                Step::Done(record) => {
                    attempt.names.push((name, record));
                    return Ok(Some(attempt));
                }
                Step::Refused => return Ok(None),
                Step::Wait => patience.wait().await?,
            }
        }
    }

    /// What is known of a user's codes.
    pub(crate) async fn standing_of_codes(&self, user: &Identity) -> Result<Standing, StoreError> {
        self.standing_in(vec![Name::of_code(user).record()]).await
    }

    /// Forgets what is counted for a user's codes.
    pub(crate) async fn forgive_codes(&self, user: &Identity) -> Result<(), StoreError> {
        self.forget(vec![Name::of_code(user).record()]).await
    }
}
