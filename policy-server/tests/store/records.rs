//! Records: small values, changed by compare-and-swap.

use std::sync::Arc;

use policy_protocol::{EventKind, Secret, Timestamp};
use policy_server::store::{RecordChange, RecordKind, Store};

use crate::engines::{Engine, NOW};

crate::for_all!(
    a_change_is_made_if_the_version_is_the_expected_one,
    a_record_that_is_made_again_has_none_of_its_old_versions,
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
    let made = async |new: Option<&[u8]>, expected| {
        let changed = store.change_record(change(name, new, expected)).await;
        changed.unwrap()
    };
    assert!(!made(Some(b"x"), 1).await);
    assert!(!made(None, 1).await);
    assert!(made(None, 0).await);
    assert!(made(Some(b"x\0\xff"), 0).await);
    let (there, first) = value(&*store, name).await.unwrap();
    assert_eq!(there, b"x\0\xff");
    for wrong in [0, first - 1, first + 1] {
        assert!(!made(Some(b"y"), wrong).await);
        assert!(!made(None, wrong).await);
    }
    assert!(made(Some(b""), first).await);
    assert_eq!(value(&*store, name).await, Some((Vec::new(), first + 1)));
    assert!(!made(Some(b"z"), first).await);
    assert!(!made(None, first).await);
    assert!(made(None, first + 1).await);
    assert_eq!(value(&*store, name).await, None);
    assert!(made(Some(b"new"), 0).await);
    assert_eq!(value(&*store, name).await.unwrap().0, b"new");
    let other_kind = store.record(RecordKind::Keys, name).await.unwrap();
    assert_eq!(other_kind, None);
}

async fn a_record_that_is_made_again_has_none_of_its_old_versions(engine: Engine) {
    let store = engine.open().await;
    let make = async |new: Option<&[u8]>, expected, expires| {
        let change = RecordChange {
            expires,
            ..change("a", new, expected)
        };
        store.change_record(change).await.unwrap()
    };
    let version = async || value(&*store, "a").await.unwrap().1;
    let mut old = Vec::new();
    for round in 0..4_u64 {
        // Gone by removal and by its end, in turn.
        let end = Timestamp(NOW.0 + round);
        assert!(make(Some(b"x"), 0, Some(end)).await);
        for stale in &old {
            assert!(!make(Some(b"stale"), *stale, None).await);
            assert!(!make(None, *stale, None).await);
        }
        old.push(version().await);
        assert!(make(Some(b"y"), version().await, Some(end)).await);
        old.push(version().await);
        if round % 2 == 0 {
            assert!(make(None, version().await, None).await);
        } else {
            store.remove_expired(end).await.unwrap();
        }
        assert_eq!(value(&*store, "a").await, None);
        assert!(!make(Some(b"stale"), old[0], None).await);
    }
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
    assert_eq!(value(&*store, "b").await.unwrap().1, records["b"].version);
}

async fn a_change_that_is_made_is_announced(engine: Engine) {
    let store = engine.open().await;
    let announced = |value, expected| RecordChange {
        announce: Some(EventKind::KeysRolled),
        ..change("a", value, expected)
    };
    let expect = async |change, made, end| {
        assert_eq!(store.change_record(change).await.unwrap(), made);
        assert_eq!(store.feed_end().await.unwrap(), end);
    };
    expect(announced(Some(b"x"), 1), false, 0).await;
    expect(announced(Some(b"x"), 0), true, 1).await;
    let (_, version) = value(&*store, "a").await.unwrap();
    expect(announced(None, version), true, 2).await;
    expect(announced(None, version), false, 2).await;
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
    let (_, version) = value(&*store, "b").await.unwrap();
    assert!(
        store
            .change_record(change("b", Some(b"y"), version))
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
    let (sum, _) = value(&*stores[0], "n").await.unwrap();
    u32::from_be_bytes(sum.try_into().unwrap())
}

async fn of_changes_at_the_same_time_each_is_made_once(engine: Engine) {
    let store = engine.open().await;
    assert_eq!(count(vec![store], 5).await, 40);
}

async fn of_changes_by_two_policy_servers_each_is_made_once(engine: Engine) {
    let stores = vec![engine.open().await, engine.open().await];
    assert_eq!(count(stores, 5).await, 40);
}
