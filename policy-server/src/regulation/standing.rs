//! How things stand with a name, and how that is forgotten.

use policy_protocol::Timestamp;

use super::Regulation;
use super::counter::Attempts;
use super::known::KnownNetworks;
use super::name::Name;
use crate::store::StoreError;

/// What is known of the attempts with a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Failed ones in a row.
    pub(crate) failures: u32,
    /// Until when no password is looked at, if that is so.
    pub(crate) refused_until: Option<Timestamp>,
}

impl Standing {
    /// The worse of both.
    pub(crate) fn worse(self, other: Self) -> Self {
        Self {
            failures: self.failures.max(other.failures),
            refused_until: self.refused_until.max(other.refused_until),
        }
    }
}

impl Regulation {
    /// What is known of a name: the worst of it.
    pub(crate) async fn standing(&self, name: &str) -> Result<Standing, StoreError> {
        self.standing_in(self.records_of(&Name::of(name)).await?)
            .await
    }

    pub(super) async fn standing_in(&self, records: Vec<String>) -> Result<Standing, StoreError> {
        let now = self.clock.now();
        let mut standing = Standing::default();
        for record in records {
            let (attempts, _): (Attempts, _) = self.records.read(&record).await?;
            let attempts = attempts.at(now, &self.settings);
            let until = attempts.refused_until;
            standing = standing.worse(Standing {
                failures: attempts.failures,
                refused_until: (now < until).then_some(until),
            });
        }
        Ok(standing)
    }

    /// Forgets what is counted for a name.
    pub(crate) async fn forgive(&self, name: &str) -> Result<(), StoreError> {
        self.forget(self.records_of(&Name::of(name)).await?).await
    }

    pub(super) async fn forget(&self, records: Vec<String>) -> Result<(), StoreError> {
        for record in records {
            self.records
                .change(&record, |_: &Attempts| Some(None::<(Timestamp, Attempts)>))
                .await?;
        }
        Ok(())
    }

    /// All records that count a name.
    async fn records_of(&self, name: &Name) -> Result<Vec<String>, StoreError> {
        let (known, _): (KnownNetworks, _) = self.records.read(&name.known()).await?;
        let in_networks = known.networks().map(|network| name.record_in(network));
        Ok(std::iter::once(name.record()).chain(in_networks).collect())
    }
}
