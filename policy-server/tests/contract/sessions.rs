//! Validate() and Logout(): what lives, and for how long.

use std::sync::Arc;
use std::time::Duration;

use policy_protocol::message::{LogoutAnswer, SessionTicket, ValidateAnswer};
use policy_protocol::{
    ManualClock, RealmContext, Reason, Session, SessionId, SessionSpec, Timestamp,
};

use crate::harness::{World, address, alive, assert_dead, persistent, realm};

crate::for_both!(
    validate_changes_the_spec_and_keeps_the_id,
    an_idle_session_ends_to_the_second,
    a_use_that_only_the_agent_knows_of_keeps_a_session_alive,
    a_persistent_session_knows_of_uses_that_an_old_cookie_does_not,
    an_agent_cannot_claim_a_use_in_the_future,
    a_session_ends_at_its_max_timeout_however_much_it_is_used,
    the_servers_limits_shorten_what_a_realm_asks_for,
    a_session_without_idle_timeout_gets_the_servers,
    a_session_from_the_future_is_refused,
    a_session_id_belongs_to_its_spec,
    a_bound_address_counts_only_if_the_agent_asks,
    an_overlooked_request_does_not_keep_a_session_alive,
    logout_ends_a_session_for_good,
    a_revocation_outlasts_limits_that_change,
    logout_of_garbage_is_refused,
    a_user_who_is_disabled_or_removed_is_out_at_once,
    attributes_are_fresh_at_every_validate,
    sessions_survive_a_restart,
);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn validate_changes_the_spec_and_keeps_the_id(world: World) {
    for realm in [realm(), persistent()] {
        let session = world.login("alice", &realm).await;
        world.clock.advance(seconds(60));
        let validated = alive(world.validate(&session).await);
        assert_eq!(validated.id, session.id);
        assert_ne!(validated.spec, session.spec);
        assert_eq!(validated.started, session.started);
        assert_eq!(validated.last_access, world.now());
        assert_eq!(validated.identity, session.identity);
        assert_eq!(validated.protection_level, session.protection_level);
        assert_eq!(validated.persistent, realm.persistent);
        // A browser may come back with the cookie from before.
        alive(world.validate(&session).await);
        alive(world.validate(&validated).await);
    }
}

async fn an_idle_session_ends_to_the_second(world: World) {
    for realm in [realm(), persistent()] {
        let session = world.login("alice", &realm).await;
        world.clock.advance(seconds(1799));
        let session = alive(world.validate(&session).await);
        world.clock.advance(seconds(1799));
        let session = alive(world.validate(&session).await);
        world.clock.advance(seconds(1800));
        assert_dead(world.validate(&session).await, Reason::IDLE_SESSION);
    }
}

async fn a_use_that_only_the_agent_knows_of_keeps_a_session_alive(world: World) {
    let session = world.login("alice", &realm()).await;
    world.clock.advance(seconds(1700));
    let used = world.now();
    world.clock.advance(seconds(1700));
    assert_dead(world.validate(&session).await, Reason::IDLE_SESSION);
    alive(world.validate_ticket(session.ticket(), used, None).await);
}

async fn a_persistent_session_knows_of_uses_that_an_old_cookie_does_not(world: World) {
    let old = world.login("alice", &persistent()).await;
    world.clock.advance(seconds(1000));
    alive(world.validate(&old).await);
    world.clock.advance(seconds(1799));
    alive(world.validate(&old).await);
    world.clock.advance(seconds(1800));
    assert_dead(world.validate(&old).await, Reason::IDLE_SESSION);
}

/// Reaches into the store, which is easy if it is a file.
#[tokio::test]
async fn a_persistent_session_that_is_not_in_the_store_is_dead() {
    let world = World::embedded().await;
    let session = world.login("alice", &persistent()).await;
    let database = world.dir.path().join("state/policy-server.sqlite");
    rusqlite::Connection::open(database)
        .unwrap()
        .execute("DELETE FROM session", [])
        .unwrap();
    assert_dead(world.validate(&session).await, Reason::REVOKED_SESSION);
}

async fn an_agent_cannot_claim_a_use_in_the_future(world: World) {
    let session = world.login("alice", &realm()).await;
    world.clock.advance(seconds(60));
    let claimed = world.now().plus(seconds(100_000));
    let session = alive(world.validate_ticket(session.ticket(), claimed, None).await);
    assert_eq!(session.last_access, world.now());
}

async fn keep_using(world: &World, mut session: Session, for_seconds: u64) -> Session {
    for _ in 0..for_seconds / 600 {
        world.clock.advance(seconds(600));
        session = alive(world.validate(&session).await);
    }
    session
}

async fn a_session_ends_at_its_max_timeout_however_much_it_is_used(world: World) {
    for realm in [realm(), persistent()] {
        let session = world.login("alice", &realm).await;
        let session = keep_using(&world, session, 6600).await;
        world.clock.advance(seconds(599));
        let session = alive(world.validate(&session).await);
        world.clock.advance(seconds(1));
        assert_dead(world.validate(&session).await, Reason::EXPIRED_SESSION);
    }
}

async fn the_servers_limits_shorten_what_a_realm_asks_for(world: World) {
    let long = RealmContext {
        idle_timeout: seconds(100_000),
        max_timeout: seconds(1_000_000),
        ..realm()
    };
    let session = world.login("alice", &long).await;
    assert_eq!(session.max_timeout, seconds(4 * 3600));
    assert_eq!(session.idle_timeout, seconds(3600));
    let session = keep_using(&world, session, 4 * 3600 - 600).await;
    world.clock.advance(seconds(600));
    assert_dead(world.validate(&session).await, Reason::EXPIRED_SESSION);
}

async fn a_session_without_idle_timeout_gets_the_servers(world: World) {
    let session = world
        .login(
            "alice",
            &RealmContext {
                idle_timeout: Duration::ZERO,
                ..realm()
            },
        )
        .await;
    assert_eq!(session.idle_timeout, seconds(3600));
}

async fn a_session_from_the_future_is_refused(world: World) {
    let session = world.login("alice", &realm()).await;
    let mut world = world;
    for (back, accepted) in [(60, true), (1, false)] {
        // The clock of the same server, set back by 60 and then by 61 seconds.
        world.clock = Arc::new(ManualClock::at(Timestamp(world.now().0 - back)));
        world = world.restart().await;
        let answer = world.validate(&session).await;
        assert_eq!(
            matches!(answer, ValidateAnswer::Yes { .. }),
            accepted,
            "{answer:?}"
        );
    }
}

async fn a_session_id_belongs_to_its_spec(world: World) {
    let alice = world.login("alice", &realm()).await;
    let bob = world.login("bob", &realm()).await;
    let mixed = SessionTicket {
        session_id: bob.id,
        session_spec: alice.spec,
    };
    let answer = world
        .validate_ticket(mixed.clone(), world.now(), None)
        .await;
    assert_dead(answer, Reason::INVALID_SESSION_ID);
    let refused = LogoutAnswer::No {
        reason: Reason::INVALID_SESSION_ID,
    };
    assert_eq!(world.logout(mixed).await, refused);
    alive(world.validate(&bob).await);
}

async fn a_bound_address_counts_only_if_the_agent_asks(world: World) {
    let session = world.login("alice", &realm()).await;
    for (from, accepted) in [
        (None, true),
        (Some(address("192.0.2.1")), true),
        (Some(address("::ffff:192.0.2.1")), true),
        (Some(address("192.0.2.2")), false),
        (Some(address("2001:db8::1")), false),
    ] {
        let answer = world
            .validate_ticket(session.ticket(), world.now(), from)
            .await;
        if accepted {
            alive(answer);
        } else {
            assert_dead(answer, Reason::INVALID_SESSION_IP);
        }
    }
}

async fn logout_ends_a_session_for_good(world: World) {
    let mut sessions = Vec::new();
    for realm in [realm(), persistent()] {
        let before = world.login("alice", &realm).await;
        world.clock.advance(seconds(1));
        let after = alive(world.validate(&before).await);
        assert_eq!(world.logout(after.ticket()).await, LogoutAnswer::Yes);
        assert_eq!(
            world.logout(before.ticket()).await,
            LogoutAnswer::Yes,
            "twice is once"
        );
        sessions.extend([before, after]);
    }
    let bystander = world.login("alice", &realm()).await;
    for session in &sessions {
        assert_dead(world.validate(session).await, Reason::REVOKED_SESSION);
    }
    let world = world.restart().await;
    for session in &sessions {
        assert_dead(world.validate(session).await, Reason::REVOKED_SESSION);
    }
    // The record goes when the session would have ended anyway, and not a second before.
    world.clock.advance(seconds(7190));
    world.server.maintain().await.unwrap();
    let used = world.now();
    for session in &sessions {
        let answer = world.validate_ticket(session.ticket(), used, None).await;
        assert_dead(answer, Reason::REVOKED_SESSION);
    }
    alive(world.validate_ticket(bystander.ticket(), used, None).await);
    world.clock.advance(seconds(3600));
    world.server.maintain().await.unwrap();
    for session in &sessions {
        let answer = world.validate_ticket(session.ticket(), used, None).await;
        assert!(matches!(answer, ValidateAnswer::No { .. }));
    }
}

async fn a_revocation_outlasts_limits_that_change(world: World) {
    let ended = world.login("alice", &realm()).await;
    let of_administrator = world.login("alice", &realm()).await;
    let of_user = world.login("bob", &realm()).await;
    let world = world.restart_with_max_timeout("4h", "10m").await;
    // Logged out with a spec from the time of the lower limit; the copy is from before.
    let renewed = alive(world.validate(&ended).await);
    assert_eq!(renewed.max_timeout, seconds(600));
    world.logout(renewed.ticket()).await;
    world
        .server
        .revoke_session(of_administrator.id)
        .await
        .unwrap();
    world.server.revoke_user("bob").await.unwrap();
    world.clock.advance(seconds(3600));
    world.server.maintain().await.unwrap();
    let world = world.restart_with_max_timeout("10m", "4h").await;
    world.server.maintain().await.unwrap();
    for session in [ended, of_administrator, of_user] {
        let answer = world
            .validate_ticket(session.ticket(), world.now(), None)
            .await;
        assert_dead(answer, Reason::REVOKED_SESSION);
    }
}

async fn an_overlooked_request_does_not_keep_a_session_alive(world: World) {
    for realm in [realm(), persistent()] {
        let start = world.login("alice", &realm).await;
        world.clock.advance(seconds(1000));
        let overlooked = alive(world.overlook(&start).await);
        assert_eq!(overlooked.last_access, start.last_access);
        world.clock.advance(seconds(799));
        let overlooked = alive(world.overlook(&overlooked).await);
        assert_eq!(overlooked.last_access, start.last_access);
        // One that counts moves the last access.
        let used = alive(world.validate(&overlooked).await);
        assert_eq!(used.last_access, world.now());
        world.clock.advance(seconds(1799));
        let overlooked = alive(world.overlook(&used).await);
        world.clock.advance(seconds(1));
        assert_dead(world.overlook(&overlooked).await, Reason::IDLE_SESSION);
        assert_dead(world.validate(&overlooked).await, Reason::IDLE_SESSION);
    }
}

async fn logout_of_garbage_is_refused(world: World) {
    let session_spec = SessionSpec::new(String::from("garbage"));
    let garbage = SessionTicket {
        session_id: SessionId::from_bytes([1; 20]),
        session_spec,
    };
    let refused = LogoutAnswer::No {
        reason: Reason::INVALID_SESSION,
    };
    assert_eq!(world.logout(garbage).await, refused);
}

async fn a_user_who_is_disabled_or_removed_is_out_at_once(world: World) {
    let alice = world.login("alice", &realm()).await;
    let persisted = world.login("alice", &persistent()).await;
    let bob = world.login("bob", &realm()).await;
    world.write_users("disabled = true");
    world.server.maintain().await.unwrap();
    for session in [&alice, &persisted] {
        assert_dead(world.validate(session).await, Reason::REVOKED_SESSION);
    }
    alive(world.validate(&bob).await);
    // Let in again, but not into the sessions from before.
    world.write_users("disabled = false");
    world.server.maintain().await.unwrap();
    assert_dead(world.validate(&alice).await, Reason::REVOKED_SESSION);
    alive(world.validate(&world.login("alice", &realm()).await).await);
    // Disabled while the server was down.
    let again = world.login("alice", &realm()).await;
    world.write_users("disabled = true");
    let world = world.restart().await;
    assert_dead(world.validate(&again).await, Reason::USER_DISABLED);
}

async fn attributes_are_fresh_at_every_validate(world: World) {
    let session = world.login("bob", &realm()).await;
    let users = std::fs::read_to_string(world.dir.path().join("users.toml")).unwrap();
    let users = users.replace(
        r#"groups = ["staff"]"#,
        r#"groups = ["staff", "night shift"]"#,
    );
    std::fs::write(world.dir.path().join("users.toml"), users).unwrap();
    world.server.maintain().await.unwrap();
    let session = alive(world.validate(&session).await);
    assert_eq!(session.identity.groups, ["staff", "night shift"]);
    // A file with a mistake changes nothing.
    std::fs::write(world.dir.path().join("users.toml"), "[[users]]\nnme = 1").unwrap();
    assert!(world.server.maintain().await.is_err());
    let session = alive(world.validate(&session).await);
    assert_eq!(session.identity.groups, ["staff", "night shift"]);
}

async fn sessions_survive_a_restart(world: World) {
    let sessions = [
        world.login("alice", &realm()).await,
        world.login("bob", &persistent()).await,
    ];
    let world = world.restart().await;
    for session in &sessions {
        assert_eq!(alive(world.validate(session).await).id, session.id);
    }
}
