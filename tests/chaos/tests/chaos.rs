//! `cargo test -p chaos-tests -- --ignored`: a minute and a half. `DOORWARD_CHAOS_SECONDS` makes it longer, `DOORWARD_CHAOS_SEED`
//! repeats a schedule; `-- --nocapture` shows the tables.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chaos::checker::Violation;
use chaos::fault::{Fault, Harm, Part, round};
use chaos::random::Random;
use chaos::run::{Findings, Plan, run};
use chaos::store::Engine;

/// Of the load with both engines together; starting and looking at everything at the end come on top of it.
const SECONDS: u64 = 44;
/// Half of the faults of a round.
const HALF: usize = 9;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number")),
    )
}

fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        number("DOORWARD_CHAOS_SEED").unwrap_or_else(|| getrandom::u64().unwrap() % 1_000_000)
    })
}

fn findings(plan: Plan) -> Option<Findings> {
    // One after the other: each needs the whole machine.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    chaos::process::program();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(plan))
}

fn holds(engine: Engine, first_fault: usize) {
    let seed = seed();
    let mut faults = round(&mut Random::new(seed));
    faults.rotate_left(first_fault);
    let time = Duration::from_secs(number("DOORWARD_CHAOS_SECONDS").unwrap_or(SECONDS)) / 2;
    let plan = Plan {
        engine,
        seed,
        time,
        faults,
    };
    let Some(Findings { violations, logs }) = findings(plan) else {
        return;
    };
    let count = violations.len();
    assert!(
        violations.is_empty(),
        "DOORWARD_CHAOS_SEED={seed}: {count} violations, the first: {}\n{logs}",
        violations[0]
    );
}

#[test]
#[ignore = "minutes of load on the whole machine: cargo test -p chaos-tests -- --ignored"]
fn what_must_hold_holds_with_valkey() {
    holds(Engine::Valkey, 0);
}

#[test]
#[ignore = "minutes of load on the whole machine: cargo test -p chaos-tests -- --ignored"]
fn what_must_hold_holds_with_postgresql() {
    holds(Engine::Postgres, HALF);
}

/// The checker can fail: a store that forgets ends good sessions, and that is noticed.
#[test]
#[ignore = "minutes of load on the whole machine: cargo test -p chaos-tests -- --ignored"]
fn a_store_that_forgets_is_noticed() {
    let fault = Fault {
        part: Part::Store,
        harm: Harm::Kill,
        lasts: Duration::from_millis(200),
    };
    let plan = Plan {
        engine: Engine::Forgetful,
        seed: seed(),
        time: Duration::from_secs(4),
        faults: vec![fault],
    };
    if let Some(found) = findings(plan) {
        let refused = Violation::Refused.to_string();
        let noticed = found.violations.iter().any(|text| text.contains(&refused));
        assert!(noticed, "{:?}", found.violations);
    }
}
