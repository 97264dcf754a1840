//! Many at once: what must hold whatever the order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use policy_protocol::{EventKind, SessionId, Timestamp};
use policy_server::store::{Ending, FeedPart, Insertion, OnExcess, Quota, SessionFilter, Store};
use tokio::task::JoinSet;

use crate::engines::{EXPIRES, Engine, MARGIN, NOW, insert_with, session};

crate::for_all!(
    revocations_at_the_same_time_make_a_feed_without_holes,
    a_quota_holds_for_logins_at_the_same_time,
    everything_at_once_ends;
    shared a_quota_holds_for_logins_at_two_policy_servers,
);

const ENDED: u8 = 120;

async fn revocations_at_the_same_time_make_a_feed_without_holes(engine: Engine) {
    let store = engine.open().await;
    let mut tasks = JoinSet::new();
    // Each twice: only one of the two is news.
    for byte in (1..=ENDED).chain(1..=ENDED) {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let ending = crate::engines::ending(byte);
            store.revoke_session(ending).await.unwrap()
        });
    }
    let mut place = 0;
    let mut told = BTreeSet::new();
    while told.len() < usize::from(ENDED) {
        let part = store.feed(place, Duration::from_secs(5)).await.unwrap();
        let FeedPart::Entries(entries) = part else {
            panic!("{part:?}");
        };
        for (sequence, event) in entries {
            place += 1;
            assert_eq!(sequence, place);
            let EventKind::SessionRevoked { session_id } = event else {
                panic!("{event:?}");
            };
            assert!(told.insert(session_id), "told twice");
            // Who is told of it can already see it.
            let standing = store.standing(session_id, "u", NOW).await.unwrap();
            assert!(standing.revoked);
        }
    }
    let news = tasks.join_all().await;
    let news = news.into_iter().filter(|news| *news).count();
    assert_eq!(news, usize::from(ENDED));
    assert_eq!(store.feed_end().await.unwrap(), u64::from(ENDED));
}

async fn a_quota_holds_for_logins_at_the_same_time(engine: Engine) {
    let store = engine.open().await;
    quota_holds([Arc::clone(&store), store]).await;
}

async fn a_quota_holds_for_logins_at_two_policy_servers(engine: Engine) {
    quota_holds([engine.open().await, engine.open().await]).await;
}

async fn quota_holds(stores: [Arc<dyn Store>; 2]) {
    for (user, on_excess) in [
        ("refuse", OnExcess::Refuse),
        ("oldest", OnExcess::EndOldest),
    ] {
        let quota = Some(Quota {
            sessions: 3,
            on_excess,
        });
        let mut tasks = JoinSet::new();
        for byte in 1..=20 {
            let store = Arc::clone(&stores[usize::from(byte % 2)]);
            let mut session = session(byte, user, u64::from(byte));
            session.id = of(user, byte);
            tasks.spawn(async move { insert_with(&store, session, quota).await });
        }
        let outcomes = tasks.join_all().await;
        let kept = outcomes.iter().filter(|one| **one != Insertion::OverQuota);
        let ended = outcomes.iter().map(|one| match one {
            Insertion::Kept { ended } => ended.len(),
            Insertion::OverQuota => 0,
        });
        assert_eq!(kept.count() - ended.sum::<usize>(), 3);
        let filter = SessionFilter {
            user: Some(String::from(user)),
            ..SessionFilter::default()
        };
        let page = stores[0].list(filter, None, 100, NOW).await.unwrap();
        assert_eq!(page.sessions.len(), 3, "{user}");
    }
}

fn of(user: &str, byte: u8) -> SessionId {
    let mut bytes = [byte; SessionId::LENGTH];
    bytes[0] = user.as_bytes()[0];
    SessionId::from_bytes(bytes)
}

/// Two that wait for each other would be seen here as an error.
async fn everything_at_once_ends(engine: Engine) {
    let store = engine.open().await;
    let mut tasks = JoinSet::new();
    for round in 0..12_u8 {
        for byte in 0..8_u8 {
            let store = Arc::clone(&store);
            let mut session = session(byte, if byte % 2 == 0 { "u" } else { "v" }, 0);
            session.id = SessionId::from_bytes([round ^ (byte << 4); SessionId::LENGTH]);
            // In another order each time.
            let mut ids: Vec<SessionId> = (0..8)
                .map(|other: u8| SessionId::from_bytes([round ^ (other << 4); SessionId::LENGTH]))
                .collect();
            ids.rotate_left(byte.into());
            tasks.spawn(async move {
                let id = session.id;
                let user = session.identity.universal_id.clone();
                let quota = Some(Quota {
                    sessions: 4,
                    on_excess: OnExcess::EndOldest,
                });
                let endings = ids.iter().take(2).map(|id| Ending {
                    id: *id,
                    keep_until: EXPIRES,
                });
                let replaces = endings.collect();
                let kept = store.insert(session, replaces, quota, MARGIN, NOW);
                kept.await.unwrap();
                let uses = ids.iter().map(|id| (*id, Timestamp(NOW.0 + 1))).collect();
                store.touch(uses).await.unwrap();
                match byte % 4 {
                    0 => store.revoke_user(&user, NOW, EXPIRES).await.unwrap(),
                    1 => store.remove_expired(NOW).await.unwrap(),
                    _ => {
                        let keep_until = EXPIRES;
                        store
                            .revoke_session(Ending { id, keep_until })
                            .await
                            .unwrap();
                    }
                }
            });
        }
    }
    tasks.join_all().await;
    let end = store.feed_end().await.unwrap();
    let part = store.feed(0, Duration::ZERO).await.unwrap();
    let FeedPart::Entries(entries) = part else {
        panic!("{part:?}");
    };
    assert_eq!(entries.len() as u64, end);
}
