//! Whether the session cache may be believed.
//!
//! It may as long as the policy server's events arrive: a session that ended would have been announced.
//! Whatever was validated before a gap in the events must be validated again.
//!
//! That events arrive is a lease, which each of them renews, and not a flag that somebody lowers: an agent
//! that was stopped (SIGSTOP, a machine that moves) serves requests before anything in it can notice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use policy_protocol::event::SILENCE;

/// While events do not arrive, an answer of Validate() is good for no longer than this: long enough to
/// serve the parts of one page, short enough to matter to nobody who was logged out.
pub const DISTRUSTED_VALIDATION_PERIOD: Duration = Duration::from_secs(1);

/// See the module.
///
/// Its clock is [`Instant`], which nobody sets, but which stands still while the machine is suspended (it is
/// CLOCK_MONOTONIC; CLOCK_BOOTTIME is not to be had without `unsafe` or another crate). After a suspension the
/// lease therefore lasts for what was left of it, less than [`SILENCE`]; answers of Validate() age by the clock
/// of the wall, which does not stand still.
#[derive(Debug)]
pub struct Trust {
    /// What the lease is counted from.
    epoch: Instant,
    /// When the lease ends, in nanoseconds after `epoch`; zero if there is none.
    until: AtomicU64,
    generation: AtomicU64,
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            until: AtomicU64::new(0),
            generation: AtomicU64::new(0),
        }
    }
}

impl Trust {
    /// Events arrive from now on. After a gap, everything validated so far is in doubt.
    pub fn regained(&self, gap: bool, now: Instant) {
        if gap {
            self.doubt();
        }
        self.lease(now);
    }

    /// An event has arrived. A lease that has ended stays so: what comes after too long a silence does not
    /// tell what was missed in it.
    pub fn renew(&self, now: Instant) {
        if self.is_listening(now) {
            self.lease(now);
        }
    }

    /// Events no longer arrive.
    pub fn lost(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// Everything validated so far must be validated again.
    pub fn doubt(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether events arrive.
    pub fn is_listening(&self, now: Instant) -> bool {
        self.nanoseconds(now) < self.until.load(Ordering::Acquire)
    }

    /// What an answer of Validate() must be stamped with, taken before the call is made.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// For how long an answer stamped with `generation` is good for a request that arrived at `arrived`, given
    /// the realm's validation period.
    pub fn period(
        &self,
        generation: u64,
        validation_period: Duration,
        arrived: Instant,
    ) -> Duration {
        // The lease first: whoever renews it after a gap has raised the generation before.
        let is_listening = self.is_listening(arrived);
        if generation != self.generation() {
            Duration::ZERO
        } else if is_listening {
            validation_period
        } else {
            validation_period.min(DISTRUSTED_VALIDATION_PERIOD)
        }
    }

    fn lease(&self, now: Instant) {
        let until = self.nanoseconds(now + SILENCE);
        self.until.store(until, Ordering::Release);
    }

    fn nanoseconds(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.epoch);
        // 584 years.
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(300);
    const INSTANT: Duration = Duration::from_nanos(1);

    #[test]
    fn answers_are_good_for_the_validation_period_only_while_events_arrive() {
        let trust = Trust::default();
        let now = Instant::now();
        let period = || trust.period(trust.generation(), PERIOD, now);
        assert_eq!(period(), DISTRUSTED_VALIDATION_PERIOD);
        trust.regained(false, now);
        assert_eq!(period(), PERIOD);
        trust.lost();
        assert_eq!(period(), DISTRUSTED_VALIDATION_PERIOD);
    }

    #[test]
    fn trust_ends_by_itself_unless_events_renew_it() {
        let trust = Trust::default();
        let start = Instant::now();
        let generation = trust.generation();
        let period = |at| trust.period(generation, PERIOD, at);
        trust.regained(false, start);
        assert_eq!(period(start + SILENCE - INSTANT), PERIOD);
        assert_eq!(period(start + SILENCE), DISTRUSTED_VALIDATION_PERIOD);
        let heard = start + SILENCE - INSTANT;
        trust.renew(heard);
        assert_eq!(period(heard + SILENCE - INSTANT), PERIOD);
        assert_eq!(period(heard + SILENCE), DISTRUSTED_VALIDATION_PERIOD);
        // Too late: only a Hello says whether anything was missed.
        trust.renew(heard + SILENCE);
        assert_eq!(period(heard + SILENCE), DISTRUSTED_VALIDATION_PERIOD);
        trust.regained(false, heard + SILENCE);
        assert_eq!(period(heard + SILENCE), PERIOD);
    }

    #[test]
    fn an_event_before_hello_and_after_the_end_gives_no_trust() {
        let trust = Trust::default();
        let now = Instant::now();
        trust.renew(now);
        assert!(!trust.is_listening(now));
        trust.regained(false, now);
        trust.lost();
        trust.renew(now);
        assert!(!trust.is_listening(now));
    }

    #[test]
    fn a_gap_puts_everything_before_it_in_doubt() {
        let trust = Trust::default();
        let now = Instant::now();
        trust.regained(false, now);
        let before = trust.generation();
        trust.lost();
        trust.regained(true, now);
        assert_eq!(trust.period(before, PERIOD, now), Duration::ZERO);
        assert_eq!(trust.period(trust.generation(), PERIOD, now), PERIOD);
    }

    /// An answer from before a gap is not good for the validation period because a new lease is seen before the gap is.
    #[test]
    fn whoever_looks_while_a_gap_is_noted_sees_no_lease_or_the_gap() {
        const ROUNDS: u64 = 200;
        let (trust, now) = (Trust::default(), Instant::now());
        let (looking, noted) = (AtomicU64::new(0), AtomicU64::new(0));
        let until = |round: &AtomicU64, wanted| {
            while round.load(Ordering::Acquire) < wanted {
                std::thread::yield_now();
            }
        };
        let mut believed = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..=ROUNDS {
                    until(&looking, round);
                    trust.regained(true, now);
                    noted.store(round, Ordering::Release);
                }
            });
            for round in 1..=ROUNDS {
                trust.lost();
                let before = trust.generation();
                looking.store(round, Ordering::Release);
                // Without a pause: the other thread comes in between wherever it does.
                while noted.load(Ordering::Acquire) < round {
                    let looks = (0..100).map(|_| trust.period(before, PERIOD, now));
                    believed += looks.filter(|period| *period == PERIOD).count();
                }
            }
        });
        assert_eq!(believed, 0);
    }
}
