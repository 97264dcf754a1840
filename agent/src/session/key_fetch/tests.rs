use futures_util::future::join_all;
use policy_protocol::{AgentKeySet, KEY_PROPAGATION, KeyId, ManualClock, Timestamp};

use super::*;
use crate::session::keys::AgentKeys;
use crate::session::sample;
use crate::session::scripted_policy::ScriptedPolicy;
use crate::telemetry::metrics::Metrics;

const NOW: Timestamp = Timestamp(1_800_000_000);

#[tokio::test(start_paused = true)]
async fn many_who_look_for_a_key_cause_one_call_a_second() {
    let policy = ScriptedPolicy::new(7);
    let sessions = policy.sessions(NOW);
    for second in 1..=3 {
        for _ in 0..10 {
            let found = join_all((0..50).map(|_| sessions.newest_keys())).await;
            assert!(found.iter().all(Result::is_ok));
        }
        assert_eq!(policy.asked(), second);
        tokio::time::advance(SEARCH_PAUSE).await;
    }
    *policy.current.lock().unwrap() = None;
    for _ in 0..10 {
        let found = join_all((0..50).map(|_| sessions.newest_keys())).await;
        assert!(
            found.iter().all(Result::is_err),
            "old keys are not the newest"
        );
    }
    assert_eq!(policy.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_older_answer_never_takes_the_place_of_a_newer_one() {
    let policy = ScriptedPolicy::new(7);
    let sessions = policy.sessions(NOW);
    policy.answers.forget_permits(usize::MAX);
    let first = tokio::spawn({
        let sessions = Arc::clone(&sessions);
        async move { sessions.load_keys().await }
    });
    let second = tokio::spawn({
        let sessions = Arc::clone(&sessions);
        async move { sessions.load_keys().await }
    });
    while policy.asked() == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(policy.asked(), 1, "one at a time");
    policy.answers.add_permits(2);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(policy.asked(), 2);
}

#[test]
fn of_one_store_only_a_newer_set_takes_the_place_of_another() {
    let policy = ScriptedPolicy::new(8);
    let keys = AgentKeys::default();
    let current = || keys.load().unwrap().ring.current().id();
    let replace = |set| keys.replace(&set, NOW).unwrap();
    replace(policy.keys(8));
    assert_eq!(replace(policy.keys(7)), Received::Older);
    assert_eq!(current(), KeyId(8));
    assert_eq!(
        replace(policy.keys(8)),
        Received::InForce { taken: false },
        "the same once more"
    );
    assert_eq!(replace(policy.keys(10)), Received::InForce { taken: true });
    // What another store counts is something else.
    let other = AgentKeySet {
        store: String::from("another"),
        ..policy.keys(3)
    };
    assert_eq!(replace(other), Received::InForce { taken: true });
    assert_eq!(current(), KeyId(3));
}

#[tokio::test(start_paused = true)]
async fn a_policy_server_that_is_behind_does_not_say_that_a_key_is_unknown() {
    let policy = ScriptedPolicy::new(8);
    let sessions = policy.sessions(NOW);
    sessions.load_keys().await.unwrap();
    *policy.current.lock().unwrap() = Some(7);
    assert!(sessions.newest_keys().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn keys_that_nobody_confirms_seal_for_earlier_sessions_only() {
    let policy = ScriptedPolicy::new(7);
    let clock = Arc::new(ManualClock::at(NOW));
    let sessions = Arc::new(Sessions::new(
        Arc::clone(&policy) as _,
        Arc::clone(&clock) as _,
        Arc::new(Metrics::new(1)),
        1 << 20,
    ));
    sessions.load_keys().await.unwrap();
    let keys = sessions.sealing_keys().await.unwrap();
    assert_eq!(policy.asked(), 1);
    // Whatever the policy server's clock says.
    let ahead = NOW.plus(2 * KEY_PROPAGATION);
    assert!(keys.may_seal(ahead, NOW));
    clock.advance(KEY_PROPAGATION);
    let now = sessions.now();
    assert!(keys.may_seal(now, now));
    clock.advance(Duration::from_secs(1));
    let now = sessions.now();
    assert!(keys.may_seal(NOW, now));
    assert!(!keys.may_seal(now, now));
    *policy.current.lock().unwrap() = None;
    assert!(sessions.sealing_keys().await.is_err());
    tokio::time::advance(SEARCH_PAUSE).await;
    *policy.current.lock().unwrap() = Some(7);
    assert!(sessions.sealing_keys().await.unwrap().may_seal(now, now));
    assert_eq!(policy.asked(), 3);
}

fn alias(sessions: &Sessions) -> Alias {
    let session = sample::session(1, "alice", NOW);
    Alias {
        zone: "SM".into(),
        last_access: NOW,
        client_ip: None,
        session: sessions.cache.adopt(session, 0, NOW).unwrap(),
    }
}

/// A request may open a cookie, wait for Validate(), and find the key taken away meanwhile.
#[tokio::test]
async fn what_a_key_opened_that_is_gone_by_now_is_not_remembered() {
    let policy = ScriptedPolicy::new(7);
    let sessions = policy.sessions(NOW);
    sessions.load_keys().await.unwrap();
    let keys = sessions.keys.load().unwrap();
    *policy.current.lock().unwrap() = Some(20);
    sessions.load_keys().await.unwrap();
    sessions.remember(b"late", alias(&sessions), &keys);
    assert!(sessions.cache.get(b"late").is_none());
    let keys = sessions.keys.load().unwrap();
    sessions.remember(b"in time", alias(&sessions), &keys);
    assert!(sessions.cache.get(b"in time").is_some());
}
