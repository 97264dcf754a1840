//! Agent keys and session ticket keys.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use futures_util::StreamExt as _;
use policy_client::PolicyCalls as _;
use policy_protocol::AgentKeySet;
use policy_protocol::administration::{RollAnswer, RollReason, RollRequest};
use policy_server::{PolicyServer, PolicyServerConfig};

use crate::harness::{AGENT, World, alive, by_command, eventually, realm};

crate::for_both!(
    every_key_is_new_and_the_assertion_key_signs,
    keys_survive_a_restart,
    a_rollover_keeps_what_may_still_be_needed_and_no_more,
    a_rollover_ends_no_session,
    keys_roll_over_by_themselves,
);

async fn keys(world: &World) -> AgentKeySet {
    world.calls.agent_keys().await.unwrap()
}

async fn every_key_is_new_and_the_assertion_key_signs(world: World) {
    let set = keys(&world).await;
    let other = keys(&World::embedded().await).await;
    let all = [&set, &other].map(|set| [&set.current, &set.next, &set.static_key]);
    for (index, key) in all.concat().iter().enumerate() {
        assert!(
            all.concat()[..index]
                .iter()
                .all(|other| other.key != key.key)
        );
    }
    assert!(set.current.id != set.next.id && set.current.id != set.static_key.id);
    assert_ne!(set.assertion_key, other.assertion_key);
    assert_ne!(set.store, other.store);
    let pkcs8 = set.assertion_key.expose();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).unwrap();
}

async fn keys_survive_a_restart(world: World) {
    world.roll().await;
    let before = keys(&world).await;
    let world = world.restart().await;
    assert_eq!(keys(&world).await, before);
}

async fn a_rollover_keeps_what_may_still_be_needed_and_no_more(world: World) {
    let first = keys(&world).await;
    world.roll().await;
    let second = keys(&world).await;
    assert_eq!(second.store, first.store);
    assert!(second.version > first.version);
    assert_eq!(second.current, first.next);
    assert_eq!(second.previous, std::slice::from_ref(&first.current));
    assert_eq!(second.static_key, first.static_key);
    assert_eq!(second.assertion_key, first.assertion_key);
    assert_ne!(second.next.id, second.current.id);
    // The longest session (4 hours) may hold a cookie sealed just before.
    world.clock.advance(Duration::from_secs(4 * 3600));
    world.server.maintain().await.unwrap();
    assert_eq!(keys(&world).await, second);
    world.clock.advance(Duration::from_secs(600));
    world.server.maintain().await.unwrap();
    assert!(keys(&world).await.previous.is_empty());
}

async fn a_rollover_ends_no_session(world: World) {
    let session = world.login("alice", &realm()).await;
    for _ in 0..5 {
        world.roll().await;
        alive(world.validate(&session).await);
    }
    let world = world.restart().await;
    world.clock.advance(Duration::from_secs(1799));
    alive(world.validate(&session).await);
}

async fn keys_roll_over_by_themselves(world: World) {
    let first = keys(&world).await;
    world.clock.advance(Duration::from_secs(7 * 24 * 3600 - 1));
    world.server.maintain().await.unwrap();
    assert_eq!(keys(&world).await, first);
    world.clock.advance(Duration::from_secs(1));
    world.server.maintain().await.unwrap();
    assert_eq!(keys(&world).await.current, first.next);
    world.server.maintain().await.unwrap();
    assert_eq!(
        keys(&world).await.current,
        first.next,
        "once, not at every round"
    );
}

#[tokio::test]
async fn nothing_in_the_state_folder_but_the_master_key_holds_a_key() {
    let world = World::embedded().await;
    let set = keys(&world).await;
    let dir = world.dir.path().join("state");
    let secrets = [&set.current, &set.next, &set.static_key].map(|key| *key.key.expose());
    let files = std::fs::read_dir(&dir).unwrap();
    let mut read = 0;
    for file in files {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        read += bytes.len();
        for secret in &secrets {
            let json = serde_json::to_vec(secret).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
            assert!(!bytes.windows(json.len()).any(|window| window == json));
        }
        let assertion_key = serde_json::to_vec(set.assertion_key.expose()).unwrap();
        let found = bytes
            .windows(assertion_key.len())
            .any(|window| window == assertion_key);
        assert!(!found);
    }
    assert!(read > 4096, "the database was read");
}

#[tokio::test]
async fn another_master_key_is_an_error_and_changes_nothing() {
    let world = World::embedded().await;
    let before = keys(&world).await;
    let (dir, clock) = (Arc::clone(&world.dir), Arc::clone(&world.clock));
    drop(world);
    let open = async || {
        let config = PolicyServerConfig::load(&dir.path().join("policy-server.toml")).unwrap();
        PolicyServer::open(config, Arc::clone(&clock) as _).await
    };
    let file = dir.path().join("state/master-key");
    let good = std::fs::read(&file).unwrap();
    let other = policy_server::generate_master_key().unwrap();
    for (bad, expected) in [
        (Some(other.expose().as_str()), "another master key"),
        (Some("nonsense"), "base64 of 32 bytes"),
        (None, "there is no master key"),
    ] {
        match bad {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        // The store may still be held for a moment by what ran before.
        let error = open().await.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(file.exists(), bad.is_some(), "none is made");
    }
    std::fs::write(&file, good).unwrap();
    let server = open().await.unwrap();
    let calls = server.as_agent(AGENT);
    assert_eq!(calls.agent_keys().await.unwrap(), before);
}

#[tokio::test]
async fn a_session_goes_on_at_another_policy_server_however_often_keys_roll() {
    for remote in [false, true] {
        let [one, other] = World::pair(remote).await;
        for _ in 0..3 {
            // The other one may not have heard of it when it is asked.
            one.roll().await;
            let session = one.login("alice", &realm()).await;
            alive(other.validate(&session).await);
            other.roll().await;
            let session = alive(other.validate(&session).await);
            alive(one.validate(&session).await);
            assert_eq!(keys(&one).await, keys(&other).await);
        }
    }
}

#[tokio::test]
async fn an_agent_without_the_next_key_is_named_and_waited_for() {
    for remote in [false, true] {
        let [one, other] = World::pair(remote).await;
        let roll = async |server: &PolicyServer| server.roll_keys(&by_command()).await.unwrap();
        let mut stream = other.calls.events(None).await.unwrap();
        stream.next().await.unwrap().unwrap();
        let refused = roll(&other.server).await;
        let RollAnswer::No { agents, .. } = &refused else {
            panic!("{refused:?}");
        };
        assert_eq!(agents.len(), 1);
        assert_eq!((agents[0].agent.as_str(), agents[0].keys), (AGENT, None));
        eventually("an answer", async || {
            matches!(roll(&one.server).await, RollAnswer::No { .. })
        })
        .await;
        let held = keys(&other).await;
        eventually("an answer", async || {
            matches!(roll(&one.server).await, RollAnswer::Yes { .. })
        })
        .await;
        let report = one.server.keys_report().await.unwrap();
        assert_eq!(report.agent_keys.current, held.next.id);
        assert_eq!(report.agent_keys.previous[0].id, held.current.id);
        assert_eq!(report.rolled_because, RollReason::Command);
        let insisted = RollRequest {
            force: true,
            ..by_command()
        };
        let forced = one.server.roll_keys(&insisted).await.unwrap();
        assert!(matches!(forced, RollAnswer::Yes { .. }));
        let listeners = one.server.keys_report().await.unwrap().servers;
        let listeners: Vec<_> = listeners.iter().flat_map(|server| &server.agents).collect();
        assert_eq!(listeners.len(), 1);
        let held = listeners[0].keys.unwrap();
        assert_ne!(
            held.next,
            one.server.keys_report().await.unwrap().agent_keys.current
        );
    }
}

#[tokio::test]
async fn an_agent_that_never_fetches_keys_delays_a_scheduled_rollover_for_an_hour() {
    let world = World::embedded().await;
    let key = async || world.server.keys_report().await.unwrap().agent_keys.current;
    let first = key().await;
    let mut stream = world.calls.events(None).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let pass = async |seconds| {
        world.clock.advance(Duration::from_secs(seconds));
        world.server.maintain().await.unwrap();
    };
    pass(7 * 24 * 3600).await;
    pass(3599).await;
    assert_eq!(key().await, first, "waits");
    pass(1).await;
    let second = key().await;
    assert_ne!(second, first, "has waited");
    // The next one waits as long.
    pass(7 * 24 * 3600).await;
    assert_eq!(key().await, second);
    pass(3600).await;
    assert_ne!(key().await, second);
}
