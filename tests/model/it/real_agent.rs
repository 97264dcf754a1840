//! The agent's own trust and session cache, beside the model: the same schedule, and after every step the same
//! judgement of every session at every agent.
//!
//! What `link.rs`, `on_runtime.rs`, `validate.rs` and `keep_valid` do with them is repeated below, line for line: it
//! joins trust and cache to a network, and there is none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::session::cache::{CachedSession, SessionCache};
use agent::session::trust::Trust;
use policy_protocol::{
    AuthScheme, Identity, ProtectionLevel, Reason, Session, SessionId, SessionSpec, Timestamp,
};
use protocol_model::explore::{Model as _, Random};
use protocol_model::revocation::beside::{Judgement, Told, user_of};
use protocol_model::revocation::{Act, Action, Fault, Revocation};

/// Schedules, and actions in each.
const WALKS: u64 = 300;
const STEPS: usize = 600;
const AGENTS: usize = 2;
const SESSIONS: usize = 4;

struct Real {
    trust: Trust,
    cache: SessionCache,
    start: Instant,
    /// What cookies lead to.
    known: Vec<Option<Arc<CachedSession>>>,
    /// The real generation at each of the model's: one of them may count in other steps.
    generations: Vec<u64>,
}

impl Real {
    fn new() -> Self {
        let trust = Trust::default();
        Self {
            generations: vec![trust.generation()],
            trust,
            start: Instant::now(),
            cache: SessionCache::new(1 << 20),
            known: vec![None; SESSIONS],
        }
    }

    /// A tick is a second, as a heartbeat is one.
    fn at(&self, now: u8) -> Instant {
        self.start + Duration::from_secs(now.into())
    }

    fn hear(&self, told: Told, now: u8) {
        self.trust.renew(self.at(now));
        match told {
            Told::Hello { gap } => self.trust.regained(gap, self.at(now)),
            Told::Session(session) => self.cache.end(id(session), Reason::REVOKED_SESSION),
            Told::User(user, through) => {
                self.cache
                    .end_user(&user.to_string(), Timestamp(through.into()));
            }
            Told::Flush => self.trust.doubt(),
            Told::Nothing => {}
        }
    }

    fn judge(&self, model: &Revocation, session: usize, now: u8) -> Judgement {
        let Some(known) = &self.known[session] else {
            return Judgement::Asks;
        };
        if known.check_alive().is_err() {
            return Judgement::Refuses;
        }
        let (validated_at, generation) = known.validated();
        let age = Timestamp(now.into()).since(validated_at);
        let period = Duration::from_secs(model.validation_period.into());
        if age < self.trust.period(generation, period, self.at(now)) {
            Judgement::LetsIn
        } else {
            Judgement::Asks
        }
    }
}

fn id(session: usize) -> SessionId {
    SessionId::from_bytes([u8::try_from(session).unwrap_or(u8::MAX); 20])
}

fn session(number: usize, started: u8) -> Session {
    Session {
        id: id(number),
        spec: SessionSpec::new(String::from("spec")),
        identity: Identity {
            universal_id: user_of(number).to_string(),
            ..Identity::default()
        },
        auth_scheme: AuthScheme::Form,
        protection_level: ProtectionLevel(5),
        started: Timestamp(started.into()),
        last_access: Timestamp(started.into()),
        idle_timeout: Duration::from_secs(600),
        max_timeout: Duration::from_secs(7200),
        persistent: false,
    }
}

#[test]
fn the_agents_trust_and_cache_judge_as_the_model_does() {
    let model = Revocation {
        agents: AGENTS,
        servers: 2,
        sessions: SESSIONS,
        calls: 2,
        horizon: 60,
        faults: 20,
        acts: 12,
        pause: 2,
        validation_period: 8,
        outage_grace: 2,
        stricter: 0,
        mutation: None,
        may_break: |_| true,
        may_act: |_| true,
        any_first: true,
    };
    let mut judged = [0_u32; 3];
    for seed in 0..WALKS {
        let mut random = Random::from_seed(seed);
        let mut world = model.start();
        let mut agents: Vec<Real> = (0..AGENTS).map(|_| Real::new()).collect();
        let mut schedule = Vec::new();
        let mut actions = Vec::new();
        for _ in 0..STEPS {
            actions.clear();
            model.actions(&world, &mut actions);
            let Some(&action) = random.choose(&actions) else {
                break;
            };
            schedule.push(action);
            let before = world.clone();
            model
                .step(&mut world, action)
                .unwrap_or_else(|violation| panic!("seed {seed}: {violation:?}"));
            match action {
                Action::Deliver(agent) if world.has_link(agent) => {
                    agents[agent].hear(before.next_told(agent), world.now());
                }
                Action::Answer(agent, call) => {
                    let answered = before.answered(&model, agent, call);
                    let real = &mut agents[agent];
                    let number = answered.session;
                    if answered.late {
                        // Neither yes nor no.
                    } else if answered.yes {
                        let generation = real.generations[usize::from(answered.generation)];
                        let session = session(number, world.started(number).unwrap());
                        let asked_at = Timestamp(answered.asked_at.into());
                        if let Ok(adopted) = real.cache.adopt(session, generation, asked_at) {
                            real.known[number] = Some(adopted);
                        }
                    } else if answered.over {
                        real.cache.end(id(number), Reason::REVOKED_SESSION);
                    }
                }
                Action::Act(Act::Logout(agent, _, session)) => {
                    agents[agent].cache.end(id(session), Reason::USER_LOGOUT);
                }
                Action::Break(Fault::Evict(agent, session)) => agents[agent].known[session] = None,
                _ => {}
            }
            for (number, real) in agents.iter_mut().enumerate() {
                if before.has_link(number) && !world.has_link(number) {
                    real.trust.lost();
                }
                if world.has_link(number) && world.heard_at(number) == world.now() {
                    // Heartbeats that come as time passes are not delivered one by one.
                    real.trust.renew(real.at(world.now()));
                }
                if world.generation(number) != before.generation(number) {
                    real.generations.push(real.trust.generation());
                }
                for session in 0..SESSIONS {
                    let modelled = world.judge(&model, number, session);
                    let is = real.judge(&model, session, world.now());
                    judged[is as usize] += 1;
                    assert_eq!(
                        is, modelled,
                        "seed {seed}, agent {number}, session {session} after {schedule:#?}"
                    );
                }
            }
        }
    }
    println!("real agent: let in, refused, asked: {judged:?}");
    assert!(judged.iter().all(|count| *count > 1000), "{judged:?}");
}
