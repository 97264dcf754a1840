use std::time::Instant;

use policy_client::{Balance, PolicyError};

use crate::server::{Does, Server, TIMEOUT, ask, client, clustered, eventually, log_in};

#[tokio::test]
async fn the_next_server_takes_over_and_the_first_is_back_at_once() {
    let (first, second) = (Server::start().await, Server::start().await);
    let client = client(&[&first, &second]);
    ask(&client).await.unwrap();
    assert_eq!((first.count("logout"), second.count("logout")), (1, 0));
    first.stop();
    for _ in 0..20 {
        ask(&client).await.unwrap();
        log_in(&client).await.unwrap();
    }
    assert_eq!(second.count("login"), 20);
    first.start_again().await;
    eventually("the first is probed", async || first.count("ready") > 0).await;
    eventually("the first is asked again", async || {
        ask(&client).await.unwrap();
        first.count("logout") > 1
    })
    .await;
    let before = second.count("logout");
    for _ in 0..10 {
        ask(&client).await.unwrap();
    }
    assert_eq!(second.count("logout"), before);
    assert_eq!(second.count("ready"), 0, "nobody probes who is well");
}

#[tokio::test]
async fn a_server_from_before_the_readiness_call_is_back_when_it_is_alive() {
    let (first, second) = (Server::start().await, Server::start().await);
    first.forget_ready();
    first.stop();
    let client = client(&[&first, &second]);
    ask(&client).await.unwrap();
    first.start_again().await;
    eventually("the first is asked again", async || {
        ask(&client).await.unwrap();
        first.count("logout") > 0
    })
    .await;
    assert!(first.count("live") > 0);
}

#[tokio::test]
async fn a_server_that_is_not_ready_stays_out() {
    let (first, second) = (Server::start().await, Server::start().await);
    let client = client(&[&first, &second]);
    first.does(Does::Fails(503, "about:blank"));
    for _ in 0..3 {
        ask(&client).await.unwrap();
    }
    assert_eq!(first.count("logout"), 3);
    eventually("probes", async || first.count("ready") >= 3).await;
    ask(&client).await.unwrap();
    assert_eq!(first.count("logout"), 3);
    first.does(Does::Answers);
    eventually("the first is asked again", async || {
        ask(&client).await.unwrap();
        first.count("logout") > 3
    })
    .await;
}

#[tokio::test]
async fn round_robin_spreads_calls_evenly_over_the_usable_servers() {
    let servers = [
        Server::start().await,
        Server::start().await,
        Server::start().await,
    ];
    let [a, b, c] = &servers;
    let client = clustered(&[&[a, b, c]], Balance::RoundRobin, 0);
    for _ in 0..30 {
        ask(&client).await.unwrap();
    }
    assert_eq!(servers.each_ref().map(|s| s.count("logout")), [10, 10, 10]);
    b.stop();
    for _ in 0..30 {
        ask(&client).await.unwrap();
    }
    assert_eq!(b.count("logout"), 10);
    assert!(a.count("logout") >= 24 && c.count("logout") >= 24);
}

#[tokio::test]
async fn a_cluster_below_its_threshold_is_left_until_it_is_above() {
    let (a, b, c) = (
        Server::start().await,
        Server::start().await,
        Server::start().await,
    );
    let client = clustered(&[&[&a, &b], &[&c]], Balance::RoundRobin, 100);
    for _ in 0..4 {
        ask(&client).await.unwrap();
    }
    assert_eq!(c.count("logout"), 0);
    b.stop();
    for _ in 0..4 {
        ask(&client).await.unwrap();
    }
    let left = a.count("logout");
    for _ in 0..10 {
        ask(&client).await.unwrap();
    }
    assert_eq!(a.count("logout"), left, "one of two is not enough");
    assert!(c.count("logout") >= 10);
    c.stop();
    for _ in 0..4 {
        ask(&client).await.unwrap();
    }
    assert!(a.count("logout") > left, "but better than none");
    b.start_again().await;
    eventually("the second is asked again", async || {
        ask(&client).await.unwrap();
        b.count("logout") > 2
    })
    .await;
}

#[tokio::test]
async fn servers_that_accept_and_say_nothing_cost_one_turn() {
    for does in [Does::Accepts, Does::Waits] {
        let (first, second) = (Server::start().await, Server::start().await);
        first.does(does);
        let client = client(&[&first, &second]);
        let begun = Instant::now();
        ask(&client).await.unwrap();
        let elapsed = begun.elapsed();
        assert!(elapsed < TIMEOUT * 3 / 4, "{does:?} {elapsed:?}");
        for _ in 0..2 {
            ask(&client).await.unwrap();
        }
        let begun = Instant::now();
        for _ in 0..10 {
            ask(&client).await.unwrap();
        }
        assert!(
            begun.elapsed() < TIMEOUT / 2,
            "{does:?}: the circuit is open"
        );
        log_in(&client).await.unwrap();
    }
}

#[tokio::test]
async fn a_login_is_never_processed_twice() {
    for (does, again) in [
        (Does::Fails(500, "about:blank"), false),
        (Does::Fails(503, "about:blank"), false),
        (Does::Fails(503, "urn:doorward:problem:processed"), false),
        (
            Does::Fails(500, "urn:doorward:problem:not-processed"),
            false,
        ),
        (Does::Fails(401, "about:blank"), false),
        (Does::Waits, false),
        (Does::Fails(503, "urn:doorward:problem:not-processed"), true),
        (
            Does::Fails(503, "https://doorward.test/not-processed"),
            true,
        ),
        (Does::Accepts, true),
    ] {
        let (first, second) = (Server::start().await, Server::start().await);
        first.does(does);
        let client = client(&[&first, &second]);
        assert_eq!(log_in(&client).await.is_ok(), again, "{does:?}");
        assert_eq!(second.count("login"), usize::from(again), "{does:?}");
        assert!(first.count("login") <= 1, "{does:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_not_taken_elsewhere() {
    let (first, second) = (Server::start().await, Server::start().await);
    let client = client(&[&first, &second]);
    for status in [401, 403] {
        first.does(Does::Fails(status, "about:blank"));
        assert_eq!(ask(&client).await, Err(PolicyError::Failure));
    }
    assert_eq!((first.count("logout"), second.count("logout")), (2, 0));
}

/// Or a logout that is tried again and again would leave nobody to ask who is in.
#[tokio::test]
async fn servers_whose_store_has_no_room_are_asked_all_the_same() {
    let (first, second) = (Server::start().await, Server::start().await);
    let client = client(&[&first, &second]);
    let no_room = Does::Fails(503, "urn:doorward:problem:no-room");
    for server in [&first, &second] {
        server.does(no_room);
    }
    for _ in 0..10 {
        assert_eq!(ask(&client).await, Err(PolicyError::NoRoom));
        assert_eq!(log_in(&client).await, Err(PolicyError::NoRoom));
    }
    for call in ["logout", "login"] {
        // Where there is no room here, there is none there.
        assert_eq!((first.count(call), second.count(call)), (10, 0));
    }
    first.does(Does::Answers);
    ask(&client).await.unwrap();
    assert_eq!((first.count("logout"), first.count("ready")), (11, 0));
}

/// Every probe succeeds and every call fails: the worst there is for circuit breakers.
#[tokio::test]
async fn when_everything_fails_requests_stay_within_the_budget() {
    let (first, second) = (Server::start().await, Server::start().await);
    for server in [&first, &second] {
        server.does(Does::OnlyProbes(503));
    }
    let client = client(&[&first, &second]);
    let calls = 160;
    let begun = Instant::now();
    for _ in 0..calls / 8 {
        let some = (0..8).map(|_| ask(&client));
        for answer in futures_util::future::join_all(some).await {
            answer.unwrap_err();
        }
    }
    let sent = first.count("logout") + second.count("logout");
    let retries = 100 + calls / 5 + begun.elapsed().as_secs() as usize * 10 + 10;
    assert!(sent <= calls + retries, "{sent}");
    assert!(sent < calls, "most calls of an outage reach nobody: {sent}");
}

#[tokio::test]
async fn after_an_outage_of_all_calls_go_on_at_once() {
    let server = Server::start().await;
    let client = client(&[&server]);
    for _ in 0..3 {
        server.stop();
        ask(&client).await.unwrap_err();
        server.start_again().await;
        let calls = (0..20).map(|_| ask(&client));
        for answer in futures_util::future::join_all(calls).await {
            answer.unwrap();
        }
    }
}
