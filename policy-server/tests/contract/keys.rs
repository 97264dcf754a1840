//! Agent keys and session ticket keys.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use policy_protocol::AgentKeySet;

use crate::harness::{World, alive, realm};

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
    let pkcs8 = set.assertion_key.expose();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).unwrap();
}

async fn keys_survive_a_restart(world: World) {
    world.server.roll_agent_keys().await.unwrap();
    let before = keys(&world).await;
    let world = world.restart().await;
    assert_eq!(keys(&world).await, before);
}

async fn a_rollover_keeps_what_may_still_be_needed_and_no_more(world: World) {
    let first = keys(&world).await;
    world.server.roll_agent_keys().await.unwrap();
    let second = keys(&world).await;
    assert_eq!(second.current, first.next);
    assert_eq!(second.previous, std::slice::from_ref(&first.current));
    assert_eq!(second.static_key, first.static_key);
    assert_eq!(second.assertion_key, first.assertion_key);
    assert!(second.next.id.0 > second.current.id.0);
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
        world.server.roll_agent_keys().await.unwrap();
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
