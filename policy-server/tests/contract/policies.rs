//! IsProtected() and Authorize().

use std::time::Duration;

use policy_protocol::Reason;
use policy_protocol::message::{
    AuthorizeAnswer, IsProtectedAnswer, IsProtectedRequest, ResponseAttribute,
};

use crate::harness::{World, realm, resource, ticket};

crate::for_both!(
    a_resource_is_protected_by_the_longest_prefix,
    a_policy_allows_with_responses,
    what_no_policy_covers_or_allows_is_denied,
    a_dead_or_too_weak_session_is_denied,
    an_old_spec_of_a_session_in_use_is_authorized,
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
                responses: expected
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
    world.logout(ticket(&session)).await;
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
