use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

#[derive(Default)]
struct State {
    keys_loaded: AtomicBool,
    flushes: AtomicUsize,
}

impl AdminState for State {
    fn ready(&self) -> Result<(), String> {
        let loaded = self.keys_loaded.load(Ordering::Relaxed);
        if loaded {
            Ok(())
        } else {
            Err(String::from("no agent keys yet"))
        }
    }

    fn config_json(&self) -> String {
        String::from("{\"agent\":\"doorward\"}")
    }

    fn cache_statistics(&self) -> CacheStatistics {
        CacheStatistics {
            entries: 3,
            bytes: 4096,
            max_bytes: 65_536,
            sessions: 3,
        }
    }

    fn flush_cache(&self) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
    }

    fn metrics_text(&self) -> String {
        Metrics::new(1).encode()
    }
}

async fn start() -> (Arc<State>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::new(State::default());
    tokio::spawn(serve(listener, Arc::clone(&state) as Arc<dyn AdminState>));
    (state, address)
}

/// Sends `head` as it is; the whole answer.
async fn ask(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(address: SocketAddr, path: &str) -> String {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
    )
    .await
}

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let (state, address) = start().await;
    assert!(get(address, "/live").await.starts_with("HTTP/1.1 200"));
    let answer = get(address, "/ready").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("no agent keys yet"),
        "{answer}"
    );
    state.keys_loaded.store(true, Ordering::Relaxed);
    assert!(get(address, "/ready").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn metrics_configuration_and_cache_are_shown_and_never_stored() {
    let (_, address) = start().await;
    let metrics = get(address, "/metrics").await;
    assert!(metrics.contains("application/openmetrics-text") && metrics.ends_with("# EOF\n"));
    assert!(
        get(address, "/config")
            .await
            .ends_with("{\"agent\":\"doorward\"}")
    );
    let cache = get(address, "/cache").await;
    assert!(
        cache.ends_with(r#"{"entries":3,"bytes":4096,"max_bytes":65536,"sessions":3}"#),
        "{cache}"
    );
    assert!(cache.contains("cache-control: no-store"), "{cache}");
    assert!(get(address, "/other").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn only_a_post_that_no_browser_sent_flushes_the_cache() {
    let (state, address) = start().await;
    let post =
        |extra: &str| format!("POST /cache/flush HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n");
    for extra in [
        "Origin: http://localhost\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ] {
        assert!(
            ask(address, &post(extra)).await.starts_with("HTTP/1.1 403"),
            "{extra}"
        );
    }
    let answer = get(address, "/cache/flush").await;
    assert!(
        answer.starts_with("HTTP/1.1 405") && answer.contains("allow: POST"),
        "{answer}"
    );
    assert_eq!(state.flushes.load(Ordering::Relaxed), 0);
    assert!(ask(address, &post("")).await.starts_with("HTTP/1.1 200"));
    assert_eq!(state.flushes.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_foreign_name_in_host_is_refused() {
    let (_, address) = start().await;
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "a b",
    ] {
        let answer = ask(
            address,
            &format!("GET /live HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        )
        .await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{host}: {answer}");
    }
    let two = "GET /live HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n";
    assert!(!ask(address, two).await.starts_with("HTTP/1.1 2"));
    for host in [
        "localhost",
        "LOCALHOST:9090",
        "127.0.0.1",
        "[::1]:9090",
        "10.1.2.3:9090",
    ] {
        let answer = ask(
            address,
            &format!("GET /live HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
}

#[tokio::test]
async fn a_second_request_on_a_connection_is_not_answered() {
    let (_, address) = start().await;
    let request = "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = ask(address, &request.repeat(2)).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}
