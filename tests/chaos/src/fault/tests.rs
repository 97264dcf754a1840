use super::*;

/// What a fault is, whichever of several parts it breaks, and for however long.
fn kind(fault: &Fault) -> String {
    let part = match fault.part {
        Part::Server(_) => Part::Server(0),
        Part::Agent(_) => Part::Agent(0),
        Part::Store => Part::Store,
        Part::StoreOf(_) => Part::StoreOf(0),
    };
    format!("{part:?} {:?}", fault.harm)
}

fn kinds(faults: &[Fault]) -> Vec<String> {
    let mut kinds: Vec<_> = faults.iter().map(kind).collect();
    kinds.sort();
    kinds
}

#[test]
fn both_engines_together_bear_every_fault_and_each_all_of_the_store() {
    for seed in 0..1000 {
        let all = kinds(&round(&mut Random::new(seed)));
        assert_eq!(all.len(), 22);
        let plans = plans(&mut Random::new(seed));
        for plan in &plans {
            let store = plan.iter().filter(|fault| fault.part == Part::Store);
            assert_eq!(store.count(), 5);
        }
        let mut planned = kinds(&plans.concat());
        planned.dedup();
        assert_eq!(planned, all);
    }
}

#[test]
fn only_whom_a_fault_touches_may_fail() {
    for engine in [Engine::Valkey, Engine::Postgres] {
        for fault in round(&mut Random::new(1)) {
            let failing = fault.effect(engine).failing;
            let is_slow = fault.harm == Harm::Link(Way::Slow);
            let expected = match fault.part {
                Part::Agent(number) if !is_slow => Agents::One(number),
                Part::Store if !is_slow || engine == Engine::Postgres => Agents::Everybody,
                _ => Agents::Nobody,
            };
            assert_eq!(failing, expected, "{fault}");
        }
    }
}
