use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn seen(before: Standing, at: Duration, outcome: Outcome) -> Seen {
    Seen {
        agent: 1,
        user: String::from("alice"),
        before,
        after: before,
        sent: at,
        answered: at + Duration::from_millis(1),
        outcome,
    }
}

fn passed() -> Outcome {
    Outcome::Passed(String::from("alice"))
}

const NOTHING: Effect = Effect {
    alone: Agents::Nobody,
    failing: Agents::Nobody,
    logins: Duration::ZERO,
};

/// Something was broken from second 100 to second 107, and everything worked from second 110 on.
fn broken(effect: Effect) -> Timeline {
    let mut timeline = Timeline::default();
    timeline.begin(effect, 100 * SECOND);
    timeline.mended(107 * SECOND);
    timeline.end(110 * SECOND);
    timeline
}

fn timeline() -> Timeline {
    broken(NOTHING)
}

#[test]
fn an_ended_session_passes_for_the_bound_and_no_longer() {
    let ended = 50 * SECOND;
    let late = |ended, late| {
        judge(
            &seen(Standing::Ended(ended), ended + late, passed()),
            &timeline(),
        )
    };
    assert_eq!(late(ended, CALM), None);
    let later = CALM + Duration::from_millis(1);
    let found = late(ended, later);
    assert_eq!(
        found,
        Some(Violation::Revived {
            late: later,
            bound: CALM
        })
    );
    for ended in [99 * SECOND, 105 * SECOND, 110 * SECOND] {
        assert_eq!(late(ended, DISTURBED), None);
        assert!(matches!(
            late(ended, DISTURBED + Duration::from_millis(1)),
            Some(Violation::Revived {
                bound: DISTURBED,
                ..
            })
        ));
    }
    assert!(late(ended, 1000 * SECOND).is_some(), "ever after");
    let refused = seen(Standing::Ended(ended), 1000 * SECOND, Outcome::Login);
    assert_eq!(judge(&refused, &timeline()), None);
}

#[test]
fn the_time_without_anybody_to_ask_does_not_count() {
    for (alone, counts) in [
        (Agents::One(1), [true, false]),
        (Agents::Everybody, [false; 2]),
    ] {
        let timeline = broken(Effect { alone, ..NOTHING });
        let late = |agent, late| {
            let seen = seen(Standing::Ended(100 * SECOND), 100 * SECOND + late, passed());
            judge(&Seen { agent, ..seen }, &timeline)
        };
        assert_eq!(late(0, DISTURBED + 10 * SECOND).is_some(), counts[0]);
        assert_eq!(late(1, DISTURBED + 10 * SECOND).is_some(), counts[1]);
        assert!(late(1, DISTURBED + 11 * SECOND).is_some());
    }
}

#[test]
fn a_good_session_is_never_sent_to_the_login_page() {
    for at in [50, 105] {
        let seen = seen(Standing::Living, at * SECOND, Outcome::Login);
        assert_eq!(judge(&seen, &timeline()), Some(Violation::Refused));
        // Unless somebody asked for its end meanwhile.
        let ending = Seen {
            after: Standing::Ending,
            ..seen
        };
        assert_eq!(judge(&ending, &timeline()), None);
    }
}

/// What is found if a good session gets `outcome` at agent 1.
fn outage(timeline: &Timeline, at: u32, outcome: Outcome) -> bool {
    let found = judge(
        &seen(Standing::Living, at * SECOND, outcome.clone()),
        timeline,
    );
    assert!(found.is_none() || found == Some(Violation::Outage(outcome)));
    found.is_some()
}

#[test]
fn only_those_whom_the_fault_excuses_fail_and_only_meanwhile() {
    for outcome in [Outcome::Unavailable, Outcome::Silence] {
        for (failing, excused) in [
            (Agents::Nobody, false),
            (Agents::One(0), false),
            (Agents::One(1), true),
            (Agents::Everybody, true),
        ] {
            let timeline = broken(Effect { failing, ..NOTHING });
            for (at, broken) in [(99, false), (100, true), (110, true), (111, false)] {
                let fine = excused && broken;
                assert_eq!(outage(&timeline, at, outcome.clone()), !fine, "at {at}");
            }
        }
    }
}

#[test]
fn an_outage_is_as_long_as_the_fault_and_the_recovery_and_no_longer() {
    let mut timeline = Timeline::default();
    timeline.begin(Effect::EVERYTHING, 100 * SECOND);
    assert!(!outage(&timeline, 200, Outcome::Unavailable));
    timeline.mended(200 * SECOND);
    let last = 200 + u32::try_from(RECOVERY.as_secs()).unwrap();
    assert!(!outage(&timeline, last, Outcome::Unavailable));
    assert!(outage(&timeline, last + 1, Outcome::Unavailable));
}

#[test]
fn a_login_fails_where_the_agent_may_or_before_a_policy_server_is_passed_over() {
    let logins = 2 * SECOND;
    let timeline = broken(Effect {
        failing: Agents::One(0),
        logins,
        ..NOTHING
    });
    // It may have waited long for the policy server.
    let excused = |agent, begun| timeline.excuses_login(agent, begun, begun + 5 * SECOND);
    assert!(excused(0, 105 * SECOND) && !excused(0, 111 * SECOND));
    assert!(!excused(1, 94 * SECOND));
    assert!(excused(1, 96 * SECOND) && excused(1, 101 * SECOND));
    assert!(!excused(1, 102 * SECOND) && !excused(1, 111 * SECOND));
}

#[test]
fn users_are_never_mixed_and_odd_answers_are_never_right() {
    for standing in [
        Standing::Living,
        Standing::Ending,
        Standing::Ended(104 * SECOND),
    ] {
        let judge = |outcome| judge(&seen(standing, 105 * SECOND, outcome), &timeline());
        let told = String::from("bob");
        let mixed = Some(Violation::Mixed { told: told.clone() });
        assert_eq!(judge(Outcome::Passed(told)), mixed);
        assert_eq!(judge(Outcome::Other(500)), Some(Violation::Odd(500)));
        assert_eq!(judge(passed()), None);
    }
}
