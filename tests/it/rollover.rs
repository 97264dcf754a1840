//! Keys roll over in the middle of everything.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use harness::client::empty;
use harness::gateway::{Deployment, Gateway, PASSWORD};
use harness::{Answer, Client, Protocol, SeenRequest, eventually};
use http::Method;

const SESSIONS: usize = 1000;
const ROLLOVERS: usize = 3;
/// What is asked at a time, and how often between two rollovers.
const WORKERS: usize = 6;
const REQUESTS: usize = 400;

fn user(session: usize) -> &'static str {
    ["alice", "bob", "carol"][session % 3]
}

async fn ask(client: &Client, cookie: &str) -> Answer {
    let request = client
        .request(Method::GET, "/app/")
        .header("accept", "text/html")
        .header("cookie", format!("SMSESSION={cookie}"));
    client.send(request.body(empty()).unwrap()).await
}

/// The answer is that of a good session of the user.
#[track_caller]
fn assert_good(answer: &Answer, user: &str) {
    assert_eq!(answer.status, 200, "{user}: {:?}", answer.headers);
    let seen: SeenRequest = answer.json();
    assert_eq!(seen.header("SM_USER"), Some(user));
}

#[tokio::test(flavor = "multi_thread")]
async fn rollovers_in_the_middle_of_a_thousand_sessions_refuse_no_cookie() {
    let first = Gateway::setup()
        .deployment(Deployment::Remote)
        .start()
        .await;
    let agents = [first.beside("").await, first.beside("").await, first];
    let client_of = |agent: usize| agents[agent % agents.len()].client(Protocol::Http2);

    // What the browsers got at login, and what they hold now.
    let logins = join_all((0..WORKERS).map(async |worker| {
        let client = client_of(worker);
        let mut cookies = Vec::new();
        for session in (worker..SESSIONS).step_by(WORKERS) {
            cookies.push((
                session,
                client.login("/app/", user(session), PASSWORD).await,
            ));
            client.forget_cookies();
        }
        cookies
    }));
    let mut sessions: Vec<_> = logins.await.into_iter().flatten().collect();
    sessions.sort();
    let first_cookies: Vec<_> = sessions.into_iter().map(|(_, cookie)| cookie).collect();
    assert_eq!(first_cookies.len(), SESSIONS);
    let held: Vec<_> = first_cookies.iter().cloned().map(Mutex::new).collect();

    let (asked, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = join_all((0..WORKERS).map(async |_| {
        let clients = [0, 1, 2].map(client_of);
        while !done.load(Ordering::Relaxed) {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            // 389 is prime: every session is asked for at every agent in turn.
            let session = number * 389 % SESSIONS;
            let cookie = held[session].lock().unwrap().clone();
            let answer = ask(&clients[number % 3], &cookie).await;
            assert_good(&answer, user(session));
            if let Some(renewed) = answer.set_cookie("SMSESSION") {
                let value = renewed.split_once('=').unwrap().1;
                let value = value.split(';').next().unwrap();
                value.clone_into(&mut held[session].lock().unwrap());
            }
        }
    }));
    // Who logs in just now is known at the next agent at once.
    let newcomers = async {
        let clients = [0, 1, 2].map(client_of);
        let mut number = 0;
        while !done.load(Ordering::Relaxed) {
            let client = &clients[number % 3];
            let cookie = client.login("/app/", user(number), PASSWORD).await;
            client.forget_cookies();
            for other in &clients {
                assert_good(&ask(other, &cookie).await, user(number));
            }
            number += 1;
        }
        number
    };
    let rollovers = async {
        let server = &agents[0].policy_server;
        let before = server.server().keys_report().await.unwrap().agent_keys;
        for _ in 0..ROLLOVERS {
            let target = asked.load(Ordering::Relaxed) + REQUESTS;
            eventually("requests go on", async || {
                (asked.load(Ordering::Relaxed) >= target).then_some(())
            })
            .await;
            server.roll_keys().await;
        }
        let target = asked.load(Ordering::Relaxed) + REQUESTS;
        eventually("requests go on", async || {
            (asked.load(Ordering::Relaxed) >= target).then_some(())
        })
        .await;
        done.store(true, Ordering::Relaxed);
        let after = server.server().keys_report().await.unwrap().agent_keys;
        assert_eq!(after.previous.len(), before.previous.len() + ROLLOVERS);
        assert_ne!(after.current, before.next);
    };
    let (_, newcomers, ()) = tokio::join!(work, newcomers, rollovers);
    assert!(newcomers > ROLLOVERS, "somebody logged in meanwhile");

    // Nobody was logged out: what they got at login is still good, and so is what they hold now.
    join_all((0..WORKERS).map(async |worker| {
        let clients = [0, 1, 2].map(client_of);
        for session in (worker..SESSIONS).step_by(WORKERS) {
            assert_good(
                &ask(&clients[session % 3], &first_cookies[session]).await,
                user(session),
            );
            let now = held[session].lock().unwrap().clone();
            assert_good(&ask(&clients[(session + 1) % 3], &now).await, user(session));
        }
    }))
    .await;
}
