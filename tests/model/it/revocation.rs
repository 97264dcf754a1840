//! The revocation protocol: as it is, and with one rule left out at a time.

use protocol_model::explore::{Explored, Failure, exhaust, walk};
use protocol_model::revocation::{Act, Fault, Mutation, Revocation};

/// More than any of these models has. What goes beyond was not checked, and fails.
const MAX_STATES: usize = 8_000_000;

/// One agent, two policy servers, one session that somebody ends; nothing breaks.
fn small() -> Revocation {
    Revocation {
        agents: 1,
        servers: 2,
        sessions: 1,
        calls: 1,
        horizon: 7,
        faults: 0,
        acts: 1,
        pause: 0,
        // Longer than a schedule: only events and distrust end a session that is cached.
        validation_period: 30,
        outage_grace: 0,
        stricter: 0,
        mutation: None,
        may_break: |_| true,
        may_act: |act| matches!(act, Act::Revoke(..)),
        any_first: false,
    }
}

fn holds(what: &str, explored: Result<Explored, Box<Failure>>) {
    match explored {
        Ok(explored) => println!("revocation, {what}: {explored:?}"),
        Err(failure) => panic!("{what}: {failure}"),
    }
}

#[test]
fn whatever_breaks_once_at_any_moment() {
    let model = Revocation {
        horizon: 5,
        faults: 1,
        validation_period: 3,
        outage_grace: 1,
        ..small()
    };
    holds("any one fault", exhaust(&model, MAX_STATES));
}

#[test]
fn links_and_networks_break_twice() {
    let model = Revocation {
        faults: 2,
        horizon: 6,
        may_break: |fault| matches!(fault, Fault::BreakLink(_) | Fault::CutNetwork(_, 0)),
        ..small()
    };
    holds("links and networks", exhaust(&model, MAX_STATES));
}

#[test]
fn policy_servers_stall() {
    for may_break in [
        (|fault| matches!(fault, Fault::PauseServer(_))) as fn(Fault) -> bool,
        |fault| matches!(fault, Fault::StopServer(_)),
        |fault| matches!(fault, Fault::CutStore(_)),
        |fault| matches!(fault, Fault::StallTail(_)),
    ] {
        let model = Revocation {
            faults: 1,
            horizon: 6,
            may_break,
            ..small()
        };
        holds("policy servers", exhaust(&model, MAX_STATES));
    }
}

#[test]
fn agents_are_paused() {
    let model = Revocation {
        faults: 2,
        horizon: 6,
        may_break: |fault| matches!(fault, Fault::PauseAgent(_) | Fault::Evict(..)),
        ..small()
    };
    holds("agents", exhaust(&model, MAX_STATES));
}

#[test]
fn the_store_is_replaced() {
    let model = Revocation {
        faults: 2,
        acts: 0,
        may_break: |fault| matches!(fault, Fault::ReplaceStore | Fault::StallTail(0)),
        ..small()
    };
    holds("the store", exhaust(&model, MAX_STATES));
}

#[test]
fn logins_logouts_and_revocations_of_users_cross() {
    let model = Revocation {
        sessions: 2,
        acts: 2,
        horizon: 2,
        may_act: |_| true,
        ..small()
    };
    holds("acts", exhaust(&model, MAX_STATES));
    let model = Revocation {
        agents: 2,
        horizon: 1,
        may_act: |act| matches!(act, Act::Logout(..)),
        ..small()
    };
    holds("two agents", exhaust(&model, MAX_STATES));
}

/// Three agents, three policy servers, four sessions, something that breaks every few ticks.
fn large() -> Revocation {
    Revocation {
        agents: 3,
        servers: 3,
        sessions: 4,
        calls: 2,
        horizon: 60,
        faults: 20,
        acts: 14,
        pause: 2,
        validation_period: 12,
        outage_grace: 3,
        may_act: |_| true,
        any_first: true,
        ..small()
    }
}

#[test]
fn random_schedules() {
    holds("random", walk(&large(), 1, 2000, 1000));
    let patient = Revocation {
        validation_period: 40,
        pause: 5,
        acts: 8,
        ..large()
    };
    holds(
        "random, long validation period",
        walk(&patient, 1_000_000, 2000, 1000),
    );
}

#[test]
fn a_failure_is_repeated_from_its_seed() {
    let model = Revocation {
        mutation: Some(Mutation::NoTombstones),
        ..large()
    };
    let found = walk(&model, 1, 2000, 1000).expect_err("no tombstones are missed");
    assert_eq!(found.violation.invariant, "I3");
    let again = walk(&model, found.seed.unwrap(), 1, 1000).unwrap_err();
    assert_eq!(again.schedule, found.schedule);
}

/// Leaving a rule out must be noticed, by the invariant that the rule is there for.
fn noticed(mutation: Mutation, invariant: &str, model: Revocation) {
    let model = Revocation {
        mutation: Some(mutation),
        ..model
    };
    let failure =
        exhaust(&model, MAX_STATES).expect_err(&format!("nothing noticed that {mutation:?}"));
    println!("{mutation:?}: {failure}");
    assert_eq!(
        failure.violation.invariant, invariant,
        "{mutation:?}: {failure}"
    );
}

#[test]
fn every_rule_against_crossing_is_needed() {
    noticed(Mutation::NoTombstones, "I3", small());
    let cut = Revocation {
        faults: 1,
        may_break: |fault| matches!(fault, Fault::CutNetwork(..)),
        ..small()
    };
    noticed(Mutation::ShortTombstones, "I3", cut);
    let paused = Revocation {
        faults: 1,
        may_break: |fault| matches!(fault, Fault::PauseAgent(_)),
        ..small()
    };
    noticed(Mutation::LateAnswers, "I3", paused.clone());
    noticed(
        Mutation::JoinsLateCalls,
        "I1",
        Revocation {
            outage_grace: 1,
            ..paused
        },
    );
    let away = Revocation {
        faults: 2,
        horizon: 5,
        validation_period: 2,
        outage_grace: 1,
        may_break: |fault| matches!(fault, Fault::CutNetwork(..) | Fault::StopStore),
        ..small()
    };
    noticed(Mutation::StampOnArrival, "I1", away);
}

#[test]
fn every_rule_of_trust_is_needed() {
    let paused = Revocation {
        faults: 1,
        may_break: |fault| matches!(fault, Fault::PauseAgent(_)),
        ..small()
    };
    noticed(Mutation::TrustIsAFlag, "I1", paused.clone());
    noticed(Mutation::LateEvents, "I1", paused);
    let broken = Revocation {
        faults: 1,
        may_break: |fault| matches!(fault, Fault::BreakLink(_)),
        ..small()
    };
    noticed(Mutation::NoDistrust, "I1", broken.clone());
    noticed(Mutation::HelloFirst, "I4", broken);
    noticed(Mutation::ResumeWithoutGap, "I4", small());
}

#[test]
fn every_rule_of_policy_servers_is_needed() {
    let blind = Revocation {
        faults: 1,
        may_break: |fault| matches!(fault, Fault::CutStore(_)),
        ..small()
    };
    noticed(Mutation::BlindHeartbeats, "I1", blind);
    let paused = Revocation {
        faults: 1,
        may_break: |fault| matches!(fault, Fault::PauseServer(_)),
        ..small()
    };
    noticed(Mutation::TailIsAFlag, "I1", paused.clone());
    noticed(Mutation::OneTry, "I2", paused);
    let two = Revocation {
        acts: 2,
        may_act: |act| matches!(act, Act::Revoke(..) | Act::RevokeAll(_)),
        ..small()
    };
    noticed(Mutation::NumberBeforeCommit, "I4", two);
    let replaced = Revocation {
        faults: 2,
        acts: 0,
        may_break: |fault| matches!(fault, Fault::ReplaceStore | Fault::StallTail(_)),
        ..small()
    };
    noticed(Mutation::IdentityUnchecked, "I6", replaced);
    let users = Revocation {
        sessions: 2,
        acts: 2,
        may_act: |act| matches!(act, Act::RevokeUser(..) | Act::Login(..)),
        ..small()
    };
    noticed(Mutation::OwnClocks, "I1", Revocation { acts: 1, ..users });
    noticed(Mutation::SameSecond, "I2", users);
}

#[test]
fn the_bound_of_a_disturbed_agent_cannot_be_shorter() {
    let model = Revocation {
        faults: 3,
        horizon: 5,
        stricter: 1,
        may_break: |fault| matches!(fault, Fault::CutStore(0) | Fault::CutNetwork(0, 0)),
        ..small()
    };
    let failure = exhaust(&model, MAX_STATES).expect_err("the bound is shorter");
    println!("tight: {failure}");
    assert_eq!(failure.violation.invariant, "I1");
}
