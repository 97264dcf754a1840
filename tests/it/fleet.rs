//! Many agents beside one policy server. How fast they hear of a logout is measured by
//! `cargo bench -p benchmarks --bench revocation`.

use harness::Protocol;
use harness::eventually;
use harness::gateway::{Deployment, Gateway};

use crate::support::{challenge_reason, holding, logged_in, refused};

const AGENTS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn every_agent_hears_of_a_logout_at_one() {
    let first = Gateway::setup()
        .deployment(Deployment::Remote)
        .with("agent.workers = 1")
        .start()
        .await;
    let mut agents = vec![first];
    for _ in 1..AGENTS {
        let next = agents[0].beside("").await;
        agents.push(next);
    }
    let (alice, gone) = logged_in(&agents[0], "alice", Protocol::Http1).await;
    let (_, stays) = logged_in(&agents[1], "bob", Protocol::Http1).await;
    for cookie in [&gone, &stays] {
        for agent in &agents {
            let answer = holding(agent, cookie, Protocol::Http1).get("/app/").await;
            assert_eq!(answer.status, 200, "cached everywhere");
        }
    }
    alice.get("/doorward/logout").await;
    for agent in &agents {
        let replayed = holding(agent, &gone, Protocol::Http1);
        eventually("the agent hears of it", async || {
            challenge_reason(&replayed.get("/app/").await)
        })
        .await;
    }
    for agent in &agents {
        refused(&holding(agent, &gone, Protocol::Http1).get("/app/").await);
        let other = holding(agent, &stays, Protocol::Http1);
        assert_eq!(other.get("/app/").await.status, 200);
    }
}
