//! `cargo test -p chaos-tests -- --ignored`: four minutes. `DOORWARD_CHAOS_SECONDS` makes it longer, `DOORWARD_CHAOS_SEED`
//! repeats a schedule; `-- --nocapture` shows the tables.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chaos::checker::Violation;
use chaos::fault::{Fault, Harm, Part};
use chaos::random::Random;
use chaos::run::{Findings, Plan, run};
use chaos::store::Engine;

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

fn holds(engine: Engine, faults: Vec<Fault>) {
    let seed = seed();
    let plan = Plan {
        engine,
        seed,
        faults: faults.clone(),
        least: Duration::from_secs(number("DOORWARD_CHAOS_SECONDS").unwrap_or(0)) / 2,
    };
    let Some(Findings {
        violations,
        report,
        logs,
    }) = findings(plan)
    else {
        return;
    };
    let count = violations.len();
    assert!(
        violations.is_empty(),
        "DOORWARD_CHAOS_SEED={seed}: {count} violations, the first: {}\n{logs}",
        violations[0]
    );
    for fault in faults {
        let requests = report.requests(&fault.to_string());
        assert!(requests > 0, "nobody asked for anything during {fault}");
    }
}

fn plans() -> [Vec<Fault>; 2] {
    chaos::fault::plans(&mut Random::new(seed()))
}

#[test]
#[ignore = "minutes of load on the whole machine: cargo test -p chaos-tests -- --ignored"]
fn what_must_hold_holds_with_valkey() {
    let [faults, _] = plans();
    holds(Engine::Valkey, faults);
}

#[test]
#[ignore = "minutes of load on the whole machine: cargo test -p chaos-tests -- --ignored"]
fn what_must_hold_holds_with_postgresql() {
    let [_, faults] = plans();
    holds(Engine::Postgres, faults);
}

/// The least of it, for every change: what is killed in the middle of load loses nothing.
#[test]
fn what_must_hold_holds_in_short() {
    if std::env::var_os("DOORWARD_CHAOS_PROGRAM").is_none() {
        println!("not run: DOORWARD_CHAOS_PROGRAM names no doorward, as .ci/run does");
        return;
    }
    let kill = |part| Fault {
        part,
        harm: Harm::Kill,
        lasts: Random::new(seed()).millis(100, 1000),
    };
    holds(
        Engine::Valkey,
        vec![kill(Part::Server(0)), kill(Part::Store)],
    );
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
        faults: vec![fault],
        least: Duration::ZERO,
    };
    if let Some(found) = findings(plan) {
        let refused = Violation::Refused.to_string();
        let noticed = found.violations.iter().any(|text| text.contains(&refused));
        assert!(noticed, "{:?}", found.violations);
    }
}
