//! Revocations: of a session, of a user, of everybody.

use policy_protocol::{EventKind, SessionId, Timestamp};
use policy_server::store::{FeedPart, SessionFilter, Store};

use crate::engines::{EXPIRES, Engine, NOW, ending, id, insert, session};

crate::for_all!(
    a_revoked_session_is_dead_and_that_is_news_once,
    a_session_may_be_revoked_that_the_store_never_saw,
    a_users_revocation_ends_what_began_until_then,
    a_revocation_of_all_ends_what_began_until_then,
    revocations_are_forgotten_when_they_are_not_needed_any_more,
);

fn at(seconds: u64) -> Timestamp {
    Timestamp(NOW.0 + seconds)
}

async fn revoked(store: &dyn Store, session_id: SessionId, user: &str, started: u64) -> bool {
    let standing = store.standing(session_id, user, at(started)).await;
    standing.unwrap().revoked
}

/// What the feed says.
async fn events(store: &dyn Store) -> Vec<EventKind> {
    match store.feed(0, std::time::Duration::ZERO).await.unwrap() {
        FeedPart::Entries(entries) => entries.into_iter().map(|(_, event)| event).collect(),
        gap @ FeedPart::Gap { .. } => panic!("{gap:?}"),
    }
}

async fn a_revoked_session_is_dead_and_that_is_news_once(engine: Engine) {
    let store = engine.open().await;
    insert(&store, session(1, "u", 0)).await;
    insert(&store, session(2, "u", 0)).await;
    assert!(store.revoke_session(ending(1)).await.unwrap());
    assert!(!store.revoke_session(ending(1)).await.unwrap());
    assert!(revoked(&*store, id(1), "u", 0).await);
    assert!(!revoked(&*store, id(2), "u", 0).await);
    assert_eq!(store.get(id(1), NOW).await.unwrap(), None);
    let standing = store.standing(id(1), "u", NOW).await.unwrap();
    assert_eq!(standing.last_access, None);
    let session_id = id(1);
    assert_eq!(
        events(&*store).await,
        [EventKind::SessionRevoked { session_id }]
    );
}

async fn a_session_may_be_revoked_that_the_store_never_saw(engine: Engine) {
    let store = engine.open().await;
    assert!(store.revoke_session(ending(1)).await.unwrap());
    assert!(revoked(&*store, id(1), "u", 0).await);
}

async fn a_users_revocation_ends_what_began_until_then(engine: Engine) {
    let store = engine.open().await;
    for (byte, user, started) in [(1, "u", 4), (2, "u", 5), (3, "u", 6), (4, "v", 4)] {
        insert(&store, session(byte, user, started)).await;
    }
    store.revoke_user("u", at(5), EXPIRES).await.unwrap();
    // Later word of an earlier time changes nothing.
    store.revoke_user("u", at(2), at(9)).await.unwrap();
    for (byte, user, started, dead) in [
        (1, "u", 4, true),
        (2, "u", 5, true),
        (3, "u", 6, false),
        (4, "v", 4, false),
    ] {
        assert_eq!(
            revoked(&*store, id(byte), user, started).await,
            dead,
            "{byte}"
        );
        let found = store.get(id(byte), NOW).await.unwrap();
        assert_eq!(found.is_none(), dead, "{byte}");
    }
    let through = store.revoked_through("u").await.unwrap();
    assert_eq!(through, Some(at(5)));
    assert_eq!(store.revoked_through("v").await.unwrap(), None);
    store.remove_expired(at(9)).await.unwrap();
    assert!(revoked(&*store, id(1), "u", 4).await);
    let universal_id = String::from("u");
    let through = at(5);
    let first = EventKind::UserRevoked {
        universal_id,
        through,
    };
    assert_eq!(events(&*store).await[0], first);
}

async fn a_revocation_of_all_ends_what_began_until_then(engine: Engine) {
    let store = engine.open().await;
    for (byte, user, started) in [(1, "u", 4), (2, "v", 5), (3, "u", 6)] {
        insert(&store, session(byte, user, started)).await;
    }
    store.revoke_all(at(5), EXPIRES).await.unwrap();
    store.revoke_all(at(2), at(9)).await.unwrap();
    for (byte, user, started, dead) in [(1, "u", 4, true), (2, "v", 5, true), (3, "u", 6, false)] {
        assert_eq!(
            revoked(&*store, id(byte), user, started).await,
            dead,
            "{byte}"
        );
        let found = store.get(id(byte), NOW).await.unwrap();
        assert_eq!(found.is_none(), dead, "{byte}");
        let standing = store.standing(id(byte), user, at(started)).await.unwrap();
        assert_eq!(standing.last_access.is_none(), dead, "{byte}");
    }
    let page = store
        .list(SessionFilter::default(), None, 10, NOW)
        .await
        .unwrap();
    assert_eq!(page.sessions.len(), 1);
    assert_eq!(page.sessions[0].id, id(3));
    assert_eq!(store.revoked_through("u").await.unwrap(), Some(at(5)));
    store.revoke_user("u", at(6), EXPIRES).await.unwrap();
    assert_eq!(store.revoked_through("u").await.unwrap(), Some(at(6)));
    assert_eq!(store.revoked_through("v").await.unwrap(), Some(at(5)));
    store.remove_expired(at(9)).await.unwrap();
    assert!(revoked(&*store, id(2), "v", 5).await);
    let through = at(5);
    assert_eq!(events(&*store).await[0], EventKind::AllRevoked { through });
}

async fn revocations_are_forgotten_when_they_are_not_needed_any_more(engine: Engine) {
    let store = engine.open().await;
    insert(&store, session(1, "w", 0)).await;
    store.revoke_session(ending(1)).await.unwrap();
    store.revoke_user("u", NOW, EXPIRES).await.unwrap();
    store.revoke_all(Timestamp(5), EXPIRES).await.unwrap();
    store
        .remove_expired(Timestamp(EXPIRES.0 - 1))
        .await
        .unwrap();
    assert!(revoked(&*store, id(1), "w", 0).await);
    assert_eq!(store.revoked_through("u").await.unwrap(), Some(NOW));
    assert_eq!(
        store.revoked_through("w").await.unwrap(),
        Some(Timestamp(5))
    );
    store.remove_expired(EXPIRES).await.unwrap();
    assert!(!revoked(&*store, id(1), "w", 0).await);
    assert_eq!(store.revoked_through("u").await.unwrap(), None);
    // What was announced stays announced.
    assert_eq!(store.feed_end().await.unwrap(), 3);
}
