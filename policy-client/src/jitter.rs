//! Randomness that keeps many agents from doing the same at the same moment.

use std::time::Duration;

/// A random time from nothing up to `most` ("full jitter").
pub fn up_to(most: Duration) -> Duration {
    // Without randomness agents march in step, which is bad, but better than none marching.
    let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
    most.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_differ_and_stay_below_the_most() {
        let most = Duration::from_secs(10);
        let times: Vec<_> = (0..100).map(|_| up_to(most)).collect();
        assert!(times.iter().all(|time| *time <= most));
        assert!(times.iter().any(|time| *time < most / 2));
        assert!(times.iter().any(|time| *time > most / 2));
        assert_eq!(up_to(Duration::ZERO), Duration::ZERO);
    }
}
