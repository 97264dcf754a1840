use protocol_model::explore::{exhaust, walk};
use protocol_model::revocation::{Fault, Mutation, Revocation};

pub fn small() -> Revocation {
    Revocation {
        agents: 1,
        servers: 2,
        sessions: 1,
        horizon: 6,
        faults: 1,
        acts: 1,
        pause: 0,
        validation_period: 4,
        outage_grace: 1,
        mutation: None,
        may_break: |_| true,
    }
}

#[test]
fn try_it() {
    for (faults, horizon) in [(0, 5), (1, 5), (1, 8), (2, 5), (2,8)] {
        let t = std::time::Instant::now();
        match exhaust(&Revocation { faults, horizon, ..small() }, 20_000_000) {
            Ok(e) => println!("{faults} {horizon} {e:?} {:?}", t.elapsed()),
            Err(f) => { println!("{faults} {horizon} {f}"); break }
        }
    }
    _ = (walk::<Revocation>, Mutation::NoTombstones, |_: Fault| ());
}
