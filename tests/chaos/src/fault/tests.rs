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
fn what_one_of_several_bears_excuses_nobody() {
    for fault in round(&mut Random::new(1)) {
        let failing = fault.effect().failing;
        match fault.part {
            Part::Server(_) | Part::StoreOf(_) => assert_eq!(failing, Agents::Nobody),
            Part::Agent(number) => assert_ne!(failing, Agents::One((number + 1) % COUNT)),
            Part::Store => {}
        }
    }
}
