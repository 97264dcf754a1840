//! Proofs that were used: each counts once.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use policy_protocol::Timestamp;

use super::PROOF_WINDOW;

/// Proofs that are remembered, about 100 bytes each: far more logins than an agent sees in ten minutes. Only
/// those whose signature is right are remembered, so strangers cannot fill this.
const MOST: usize = 100_000;

/// A proof may be that much ahead of the clock, and counts for as long after.
const REMEMBERED: u64 = 2 * PROOF_WINDOW + 1;

/// What was used, by its SHA-256.
#[derive(Debug, Default)]
pub struct Replays(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    known: HashSet<[u8; 32]>,
    /// In the order of use.
    used: VecDeque<(Timestamp, [u8; 32])>,
}

impl Replays {
    /// Whether a signed message has not been used before. When no more can be remembered, none is the first.
    pub fn is_first(&self, message: &[u8], now: Timestamp) -> bool {
        let mut name = [0; 32];
        name.copy_from_slice(digest(&SHA256, message).as_ref());
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((at, name)) = seen.used.front().copied()
            && now.since(at).as_secs() > REMEMBERED
        {
            seen.used.pop_front();
            seen.known.remove(&name);
        }
        if seen.used.len() >= MOST || !seen.known.insert(name) {
            return false;
        }
        seen.used.push_back((now, name));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_once_for_as_long_as_it_could_count() {
        let replays = Replays::default();
        let start = Timestamp(1_000_000);
        assert!(replays.is_first(b"one", start));
        assert!(!replays.is_first(b"one", start));
        assert!(replays.is_first(b"other", start));
        assert!(!replays.is_first(b"one", Timestamp(start.0 + REMEMBERED)));
        // By then it is too old to count.
        assert!(replays.is_first(b"one", Timestamp(start.0 + REMEMBERED + 1)));
        assert_eq!(replays.0.lock().unwrap().used.len(), 1);
    }

    #[test]
    fn what_cannot_be_remembered_does_not_count() {
        let replays = Replays::default();
        for number in 0..MOST {
            assert!(replays.is_first(&number.to_be_bytes(), Timestamp(1)));
        }
        assert!(!replays.is_first(b"one more", Timestamp(1)));
    }
}
