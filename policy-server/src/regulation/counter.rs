//! What is counted, as numbers: no store and no waiting here.

use std::time::Duration;

use minicbor::{Decode, Encode};
use policy_protocol::Timestamp;

use crate::config::regulation::RegulationConfig;

/// Failures that cost nothing: people mistype.
const FREE: u32 = 3;
/// The longest that one failure below the limit costs. Longer, and people whose password is right would
/// meet it.
const MAX_BACK_OFF: Duration = Duration::from_secs(8);
/// An attempt that has not ended after this long never will: its policy server is gone. It counts as
/// failed.
const ABANDONED: Duration = Duration::from_secs(60);

/// The attempts to log in with one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Attempts {
    /// Failed ones in a row.
    #[n(0)]
    pub(super) failures: u32,
    /// Those that are counted and not decided.
    #[n(1)]
    pub(super) under_way: u32,
    /// When any of this changed.
    #[n(2)]
    changed: Timestamp,
    /// Until then no password is looked at.
    #[n(3)]
    pub(super) refused_until: Timestamp,
}

/// Whether a password may be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Yes, after this was written.
    Counted(Attempts),
    /// No.
    Refused,
    /// That depends on how the attempts under way end.
    Undecided,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The credentials were right.
    Right,
    /// They were wrong.
    Wrong,
    /// They were not looked at.
    Withdrawn,
}

impl Attempts {
    /// What of it still counts.
    pub(super) fn at(&self, now: Timestamp, settings: &RegulationConfig) -> Self {
        let mut attempts = self.clone();
        let quiet = now.since(self.changed);
        if quiet >= ABANDONED && self.under_way > 0 {
            attempts.failures = self.failures.saturating_add(self.under_way);
            attempts.under_way = 0;
            let until = self.changed.plus(delay(attempts.failures, settings));
            attempts.refused_until = until.max(self.refused_until);
        }
        if quiet >= settings.window && now >= attempts.refused_until {
            attempts = Self::default();
        }
        attempts
    }

    /// May another password be looked at?
    pub(super) fn admit(&self, now: Timestamp, settings: &RegulationConfig) -> Admission {
        let mut attempts = self.at(now, settings);
        if now < attempts.refused_until {
            return Admission::Refused;
        }
        // After a lockout, one at a time.
        let left = settings.max_failures.saturating_sub(attempts.failures);
        if attempts.under_way >= left.max(1) {
            return Admission::Undecided;
        }
        attempts.under_way += 1;
        attempts.changed = now;
        Admission::Counted(attempts)
    }

    /// One of those under way has ended. `None` if nothing is left to remember.
    pub(super) fn end(
        &self,
        ending: Ending,
        now: Timestamp,
        settings: &RegulationConfig,
    ) -> Option<Self> {
        let mut attempts = self.at(now, settings);
        attempts.under_way = attempts.under_way.saturating_sub(1);
        match ending {
            Ending::Right => {
                attempts.failures = 0;
                attempts.refused_until = Timestamp::default();
            }
            Ending::Wrong => {
                attempts.failures = attempts.failures.saturating_add(1);
                let until = now.plus(delay(attempts.failures, settings));
                attempts.refused_until = until.max(attempts.refused_until);
            }
            Ending::Withdrawn => {}
        }
        attempts.changed = now;
        (attempts.failures > 0 || attempts.under_way > 0).then_some(attempts)
    }

    /// Whether no password is looked at, because of too many failures and not only of a fast one.
    pub(super) fn is_locked(&self, now: Timestamp, settings: &RegulationConfig) -> bool {
        let attempts = self.at(now, settings);
        attempts.failures >= settings.max_failures && now < attempts.refused_until
    }

    /// When it can be forgotten.
    pub(super) fn expires(&self, settings: &RegulationConfig) -> Timestamp {
        let longest = settings.window.max(ABANDONED + settings.lockout);
        self.changed.plus(longest).max(self.refused_until)
    }
}

/// How long no password is looked at after so many failures.
fn delay(failures: u32, settings: &RegulationConfig) -> Duration {
    if failures >= settings.max_failures {
        return settings.lockout;
    }
    match failures.checked_sub(FREE + 1) {
        Some(doublings) => Duration::from_secs(1 << doublings.min(30)).min(MAX_BACK_OFF),
        None => Duration::ZERO,
    }
}

/// The failed logins from one network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct NetworkFailures {
    #[n(0)]
    failures: u32,
    /// When the first of them was.
    #[n(1)]
    since: Timestamp,
}

impl NetworkFailures {
    /// How many still count.
    pub(super) fn at(&self, now: Timestamp, settings: &RegulationConfig) -> u32 {
        if now.since(self.since) < settings.window {
            self.failures
        } else {
            0
        }
    }

    /// With one more.
    pub(super) fn plus_one(&self, now: Timestamp, settings: &RegulationConfig) -> Self {
        match self.at(now, settings) {
            0 => Self {
                failures: 1,
                since: now,
            },
            failures => Self {
                failures: failures.saturating_add(1),
                since: self.since,
            },
        }
    }

    /// When it can be forgotten.
    pub(super) fn expires(&self, settings: &RegulationConfig) -> Timestamp {
        self.since.plus(settings.window)
    }
}

#[cfg(test)]
mod tests;
