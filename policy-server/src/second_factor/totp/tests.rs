use std::path::Path;
use std::sync::Barrier;
use std::time::Duration;

use policy_protocol::ManualClock;

use super::*;
use crate::config::keys::MasterKeys;
use crate::store::sqlite::SqliteStore;

/// The secret of the test vectors of RFC 6238.
fn state() -> State {
    State {
        secret: *b"12345678901234567890",
        last_step: 0,
        recovery_codes: vec![recovery::hash("1234-5678-9012").unwrap()],
        enrolled: Timestamp(0),
    }
}

#[test]
fn codes_are_those_of_the_rfc() {
    for (time, code) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_234_567_890, "005924"),
        (20_000_000_000, "353130"),
    ] {
        assert!(state().spend(code, Timestamp(time)).is_some(), "{time}");
        let typed = format!(" {} {} ", &code[..3], &code[3..]);
        assert!(state().spend(&typed, Timestamp(time)).is_some());
    }
}

#[test]
fn a_code_is_good_for_a_step_before_and_after_and_once() {
    let (time, code) = (Timestamp(1_234_567_890), "005924"); // the first second of its step
    let later = |seconds| time.plus(Duration::from_secs(seconds));
    for good in [Timestamp(time.0 - 30), time, later(59)] {
        assert!(state().spend(code, good).is_some());
    }
    for bad in [Timestamp(time.0 - 31), later(60)] {
        assert!(state().spend(code, bad).is_none());
    }
    let spent = state().spend(code, time).unwrap();
    for again in [Timestamp(time.0 - 30), time, later(59)] {
        assert!(spent.spend(code, again).is_none());
    }
}

#[test]
fn a_recovery_code_works_once() {
    let spent = state().spend("1234 56789012", Timestamp(0)).unwrap();
    assert!(spent.spend("1234-5678-9012", Timestamp(0)).is_none());
    assert!(spent.recovery_codes.is_empty());
}

#[test]
fn what_proves_nothing_is_refused() {
    for proof in ["", "000000", "+05924", "5924", "0059240", "1234-5678-9013"] {
        let now = Timestamp(1_234_567_890);
        assert!(state().spend(proof, now).is_none(), "{proof}");
    }
}

#[test]
fn users_of_two_directories_are_two() {
    let user = |oid: &str, id: &str| {
        let mut user = Identity::default();
        oid.clone_into(&mut user.directory.oid);
        id.clone_into(&mut user.universal_id);
        name_of(&user)
    };
    assert_ne!(user("a", "bc"), user("ab", "c"));
    assert_eq!(user("a", "b"), user("a", "b"));
}

/// Two policy servers on one store.
fn two(folder: &Path) -> [Arc<Totp>; 2] {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder).unwrap());
    let clock = Arc::new(ManualClock::at(Timestamp(1_234_567_890)));
    std::array::from_fn(|_| {
        let master_key = Arc::new(MasterKey::new(&MasterKeys {
            current: Secret::new([1; 32]),
            previous: None,
        }));
        let clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        Arc::new(Totp::new(Arc::clone(&store), clock, master_key))
    })
}

fn user(name: &str) -> Identity {
    Identity {
        user_name: name.to_owned(),
        universal_id: name.to_owned(),
        ..Identity::default()
    }
}

/// A proof that both are shown at the same moment.
async fn at_once(servers: &[Arc<Totp>; 2], name: &str, proof: &str) -> Vec<Proof> {
    let barrier = Arc::new(Barrier::new(2));
    let tasks = servers.each_ref().map(|server| {
        let (server, barrier) = (Arc::clone(server), Arc::clone(&barrier));
        let (user, proof) = (user(name), Secret::new(proof.to_owned()));
        tokio::spawn(async move {
            barrier.wait();
            server
                .verify(&user, "app.test", &proof, true)
                .await
                .unwrap()
        })
    });
    let mut proofs = Vec::new();
    for task in tasks {
        proofs.push(task.await.unwrap());
    }
    proofs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_policy_servers_that_are_shown_a_proof_at_once_one_accepts_it() {
    let folder = tempfile::tempdir().unwrap();
    let servers = two(folder.path());
    for round in 0..20 {
        let name = format!("user {round}");
        let enrolment = servers[0].enrol(&user(&name), "x").await.unwrap();
        let uri = totp_rs::Totp::from_url(enrolment.uri.expose()).unwrap();
        let code = uri.generate(1_234_567_890).to_string();
        for proof in [code.as_str(), enrolment.recovery_codes[0].expose()] {
            let proofs = at_once(&servers, &name, proof).await;
            let proven = proofs.iter().filter(|proof| **proof == Proof::Proven);
            assert_eq!(proven.count(), 1, "{proofs:?}");
        }
    }
}

#[tokio::test]
async fn a_proof_that_is_not_spent_may_still_be() {
    let folder = tempfile::tempdir().unwrap();
    let [server, _] = two(folder.path());
    let alice = user("alice");
    let enrolment = server.enrol(&alice, "x").await.unwrap();
    let code = &enrolment.recovery_codes[9];
    for (spend, expected) in [
        (false, Proof::Proven),
        (true, Proof::Proven),
        (false, Proof::Wrong),
    ] {
        let proof = server
            .verify(&alice, "app.test", code, spend)
            .await
            .unwrap();
        assert_eq!(proof, expected);
    }
    let proof = server
        .verify(&user("bob"), "app.test", code, true)
        .await
        .unwrap();
    assert_eq!(proof, Proof::NotEnrolled);
}

#[tokio::test]
async fn what_the_store_holds_is_sealed_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let [server, _] = two(folder.path());
    server.enrol(&user("alice"), "x").await.unwrap();
    let kind = RecordKind::SecondFactor;
    let records = server.store.records(kind).await.unwrap();
    let (name, record) = records.first_key_value().unwrap();
    assert!(!name.contains("alice"));
    // Put in another user's place.
    let change = RecordChange {
        kind,
        name: name_of(&user("mallory")),
        value: Some(record.value.clone()),
        expected: 0,
        expires: None,
        announce: None,
    };
    assert!(server.store.change_record(change).await.unwrap());
    let code = Secret::new(String::from("000000"));
    let proof = server
        .verify(&user("mallory"), "app.test", &code, true)
        .await;
    assert!(matches!(proof, Err(SecondFactorError::Unreadable)));
}
