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

/// Something was broken from second 100 to second 110.
fn timeline() -> Timeline {
    let mut timeline = Timeline::default();
    timeline.begin(Alone::Nobody, 100 * SECOND);
    timeline.end(110 * SECOND);
    timeline
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
        (Alone::Agent(1), [true, false]),
        (Alone::Everybody, [false; 2]),
    ] {
        let mut timeline = Timeline::default();
        timeline.begin(alone, 100 * SECOND);
        timeline.end(107 * SECOND);
        let late = |agent, late| {
            let seen = seen(Standing::Ended(100 * SECOND), 100 * SECOND + late, passed());
            judge(&Seen { agent, ..seen }, &timeline)
        };
        assert_eq!(late(0, DISTURBED + 7 * SECOND).is_some(), counts[0]);
        assert_eq!(late(1, DISTURBED + 7 * SECOND).is_some(), counts[1]);
        assert!(late(1, DISTURBED + 8 * SECOND).is_some());
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

#[test]
fn there_is_an_outage_only_while_something_is_broken() {
    for outcome in [Outcome::Unavailable, Outcome::Silence] {
        for (at, fine) in [(99, false), (100, true), (110, true), (111, false)] {
            let found = judge(
                &seen(Standing::Living, at * SECOND, outcome.clone()),
                &timeline(),
            );
            let expected = (!fine).then(|| Violation::Outage(outcome.clone()));
            assert_eq!(found, expected, "at {at}");
        }
    }
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
