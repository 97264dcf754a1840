//! One run: everything is started, set to work, broken and mended, at last killed all at once, and looked at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use policy_client::admin::AdminClient;

use crate::bounds::RECOVERY;
use crate::browser::{Browser, Login};
use crate::checker::{Effect, Outcome};
use crate::fault::{Fault, round};
use crate::installation::{Installation, PASSWORD, USERS, user};
use crate::load::{Load, look_at_all, sessions_of};
use crate::random::Random;
use crate::report::Report;
use crate::store::Engine;
use crate::watch::Watch;

/// The time in peace between two faults.
const PEACE: Duration = Duration::from_secs(1);
/// The load before anything breaks.
const WARM_UP: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(25);
/// What does not work so long after the bound of the recovery never will.
const HOPELESS: Duration = Duration::from_secs(60);

/// What a run is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The store.
    pub engine: Engine,
    /// Of the load, and of faults beyond those that are given.
    pub seed: u64,
    /// What breaks, in this order: all of it, however long that takes.
    pub faults: Vec<Fault>,
    /// From the start of the load to the last fault, at least. Faults beyond those that are given fill it.
    pub least: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Findings {
    /// What was wrong.
    pub violations: Vec<String>,
    /// What became of requests, by fault.
    pub report: Report,
    /// The end of what each process said.
    pub logs: String,
}

/// Makes a run; nothing if there is no such store here.
pub async fn run(plan: Plan) -> Option<Findings> {
    let Plan {
        engine,
        seed,
        faults,
        least,
    } = plan;
    println!("{engine:?}: DOORWARD_CHAOS_SEED={seed}");
    let mut random = Random::new(seed);
    let mut all = Installation::start(engine).await?;
    let browsers = all.browsers();
    let administrator = all.administrator(&all.links[0]);
    let each: Vec<_> = all.links[0]
        .iter()
        .map(|link| all.administrator([link]))
        .collect();
    until_all_is_well(&mut all, &browsers, &each).await;
    let watch = Arc::new(Watch::default());
    watch.report(|report| report.turn_to("peace"));
    let load = Load::start(
        Arc::clone(&watch),
        browsers.clone(),
        administrator,
        &mut random,
    );
    tokio::time::sleep(WARM_UP).await;
    for fault in faults {
        one_fault(&fault, engine, &mut all, &watch, &browsers, &each).await;
    }
    let mut further = Vec::new();
    while watch.now() < least {
        if further.is_empty() {
            further = round(&mut random);
        }
        let fault = further.pop().expect("a round has faults");
        one_fault(&fault, engine, &mut all, &watch, &browsers, &each).await;
    }
    kill_all(&mut all, &watch, &browsers, &each).await;
    tokio::time::sleep(PEACE).await;
    load.stop().await;
    watch.report(|report| report.turn_to("every session at every agent, at the end"));
    let (living, ended) = look_at_all(&watch, &browsers).await;
    println!(
        "{engine:?}: {living} sessions live, {ended} ended, after {:?}",
        watch.now()
    );
    let report = watch.report(|report| report.clone());
    println!("{report}");
    Some(Findings {
        violations: watch.violations(),
        report,
        logs: all.logs(),
    })
}

async fn one_fault(
    fault: &Fault,
    engine: Engine,
    all: &mut Installation,
    watch: &Watch,
    browsers: &[Browser],
    each: &[AdminClient],
) {
    println!("{:>6.1} s: {fault}", watch.now().as_secs_f32());
    watch.report(|report| report.turn_to(&fault.to_string()));
    watch.timeline(|timeline, now| timeline.begin(fault.effect(engine), now));
    fault.inject(all);
    tokio::time::sleep(fault.lasts).await;
    fault.mend(all).await;
    recover(all, watch, browsers, each).await;
    tokio::time::sleep(PEACE).await;
    // Else two policy servers would be missing in the next fault, one of them because of this one.
    let asked = until_every_server_is_asked(all);
    if tokio::time::timeout(RECOVERY, asked).await.is_err() {
        watch.complain(&format!(
            "a policy server is passed over {RECOVERY:?} after everything works"
        ));
    }
}

/// Waits until no agent passes a policy server over.
async fn until_every_server_is_asked(all: &mut Installation) {
    while all
        .agents
        .iter_mut()
        .any(|agent| agent.process().passes_over())
    {
        tokio::time::sleep(PAUSE).await;
    }
}

/// SIGKILL to everything at once, in the middle of load.
async fn kill_all(
    all: &mut Installation,
    watch: &Watch,
    browsers: &[Browser],
    each: &[AdminClient],
) {
    println!("{:>6.1} s: everything is killed", watch.now().as_secs_f32());
    watch.report(|report| report.turn_to("killed: everything at once"));
    watch.timeline(|timeline, now| timeline.begin(Effect::EVERYTHING, now));
    tokio::task::block_in_place(|| all.store.kill());
    for member in all.servers.iter_mut().chain(&mut all.agents) {
        member.kill();
    }
    tokio::task::block_in_place(|| all.store.restart());
    all.start_all().await;
    recover(all, watch, browsers, each).await;
}

async fn recover(
    all: &mut Installation,
    watch: &Watch,
    browsers: &[Browser],
    each: &[AdminClient],
) {
    let mended = Instant::now();
    watch.timeline(|timeline, now| timeline.mended(now));
    let well = until_all_is_well(all, browsers, each);
    if tokio::time::timeout(RECOVERY, well).await.is_err() {
        watch.complain(&format!(
            "not everything works {RECOVERY:?} after the end of a fault"
        ));
        let well = until_all_is_well(all, browsers, each);
        if tokio::time::timeout(HOPELESS, well).await.is_err() {
            panic!("it never works again: {}", all.logs());
        }
    }
    watch.report(|report| report.recovered(mended.elapsed()));
    watch.timeline(|timeline, now| timeline.end(now));
}

/// Waits until every policy server has its store, every agent hears of events, and logins and sessions work.
async fn until_all_is_well(all: &mut Installation, browsers: &[Browser], each: &[AdminClient]) {
    for agent in &mut all.agents {
        assert!(
            agent.process().is_alive(),
            "an agent ended by itself: {}",
            agent.process().log()
        );
    }
    for server in &mut all.servers {
        assert!(
            server.process().is_alive(),
            "a policy server ended by itself: {}",
            server.process().log()
        );
    }
    loop {
        if are_well(all, browsers, each).await {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn are_well(all: &mut Installation, browsers: &[Browser], each: &[AdminClient]) -> bool {
    for server in each {
        if server.sessions(&sessions_of("nobody")).await.is_err() {
            return false;
        }
    }
    for agent in &mut all.agents {
        if !agent.process().is_linked() {
            return false;
        }
    }
    for browser in browsers {
        let Login::Yes(cookie) = browser.login("/app/", &user(USERS), PASSWORD).await else {
            return false;
        };
        for other in browsers {
            if !matches!(other.visit("/app/", &cookie).await, (Outcome::Passed(_), _)) {
                return false;
            }
        }
        if !browser.logout(&cookie).await {
            return false;
        }
    }
    true
}
