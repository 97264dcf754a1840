//! Login regulation: what guessing costs.
//!
//! An attempt is counted in the store before anybody looks at its password, so that a thousand guesses
//! at the same time, at however many policy servers, have no more tries than ten one after the other.
//! Names are counted folded, whether there is such a user or not, and a user's other names along with
//! the first; networks are counted over all names. Records hold hashes of names: what strangers type
//! may be a password.
//!
//! | record | holds | until |
//! |---|---|---|
//! | `user/HASH` | attempts with a name: [`counter`] | `window` after the last |
//! | the same, of a user | attempts with codes of a second factor: [`codes`] | the same |
//! | `user/HASH@NETWORK` | the same from a network that the name has logged in from | the same |
//! | `network/NETWORK` | failures from a network | `window` after the first |
//! | `known/HASH` | networks that a name has logged in from: [`known`] | 30 days |
//!
//! Only attempts whose password is looked at leave a record, so there are never more records than a
//! policy server checks passwords within `window`.

mod codes;
mod counter;
mod known;
mod name;
mod networks;
mod records;
mod standing;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use policy_protocol::Clock;
use tokio::time::{Instant, sleep};

use self::counter::{Admission, Attempts, NetworkFailures};
use self::known::KnownNetworks;
use self::name::Name;
use self::networks::{Place, UnderWay, network_of};
use self::records::Records;
use crate::config::regulation::{NetworkLimit, RegulationConfig};
use crate::store::{Store, StoreError};

pub(crate) use self::counter::Ending;
pub(crate) use self::standing::Standing;

/// How long an attempt waits for others to be decided, in real time: agents wait five seconds.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// How often it looks meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Counts attempts to log in.
pub(crate) struct Regulation {
    records: Records,
    clock: Arc<dyn Clock>,
    settings: RegulationConfig,
    under_way: UnderWay,
}

/// Why it is not known whether a password may be looked at.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum RegulationError {
    /// Nothing was counted.
    #[error("too many attempts to log in as one user or from one network are under way")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An attempt that is counted. It must be [ended](Regulation::end); one that is not has failed.
pub(crate) struct Attempt {
    /// Each name, with the record that counts it.
    names: Vec<(Name, String)>,
    /// The smallest network.
    network: Option<String>,
    /// One for each limit.
    places: Vec<Place>,
    /// Whether it has failed, whatever else becomes of it.
    refused: bool,
}

impl Attempt {
    /// Nothing is counted yet.
    const fn from(network: Option<String>) -> Self {
        Self {
            names: Vec::new(),
            network,
            places: Vec::new(),
            refused: false,
        }
    }

    /// The password was looked at and is wrong.
    pub(crate) const fn refused(&mut self) {
        self.refused = true;
    }

    pub(crate) const fn is_refused(&self) -> bool {
        self.refused
    }
}

impl Regulation {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: RegulationConfig,
    ) -> Self {
        Self {
            records: Records::new(store),
            clock,
            settings,
            under_way: UnderWay::default(),
        }
    }

    /// Whether who is locked out is told so.
    pub(crate) const fn tells(&self) -> bool {
        self.settings.tell
    }

    /// Counts an attempt; `None` if its password must not be looked at.
    pub(crate) async fn begin(
        &self,
        name: &str,
        client: Option<IpAddr>,
    ) -> Result<Option<Attempt>, RegulationError> {
        let name = Name::of(name);
        let patience = Patience::new();
        loop {
            match self.try_to_begin(&name, client).await? {
                Step::Done(attempt) => return Ok(Some(attempt)),
                Step::Refused => return Ok(None),
                Step::Wait => patience.wait().await?,
            }
        }
    }

    async fn try_to_begin(
        &self,
        name: &Name,
        client: Option<IpAddr>,
    ) -> Result<Step<Attempt>, StoreError> {
        let limits = self.settings.networks.iter();
        let networks = limits.filter_map(|limit| Some((network_of(client?, limit), limit)));
        let networks: Vec<_> = networks.collect();
        let smallest = networks.first().map(|(network, _)| network.clone());
        let mut attempt = Attempt::from(smallest);
        let is_known = self.is_known(name, &attempt).await?;
        for (network, limit) in networks {
            let place = self.under_way.enter(network);
            match self.place_in_network(&place, limit).await? {
                Step::Done(()) => {}
                // What others do there does not stop who has logged in from there before.
                _ if is_known => {}
                Step::Refused => return Ok(Step::Refused),
                Step::Wait => return Ok(Step::Wait),
            }
            attempt.places.push(place);
        }
        Ok(match self.count(name, is_known, &attempt).await? {
            Step::Done(record) => {
                attempt.names.push((name.clone(), record));
                Step::Done(attempt)
            }
            Step::Refused => Step::Refused,
            Step::Wait => Step::Wait,
        })
    }

    /// Counts it for another name of the same user, too. `false` if nobody must learn whether the
    /// password was right.
    pub(crate) async fn also(
        &self,
        attempt: &mut Attempt,
        name: &str,
    ) -> Result<bool, RegulationError> {
        let name = Name::of(name);
        if attempt.names.iter().any(|(counted, _)| *counted == name) {
            return Ok(true);
        }
        let patience = Patience::new();
        loop {
            let is_known = self.is_known(&name, attempt).await?;
            match self.count(&name, is_known, attempt).await? {
                Step::Done(record) => {
                    attempt.names.push((name, record));
                    return Ok(true);
                }
                Step::Refused => return Ok(false),
                Step::Wait => patience.wait().await?,
            }
        }
    }

    /// Ends an attempt. Returns whether its failure was one too many.
    pub(crate) async fn end(&self, attempt: Attempt, ending: Ending) -> Result<bool, StoreError> {
        let mut locked = false;
        for (name, record) in &attempt.names {
            let now = self.clock.now();
            self.records
                .change(record, |attempts: &Attempts| {
                    let ended = attempts.end(ending, now, &self.settings);
                    let after = ended.as_ref();
                    locked |= after.is_some_and(|after| after.is_locked(now, &self.settings));
                    Some(ended.map(|ended| (ended.expires(&self.settings), ended)))
                })
                .await?;
            if let (Ending::Right, Some(network)) = (ending, &attempt.network) {
                self.records
                    .change(&name.known(), |known: &KnownNetworks| {
                        let known = known.with(network, now)?;
                        Some(Some((known.expires(), known)))
                    })
                    .await?;
            }
        }
        if ending == Ending::Wrong {
            for place in &attempt.places {
                let now = self.clock.now();
                self.records
                    .change(&network_record(place), |failures: &NetworkFailures| {
                        let more = failures.plus_one(now, &self.settings);
                        Some(Some((more.expires(&self.settings), more)))
                    })
                    .await?;
            }
        }
        Ok(locked && ending == Ending::Wrong)
    }

    async fn is_known(&self, name: &Name, attempt: &Attempt) -> Result<bool, StoreError> {
        let Some(network) = &attempt.network else {
            return Ok(false);
        };
        let (known, _): (KnownNetworks, _) = self.records.read(&name.known()).await?;
        Ok(known.knows(network, self.clock.now()))
    }

    async fn place_in_network(
        &self,
        place: &Place,
        limit: &NetworkLimit,
    ) -> Result<Step<()>, StoreError> {
        let (failures, _): (NetworkFailures, _) = self.records.read(&network_record(place)).await?;
        let failures = failures.at(self.clock.now(), &self.settings);
        Ok(if failures >= limit.max_failures {
            Step::Refused
        } else if failures.saturating_add(place.number) > limit.max_failures {
            Step::Wait
        } else {
            Step::Done(())
        })
    }

    /// Counts an attempt with a name. Returns the record that counts it.
    async fn count(
        &self,
        name: &Name,
        is_known: bool,
        attempt: &Attempt,
    ) -> Result<Step<String>, StoreError> {
        let record = match &attempt.network {
            Some(network) if is_known => name.record_in(network),
            _ => name.record(),
        };
        let mut step = Step::Wait;
        self.records
            .change(&record, |attempts: &Attempts| {
                match attempts.admit(self.clock.now(), &self.settings) {
                    Admission::Counted(counted) => {
                        step = Step::Done(());
                        Some(Some((counted.expires(&self.settings), counted)))
                    }
                    Admission::Refused => {
                        step = Step::Refused;
                        None
                    }
                    Admission::Undecided => {
                        step = Step::Wait;
                        None
                    }
                }
            })
            .await?;
        Ok(match step {
            Step::Done(()) => Step::Done(record),
            Step::Refused => Step::Refused,
            Step::Wait => Step::Wait,
        })
    }
}

/// Waits for what attempts under way come to, for as long as anybody waits for an answer.
struct Patience(Instant);

impl Patience {
    fn new() -> Self {
        Self(Instant::now() + MAX_WAIT)
    }

    async fn wait(&self) -> Result<(), RegulationError> {
        if Instant::now() >= self.0 {
            return Err(RegulationError::Busy);
        }
        sleep(LOOK_AGAIN).await;
        Ok(())
    }
}

/// What became of one try.
enum Step<T> {
    Done(T),
    Refused,
    Wait,
}

fn network_record(place: &Place) -> String {
    format!("network/{}", place.network())
}

#[cfg(test)]
mod tests;
