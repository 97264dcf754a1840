use http::Method;

use super::*;
use crate::client::{boxed, empty, full};
use crate::{Client, Pki, Protocol, RawClient, eventually};

fn client(origin: &Origin, protocol: Protocol) -> Client {
    Client::new(origin.address(), "app.test", protocol, None)
}

#[tokio::test]
async fn what_came_is_written_down_as_it_came() {
    let origin = Origin::start().await;
    let mut client = RawClient::connect_plain(origin.address()).await;
    let answer = client
        .ask("POST /a%2Fb?x=1 HTTP/1.1\r\nhost: h\r\nX_Odd: 1\r\nx-odd:  2 \r\ncontent-length: 3\r\n\r\nabc")
        .await;
    let seen: SeenRequest = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/a%2Fb?x=1")
    );
    let names: Vec<_> = seen
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("host", "h"),
            ("X_Odd", "1"),
            ("x-odd", "2"),
            ("content-length", "3")
        ]
    );
    assert_eq!((seen.body.as_str(), seen.body_length), ("abc", 3));
    assert!(seen.body_sha256.starts_with("ba7816bf"));
    assert_eq!(origin.last(), seen);
    assert_eq!((origin.connections(), origin.requests().len()), (1, 1));
}

#[tokio::test]
async fn chunks_and_trailers_are_read() {
    let origin = Origin::start().await;
    let mut client = RawClient::connect_plain(origin.address()).await;
    client
        .ask("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nX-T: v\r\n\r\n")
        .await;
    assert_eq!(origin.last().body, "abc");
    assert_eq!(origin.last().trailers, [("X-T".into(), "v".into())]);
}

#[tokio::test]
async fn bytes_are_counted_even_if_they_make_no_request() {
    let origin = Origin::start().await;
    RawClient::connect_plain(origin.address())
        .await
        .send("nonsense")
        .await;
    eventually("eight bytes", async || {
        (origin.bytes_seen() == 8).then_some(())
    })
    .await;
    assert!(origin.requests().is_empty());
}

#[tokio::test]
async fn every_task_is_done_over_http1() {
    let origin = Origin::start().await;
    let client = client(&origin, Protocol::Http1);
    assert_eq!(client.get("/?do=stream&n=100000").await.body.len(), 100_000);
    assert_eq!(client.get("/?do=status&n=503").await.status, 503);
    assert_eq!(client.get("/?do=redirect&to=/x").await.location(), "/x");
    assert_eq!(
        client.get("/?do=trailers").await.trailers.unwrap()["x-checksum"],
        "abc"
    );
    let upload = client
        .request(Method::PUT, "/?do=sink")
        .body(full(vec![0; 70_000]))
        .unwrap();
    assert_eq!(client.send(upload).await.text(), "70000");
    origin.release(2);
    assert_eq!(client.get("/?do=slow-head").await.text(), "at last");
    assert_eq!(client.get("/?do=slow-body").await.text(), "firstlast");
    let hang_up = client
        .request(Method::GET, "/?do=hang-up")
        .body(empty())
        .unwrap();
    assert!(client.try_start(hang_up).await.is_err());
}

#[tokio::test]
async fn http2_is_spoken_with_trailers_and_calls() {
    let origin = Origin::start_h2c().await;
    let client = client(&origin, Protocol::Http2);
    let seen: SeenRequest = client.get("/x").await.json();
    assert_eq!(
        (seen.version.as_str(), seen.target.as_str()),
        ("HTTP/2.0", "/x")
    );
    assert_eq!(client.get("/?do=stream&n=100000").await.body.len(), 100_000);
    assert_eq!(
        client.get("/?do=trailers").await.trailers.unwrap()["x-checksum"],
        "abc"
    );
    let frames = futures_util::stream::iter([Ok::<_, std::io::Error>(hyper::body::Frame::data(
        "ping".into(),
    ))]);
    let call = client
        .request(Method::POST, "/")
        .header("content-type", "application/grpc");
    let answer = client
        .send(
            call.body(boxed(http_body_util::StreamBody::new(frames)))
                .unwrap(),
        )
        .await;
    assert_eq!(answer.text(), "ping");
    assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
}

#[tokio::test]
async fn a_websocket_echoes_and_a_refusal_does_not() {
    let origin = Origin::start().await;
    let upgrade = |target: &str| {
        format!(
            "GET {target} HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
        )
    };
    let mut client = RawClient::connect_plain(origin.address()).await;
    let answer = client.ask(upgrade("/")).await;
    // The example of RFC 6455, section 1.3.
    assert_eq!(
        answer.header("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    client.send("frames").await;
    assert_eq!(client.exactly(6).await, b"frames");
    let mut client = RawClient::connect_plain(origin.address()).await;
    assert_eq!(client.ask(upgrade("/?do=not-101")).await.status, 200);
}

#[tokio::test]
async fn tls_is_checked_against_the_authority() {
    let pki = Pki::default();
    let origin = Origin::start_tls(&pki.server(&["localhost", "app.test"])).await;
    let trusting = Client::new(
        origin.address(),
        "app.test",
        Protocol::Http1,
        Some(pki.client_config(&[], None)),
    );
    assert_eq!(trusting.get("/").await.status, 200);
    let stranger = Client::new(
        origin.address(),
        "app.test",
        Protocol::Http1,
        Some(Pki::default().client_config(&[], None)),
    );
    assert!(
        stranger
            .try_start(stranger.request(Method::GET, "/").body(empty()).unwrap())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_client_keeps_cookies_and_forgets_expired_ones() {
    let origin = Origin::start().await;
    let client = client(&origin, Protocol::Http1);
    client.get("/?do=cookies").await;
    assert_eq!(client.cookie("a").as_deref(), Some("1"));
    client.get("/").await;
    assert_eq!(origin.last().header("cookie"), Some("a=1; b=2"));
    client.forget_cookies();
    client.get("/").await;
    assert_eq!(origin.last().header("cookie"), None);
}
