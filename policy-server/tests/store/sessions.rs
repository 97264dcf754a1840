//! Sessions: kept, found, listed, used, given properties.

use std::collections::BTreeMap;
use std::time::Duration;

use policy_protocol::Timestamp;
use policy_protocol::message::SessionSummary;
use policy_server::store::{Insertion, OnExcess, Quota, SessionFilter, Standing, Store};

use crate::engines::{EXPIRES, Engine, MARGIN, NOW, ending, id, insert, insert_with, session};

crate::for_all!(
    a_session_is_found_until_it_ends,
    an_idle_session_ends_twice_its_idle_timeout_after_the_last_use_that_is_known,
    the_last_use_never_moves_backwards,
    a_session_survives_that_the_store_is_opened_again,
    lists_are_sorted_filtered_and_in_parts,
    properties_are_set_and_removed,
    a_quota_refuses,
    a_quota_ends_the_oldest,
    a_quota_ends_those_that_are_next_to_expire,
    what_a_session_replaces_does_not_count,
    a_quota_counts_only_live_sessions_of_this_user,
);

const fn quota(sessions: u32, on_excess: OnExcess) -> Option<Quota> {
    Some(Quota {
        sessions,
        on_excess,
    })
}

async fn a_session_is_found_until_it_ends(engine: Engine) {
    let store = engine.open().await;
    let mut kept = session(1, "u", 0);
    kept.properties.insert("k".into(), "v\0\u{1F600}".into());
    insert(&store, kept.clone()).await;
    assert_eq!(store.get(id(1), NOW).await.unwrap(), Some(kept));
    assert_eq!(store.get(id(2), NOW).await.unwrap(), None);
    assert_eq!(store.get(id(1), EXPIRES).await.unwrap(), None);
    let known = store.standing(id(1), "u", NOW).await.unwrap();
    let alive = Standing {
        revoked: false,
        last_access: Some(NOW),
    };
    assert_eq!(known, alive);
    store
        .remove_expired(Timestamp(EXPIRES.0 - 1))
        .await
        .unwrap();
    assert!(store.get(id(1), NOW).await.unwrap().is_some());
    store.remove_expired(EXPIRES).await.unwrap();
    assert_eq!(store.get(id(1), NOW).await.unwrap(), None);
    let unknown = store.standing(id(1), "u", NOW).await.unwrap();
    assert_eq!(unknown.last_access, None);
}

async fn an_idle_session_ends_twice_its_idle_timeout_after_the_last_use_that_is_known(
    engine: Engine,
) {
    let store = engine.open().await;
    let idle = SessionSummary {
        idle_timeout: Duration::from_secs(100),
        ..session(1, "u", 0)
    };
    insert(&store, idle).await;
    let (before, after) = (Timestamp(NOW.0 + 199), Timestamp(NOW.0 + 200));
    assert!(store.get(id(1), before).await.unwrap().is_some());
    assert!(store.get(id(1), after).await.unwrap().is_none());
    store.touch(vec![(id(1), before)]).await.unwrap();
    let found = store.get(id(1), after).await.unwrap().unwrap();
    assert_eq!(found.last_access, before);
    let (before, after) = (Timestamp(before.0 + 199), Timestamp(before.0 + 200));
    assert!(store.get(id(1), before).await.unwrap().is_some());
    assert!(store.get(id(1), after).await.unwrap().is_none());
    store.touch(vec![(id(1), EXPIRES)]).await.unwrap();
    assert!(store.get(id(1), EXPIRES).await.unwrap().is_none());
}

async fn the_last_use_never_moves_backwards(engine: Engine) {
    let store = engine.open().await;
    insert(&store, session(1, "u", 0)).await;
    insert(&store, session(2, "u", 0)).await;
    let at = |seconds| Timestamp(NOW.0 + seconds);
    let uses = vec![
        (id(1), at(5)),
        (id(9), at(5)),
        (id(1), at(9)),
        (id(1), at(7)),
    ];
    store.touch(uses).await.unwrap();
    store.touch(vec![(id(1), at(8))]).await.unwrap();
    store.touch(Vec::new()).await.unwrap();
    let last = |found: Option<SessionSummary>| found.unwrap().last_access;
    assert_eq!(last(store.get(id(1), NOW).await.unwrap()), at(9));
    assert_eq!(last(store.get(id(2), NOW).await.unwrap()), at(0));
    assert_eq!(store.get(id(9), NOW).await.unwrap(), None);
    let known = store.standing(id(1), "u", NOW).await.unwrap();
    assert_eq!(known.last_access, Some(at(9)));
}

async fn a_session_survives_that_the_store_is_opened_again(engine: Engine) {
    let store = engine.open().await;
    insert(&store, session(1, "u", 0)).await;
    assert!(store.revoke_session(ending(2)).await.unwrap());
    let (identity, end) = (store.identity(), store.feed_end().await.unwrap());
    drop(store);
    let store = engine.open().await;
    assert_eq!(store.identity(), identity);
    assert_eq!(store.feed_end().await.unwrap(), end);
    assert!(store.get(id(1), NOW).await.unwrap().is_some());
    assert!(store.standing(id(2), "u", NOW).await.unwrap().revoked);
    assert!(!identity.is_empty());
}

/// The ids on all pages, and whether no page was longer than asked for.
async fn listed(store: &dyn Store, filter: SessionFilter, limit: usize) -> Vec<u8> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(filter.clone(), after, limit, NOW).await.unwrap();
        assert!(page.sessions.len() <= limit);
        ids.extend(page.sessions.iter().map(|session| session.id.as_bytes()[0]));
        after = page.next;
        if after.is_none() {
            return ids;
        }
        assert!(ids.len() < 100, "the list has no end");
    }
}

async fn lists_are_sorted_filtered_and_in_parts(engine: Engine) {
    let store = engine.open().await;
    for byte in 1..=6 {
        // Two begin at the same time.
        let mut session = session(byte, &format!("u{}", byte % 2), u64::from(byte / 2));
        if byte > 3 {
            session.agent = "other".into();
        }
        if byte == 6 {
            session.realm = "secret".into();
        }
        insert(&store, session).await;
    }
    let gone = SessionSummary {
        expires: NOW,
        ..session(7, "u1", 9)
    };
    insert(&store, gone).await;
    let store = store.as_ref();
    let all = SessionFilter::default;
    for limit in [1, 2, 4, 100] {
        assert_eq!(listed(store, all(), limit).await, [6, 5, 4, 3, 2, 1]);
        let user = Some(String::from("u1"));
        let of_user = SessionFilter { user, ..all() };
        assert_eq!(listed(store, of_user, limit).await, [5, 3, 1]);
    }
    let user = Some(String::from("u0-name"));
    let agent = Some(String::from("other"));
    let realm = Some(String::from("secret"));
    let by_name = SessionFilter { user, ..all() };
    assert_eq!(listed(store, by_name.clone(), 10).await, [6, 4, 2]);
    let by_agent = SessionFilter { agent, ..all() };
    assert_eq!(listed(store, by_agent.clone(), 2).await, [6, 5, 4]);
    let both = SessionFilter {
        realm: realm.clone(),
        ..by_name
    };
    assert_eq!(listed(store, both, 2).await, [6]);
    let realm = SessionFilter { realm, ..by_agent };
    assert_eq!(listed(store, realm, 1).await, [6]);
    let except_realms = vec![String::from("secret"), String::from("none")];
    let others = SessionFilter {
        except_realms: except_realms.clone(),
        ..all()
    };
    for limit in [1, 4] {
        assert_eq!(listed(store, others.clone(), limit).await, [5, 4, 3, 2, 1]);
    }
    let of_user_elsewhere = SessionFilter {
        user: Some(String::from("u0")),
        except_realms,
        ..all()
    };
    assert_eq!(listed(store, of_user_elsewhere, 1).await, [4, 2]);
    let until = SessionFilter {
        started_until: Some(Timestamp(NOW.0 + 1)),
        ..all()
    };
    assert_eq!(listed(store, until, 1).await, [3, 2, 1]);
    let from = SessionFilter {
        started_from: Some(Timestamp(NOW.0 + 2)),
        ..all()
    };
    assert_eq!(listed(store, from, 1).await, [6, 5, 4]);
    let nobody = SessionFilter {
        user: Some(String::from("' OR 1=1 --")),
        ..all()
    };
    assert_eq!(listed(store, nobody, 1).await, [0; 0]);
}

async fn properties_are_set_and_removed(engine: Engine) {
    let store = engine.open().await;
    insert(&store, session(1, "u", 0)).await;
    let change = |name: &str, value: Option<&str>| {
        BTreeMap::from([(String::from(name), value.map(String::from))])
    };
    let set = store.set_properties(id(1), change("a", Some("1")), NOW);
    set.await.unwrap().unwrap();
    let set = store.set_properties(id(1), change("b", Some("2")), NOW);
    assert_eq!(set.await.unwrap().unwrap().len(), 2);
    let removed = store.set_properties(id(1), change("a", None), NOW);
    let left = BTreeMap::from([(String::from("b"), String::from("2"))]);
    assert_eq!(removed.await.unwrap(), Some(left.clone()));
    store
        .touch(vec![(id(1), Timestamp(NOW.0 + 3))])
        .await
        .unwrap();
    let found = store.get(id(1), NOW).await.unwrap().unwrap();
    assert_eq!(found.properties, left);
    assert_eq!(found.last_access, Timestamp(NOW.0 + 3));
    let unknown = store.set_properties(id(2), change("a", None), NOW);
    assert_eq!(unknown.await.unwrap(), None);
    let over = store.set_properties(id(1), change("a", None), EXPIRES);
    assert_eq!(over.await.unwrap(), None);
}

async fn a_quota_refuses(engine: Engine) {
    let store = engine.open().await;
    let two = quota(2, OnExcess::Refuse);
    for byte in 1..=2 {
        let kept = insert_with(&store, session(byte, "u", 0), two).await;
        assert_eq!(kept, Insertion::Kept { ended: Vec::new() });
    }
    let end = store.feed_end().await.unwrap();
    let refused = insert_with(&store, session(3, "u", 0), two).await;
    assert_eq!(refused, Insertion::OverQuota);
    assert_eq!(store.get(id(3), NOW).await.unwrap(), None);
    assert_eq!(store.feed_end().await.unwrap(), end);
    assert!(!store.standing(id(1), "u", NOW).await.unwrap().revoked);
}

async fn a_quota_ends_the_oldest(engine: Engine) {
    let store = engine.open().await;
    for (byte, started) in [(1, 5), (2, 3), (3, 4)] {
        insert(&store, session(byte, "u", started)).await;
    }
    let end = store.feed_end().await.unwrap();
    let two = quota(2, OnExcess::EndOldest);
    let kept = insert_with(&store, session(4, "u", 6), two).await;
    let ended = vec![id(2), id(3)];
    assert_eq!(kept, Insertion::Kept { ended });
    for (byte, revoked) in [(1, false), (2, true), (3, true), (4, false)] {
        let standing = store.standing(id(byte), "u", NOW).await.unwrap();
        assert_eq!(standing.revoked, revoked, "{byte}");
    }
    assert_eq!(store.feed_end().await.unwrap(), end + 2);
    // As long as they could have lived, and the margin.
    store
        .remove_expired(EXPIRES.plus(MARGIN - Duration::from_secs(1)))
        .await
        .unwrap();
    assert!(store.standing(id(2), "u", NOW).await.unwrap().revoked);
    store.remove_expired(EXPIRES.plus(MARGIN)).await.unwrap();
    assert!(!store.standing(id(2), "u", NOW).await.unwrap().revoked);
}

async fn a_quota_ends_those_that_are_next_to_expire(engine: Engine) {
    let store = engine.open().await;
    for (byte, idle) in [(1, 300), (2, 100), (3, 200)] {
        let session = SessionSummary {
            idle_timeout: Duration::from_secs(idle),
            ..session(byte, "u", 0)
        };
        insert(&store, session).await;
    }
    store
        .touch(vec![(id(2), Timestamp(NOW.0 + 500))])
        .await
        .unwrap();
    let three = quota(3, OnExcess::EndNextToExpire);
    let kept = insert_with(&store, session(4, "u", 0), three).await;
    let ended = vec![id(3)];
    assert_eq!(kept, Insertion::Kept { ended });
}

async fn what_a_session_replaces_does_not_count(engine: Engine) {
    let store = engine.open().await;
    insert(&store, session(1, "u", 0)).await;
    let one = quota(1, OnExcess::Refuse);
    let replaced = store.insert(session(2, "u", 0), vec![ending(1)], one, MARGIN, NOW);
    let kept = Insertion::Kept { ended: Vec::new() };
    assert_eq!(replaced.await.unwrap(), kept);
    assert!(store.standing(id(1), "u", NOW).await.unwrap().revoked);
    assert_eq!(store.get(id(1), NOW).await.unwrap(), None);
    assert_eq!(store.feed_end().await.unwrap(), 1);
    // What is not there, and was ended before, is no obstacle.
    let again = store.insert(
        session(3, "u", 0),
        vec![ending(1), ending(2)],
        one,
        MARGIN,
        NOW,
    );
    assert_eq!(again.await.unwrap(), kept);
    assert_eq!(store.feed_end().await.unwrap(), 2);
}

async fn a_quota_counts_only_live_sessions_of_this_user(engine: Engine) {
    let store = engine.open().await;
    insert(&store, session(1, "other", 0)).await;
    let over = SessionSummary {
        expires: NOW,
        ..session(2, "u", 0)
    };
    insert(&store, over).await;
    insert(&store, session(3, "u", 0)).await;
    store.revoke_session(ending(3)).await.unwrap();
    let one = quota(1, OnExcess::Refuse);
    let kept = insert_with(&store, session(4, "u", 0), one).await;
    assert_eq!(kept, Insertion::Kept { ended: Vec::new() });
}
