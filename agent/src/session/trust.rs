//! Whether the session cache may be believed.
//!
//! It may as long as the policy server's events arrive: a session that ended would have been announced.
//! Whatever was validated before a gap in the events must be validated again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// While events do not arrive, an answer of Validate() is good for no longer than this: long enough to
/// serve the parts of one page, short enough to matter to nobody who was logged out.
pub const DISTRUSTED_VALIDATION_PERIOD: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub struct Trust {
    listening: AtomicBool,
    generation: AtomicU64,
}

impl Trust {
    /// Events arrive from now on. After a gap, everything validated so far is in doubt.
    pub fn regained(&self, gap: bool) {
        if gap {
            self.doubt();
        }
        self.listening.store(true, Ordering::Release);
    }

    /// Events no longer arrive.
    pub fn lost(&self) {
        self.listening.store(false, Ordering::Release);
    }

    /// Everything validated so far must be validated again.
    pub fn doubt(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether events arrive.
    pub fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    /// What an answer of Validate() must be stamped with, taken before the call is made.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// For how long an answer stamped with `generation` is good, given the realm's validation period.
    pub fn period(&self, generation: u64, validation_period: Duration) -> Duration {
        if generation != self.generation() {
            Duration::ZERO
        } else if self.is_listening() {
            validation_period
        } else {
            validation_period.min(DISTRUSTED_VALIDATION_PERIOD)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(300);

    #[test]
    fn answers_are_good_for_the_validation_period_only_while_events_arrive() {
        let trust = Trust::default();
        assert_eq!(
            trust.period(trust.generation(), PERIOD),
            DISTRUSTED_VALIDATION_PERIOD
        );
        trust.regained(false);
        assert_eq!(trust.period(trust.generation(), PERIOD), PERIOD);
        trust.lost();
        assert_eq!(
            trust.period(trust.generation(), PERIOD),
            DISTRUSTED_VALIDATION_PERIOD
        );
    }

    #[test]
    fn a_gap_puts_everything_before_it_in_doubt() {
        let trust = Trust::default();
        trust.regained(false);
        let before = trust.generation();
        trust.lost();
        trust.regained(true);
        assert_eq!(trust.period(before, PERIOD), Duration::ZERO);
        assert_eq!(trust.period(trust.generation(), PERIOD), PERIOD);
    }
}
