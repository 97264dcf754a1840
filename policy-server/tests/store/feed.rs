//! The feed: one sequence for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use policy_protocol::EventKind;
use policy_server::store::{FeedPart, MAX_FEED_PART, Store};

use crate::engines::{Engine, ending, id};

crate::for_all!(
    entries_are_in_order_and_counted_from_one,
    a_place_beyond_the_end_is_a_gap,
    a_long_feed_comes_in_parts,
    nothing_is_an_answer_that_comes_in_time,
    who_waits_is_woken;
    shared what_one_policy_server_does_another_one_hears_at_once,
);

/// Longer than any test takes that does not fail.
const LONG: Duration = Duration::from_secs(30);

async fn entries_are_in_order_and_counted_from_one(engine: Engine) {
    let store = engine.open().await;
    assert_eq!(store.feed_end().await.unwrap(), 0);
    let none = FeedPart::Entries(Vec::new());
    assert_eq!(store.feed(0, Duration::ZERO).await.unwrap(), none);
    store.append(EventKind::KeysRolled).await.unwrap();
    store.revoke_session(ending(1)).await.unwrap();
    store.append(EventKind::CacheFlush).await.unwrap();
    assert_eq!(store.feed_end().await.unwrap(), 3);
    let session_id = id(1);
    let all = [
        (1, EventKind::KeysRolled),
        (2, EventKind::SessionRevoked { session_id }),
        (3, EventKind::CacheFlush),
    ];
    for after in 0..=3 {
        let part = store.feed(after, Duration::ZERO).await.unwrap();
        let place = usize::try_from(after).unwrap();
        assert_eq!(part, FeedPart::Entries(all[place..].to_vec()));
    }
}

async fn a_place_beyond_the_end_is_a_gap(engine: Engine) {
    let store = engine.open().await;
    store.append(EventKind::KeysRolled).await.unwrap();
    let part = store.feed(2, LONG).await.unwrap();
    assert_eq!(part, FeedPart::Gap { end: 1 });
    let part = store.feed(u64::MAX, LONG).await.unwrap();
    assert_eq!(part, FeedPart::Gap { end: 1 });
}

async fn a_long_feed_comes_in_parts(engine: Engine) {
    let store = engine.open().await;
    let count = MAX_FEED_PART + 5;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..count {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.append(EventKind::CacheFlush).await.unwrap() });
        if tasks.len() == 8 {
            tasks.join_next().await.unwrap().unwrap();
        }
    }
    tasks.join_all().await;
    let mut place = 0;
    while place < count as u64 {
        match store.feed(place, Duration::ZERO).await.unwrap() {
            FeedPart::Entries(entries) => {
                assert!(!entries.is_empty() && entries.len() <= MAX_FEED_PART);
                for (sequence, _) in entries {
                    place += 1;
                    assert_eq!(sequence, place);
                }
            }
            gap @ FeedPart::Gap { .. } => panic!("{gap:?}"),
        }
    }
}

async fn nothing_is_an_answer_that_comes_in_time(engine: Engine) {
    let store = engine.open().await;
    store.append(EventKind::KeysRolled).await.unwrap();
    let wait = Duration::from_millis(300);
    let start = Instant::now();
    let part = store.feed(1, wait).await.unwrap();
    assert_eq!(part, FeedPart::Entries(Vec::new()));
    assert!(start.elapsed() >= wait);
    assert!(start.elapsed() < wait + Duration::from_secs(1));
}

async fn who_waits_is_woken(engine: Engine) {
    let store = engine.open().await;
    hears(&store, &store).await;
}

async fn what_one_policy_server_does_another_one_hears_at_once(engine: Engine) {
    let (here, there) = (engine.open().await, engine.open().await);
    assert_eq!(here.identity(), there.identity());
    hears(&here, &there).await;
}

/// Who waits at one store hears what another one does. Once the wait has begun for sure: a part that is
/// there already needs no waking.
async fn hears(listener: &Arc<dyn Store>, actor: &Arc<dyn Store>) {
    for place in 0..5 {
        let store = Arc::clone(listener);
        let start = Instant::now();
        let waiting = tokio::spawn(async move { store.feed(place, LONG).await });
        while start.elapsed() < Duration::from_millis(100) {
            assert!(!waiting.is_finished());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        actor.append(EventKind::KeysRolled).await.unwrap();
        let part = waiting.await.unwrap().unwrap();
        let told = vec![(place + 1, EventKind::KeysRolled)];
        assert_eq!(part, FeedPart::Entries(told));
        assert!(start.elapsed() < LONG / 3);
    }
}
