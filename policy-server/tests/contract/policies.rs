//! IsProtected() and Authorize().

use std::time::Duration;

use futures_util::StreamExt;
use policy_client::PolicyError;
use policy_protocol::explain::{ExplainAnswer, ExplainRequest, Finding};
use policy_protocol::message::{
    AuthorizeAnswer, IsProtectedAnswer, IsProtectedRequest, ResponseAttribute,
};
use policy_protocol::{EventKind, Identity, Reason, Timestamp};

use crate::harness::{ADMIN_SECRET, AGENT_SECRET, World, address, realm, resource};

crate::for_both!(
    a_resource_is_protected_by_the_longest_prefix,
    a_policy_allows_with_responses,
    what_no_policy_covers_or_allows_is_denied,
    a_dead_or_too_weak_session_is_denied,
    an_old_spec_of_a_session_in_use_is_authorized,
    a_decision_does_not_outlive_office_hours,
    where_the_user_is_decides_and_where_to_go_is_told,
    new_policies_are_in_force_without_a_restart_and_bad_ones_are_not,
);

async fn a_resource_is_protected_by_the_longest_prefix(world: World) {
    for (path, expected) in [
        ("/app", Some("app")),
        ("/app/x", Some("app")),
        ("/app;v=1", Some("app")),
        ("/app/admin/x", Some("app-admin")),
        ("/app/administration", Some("app")),
        ("/application", None),
        ("/", None),
    ] {
        let request = IsProtectedRequest {
            resource: resource(path),
        };
        let answer = world.calls.is_protected(request).await.unwrap();
        let expected = expected.map_or(IsProtectedAnswer::No, |realm| IsProtectedAnswer::Yes {
            realm: realm.to_owned(),
        });
        assert_eq!(answer, expected, "{path}");
    }
}

fn no(ttl: u64, reason: Reason) -> AuthorizeAnswer {
    AuthorizeAnswer::No {
        ttl: Duration::from_secs(ttl),
        reason,
        redirect: None,
    }
}

async fn a_policy_allows_with_responses(world: World) {
    let cookie = ResponseAttribute::Cookie {
        name: String::from("tier"),
        value: String::from("basic"),
    };
    let mail = ResponseAttribute::Header {
        name: String::from("x-mail"),
        value: String::from("alice@example.com"),
    };
    for (user, expected) in [("alice", vec![mail, cookie.clone()]), ("bob", vec![cookie])] {
        let session = world.login(user, &realm()).await;
        let ttl = Duration::from_secs(300);
        let answer = world.authorize(&session, "/app/x", 5).await;
        assert_eq!(
            answer,
            AuthorizeAnswer::Yes {
                ttl,
                responses: expected,
                redirect: None,
            }
        );
    }
}

async fn what_no_policy_covers_or_allows_is_denied(world: World) {
    let bob = world.login("bob", &realm()).await;
    assert_eq!(
        world.authorize(&bob, "/elsewhere", 5).await,
        no(0, Reason::NONE)
    );
    assert_eq!(
        world.authorize(&bob, "/application", 5).await,
        no(0, Reason::NONE)
    );
    // The permission for /app does not reach into /app/admin.
    assert_eq!(
        world.authorize(&bob, "/app/admin", 5).await,
        no(60, Reason::NONE)
    );
    let alice = world.login("alice", &realm()).await;
    assert!(matches!(
        world.authorize(&alice, "/app/admin", 5).await,
        AuthorizeAnswer::Yes { .. }
    ));
    // A denial wins.
    let carol = world.login("carol", &realm()).await;
    assert_eq!(
        world.authorize(&carol, "/app/x", 5).await,
        no(300, Reason::NONE)
    );
}

async fn a_dead_or_too_weak_session_is_denied(world: World) {
    let session = world.login("alice", &realm()).await;
    let answer = world.authorize(&session, "/app", 6).await;
    assert_eq!(answer, no(0, Reason::AUTH_LEVEL_TOO_LOW));
    world.logout(session.ticket()).await;
    let answer = world.authorize(&session, "/app", 5).await;
    assert_eq!(answer, no(0, Reason::REVOKED_SESSION));
}

async fn an_old_spec_of_a_session_in_use_is_authorized(world: World) {
    let session = world.login("alice", &realm()).await;
    world.clock.advance(Duration::from_secs(3600)); // twice its idle timeout
    assert!(matches!(
        world.authorize(&session, "/app", 5).await,
        AuthorizeAnswer::Yes { .. }
    ));
    world.clock.advance(Duration::from_secs(3600)); // its max timeout
    let answer = world.authorize(&session, "/app", 5).await;
    assert_eq!(answer, no(0, Reason::EXPIRED_SESSION));
}

/// Seconds from the world's beginning, a Monday at 13:46:40 UTC, to 18:00.
const UNTIL_CLOSING: u64 = 4 * 3600 + 13 * 60 + 20;

async fn a_decision_does_not_outlive_office_hours(world: World) {
    // 1970-01-12T13:46:40Z
    assert_eq!(world.now(), Timestamp(1_000_000));
    world
        .clock
        .advance(Duration::from_secs(UNTIL_CLOSING - 100));
    let session = world.login("alice", &realm()).await;
    let ttl = |answer: &AuthorizeAnswer| match answer {
        AuthorizeAnswer::Yes { ttl, .. } => Ok(ttl.as_secs()),
        AuthorizeAnswer::No { ttl, redirect, .. } => Err((ttl.as_secs(), redirect.clone())),
    };
    // The last second may be almost over when the answer is given.
    assert_eq!(ttl(&world.authorize(&session, "/app/day", 5).await), Ok(99));
    world.clock.advance(Duration::from_secs(99));
    assert_eq!(ttl(&world.authorize(&session, "/app/day", 5).await), Ok(0));
    world.clock.advance(Duration::from_secs(1));
    let closed = Some(String::from("/closed"));
    let answer = world.authorize(&session, "/app/day", 5).await;
    assert_eq!(ttl(&answer), Err((300, closed)));
}

async fn where_the_user_is_decides_and_where_to_go_is_told(world: World) {
    let session = world.login("alice", &realm()).await;
    for (from, allowed) in [
        ("192.0.2.200", true),
        ("::ffff:192.0.2.200", true),
        ("2001:db8::1", true),
        ("198.51.100.1", false),
        ("2001:db9::1", false),
    ] {
        match world.authorize_from(from, &session, "/app/site", 5).await {
            AuthorizeAnswer::Yes { redirect, .. } => {
                assert!(allowed, "{from}");
                assert_eq!(redirect.as_deref(), Some("https://site.example.com/"));
            }
            AuthorizeAnswer::No { redirect, .. } => {
                assert!(!allowed, "{from}");
                assert_eq!(redirect, None);
            }
        }
    }
}

async fn new_policies_are_in_force_without_a_restart_and_bad_ones_are_not(world: World) {
    let bob = world.login("bob", &realm()).await;
    let admin = async || {
        let answer = world.authorize(&bob, "/app/admin", 5).await;
        matches!(answer, AuthorizeAnswer::Yes { .. })
    };
    let mut events = world.calls.events(None).await.unwrap();
    assert!(!admin().await);
    world.edit_policies("groups = [\"admins\"]", "groups = [\"admins\", \"staff\"]");
    world.server.maintain().await.unwrap();
    assert!(admin().await);
    let told = async {
        while let Some(event) = events.next().await {
            if event.unwrap().kind == EventKind::CacheFlush {
                return true;
            }
        }
        false
    };
    let told = tokio::time::timeout(Duration::from_secs(20), told).await;
    assert!(told.unwrap(), "agents forget their decisions");
    // Whatever is wrong with it, nothing of it counts. The server's own round may have been first to say so.
    world.edit_policies("[\"admins\", \"staff\"]", "[]");
    _ = world.server.maintain().await;
    assert!(admin().await);
    world.edit_policies("groups = []", "groups = [\"admins\"]");
    world.server.maintain().await.unwrap();
    assert!(!admin().await);
}

/// With the store's feed, an agent that comes back after a restart has missed nothing but this.
#[tokio::test]
async fn policies_that_changed_while_the_server_was_down_reach_agents() {
    let world = World::remote().await;
    let position = {
        let mut events = world.calls.events(None).await.unwrap();
        events.next().await.unwrap().unwrap().position
    };
    world.edit_policies("groups = [\"admins\"]", "groups = [\"staff\"]");
    let world = world.restart().await;
    let mut events = world.calls.events(Some(position)).await.unwrap();
    let told = async {
        while let Some(event) = events.next().await {
            match event.unwrap().kind {
                EventKind::CacheFlush => return "flushed",
                EventKind::Hello { gap: true } => return "a gap",
                _ => {}
            }
        }
        "the end"
    };
    let told = tokio::time::timeout(Duration::from_secs(20), told).await;
    assert_eq!(told.unwrap(), "flushed");
}

fn explain(user: &str, path: &str) -> ExplainRequest {
    ExplainRequest {
        user: user.to_owned(),
        directory: None,
        identity: None,
        resource: resource(path),
        from: address("192.0.2.1"),
        at: None,
    }
}

#[tokio::test]
async fn administrators_are_told_why() {
    let world = World::remote().await;
    let admin = world.admin(ADMIN_SECRET);
    let answer = admin.explain(&explain("Carol", "/app/x")).await.unwrap();
    assert_eq!(
        answer,
        world
            .server
            .explain(&explain("carol", "/app/x"))
            .await
            .unwrap()
    );
    let ExplainAnswer::Explained {
        identity,
        realm: found,
        steps,
        decision,
    } = answer
    else {
        panic!("{answer:?}");
    };
    assert_eq!(identity.user_name, "carol");
    assert_eq!(found.as_deref(), Some("app"));
    assert_eq!(decision, no(300, Reason::NONE));
    let found: Vec<_> = steps
        .iter()
        .map(|step| (step.rule.as_str(), step.policy.as_deref(), &step.finding))
        .collect();
    assert_eq!(
        found,
        [
            ("use", Some("everybody"), &Finding::Applies),
            ("do not use", Some("no-contractors"), &Finding::Applies),
            ("day", None, &Finding::Resource),
            ("site", None, &Finding::Resource),
        ]
    );
    // It says what Authorize() says, at any time.
    let session = world.login("alice", &realm()).await;
    for path in ["/app", "/app/admin", "/app/day", "/app/site", "/elsewhere"] {
        let answer = admin.explain(&explain("id-of-alice", path)).await.unwrap();
        let ExplainAnswer::Explained { decision, .. } = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(decision, world.authorize(&session, path, 5).await, "{path}");
    }
    let at_night = ExplainRequest {
        at: Some(Timestamp(1_000_000 + UNTIL_CLOSING)),
        ..explain("alice", "/app/day")
    };
    match admin.explain(&at_night).await.unwrap() {
        ExplainAnswer::Explained { steps, .. } => {
            let step = steps.iter().find(|step| step.rule == "day").unwrap();
            assert_eq!(step.finding, Finding::Time);
        }
        ExplainAnswer::UnknownUser => panic!("alice is known"),
    }
    // Users who are described are not looked up.
    let described = ExplainRequest {
        identity: Some(Box::new(Identity {
            groups: vec![String::from("admins")],
            attributes: Default::default(),
            ..*identity
        })),
        ..explain("carol", "/app/admin")
    };
    match admin.explain(&described).await.unwrap() {
        ExplainAnswer::Explained { decision, .. } => {
            assert!(matches!(decision, AuthorizeAnswer::Yes { .. }));
        }
        ExplainAnswer::UnknownUser => panic!("the user was given"),
    }
    let elsewhere = ExplainRequest {
        directory: Some(String::from("customers")),
        ..explain("alice", "/app")
    };
    for request in [elsewhere, explain("nobody", "/app")] {
        let answer = admin.explain(&request).await.unwrap();
        assert_eq!(answer, ExplainAnswer::UnknownUser);
    }
    for secret in ["", "wrong", AGENT_SECRET] {
        let refused = world.admin(secret).explain(&explain("alice", "/app")).await;
        assert_eq!(refused, Err(PolicyError::Failure));
    }
}
