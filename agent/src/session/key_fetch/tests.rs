use futures_util::future::join_all;
use policy_protocol::Timestamp;

use super::*;
use crate::session::scripted_policy::ScriptedPolicy;

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
