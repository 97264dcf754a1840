use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use policy_protocol::SessionSpec;

use super::*;
use crate::session::sample;

const NOW: Timestamp = Timestamp(1_800_000_000);

fn session(id: u8, user: &str) -> Session {
    sample::session(id, user, NOW)
}

fn alias(session: Arc<CachedSession>) -> Alias {
    Alias {
        zone: "SM".into(),
        last_access: NOW,
        client_ip: None,
        session,
    }
}

fn live(cache: &SessionCache, text: &[u8]) -> Option<Arc<Alias>> {
    match cache.get(text)? {
        Known::Live(alias) => Some(alias),
        Known::Dead(_) => None,
    }
}

#[test]
fn the_end_of_a_session_reaches_every_text_that_leads_to_it() {
    let cache = SessionCache::new(1 << 20);
    let session = cache.adopt(session(1, "alice"), 0, NOW).unwrap();
    for text in [b"one".as_slice(), b"two"] {
        cache.insert(text, alias(Arc::clone(&session)));
    }
    drop(session);
    cache.end(SessionId::from_bytes([1; 20]), Reason::USER_LOGOUT);
    for text in [b"one".as_slice(), b"two"] {
        assert_eq!(
            live(&cache, text).unwrap().session.check_alive(),
            Err(Reason::USER_LOGOUT)
        );
    }
}

#[test]
fn an_answer_that_crossed_the_end_of_its_session_does_not_revive_it() {
    let cache = SessionCache::new(1 << 20);
    cache.end(SessionId::from_bytes([1; 20]), Reason::REVOKED_SESSION);
    assert_eq!(
        cache.adopt(session(1, "alice"), 0, NOW).unwrap_err(),
        Reason::REVOKED_SESSION
    );
    cache.end_user("bob", NOW);
    assert_eq!(
        cache.adopt(session(2, "bob"), 0, NOW).unwrap_err(),
        Reason::REVOKED_SESSION
    );
    let mut later = session(3, "bob");
    later.started = Timestamp(NOW.0 + 1);
    assert!(cache.adopt(later, 0, NOW).is_ok());
}

#[test]
fn ending_a_user_ends_that_users_sessions_only() {
    let cache = SessionCache::new(1 << 20);
    let alice = cache.adopt(session(1, "alice"), 0, NOW).unwrap();
    let bob = cache.adopt(session(2, "bob"), 0, NOW).unwrap();
    cache.end_user("alice", NOW);
    assert!(alice.check_alive().is_err());
    assert!(bob.check_alive().is_ok());
}

#[test]
fn a_user_is_ended_through_the_time_told_and_no_event_takes_that_back() {
    let cache = SessionCache::new(1 << 20);
    let before = cache.adopt(session(1, "alice"), 0, NOW).unwrap();
    let mut later = session(2, "alice");
    later.started = Timestamp(NOW.0 + 1);
    let after = cache.adopt(later, 0, NOW).unwrap();
    cache.end_user("alice", NOW);
    assert!(before.check_alive().is_err());
    assert!(after.check_alive().is_ok());
    cache.end_user("alice", Timestamp(NOW.0 - 9));
    assert_eq!(
        cache.adopt(session(3, "alice"), 0, NOW).unwrap_err(),
        Reason::REVOKED_SESSION
    );
}

#[test]
fn all_sessions_end_through_the_time_told_and_an_answer_under_way_revives_none() {
    let cache = SessionCache::new(1 << 20);
    let alice = cache.adopt(session(1, "alice"), 0, NOW).unwrap();
    let bob = cache.adopt(session(2, "bob"), 0, NOW).unwrap();
    let mut later = session(3, "carol");
    later.started = Timestamp(NOW.0 + 1);
    let carol = cache.adopt(later.clone(), 0, NOW).unwrap();
    cache.end_all(NOW);
    assert!(alice.check_alive().is_err() && bob.check_alive().is_err());
    assert!(carol.check_alive().is_ok());
    cache.end_all(Timestamp(NOW.0 - 9));
    assert_eq!(
        cache.adopt(session(4, "dave"), 0, NOW).unwrap_err(),
        Reason::REVOKED_SESSION
    );
    later.id = session(5, "carol").id;
    assert!(cache.adopt(later, 0, NOW).is_ok());
}

#[test]
fn validation_replaces_the_spec_and_keeps_the_session() {
    let cache = SessionCache::new(1 << 20);
    let first = cache.adopt(session(1, "alice"), 0, NOW).unwrap();
    let mut renewed = session(1, "alice");
    renewed.spec = SessionSpec::new(String::from("new"));
    let second = cache.adopt(renewed, 4, Timestamp(NOW.0 + 9)).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(first.state().spec.as_str(), "new");
    assert_eq!(first.validated(), (Timestamp(NOW.0 + 9), 4));
}

#[test]
fn weight_is_bounded() {
    let cache = SessionCache::new(256 * 1024);
    for number in 0..2000u32 {
        let mut session = session(0, "alice");
        let mut id = [0; 20];
        id[..4].copy_from_slice(&number.to_be_bytes());
        session.id = SessionId::from_bytes(id);
        let session = cache.adopt(session, 0, NOW).unwrap();
        cache.insert(&number.to_be_bytes(), alias(session));
    }
    let statistics = cache.statistics();
    assert!(statistics.bytes <= 256 * 1024, "{statistics:?}");
}

#[test]
fn registered_sessions_that_nothing_refers_to_are_swept() {
    let cache = SessionCache::new(1 << 20);
    for number in 0..10_000u32 {
        let mut id = [1; 20];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let mut session = session(0, "alice");
        session.id = SessionId::from_bytes(id);
        drop(cache.adopt(session, 0, NOW));
    }
    assert!(cache.registry().sessions.len() <= 2 * MIN_SWEEP);
}

/// A session of one user is never found by the text of another, however hard the cache is worked.
#[test]
fn users_are_never_mixed_under_concurrency_and_eviction() {
    let cache = SessionCache::new(64 * 1024);
    let found = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let (cache, found) = (&cache, &found);
            scope.spawn(move || {
                let mut seed = thread + 1;
                for _ in 0..20_000 {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let number = u8::try_from(seed >> 24).unwrap() % 200;
                    let user = format!("user{number}");
                    let text = format!("cookie of {user}");
                    match live(cache, text.as_bytes()) {
                        Some(alias) => {
                            found.fetch_add(1, Ordering::Relaxed);
                            assert_eq!(alias.session.state().identity.user_name, user);
                            assert_eq!(alias.session.id(), SessionId::from_bytes([number; 20]));
                        }
                        None => {
                            let session = cache.adopt(session(number, &user), 0, NOW).unwrap();
                            assert_eq!(session.state().identity.user_name, user);
                            cache.insert(text.as_bytes(), alias(session));
                        }
                    }
                }
            });
        }
    });
    assert!(
        found.load(Ordering::Relaxed) > 0,
        "the cache never hit, so nothing was tested"
    );
}

/// How many of four threads that do the same at once are told yes.
fn told_yes(act: impl Fn() -> bool + Sync) -> usize {
    let start = Barrier::new(4);
    let act = || {
        start.wait();
        act()
    };
    std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(act));
        let told = threads.map(|thread| usize::from(thread.join().unwrap()));
        told.iter().sum()
    })
}

#[test]
fn of_several_who_take_a_value_one_gets_it() {
    let map = BoundedMap::new(1000, |_, _| 1);
    for key in 0..500 {
        map.insert(key, "value", Duration::from_secs(60));
        assert_eq!(told_yes(|| map.take(&key).is_some()), 1, "of key {key}");
    }
}

#[test]
fn a_key_is_claimed_once_until_it_is_given_back_or_its_time_is_over() {
    let map = BoundedMap::new(1000, |_, ()| 1);
    for key in 0..500 {
        let claim = || map.claim(key, (), Duration::from_secs(60));
        assert_eq!(told_yes(claim), 1, "of key {key}");
    }
    assert_eq!(map.take(&1), Some(()));
    assert!(map.claim(1, (), Duration::from_secs(60)));
    assert!(!map.claim(1, (), Duration::from_secs(60)));
    assert!(map.claim(1000, (), Duration::ZERO) && map.claim(1000, (), Duration::ZERO));
}

/// Whoever reads their own entries again and again must not have them outlive all others.
#[test]
fn what_is_new_is_kept_however_often_others_are_read() {
    let map = BoundedMap::new(10, |_, _| 1);
    for key in 0..10 {
        map.insert(key, (), Duration::from_secs(60));
    }
    for _ in 0..100 {
        for key in 0..10 {
            assert!(map.get(&key).is_some());
        }
        map.tidy();
    }
    map.insert(10, (), Duration::from_secs(60));
    map.tidy();
    assert!(map.get(&10).is_some());
    assert_eq!((0..=10).filter(|key| map.get(key).is_some()).count(), 10);
}
