//! What only Valkey can do: end, stand still, come back empty, refuse to keep what it is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use policy_protocol::{EventKind, Secret};
use policy_server::config::store::RemoteStore;
use policy_server::store::valkey::ValkeyStore;
use policy_server::store::{FeedPart, Store, StoreError};
use test_services::Valkey;

use crate::engines::{NOW, ending, id, insert, session};

const TIMEOUT: Duration = Duration::from_millis(500);

pub(crate) fn settings(url: String, server: &Valkey) -> RemoteStore {
    RemoteStore {
        url,
        password: Some(Secret::new(server.password().to_owned())),
        ca_file: None,
        timeout: TIMEOUT,
        connections: 1,
        allow_data_loss: false,
    }
}

async fn open(server: &Valkey) -> Arc<dyn Store> {
    let settings = settings(server.url(), server);
    Arc::new(ValkeyStore::open(&settings).await.unwrap())
}

async fn revoked(store: &Arc<dyn Store>, byte: u8) -> Result<bool, StoreError> {
    let standing = store.standing(id(byte), "alice", NOW).await?;
    Ok(standing.revoked)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_the_server() {
    let Some(mut server) = Valkey::start() else {
        return;
    };
    let store = open(&server).await;
    for byte in 0..50 {
        insert(&store, session(byte, "alice", 0)).await;
        assert!(store.revoke_session(ending(byte)).await.unwrap());
    }
    server.kill();
    assert!(revoked(&store, 0).await.is_err());
    server.restart();
    for byte in 0..50 {
        assert!(revoked(&store, byte).await.unwrap());
    }
    assert_eq!(store.feed_end().await.unwrap(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_is_not_waited_for() {
    let Some(server) = Valkey::start() else {
        return;
    };
    let store = open(&server).await;
    server.pause();
    let start = Instant::now();
    assert!(revoked(&store, 0).await.is_err());
    let part = store.feed(0, Duration::from_millis(300)).await;
    assert!(part.is_err());
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    server.resume();
    // What the pause left on the old connections confuses nobody.
    for byte in 0..20 {
        assert!(!revoked(&store, byte).await.unwrap());
    }
    store.append(EventKind::CacheFlush).await.unwrap();
    let part = store.feed(0, Duration::ZERO).await.unwrap();
    assert_eq!(part, FeedPart::Entries(vec![(1, EventKind::CacheFlush)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_empty_is_another_store() {
    let Some(mut server) = Valkey::start() else {
        return;
    };
    let store = open(&server).await;
    let identity = store.identity();
    assert!(store.revoke_session(ending(1)).await.unwrap());
    server.wipe();
    assert!(revoked(&store, 1).await.is_err(), "the old connection");
    let answer = revoked(&store, 1).await;
    assert!(matches!(answer, Err(StoreError::Replaced)), "{answer:?}");
    let answer = store.revoke_session(ending(2)).await;
    assert!(matches!(answer, Err(StoreError::Replaced)), "{answer:?}");
    assert_ne!(store.rejoin().await.unwrap(), identity);
    assert!(!revoked(&store, 1).await.unwrap());
}

#[tokio::test]
async fn a_server_that_could_forget_is_refused() {
    for directive in [
        ("appendonly", "no"),
        ("maxmemory-policy", "allkeys-lru"),
        ("appendfsync", "everysec"),
        ("no-appendfsync-on-rewrite", "yes"),
    ] {
        let Some(server) = Valkey::start_with(&[directive]) else {
            return;
        };
        let settings = settings(server.url(), &server);
        let error = ValkeyStore::open(&settings).await.err().unwrap();
        assert!(error.to_string().contains("set "), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_could_lose_data_is_used_if_that_is_allowed_or_it_cannot_be_asked() {
    let Some(server) = Valkey::start_with(&[("appendfsync", "everysec")]) else {
        return;
    };
    let allowed = RemoteStore {
        allow_data_loss: true,
        ..settings(server.url(), &server)
    };
    ValkeyStore::open(&allowed).await.unwrap();
    // As managed servers are: whoever asks what they are set to is refused.
    let rule = "ACL SETUSER silent on >silent ~* &* +@all -config";
    let done = server.command(&rule.split(' ').collect::<Vec<_>>());
    assert_eq!(done.unwrap(), "+OK\r\n");
    let silent = settings(
        format!("redis://silent:silent@{}/", server.address()),
        &server,
    );
    let silent = RemoteStore {
        password: None,
        ..silent
    };
    ValkeyStore::open(&silent).await.unwrap();
    let open = settings(server.url(), &server);
    let error = ValkeyStore::open(&open).await.err().unwrap();
    assert!(error.to_string().contains("allow_data_loss"), "{error}");
}

#[tokio::test]
async fn tls_is_checked() {
    let Some(server) = Valkey::start_tls() else {
        return;
    };
    let mut settings = settings(server.tls_url(), &server);
    assert!(
        ValkeyStore::open(&settings).await.is_err(),
        "an unknown authority"
    );
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, &server.certificate().ca_pem).unwrap();
    settings.ca_file = Some(ca_file);
    ValkeyStore::open(&settings).await.unwrap();
    settings.password = Some(Secret::new(String::from("wrong")));
    assert!(ValkeyStore::open(&settings).await.is_err());
}
