//! Sessions as administrators and session services see them: pages, limits, properties, quotas.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::message::LoginAnswer;
use policy_protocol::sessions::{PropertyChanges, SessionDetails, SessionQuery};
use policy_protocol::{RealmContext, Reason, Session, SessionId, Timestamp};
use policy_server::sessions::SessionError;

use crate::harness::{ADMIN_SECRET, AGENT, PASSWORD, World, alive, assert_dead, persistent, realm};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn pages_hold_every_session_once() {
    let world = World::remote().await;
    let mut begun = BTreeSet::new();
    for number in 0..7 {
        begun.insert(world.login("alice", &realm()).await.id);
        if number % 3 == 0 {
            world.clock.advance(MINUTE);
        }
    }
    let admin = world.admin(ADMIN_SECRET);
    let mut query = SessionQuery {
        limit: Some(2),
        ..SessionQuery::default()
    };
    let mut listed = Vec::new();
    loop {
        let page = admin.sessions(&query).await.unwrap();
        assert!(page.sessions.len() <= 2);
        listed.extend(page.sessions);
        // Whoever logs in meanwhile is not on the pages that follow, and nobody is left out for it.
        world.login("bob", &realm()).await;
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    assert!(listed.is_sorted_by_key(|session| std::cmp::Reverse(session.started)));
    let ids: BTreeSet<_> = listed.iter().map(|session| session.id).collect();
    assert_eq!((ids.len(), listed.len()), (7, 7));
    assert_eq!(ids, begun);
}

#[tokio::test]
async fn lists_are_of_a_user_an_agent_a_realm_and_an_age() {
    let world = World::remote().await;
    let admin = world.admin(ADMIN_SECRET);
    let early = world.login("alice", &realm()).await;
    world.clock.advance(MINUTE);
    let other_realm = RealmContext {
        name: String::from("other"),
        ..realm()
    };
    let late = world.login("bob", &other_realm).await;
    let query = SessionQuery::default;
    let text = |text: &str| Some(text.to_owned());
    for (query, expected) in [
        (
            SessionQuery {
                user: text("id-of-alice"),
                ..query()
            },
            vec![early.id],
        ),
        (
            SessionQuery {
                user: text("bob"),
                realm: text("app"),
                ..query()
            },
            vec![],
        ),
        (
            SessionQuery {
                realm: text("other"),
                ..query()
            },
            vec![late.id],
        ),
        (
            SessionQuery {
                agent: text(AGENT),
                ..query()
            },
            vec![late.id, early.id],
        ),
        (
            SessionQuery {
                agent: text("another & agent"),
                ..query()
            },
            vec![],
        ),
        (
            SessionQuery {
                started_until: Some(early.started),
                ..query()
            },
            vec![early.id],
        ),
        (
            SessionQuery {
                started_from: Some(late.started),
                ..query()
            },
            vec![late.id],
        ),
    ] {
        let page = admin.sessions(&query).await.unwrap();
        let ids: Vec<_> = page.sessions.iter().map(|session| session.id).collect();
        assert_eq!(ids, expected, "{query:?}");
    }
    for after in ["", "nonsense", "1.x", "-1.AAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let query = SessionQuery {
            after: text(after),
            ..query()
        };
        let refused = world.server.sessions(query).await;
        assert_eq!(refused, Err(SessionError::InvalidCursor), "{after}");
    }
}

/// What a session service is told that shows the session itself.
async fn by_ticket(world: &World, session: &Session) -> Result<SessionDetails, Reason> {
    let ticket = session.ticket();
    let asked = world
        .server
        .session_by_ticket(&ticket, None, Timestamp::default());
    asked.await.unwrap()
}

#[tokio::test]
async fn limits_say_when_and_why_a_session_ends() {
    let world = World::embedded().await;
    let session = world.login("alice", &realm()).await;
    let limits = async || {
        let details = world.server.session_by_id(session.id).await.unwrap();
        details.unwrap().limits
    };
    let first = limits().await;
    assert_eq!(
        (first.idle_timeout, first.max_timeout),
        (30 * MINUTE, 120 * MINUTE)
    );
    assert_eq!(first.idle_end, Some(session.started.plus(30 * MINUTE)));
    assert_eq!(first.max_end, session.started.plus(120 * MINUTE));
    assert_eq!(
        (Some(first.ends), first.because),
        (first.idle_end, Reason::IDLE_SESSION)
    );

    // Asking is not using.
    world.clock.advance(20 * MINUTE);
    assert_eq!(limits().await, first);
    let asked = by_ticket(&world, &session).await.unwrap();
    assert_eq!(asked.limits, first);
    assert_eq!(asked.session.identity, session.identity);
    assert_eq!(asked.session.agent, AGENT);

    let session = alive(world.validate(&session).await);
    assert_eq!(limits().await.idle_end, Some(world.now().plus(30 * MINUTE)));
    for _ in 0..3 {
        world.clock.advance(25 * MINUTE);
        alive(world.validate(&session).await);
        // Uses are written every second, of real time.
        world.server.maintain().await.unwrap();
    }
    let last = limits().await;
    assert_eq!(
        (last.ends, last.because),
        (first.max_end, Reason::EXPIRED_SESSION)
    );
    world.clock.advance(25 * MINUTE);
    let asked = by_ticket(&world, &session).await;
    assert_eq!(asked, Err(Reason::EXPIRED_SESSION));
}

#[tokio::test]
async fn caps_that_are_lower_now_are_in_the_limits() {
    let world = World::embedded().await;
    let session = world.login("alice", &realm()).await;
    let world = world.restart_with_max_timeout("4h", "1h").await;
    let details = world
        .server
        .session_by_id(session.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(details.limits.max_end, session.started.plus(60 * MINUTE));
}

#[tokio::test]
async fn a_reset_of_the_idle_time_keeps_alive_and_never_revives() {
    let world = World::remote().await;
    let admin = world.admin(ADMIN_SECRET);
    let session = world.login("alice", &persistent()).await;
    world.clock.advance(29 * MINUTE);
    let details = admin.reset_idle(session.id).await.unwrap();
    assert_eq!(details.session.last_access, world.now());
    assert_eq!(details.limits.idle_end, Some(world.now().plus(30 * MINUTE)));
    world.clock.advance(29 * MINUTE);
    alive(world.validate(&session).await);

    world.clock.advance(30 * MINUTE);
    let refused = world.server.reset_idle(session.id).await;
    assert_eq!(refused, Err(SessionError::Over(Reason::IDLE_SESSION)));
    assert_eq!(
        admin.reset_idle(session.id).await,
        Err(PolicyError::Failure)
    );
    assert_dead(world.validate(&session).await, Reason::IDLE_SESSION);

    let ended = world.login("alice", &persistent()).await;
    world.logout(ended.ticket()).await;
    for id in [ended.id, SessionId::from_bytes([1; 20])] {
        assert_eq!(
            world.server.reset_idle(id).await,
            Err(SessionError::Unknown)
        );
    }
}

fn changes<const N: usize>(changes: [(&str, Option<&str>); N]) -> PropertyChanges {
    let owned = |(name, value): (&str, Option<&str>)| (name.to_owned(), value.map(str::to_owned));
    changes.into_iter().map(owned).collect()
}

#[tokio::test]
async fn only_listed_properties_of_bounded_size_are_kept() {
    let world = World::remote().await;
    let world = world
        .with_sessions("properties = [\"theme\", \"cart\"]")
        .await;
    let admin = world.admin(ADMIN_SECRET);
    let session = world.login("alice", &realm()).await;
    let set = async |set| world.server.set_properties(session.id, set).await;

    let now = admin
        .change_properties(
            session.id,
            &changes([("theme", Some("dark")), ("cart", Some(""))]),
        )
        .await
        .unwrap();
    assert_eq!(now.get("theme").map(String::as_str), Some("dark"));
    let (long, longest) = ("x".repeat(1025), "x".repeat(1024));
    for (refused, because) in [
        (
            changes([("role", Some("admin"))]),
            SessionError::PropertyNotAllowed,
        ),
        (
            changes([("cart", Some("1")), ("Theme", None)]),
            SessionError::PropertyNotAllowed,
        ),
        (
            changes([("cart", Some("1")), ("theme", Some(&long))]),
            SessionError::PropertyTooLong,
        ),
    ] {
        assert_eq!(set(refused).await, Err(because));
    }
    let kept = world.server.session(session.id).await.unwrap().unwrap();
    assert_eq!(kept.session.properties, now, "all or none");
    let now = set(changes([("theme", None), ("cart", Some(&longest))]))
        .await
        .unwrap();
    assert_eq!(now, BTreeMap::from([(String::from("cart"), longest)]));

    let nobody = SessionId::from_bytes([1; 20]);
    let unknown = world
        .server
        .set_properties(nobody, changes([("cart", None)]))
        .await;
    assert_eq!(unknown, Err(SessionError::Unknown));
    assert_eq!(
        admin
            .change_properties(session.id, &changes([("role", None)]))
            .await,
        Err(PolicyError::Failure)
    );
}

#[tokio::test]
async fn a_login_beyond_the_quota_is_refused_and_recorded() {
    let world = World::remote().await.with_sessions("quota = 2").await;
    let first = world.login("alice", &realm()).await;
    world.login("alice", &persistent()).await;
    let refused = LoginAnswer::No {
        reason: Reason::SET_PERSISTENT_SESSION_FAILED,
    };
    assert_eq!(
        world.try_login("alice", PASSWORD, &realm(), None).await,
        refused
    );
    let records = world.audit();
    let last = records.last().unwrap();
    assert_eq!(
        (&last["event"], &last["reason_code"], &last["user"]),
        (&"AuthReject".into(), &40.into(), &"id-of-alice".into())
    );
    assert!(last.get("session").is_none());
    // A wrong password learns nothing of it, and others are not concerned.
    let wrong = world.try_login("alice", "wrong", &realm(), None).await;
    assert_eq!(
        wrong,
        LoginAnswer::No {
            reason: Reason::UNKNOWN_USER
        }
    );
    world.login("bob", &realm()).await;
    // A session that is replaced makes room, as does one that ended.
    let answer = world
        .try_login("alice", PASSWORD, &realm(), Some(&first))
        .await;
    let LoginAnswer::Yes { session } = answer else {
        panic!("{answer:?}")
    };
    world.logout(session.ticket()).await;
    world.login("alice", &realm()).await;
}

#[tokio::test]
async fn a_session_gives_way_to_a_new_one_and_that_is_recorded() {
    let world = World::embedded().await;
    let world = world
        .with_sessions("quota = 1\non_excess = \"end_oldest\"")
        .await;
    let old = world.login("alice", &realm()).await;
    let new = world.login("alice", &realm()).await;
    assert_dead(world.validate(&old).await, Reason::REVOKED_SESSION);
    alive(world.validate(&new).await);
    let records = world.audit();
    let ended = records
        .iter()
        .find(|record| record["event"] == "AuthLogout")
        .unwrap();
    assert_eq!(ended["session"], format!("{:?}", old.id));
    assert_eq!(ended["reason"], "revoked_session");
}

#[tokio::test]
async fn the_session_that_would_end_first_gives_way() {
    let world = World::embedded().await;
    let world = world
        .with_sessions("quota = 2\non_excess = \"end_next_to_expire\"")
        .await;
    let long = world.login("alice", &realm()).await;
    let short_realm = RealmContext {
        max_timeout: 10 * MINUTE,
        ..realm()
    };
    let short = world.login("alice", &short_realm).await;
    world.login("alice", &realm()).await;
    assert_dead(world.validate(&short).await, Reason::REVOKED_SESSION);
    alive(world.validate(&long).await);
}

#[tokio::test]
async fn logins_at_once_keep_to_the_quota() {
    let world = World::remote().await.with_sessions("quota = 3").await;
    let realm = realm();
    let logins = (0..12).map(|_| world.try_login("alice", PASSWORD, &realm, None));
    let answers = futures_util::future::join_all(logins).await;
    let accepted = answers
        .iter()
        .filter(|answer| matches!(answer, LoginAnswer::Yes { .. }));
    assert_eq!(accepted.count(), 3);
    assert_eq!(world.listed(SessionQuery::default()).await.len(), 3);
}
