//! The key protocol: as it is, and with one rule left out at a time.

use protocol_model::explore::{Explored, Failure, exhaust, walk};
use protocol_model::keys::{Keys, Mutation};

/// More than any of these models has.
const MAX_STATES: usize = 8_000_000;

/// Two agents and two policy servers; one rollover, and nothing breaks.
const SMALL: Keys = Keys {
    agents: 2,
    servers: 2,
    horizon: 4,
    rolls: 1,
    faults: 0,
    pause: 0,
    specs: false,
    mutation: None,
};

fn holds(what: &str, explored: Result<Explored, Box<Failure>>) {
    match explored {
        Ok(explored) => println!("keys, {what}: {explored:?}"),
        Err(failure) => panic!("{what}: {failure}"),
    }
}

#[test]
fn cookies_open_at_every_agent_that_keeps_its_link() {
    holds("two agents", exhaust(&SMALL, MAX_STATES));
    holds(
        "rolled twice",
        exhaust(
            &Keys {
                servers: 1,
                rolls: 2,
                horizon: 3,
                ..SMALL
            },
            MAX_STATES,
        ),
    );
    let broken = Keys {
        servers: 1,
        horizon: 3,
        faults: 1,
        ..SMALL
    };
    holds("one fault", exhaust(&broken, MAX_STATES));
}

#[test]
fn specs_open_at_every_policy_server() {
    let specs = Keys {
        agents: 0,
        servers: 2,
        rolls: 2,
        faults: 1,
        specs: true,
        ..SMALL
    };
    holds("specs", exhaust(&specs, MAX_STATES));
}

#[test]
fn random_schedules() {
    let large = Keys {
        agents: 3,
        servers: 3,
        horizon: 60,
        rolls: 60,
        faults: 15,
        pause: 3,
        ..SMALL
    };
    holds("random, cookies", walk(&large, 1, 3000, 1500));
    holds(
        "random, specs",
        walk(
            &Keys {
                agents: 0,
                specs: true,
                ..large
            },
            1_000_000,
            2000,
            1500,
        ),
    );
}

/// Leaving a rule out must be noticed, by the invariant that the rule is there for.
fn noticed(mutation: Mutation, invariant: &str, model: Keys) {
    let failure = exhaust(
        &Keys {
            mutation: Some(mutation),
            ..model
        },
        MAX_STATES,
    )
    .expect_err(&format!("nothing noticed that {mutation:?}"));
    println!("{mutation:?}: {failure}");
    assert_eq!(
        failure.violation.invariant, invariant,
        "{mutation:?}: {failure}"
    );
}

#[test]
fn every_rule_of_agents_is_needed() {
    noticed(Mutation::NoNext, "I5", SMALL);
    let twice = Keys { rolls: 2, ..SMALL };
    noticed(Mutation::Unguarded, "I5", twice);
    noticed(Mutation::SentIsKnown, "I5", twice);
    noticed(Mutation::FromMemory, "I5", twice);
    noticed(Mutation::LateKeys, "I5", SMALL);
    let broken = Keys {
        servers: 1,
        faults: 1,
        ..SMALL
    };
    noticed(Mutation::SealsForEver, "I5", broken);
    noticed(Mutation::NoPropagation, "I5", broken);
    noticed(
        Mutation::ForgottenAtOnce,
        "I5",
        Keys {
            rolls: 2,
            horizon: 2,
            ..broken
        },
    );
}

#[test]
fn every_rule_of_policy_servers_is_needed() {
    noticed(Mutation::LastWriterWins, "I5", SMALL);
    noticed(Mutation::SlowCommit, "I5", SMALL);
    noticed(
        Mutation::VersionOnly,
        "I6",
        Keys {
            agents: 0,
            faults: 1,
            rolls: 2,
            ..SMALL
        },
    );
    noticed(
        Mutation::NoReload,
        "I5",
        Keys {
            agents: 0,
            specs: true,
            ..SMALL
        },
    );
}
