//! What only PostgreSQL can do: die, stop, come back empty, speak TLS.

use std::time::{Duration, Instant};

use policy_protocol::{EventKind, Secret};
use policy_server::config::store::RemoteStore;
use policy_server::store::postgres::PostgresStore;
use policy_server::store::{FEED_KEPT, FeedPart, Store, StoreError, StoreFuture};
use test_services::{Certificate, Postgres};

use crate::engines::{NOW, ending, id};

/// The longest a call may take, and some more on a busy machine.
const BOUND: Duration = Duration::from_secs(4);

pub(crate) fn settings(server: &Postgres, url: &str) -> RemoteStore {
    let password = server.password();
    RemoteStore {
        url: url.replace(&format!(":{password}@"), "@"),
        password: Some(Secret::new(String::from(password))),
        ca_file: Some(server.ca_file()),
        timeout: Duration::from_secs(2),
        connections: 8,
        allow_data_loss: false,
    }
}

async fn open(server: &Postgres) -> PostgresStore {
    let settings = settings(server, &server.url());
    PostgresStore::open(&settings).await.unwrap()
}

/// Why the store cannot be opened.
async fn refusal(settings: &RemoteStore) -> String {
    let opened = PostgresStore::open(settings).await;
    opened.err().expect("it must not open").to_string()
}

/// Repeats a call until it succeeds, which it must within the bound.
async fn recovers<T>(mut call: impl FnMut() -> StoreFuture<'static, T>) -> T {
    let start = Instant::now();
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(error) => assert!(start.elapsed() < BOUND, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn leak(store: PostgresStore) -> &'static PostgresStore {
    Box::leak(Box::new(store))
}

#[tokio::test]
async fn killed_and_restarted_it_has_lost_nothing_it_acknowledged_and_is_found_again() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    let store = leak(open(&server).await);
    let mut acknowledged = 0;
    let writing = tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        for byte in 0..=u8::MAX {
            match store.revoke_session(ending(byte)).await {
                Ok(news) => {
                    assert!(news);
                    acknowledged.push(byte);
                }
                Err(_) => break,
            }
        }
        acknowledged
    });
    while acknowledged < 20 {
        acknowledged = store.feed_end().await.unwrap();
    }
    let server = tokio::task::spawn_blocking(move || {
        server.kill();
        server
    });
    let mut server = server.await.unwrap();
    let acknowledged = writing.await.unwrap();
    assert!(acknowledged.len() >= 20);
    let start = Instant::now();
    let error = store.standing(id(1), "u", NOW).await.unwrap_err();
    assert!(!matches!(error, StoreError::Replaced), "{error}");
    store.feed(0, Duration::ZERO).await.unwrap_err();
    assert!(start.elapsed() < BOUND);
    server.restart();
    recovers(|| store.standing(id(1), "u", NOW)).await;
    for byte in &acknowledged {
        assert!(store.standing(id(*byte), "u", NOW).await.unwrap().revoked);
    }
    // One more may have been done whose acknowledgement was lost.
    let end = store.feed_end().await.unwrap();
    let most = acknowledged.len() as u64 + 1;
    assert!((most - 1..=most).contains(&end));
    let part = store.feed(0, Duration::ZERO).await.unwrap();
    assert!(matches!(part, FeedPart::Entries(entries) if entries.len() as u64 == end));
}

#[tokio::test]
async fn stopped_it_answers_nobody_for_long() {
    let Some(server) = Postgres::start_with(&[("fsync", "off")]) else {
        return;
    };
    let store = leak(open(&server).await);
    store.append(EventKind::KeysRolled).await.unwrap();
    store.feed(0, Duration::ZERO).await.unwrap();
    let wait = Duration::from_secs(1);
    let tail = tokio::spawn(store.feed(1, wait));
    server.pause();
    let start = Instant::now();
    // More than there are connections.
    let calls = (0..20).map(|byte| store.standing(id(byte), "u", NOW));
    for outcome in futures_util::future::join_all(calls).await {
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::TimedOut), "{error}");
    }
    assert!(start.elapsed() < BOUND);
    tail.await.unwrap().unwrap_err();
    assert!(start.elapsed() < BOUND);
    let start = Instant::now();
    store.feed(1, wait).await.unwrap_err();
    assert!(start.elapsed() < wait + Duration::from_secs(2));
    server.resume();
    recovers(|| store.standing(id(1), "u", NOW)).await;
    let part = recovers(|| store.feed(0, Duration::ZERO)).await;
    assert_eq!(part, FeedPart::Entries(vec![(1, EventKind::KeysRolled)]));
}

#[tokio::test]
async fn who_waits_learns_at_once_that_the_server_died() {
    let Some(mut server) = Postgres::start_with(&[("fsync", "off")]) else {
        return;
    };
    let store = leak(open(&server).await);
    let start = Instant::now();
    let tail = tokio::spawn(store.feed(0, Duration::from_secs(30)));
    while start.elapsed() < Duration::from_millis(100) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.kill();
    tail.await.unwrap().unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn come_back_empty_it_is_another_store() {
    let Some(mut server) = Postgres::start_with(&[("fsync", "off")]) else {
        return;
    };
    let (here, there) = (leak(open(&server).await), leak(open(&server).await));
    let before = here.identity();
    here.revoke_session(ending(1)).await.unwrap();
    there.feed(0, Duration::ZERO).await.unwrap();
    server.wipe();
    for store in [here, there] {
        assert_replaced(store).await;
    }
    let after = recovers(|| here.rejoin()).await;
    assert_ne!(after, before);
    assert_eq!(here.identity(), after);
    assert_eq!(here.feed_end().await.unwrap(), 0);
    assert!(!here.standing(id(1), "u", NOW).await.unwrap().revoked);
    // The other one is not fooled by tables that are there again.
    assert_replaced(there).await;
    assert_eq!(there.rejoin().await.unwrap(), after);
    assert!(!there.standing(id(1), "u", NOW).await.unwrap().revoked);
}

#[tokio::test]
async fn emptied_while_it_runs_it_is_another_store() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.database();
    let store = leak(PostgresStore::open(&settings(server, &url)).await.unwrap());
    store.append(EventKind::KeysRolled).await.unwrap();
    let before = store.identity();
    for emptying in [
        "TRUNCATE doorward.store, doorward.feed_end, doorward.feed",
        "DROP SCHEMA doorward CASCADE",
    ] {
        server.sql(&url, emptying).unwrap();
        assert_replaced(store).await;
        let after = recovers(|| store.rejoin()).await;
        assert_ne!(after, before);
        store.append(EventKind::KeysRolled).await.unwrap();
        assert_eq!(store.feed_end().await.unwrap(), 1);
    }
}

/// No call is answered by another store.
async fn assert_replaced(store: &'static PostgresStore) {
    let start = Instant::now();
    // Connections of before must first be found dead.
    while !matches!(
        store.standing(id(1), "u", NOW).await,
        Err(StoreError::Replaced)
    ) {
        assert!(start.elapsed() < BOUND);
    }
    let errors = [
        store.get(id(1), NOW).await.err(),
        store.revoke_session(ending(2)).await.err(),
        store.revoke_all(NOW, NOW).await.err(),
        store.touch(vec![(id(1), NOW)]).await.err(),
        store.append(EventKind::KeysRolled).await.err(),
        store.feed_end().await.err(),
        store
            .records(policy_server::store::RecordKind::Keys)
            .await
            .err(),
    ];
    for (index, error) in errors.into_iter().enumerate() {
        assert!(
            matches!(error, Some(StoreError::Replaced)),
            "{index}: {error:?}"
        );
    }
    while !matches!(
        store.feed(0, Duration::ZERO).await,
        Err(StoreError::Replaced)
    ) {
        assert!(start.elapsed() < BOUND);
    }
}

#[tokio::test]
async fn only_the_server_with_the_right_certificate_is_spoken_to() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.database();
    let good = settings(server, &url);
    let folder = tempfile::tempdir().unwrap();
    let file = |text: &str| {
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, text).unwrap();
        RemoteStore {
            ca_file: Some(file),
            ..good.clone()
        }
    };
    let error = refusal(&file(&Certificate::new().ca_pem)).await;
    assert!(error.contains("certificate"), "{error}");
    refusal(&file("")).await;
    let system = RemoteStore {
        ca_file: None,
        ..good.clone()
    };
    let error = refusal(&system).await;
    assert!(error.contains("certificate"), "{error}");
}

#[tokio::test]
async fn it_is_spoken_to_in_clear_only_if_the_operator_says_so() {
    let Some(server) = Postgres::start_with(&[("fsync", "off"), ("ssl", "off")]) else {
        return;
    };
    let settings = settings(&server, &server.url());
    let with = |mode: &str| RemoteStore {
        url: format!("{}?sslmode={mode}", settings.url),
        ..settings.clone()
    };
    refusal(&settings).await;
    refusal(&with("prefer")).await;
    PostgresStore::open(&with("disable")).await.unwrap();
}

#[tokio::test]
async fn it_may_be_reached_by_a_unix_socket() {
    let here = [("fsync", "off"), ("unix_socket_directories", ".")];
    let Some(server) = Postgres::start_with(&here) else {
        return;
    };
    // The server's own folder.
    let folder = server.ca_file().with_file_name("data");
    let (folder, port) = (folder.display(), server.address().port());
    let by_socket = RemoteStore {
        url: format!("postgres://doorward@/postgres?host={folder}&port={port}&sslmode=disable"),
        ..settings(&server, "")
    };
    PostgresStore::open(&by_socket).await.unwrap();
}

#[tokio::test]
async fn the_password_is_never_said() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let wrong = RemoteStore {
        password: Some(Secret::new(String::from("hunter2"))),
        ..settings(server, &server.database())
    };
    assert!(!format!("{wrong:?}").contains("hunter2"));
    let error = refusal(&wrong).await;
    assert!(
        error.contains("28P01") && !error.contains("hunter2"),
        "{error}"
    );
    for url in [
        "postgres://u:hunter2@[",
        "postgres://u:hunter2@localhost/d",
        "hunter2",
        "postgres://h/?hunter2",
    ] {
        let broken = RemoteStore {
            url: String::from(url),
            ..wrong.clone()
        };
        let error = refusal(&broken).await;
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_standby_is_refused() {
    let Some(mut server) = Postgres::start_with(&[("fsync", "off")]) else {
        return;
    };
    let store = open(&server).await;
    server.stand_by();
    let error = refusal(&settings(&server, &server.url())).await;
    assert!(!error.contains("in time"), "{error}");
    store.standing(id(1), "u", NOW).await.unwrap_err();
    store.feed(0, Duration::ZERO).await.unwrap_err();
}

/// Makes a server take no writes, also from who is connected, or makes it take them again.
fn read_only(server: &Postgres, on: bool) {
    let change = if on { "SET" } else { "RESET" };
    let value = if on { " = on" } else { "" };
    let alter = format!("ALTER SYSTEM {change} default_transaction_read_only{value}");
    server.sql(&server.url(), &alter).unwrap();
    let reload = "SELECT pg_reload_conf()";
    server.sql(&server.url(), reload).unwrap();
    let start = Instant::now();
    let (asked, wanted) = ("SHOW transaction_read_only", ["off\n", "on\n"]);
    while server.sql(&server.url(), asked).unwrap() != wanted[usize::from(on)] {
        assert!(start.elapsed() < BOUND);
    }
}

#[tokio::test]
async fn a_server_that_was_made_read_only_is_refused() {
    let Some(server) = Postgres::start_with(&[("fsync", "off")]) else {
        return;
    };
    drop(open(&server).await);
    read_only(&server, true);
    let error = refusal(&settings(&server, &server.url())).await;
    assert!(error.contains("does not allow writes"), "{error}");
    read_only(&server, false);
    open(&server).await;
}

/// Another server has its name by then, or it would not matter.
#[tokio::test]
async fn made_read_only_it_is_asked_nothing_more_by_any_connection_of_before() {
    let Some(server) = Postgres::start_with(&[("fsync", "off")]) else {
        return;
    };
    let store = leak(open(&server).await);
    // By a write, or with none.
    for written in [true, false] {
        // Every connection that there may be is there.
        let calls = (0..20).map(|byte| store.standing(id(byte), "u", NOW));
        for outcome in futures_util::future::join_all(calls).await {
            outcome.unwrap();
        }
        store.feed(0, Duration::ZERO).await.unwrap();
        read_only(&server, true);
        let start = Instant::now();
        loop {
            let told = match written {
                true => store.append(EventKind::KeysRolled).await.err(),
                false => store.feed(0, Duration::ZERO).await.err(),
            };
            match told {
                Some(StoreError::ReadOnly) => break,
                other => assert!(start.elapsed() < BOUND, "{other:?}"),
            }
        }
        let calls = (0..20).map(|byte| store.standing(id(byte), "u", NOW));
        for outcome in futures_util::future::join_all(calls).await {
            outcome.unwrap_err();
        }
        // Its own connection hears of the change when it may.
        while store.feed(0, Duration::ZERO).await.is_ok() {
            assert!(start.elapsed() < BOUND);
        }
        read_only(&server, false);
        let calls = (0..20).map(|_| store.append(EventKind::KeysRolled));
        for outcome in futures_util::future::join_all(calls).await {
            outcome.unwrap();
        }
        store.feed(0, Duration::ZERO).await.unwrap();
    }
}

#[tokio::test]
async fn another_layout_is_not_touched() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.database();
    let settings = settings(server, &url);
    drop(PostgresStore::open(&settings).await.unwrap());
    let change = "UPDATE doorward.store SET layout = layout + 1";
    server.sql(&url, change).unwrap();
    let error = refusal(&settings).await;
    assert!(error.contains("has layout 2"), "{error}");
}

#[tokio::test]
async fn there_are_no_more_connections_than_allowed() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.database();
    let few = RemoteStore {
        connections: 2,
        ..settings(server, &url)
    };
    let store = PostgresStore::open(&few).await.unwrap();
    store.feed(0, Duration::ZERO).await.unwrap();
    let calls = (0..50).map(|byte| store.standing(id(byte), "u", NOW));
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'doorward'
                 AND datname = current_database()";
    // Two for calls, one for the feed.
    assert_eq!(server.sql(&url, count).unwrap(), "3\n");
}

#[tokio::test]
async fn the_feed_is_trimmed_from_its_beginning() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.database();
    let store = PostgresStore::open(&settings(server, &url)).await.unwrap();
    let extra = 2500;
    let end = FEED_KEPT + extra;
    let fill = format!(
        "INSERT INTO doorward.feed SELECT n, '{{\"event\":\"keys_rolled\"}}'
         FROM generate_series(1, {end}) AS n; UPDATE doorward.feed_end SET sequence = {end}"
    );
    server.sql(&url, &fill).unwrap();
    store.remove_expired(NOW).await.unwrap();
    let count = server.sql(&url, "SELECT count(*), min(sequence) FROM doorward.feed");
    assert_eq!(count.unwrap(), format!("{FEED_KEPT}|{}\n", extra + 1));
    let gap = store.feed(extra - 1, Duration::ZERO).await.unwrap();
    assert_eq!(gap, FeedPart::Gap { end });
    let part = store.feed(extra, Duration::ZERO).await.unwrap();
    assert!(matches!(part, FeedPart::Entries(entries) if entries[0].0 == extra + 1));
}
