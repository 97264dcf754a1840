//! From a logout at one agent to its refusal at a hundred: `cargo bench -p benchmarks --bench revocation`.
//!
//! A policy server on a port of its own with TLS, a hundred agents beside it, each with a connection for its events.
//! All of them, and the clients that ask them, are threads of this process. In each round a user logs in, uses the
//! session at every agent, and logs out at the first. When that is acknowledged all agents are asked at once, and each
//! again, with a pause of [`PAUSE`], until it refuses. A refusal counts when its answer is there: a hundred requests and
//! answers are in the figures.
//!
//! `DOORWARD_ROUNDS` sets the number of logouts.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made ends")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use harness::gateway::{Deployment, Gateway, PASSWORD};
use harness::{Client, Protocol};
use tempfile::TempDir;
use test_services::{Postgres, Valkey};

const AGENTS: usize = 100;
const ROUNDS: usize = 100;
/// Between two requests to one agent.
const PAUSE: Duration = Duration::from_millis(10);

/// What one agent did in one round, counted from when the logout was sent.
struct Refusal {
    /// When the last request was sent that passed.
    passed: Duration,
    /// When the first answer was there that refused.
    refused: Duration,
    /// When the logout was acknowledged.
    acknowledged: Duration,
}

fn main() {
    // Cargo passes `--bench`.
    let rounds = std::env::var("DOORWARD_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("{AGENTS} agents, {rounds} logouts; milliseconds\n");
    println!("| store | from | p50 | p99 | longest |\n|---|---|--:|--:|--:|");
    let folder = tempfile::tempdir().unwrap();
    runtime.block_on(measure("SQLite", "", rounds));
    if let Some(server) = Valkey::start() {
        let url = format!("redis://{}/", server.address());
        let section = section(&folder, "valkey", &url, server.password());
        runtime.block_on(measure("Valkey", &section, rounds));
    }
    if let Some(server) = Postgres::start() {
        let (user, address) = (server.user(), server.address());
        let url = format!("postgres://{user}@{address}/postgres?sslmode=disable");
        let section = section(&folder, "postgres", &url, server.password());
        runtime.block_on(measure("PostgreSQL", &section, rounds));
    }
}

fn section(folder: &TempDir, kind: &str, url: &str, password: &str) -> String {
    let [password_file, key_file] = ["password", "master.key"].map(|name| folder.path().join(name));
    std::fs::write(&password_file, password).unwrap();
    // 32 bytes in base64.
    std::fs::write(&key_file, format!("{}=", "A".repeat(43))).unwrap();
    format!(
        "keys.master_key_file = {key_file:?}\n\
         store = {{ kind = {kind:?}, url = {url:?}, password_file = {password_file:?} }}"
    )
}

async fn measure(store: &str, section: &str, rounds: usize) {
    let mut names = String::new();
    for number in 1..=AGENTS {
        let agent =
            format!("[[agents]]\nname = \"agent-{number}\"\nsecret_file = \"agent.secret\"\n");
        names.write_str(&agent).unwrap();
    }
    let first = Gateway::setup()
        .deployment(Deployment::Remote)
        .with("[agent]\nworkers = 1\nadmin = \"\"")
        .with_policy(section)
        .with_policy(&names)
        .start()
        .await;
    let mut agents = vec![first];
    for number in 2..=AGENTS {
        let name = format!("agent.name = \"agent-{number}\"");
        let next = agents[0].beside(&name).await;
        agents.push(next);
    }
    let clients: Vec<Client> = agents
        .iter()
        .map(|agent| agent.client(Protocol::Http1))
        .collect();
    let user = agents[0].client(Protocol::Http1);
    let mut refusals = Vec::new();
    for _ in 0..rounds {
        refusals.extend(round(&user, &clients).await);
    }
    tell(store, &refusals);
    for agent in agents {
        agent.drain().await;
    }
}

async fn round(user: &Client, clients: &[Client]) -> Vec<Refusal> {
    user.forget_cookies();
    let cookie = user.login("/app/", "alice", PASSWORD).await;
    join_all(clients.iter().map(async |client| {
        client.forget_cookies();
        client.set_cookie("SMSESSION", &cookie);
        assert_eq!(client.get("/app/").await.status, 200);
    }))
    .await;
    let sent = Instant::now();
    assert_eq!(user.get("/doorward/logout").await.status, 200);
    let acknowledged = sent.elapsed();
    let times = join_all(clients.iter().map(|client| until_refused(client, sent))).await;
    let refusal = |(passed, refused)| Refusal {
        passed,
        refused,
        acknowledged,
    };
    times.into_iter().map(refusal).collect()
}

async fn until_refused(client: &Client, since: Instant) -> (Duration, Duration) {
    let mut passed = Duration::ZERO;
    loop {
        let asked = since.elapsed();
        let answer = client.get("/app/").await;
        if answer.status == 302 {
            return (passed, since.elapsed());
        }
        assert_eq!(answer.status, 200);
        passed = asked;
        tokio::time::sleep(PAUSE).await;
    }
}

fn tell(store: &str, refusals: &[Refusal]) {
    let row = |what: &str, time: &dyn Fn(&Refusal) -> Duration| {
        let mut times: Vec<_> = refusals.iter().map(time).collect();
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1000.0;
        println!(
            "| {store} | {what} | {:.1} | {:.1} | {:.1} |",
            at(50),
            at(99),
            at(100)
        );
    };
    row("logout sent, to its acknowledgement", &|r| r.acknowledged);
    row("logout sent, to the refusal", &|r| r.refused);
    row("acknowledgement, to the refusal", &|r| {
        r.refused.saturating_sub(r.acknowledged)
    });
    row("acknowledgement, to the last request that passed", &|r| {
        r.passed.saturating_sub(r.acknowledged)
    });
}
