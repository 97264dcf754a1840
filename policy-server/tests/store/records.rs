//! Records: small values, changed by compare-and-swap.

use std::sync::Arc;

use policy_protocol::{EventKind, Secret, Timestamp};
use policy_server::store::{RecordChange, RecordKind, Store};

use crate::engines::{Engine, NOW};

crate::for_all!(
    a_change_is_made_if_the_version_is_the_expected_one,
    records_of_a_kind_are_listed_by_name,
    a_change_that_is_made_is_announced,
    records_are_forgotten_when_they_expire,
    of_changes_at_the_same_time_each_is_made_once;
    shared of_changes_by_two_policy_servers_each_is_made_once,
);

fn change(name: &str, value: Option<&[u8]>, expected: u64) -> RecordChange {
    RecordChange {
        kind: RecordKind::Agent,
        name: String::from(name),
        value: value.map(|value| Secret::new(value.to_vec())),
        expected,
        expires: None,
        announce: None,
    }
}

async fn value(store: &dyn Store, name: &str) -> Option<(Vec<u8>, u64)> {
    let record = store.record(RecordKind::Agent, name).await.unwrap()?;
    Some((record.value.expose().clone(), record.version))
}

async fn a_change_is_made_if_the_version_is_the_expected_one(engine: Engine) {
    let store = engine.open().await;
    // A name may be anything that somebody can type.
    let name = "a\0'\u{1F600}";
    assert_eq!(value(&*store, name).await, None);
    let steps: [(Option<&[u8]>, u64, bool); 12] = [
        (Some(b"x"), 1, false),
        (None, 1, false),
        (None, 0, true),
        (Some(b"x\0\xff"), 0, true),
        (Some(b"y"), 0, false),
        (None, 0, false),
        (Some(b"y"), 2, false),
        (Some(b""), 1, true),
        (Some(b"z"), 1, false),
        (None, 1, false),
        (None, 2, true),
        (Some(b"new"), 0, true),
    ];
    for (index, (new, expected, made)) in steps.into_iter().enumerate() {
        let changed = store.change_record(change(name, new, expected)).await;
        assert_eq!(changed.unwrap(), made, "step {index}");
        if index == 3 {
            assert_eq!(value(&*store, name).await, Some((b"x\0\xff".to_vec(), 1)));
        }
        if index == 9 {
            assert_eq!(value(&*store, name).await, Some((Vec::new(), 2)));
        }
    }
    assert_eq!(value(&*store, name).await, Some((b"new".to_vec(), 1)));
    let other_kind = store.record(RecordKind::Keys, name).await.unwrap();
    assert_eq!(other_kind, None);
}

async fn records_of_a_kind_are_listed_by_name(engine: Engine) {
    let store = engine.open().await;
    assert!(store.records(RecordKind::Agent).await.unwrap().is_empty());
    for name in ["b", "a", "c"] {
        let made = store
            .change_record(change(name, Some(name.as_bytes()), 0))
            .await;
        assert!(made.unwrap());
    }
    let keys = RecordChange {
        kind: RecordKind::Keys,
        ..change("k", Some(b"k"), 0)
    };
    assert!(store.change_record(keys).await.unwrap());
    let records = store.records(RecordKind::Agent).await.unwrap();
    assert_eq!(records.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(records["b"].value, Secret::new(b"b".to_vec()));
    assert_eq!(records["b"].version, 1);
}

async fn a_change_that_is_made_is_announced(engine: Engine) {
    let store = engine.open().await;
    let announced = |value, expected| RecordChange {
        announce: Some(EventKind::KeysRolled),
        ..change("a", value, expected)
    };
    for (change, made, end) in [
        (announced(Some(b"x"), 1), false, 0),
        (announced(Some(b"x"), 0), true, 1),
        (announced(None, 1), true, 2),
        (announced(None, 1), false, 2),
    ] {
        assert_eq!(store.change_record(change).await.unwrap(), made);
        assert_eq!(store.feed_end().await.unwrap(), end);
    }
}

async fn records_are_forgotten_when_they_expire(engine: Engine) {
    let store = engine.open().await;
    let expiring = RecordChange {
        expires: Some(Timestamp(NOW.0 + 5)),
        ..change("a", Some(b"x"), 0)
    };
    assert!(store.change_record(expiring).await.unwrap());
    assert!(
        store
            .change_record(change("b", Some(b"x"), 0))
            .await
            .unwrap()
    );
    store.remove_expired(Timestamp(NOW.0 + 4)).await.unwrap();
    assert!(value(&*store, "a").await.is_some());
    store.remove_expired(Timestamp(NOW.0 + 5)).await.unwrap();
    assert_eq!(value(&*store, "a").await, None);
    assert!(value(&*store, "b").await.is_some());
    // The last change says when, also if it says never.
    assert!(
        store
            .change_record(change("b", Some(b"y"), 1))
            .await
            .unwrap()
    );
    store.remove_expired(Timestamp(u64::MAX)).await.unwrap();
    assert!(value(&*store, "b").await.is_some());
}

/// Several add to one number; returns it.
async fn count(stores: Vec<Arc<dyn Store>>, times: u32) -> u32 {
    let mut tasks = tokio::task::JoinSet::new();
    for store in stores.iter().cycle().take(8) {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            for _ in 0..times {
                loop {
                    let (old, version) =
                        value(&*store, "n").await.unwrap_or_else(|| (vec![0; 4], 0));
                    let old = u32::from_be_bytes(old.try_into().unwrap());
                    let new = (old + 1).to_be_bytes();
                    let new = change("n", Some(&new), version);
                    if store.change_record(new).await.unwrap() {
                        break;
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    let (sum, version) = value(&*stores[0], "n").await.unwrap();
    let sum = u32::from_be_bytes(sum.try_into().unwrap());
    assert_eq!(version, u64::from(sum));
    sum
}

async fn of_changes_at_the_same_time_each_is_made_once(engine: Engine) {
    let store = engine.open().await;
    assert_eq!(count(vec![store], 5).await, 40);
}

async fn of_changes_by_two_policy_servers_each_is_made_once(engine: Engine) {
    let stores = vec![engine.open().await, engine.open().await];
    assert_eq!(count(stores, 5).await, 40);
}
