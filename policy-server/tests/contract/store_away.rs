//! The store goes away, comes back, and comes back empty.

use futures_util::StreamExt as _;
use http::StatusCode;
use policy_protocol::Reason;
use policy_protocol::administration::{AddAgentRequest, AgentAnswer};

use crate::harness::{World, alive, assert_dead, eventually, persistent, realm};
use crate::http_calls::{is_ready, login, send};

crate::for_servers!(
    without_its_store_a_policy_server_answers_nothing_and_says_so,
    a_store_that_comes_back_empty_has_other_keys_and_knows_nobody,
);

async fn without_its_store_a_policy_server_answers_nothing_and_says_so(mut world: World) {
    let session = world.login("alice", &persistent()).await;
    let keys = world.calls.agent_keys().await.unwrap();
    let mut stream = world.calls.events(None).await.unwrap();
    assert!(is_ready(&world).await);
    world.store.as_mut().unwrap().kill();
    eventually("it is known", async || !is_ready(&world).await).await;
    while let Some(Ok(_)) = stream.next().await {}
    let (status, retry, body) = send(&world, "POST", "login", login()).await;
    assert_eq!((status, retry), (StatusCode::SERVICE_UNAVAILABLE, true));
    assert!(
        body.contains("urn:doorward:problem:not-processed"),
        "{body}"
    );
    for path in ["agent-keys", "events", "ready"] {
        let (status, retry, body) = send(&world, "GET", path, String::new()).await;
        assert_eq!((status, retry), (StatusCode::SERVICE_UNAVAILABLE, true));
        assert!(body.contains("about:blank"), "{path} {body}");
    }
    let (status, ..) = send(&world, "GET", "live", String::new()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(world.calls.agent_keys().await.is_err());
    world.store.as_mut().unwrap().restart();
    eventually("it is back", async || is_ready(&world).await).await;
    alive(world.validate(&session).await);
    assert_eq!(world.calls.agent_keys().await.unwrap(), keys);
}

async fn a_store_that_comes_back_empty_has_other_keys_and_knows_nobody(mut world: World) {
    let sessions = [
        world.login("alice", &realm()).await,
        world.login("alice", &persistent()).await,
    ];
    let before = world.calls.agent_keys().await.unwrap();
    let request = AddAgentRequest {
        name: String::from("gateway-2"),
        secret: true,
        certificate: None,
    };
    let added = world.server.add_agent(&request).await.unwrap();
    assert!(matches!(added, AgentAnswer::Yes { .. }));
    world.store.as_mut().unwrap().wipe();
    eventually("it has keys again", async || {
        is_ready(&world).await
            && matches!(world.calls.agent_keys().await, Ok(after) if after != before)
    })
    .await;
    let after = world.calls.agent_keys().await.unwrap();
    for (one, other) in [
        (&before.current, &after.current),
        (&before.next, &after.next),
        (&before.static_key, &after.static_key),
    ] {
        assert!(one.key != other.key);
    }
    assert!(after.previous.is_empty());
    for session in &sessions {
        assert_dead(world.validate(session).await, Reason::INVALID_SESSION);
    }
    let agents = world.server.agents_report().await.unwrap().agents;
    assert_eq!(agents.len(), 1, "{agents:?}");
    // Nothing stands in the way of a new start.
    alive(world.validate(&world.login("alice", &realm()).await).await);
    let added = world.server.add_agent(&request).await.unwrap();
    assert!(matches!(added, AgentAnswer::Yes { .. }));
}

#[tokio::test]
async fn a_shared_store_needs_a_master_key() {
    let dir = tempfile::tempdir().unwrap();
    let text = "state_dir = \"s\"\nusers_file = \"u\"\n[store]\nkind = \"valkey\"\nurl = \"redis://localhost\"\n";
    let problems = policy_server::PolicyServerConfig::parse(text, "test", dir.path());
    let problems = problems.unwrap_err().to_string();
    assert!(problems.contains("keys.master_key_file"), "{problems}");
    assert!(problems.contains("doorward keys generate-master"));
}
