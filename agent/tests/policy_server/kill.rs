//! SIGKILL under load: what anybody was told holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use policy_client::PolicyCalls as _;
use policy_protocol::message::{LoginAnswer, LogoutAnswer};
use policy_protocol::{Reason, Session, SessionId};

use crate::world::{DEADLINE, PASSWORD, World, login, logout, records, refusal};

#[tokio::test]
async fn what_anybody_was_told_is_in_the_audit_after_a_kill() {
    let mut world = World::start();
    let client = Arc::new(world.client().await);
    let told = Arc::new(Mutex::new(BTreeSet::new()));
    let load = (0..16).map(|caller| {
        let (client, told) = (Arc::clone(&client), Arc::clone(&told));
        tokio::spawn(async move {
            for number in 0.. {
                let id = format!("{caller}-{number}");
                let password = if number % 3 == 0 { "wrong" } else { PASSWORD };
                if client
                    .login(login("alice", password, id.clone()))
                    .await
                    .is_err()
                {
                    return;
                }
                told.lock().unwrap().insert(id);
            }
        })
    });
    let load: Vec<_> = load.collect();
    let start = Instant::now();
    while told.lock().unwrap().len() < 100 {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.kill();
    for caller in load {
        caller.await.unwrap();
    }
    let records = records(&world.read("audit.jsonl"));
    let recorded: BTreeSet<_> = records
        .iter()
        .map(|record| record["transaction_id"].as_str().unwrap().to_owned())
        .collect();
    let told = told.lock().unwrap();
    let lost: Vec<_> = told.difference(&recorded).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(records.iter().all(|record| record["server"] == "ps-1"));
}

/// What a caller was told of a session.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Begun,
    /// Nothing: the end was asked for.
    Unknown,
    Ended,
}

type Sessions = Mutex<BTreeMap<SessionId, (Session, Told)>>;

fn tell(sessions: &Sessions, session: &Session, told: Told) {
    let told = (session.clone(), told);
    sessions.lock().unwrap().insert(session.id, told);
}

fn count(sessions: &Sessions, of: Told) -> usize {
    let sessions = sessions.lock().unwrap();
    sessions.values().filter(|(_, told)| *told == of).count()
}

#[tokio::test]
async fn acknowledged_logins_and_logouts_hold_after_a_kill() {
    let mut world = World::start();
    let client = Arc::new(world.client().await);
    let sessions = Arc::new(Sessions::default());
    let load = (0..16).map(|caller| {
        let (client, sessions) = (Arc::clone(&client), Arc::clone(&sessions));
        tokio::spawn(async move {
            for number in 0.. {
                let mut request = login("alice", PASSWORD, format!("{caller}-{number}"));
                request.realm.persistent = number % 2 == 0;
                let session = match client.login(request).await {
                    Ok(LoginAnswer::Yes { session }) => *session,
                    Ok(other) => panic!("{other:?}"),
                    Err(_) => return,
                };
                tell(&sessions, &session, Told::Begun);
                if number % 3 == 0 {
                    tell(&sessions, &session, Told::Unknown);
                    match client.logout(logout(&session)).await {
                        Ok(LogoutAnswer::Yes) => tell(&sessions, &session, Told::Ended),
                        Ok(other) => panic!("{other:?}"),
                        Err(_) => return,
                    }
                }
            }
        })
    });
    let load: Vec<_> = load.collect();
    let start = Instant::now();
    while count(&sessions, Told::Ended) < 50 || count(&sessions, Told::Begun) < 100 {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.restart();
    for caller in load {
        caller.await.unwrap();
    }
    let client = world.client().await;
    let sessions = std::mem::take(&mut *sessions.lock().unwrap());
    for (session, told) in sessions.values() {
        let refused = refusal(&client, session).await;
        match told {
            Told::Begun => assert_eq!(refused, None),
            Told::Unknown => assert!(matches!(refused, None | Some(Reason::REVOKED_SESSION))),
            Told::Ended => assert_eq!(refused, Some(Reason::REVOKED_SESSION)),
        }
    }
}
