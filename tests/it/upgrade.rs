//! R6: only WebSockets are tunnelled, only after 101, only for those who may.

use harness::Protocol;
use harness::gateway::Gateway;

use crate::support::{get, logged_in};

const HANDSHAKE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_passes_after_authorization() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let cookie = format!("Cookie: SMSESSION={cookie}");
    let mut lines = HANDSHAKE.to_vec();
    lines.push(&cookie);
    let mut raw = gateway.raw().await;
    let answer = raw.ask(get("/app/socket", &lines)).await;
    assert_eq!(answer.status, 101);
    assert_eq!(
        answer.header("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(gateway.origin.last().header("SM_USER"), Some("alice"));
    for message in ["one".to_owned(), "two".repeat(50_000)] {
        raw.send(&message).await;
        assert_eq!(raw.exactly(message.len()).await, message.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_without_a_session_is_refused() {
    let gateway = Gateway::start().await;
    let answer = gateway
        .raw()
        .await
        .ask(get("/app/socket", &HANDSHAKE))
        .await;
    assert!(matches!(answer.status, 302 | 401), "{}", answer.status);
    assert_eq!(gateway.origin.bytes_seen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_upgraded() {
    let gateway = Gateway::start().await;
    for upgrade in [
        "h2c",
        "h2c, websocket",
        "websocket, h2c",
        "TLS/1.0",
        "HTTP/2.0",
        "foo",
        "websocket/13",
        "",
    ] {
        let lines = [
            format!("Upgrade: {upgrade}"),
            "Connection: Upgrade, HTTP2-Settings".into(),
            "HTTP2-Settings: AAMAAABk".into(),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let answer = gateway.raw().await.ask(get("/open/", &lines)).await;
        assert_ne!(answer.status, 101, "{upgrade}");
        if answer.status == 200 {
            let seen = gateway.origin.last();
            for dropped in ["upgrade", "http2-settings"] {
                assert_eq!(seen.header(dropped), None, "{upgrade}");
            }
        }
    }
}

/// CVE-2026-2833 of another proxy: bytes after an upgrade request went through before there was a 101.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_behind_a_refused_upgrade_are_a_request_and_no_tunnel() {
    let gateway = Gateway::start().await;
    let mut request = get("/open/?do=not-101", &HANDSHAKE);
    request.extend(get("/app/secret", &[]));
    let mut raw = gateway.raw().await;
    raw.send(request).await;
    assert_eq!(
        raw.response().await.expect("the origin's refusal").status,
        200
    );
    let second = raw.response().await.map(|answer| answer.status);
    assert!(matches!(second, None | Some(302)), "{second:?}");
    assert_eq!(gateway.origin.count_of("/app/secret"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_with_a_body_or_of_another_method_is_no_websocket() {
    let gateway = Gateway::start().await;
    let lines = HANDSHAKE.join("\r\n");
    for head in [
        format!(
            "POST /open/ HTTP/1.1\r\nHost: app.test\r\n{lines}\r\nContent-Length: 3\r\n\r\nabc"
        ),
        format!("GET /open/ HTTP/1.0\r\nHost: app.test\r\n{lines}\r\n\r\n"),
        format!(
            "GET /open/ HTTP/1.1\r\nHost: app.test\r\n{lines}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
    ] {
        let answer = gateway.raw().await.ask(&head).await;
        assert_ne!(answer.status, 101, "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_ends_when_either_side_does() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    assert_eq!(raw.ask(get("/open/", &HANDSHAKE)).await.status, 101);
    drop(raw);
    harness::eventually("the origin's side is closed", async || {
        (gateway.origin.open_connections() == 0).then_some(())
    })
    .await;
}

/// Otherwise who copied a cookie could go on for as long as they like.
#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_ends_with_its_session() {
    let gateway = Gateway::start().await;
    let [ended, other] = [
        logged_in(&gateway, "alice", Protocol::Http1).await,
        logged_in(&gateway, "alice", Protocol::Http1).await,
    ];
    let open = async |cookie: &str| {
        let cookie = format!("Cookie: SMSESSION={cookie}");
        let lines = [&HANDSHAKE[..], &[&cookie]].concat();
        let mut raw = gateway.raw().await;
        assert_eq!(raw.ask(get("/app/socket", &lines)).await.status, 101);
        raw.send("echo").await;
        assert_eq!(raw.exactly(4).await, b"echo");
        raw
    };
    let mut closed = open(&ended.1).await;
    let mut going_on = open(&other.1).await;
    assert_eq!(ended.0.get("/doorward/logout").await.status, 200);
    assert_eq!(closed.rest().await, b"");
    going_on.send("echo").await;
    assert_eq!(going_on.exactly(4).await, b"echo");
}
