//! Sessions administration, here and over HTTPS.

use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::sessions::SessionQuery;
use policy_protocol::{Reason, SessionId};

use crate::harness::{
    ADMIN_SECRET, AGENT, AGENT_SECRET, World, address, alive, assert_dead, persistent, realm,
};

fn all() -> SessionQuery {
    SessionQuery::default()
}

fn of_user(name: &str) -> SessionQuery {
    SessionQuery {
        user: Some(name.to_owned()),
        ..all()
    }
}

crate::for_both!(
    sessions_are_listed_until_they_end,
    a_revoked_session_is_dead_persistent_or_not,
    a_revoked_user_loses_all_sessions_but_may_come_back,
);

async fn sessions_are_listed_until_they_end(world: World) {
    let alice = world.login("alice", &persistent()).await;
    world.clock.advance(Duration::from_secs(60));
    let bob = world.login("bob", &realm()).await;
    assert_eq!(world.listed(all()).await, [bob.id, alice.id]);
    for name in ["alice", "id-of-alice"] {
        assert_eq!(world.listed(of_user(name)).await, [alice.id]);
    }
    alive(world.validate(&alice).await);
    world.server.maintain().await.unwrap();
    let shown = world.server.session(alice.id).await.unwrap().unwrap();
    let shown = shown.session;
    assert_eq!(shown.last_access, world.now());
    assert_eq!(shown.identity, alice.identity);
    assert_eq!((shown.agent.as_str(), shown.realm.as_str()), (AGENT, "app"));
    assert_eq!(shown.client_address, Some(address("192.0.2.1")));
    assert_eq!(shown.expires, alice.started.plus(alice.max_timeout));
    world.logout(alice.ticket()).await;
    assert_eq!(world.server.session(alice.id).await.unwrap(), None);
    world.clock.advance(bob.max_timeout);
    assert_eq!(world.listed(all()).await, []);
}

async fn a_revoked_session_is_dead_persistent_or_not(world: World) {
    for realm in [realm(), persistent()] {
        let session = world.login("alice", &realm).await;
        world.server.revoke_session(session.id).await.unwrap();
        assert_dead(world.validate(&session).await, Reason::REVOKED_SESSION);
    }
}

async fn a_revoked_user_loses_all_sessions_but_may_come_back(world: World) {
    let before = [
        world.login("alice", &realm()).await,
        world.login("alice", &persistent()).await,
    ];
    let bystander = world.login("bob", &realm()).await;
    world.server.revoke_user("id-of-alice").await.unwrap();
    // In the same second.
    let after = [
        world.login("alice", &realm()).await,
        world.login("alice", &persistent()).await,
    ];
    let world = world.restart().await;
    for session in &before {
        assert_dead(world.validate(session).await, Reason::REVOKED_SESSION);
    }
    for session in after.iter().chain([&bystander]) {
        alive(world.validate(session).await);
    }
}

#[tokio::test]
async fn administrators_do_the_same_over_https() {
    let world = World::remote().await;
    let admin = world.admin(ADMIN_SECRET);
    let alice = world.login("alice", &persistent()).await;
    let bob = world.login("bob", &persistent()).await;
    assert_eq!(
        admin.sessions(&all()).await.unwrap(),
        world.server.sessions(all()).await.unwrap()
    );
    let of_bob = admin.sessions(&of_user("bob")).await.unwrap();
    assert_eq!(of_bob.sessions.len(), 1);
    assert_eq!(
        admin.session(bob.id).await.unwrap(),
        world.server.session(bob.id).await.unwrap()
    );
    assert_eq!(
        admin.session(SessionId::from_bytes([0; 20])).await.unwrap(),
        None
    );
    admin.revoke_session(bob.id).await.unwrap();
    admin.revoke_user("id-of-alice").await.unwrap();
    for session in [&alice, &bob] {
        assert_dead(world.validate(session).await, Reason::REVOKED_SESSION);
    }
    assert_eq!(admin.sessions(&all()).await.unwrap().sessions, []);
    let later = world.login("bob", &persistent()).await;
    admin.revoke_all().await.unwrap();
    assert_dead(world.validate(&later).await, Reason::REVOKED_SESSION);
}

#[tokio::test]
async fn nobody_else_administers() {
    let world = World::remote().await;
    let session = world.login("alice", &persistent()).await;
    for secret in ["", "wrong", AGENT_SECRET] {
        let admin = world.admin(secret);
        assert_eq!(admin.sessions(&all()).await, Err(PolicyError::Failure));
        assert_eq!(admin.revoke_all().await, Err(PolicyError::Failure));
        assert_eq!(
            admin.revoke_session(session.id).await,
            Err(PolicyError::Failure)
        );
        assert_eq!(
            admin.revoke_user("id-of-alice").await,
            Err(PolicyError::Failure)
        );
    }
    alive(world.validate(&session).await);
}
