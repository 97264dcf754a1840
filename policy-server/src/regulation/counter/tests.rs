use super::*;

const START: Timestamp = Timestamp(1_000_000);

fn settings() -> RegulationConfig {
    RegulationConfig::default()
}

fn later(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// One attempt that ends at once.
fn attempt(attempts: &Attempts, ending: Ending, now: Timestamp) -> Option<Attempts> {
    match attempts.admit(now, &settings()) {
        Admission::Counted(counted) => counted.end(ending, now, &settings()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn failures_cost_more_and_more_until_the_lockout() {
    let mut attempts = Attempts::default();
    let mut now = START;
    let mut costs = Vec::new();
    for _ in 0..12 {
        attempts = attempt(&attempts, Ending::Wrong, now).unwrap();
        let until = attempts.refused_until;
        costs.push(until.since(now).as_secs());
        if until > now {
            let before = Timestamp(until.0 - 1);
            assert_eq!(attempts.admit(before, &settings()), Admission::Refused);
            now = until;
        }
    }
    // After a lockout one more failure is enough for the next.
    assert_eq!(costs, [0, 0, 0, 1, 2, 4, 8, 8, 8, 900, 900, 900]);
}

#[test]
fn a_success_forgives_everything() {
    let mut attempts = Attempts::default();
    for second in [0, 1, 2, 3, 10] {
        attempts = attempt(&attempts, Ending::Wrong, later(second)).unwrap();
    }
    assert_eq!(attempt(&attempts, Ending::Right, later(20)), None);
}

#[test]
fn what_was_not_looked_at_does_not_count() {
    let attempts = attempt(&Attempts::default(), Ending::Wrong, START).unwrap();
    assert_eq!(
        attempt(&attempts, Ending::Withdrawn, START),
        Some(attempts.clone())
    );
    assert_eq!(
        attempt(&Attempts::default(), Ending::Withdrawn, START),
        None
    );
}

#[test]
fn only_as_many_are_under_way_as_may_fail() {
    let mut attempts = Attempts::default();
    for _ in 0..10 {
        match attempts.admit(START, &settings()) {
            Admission::Counted(counted) => attempts = counted,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(attempts.admit(START, &settings()), Admission::Undecided);
    // One success, and the next may try; all the failures, and nobody may.
    let one_right = attempts.end(Ending::Right, START, &settings()).unwrap();
    assert!(matches!(
        one_right.admit(START, &settings()),
        Admission::Counted(_)
    ));
    for _ in 0..10 {
        attempts = attempts.end(Ending::Wrong, START, &settings()).unwrap();
    }
    assert_eq!(attempts.admit(START, &settings()), Admission::Refused);
    assert!(attempts.is_locked(START, &settings()));
    assert!(!attempts.is_locked(later(900), &settings()));
}

#[test]
fn an_attempt_that_never_ends_has_failed() {
    let mut attempts = Attempts::default();
    for _ in 0..10 {
        match attempts.admit(START, &settings()) {
            Admission::Counted(counted) => attempts = counted,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(attempts.admit(later(59), &settings()), Admission::Undecided);
    assert_eq!(attempts.admit(later(60), &settings()), Admission::Refused);
    assert!(attempts.expires(&settings()) >= later(960));
}

#[test]
fn failures_are_forgotten_after_the_window() {
    let mut attempts = Attempts::default();
    for second in 0..3 {
        attempts = attempt(&attempts, Ending::Wrong, later(second)).unwrap();
    }
    assert_eq!(attempts.at(later(3601), &settings()).failures, 3);
    assert_eq!(attempts.at(later(3602), &settings()), Attempts::default());
    assert_eq!(attempts.expires(&settings()), later(3602));
}

#[test]
fn a_network_counts_from_its_first_failure() {
    let first = NetworkFailures::default().plus_one(START, &settings());
    let second = first.plus_one(later(3000), &settings());
    assert_eq!(second.at(later(3599), &settings()), 2);
    assert_eq!(second.at(later(3600), &settings()), 0);
    assert_eq!(second.expires(&settings()), later(3600));
    assert_eq!(second.plus_one(later(3600), &settings()).failures, 1);
}
