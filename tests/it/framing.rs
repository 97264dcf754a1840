//! Ambiguous framing: refused with 400 and the end of the connection, and the origin saw nothing.

use harness::Protocol;
use harness::gateway::Gateway;

use crate::support::logged_in;

/// Header lines, and what follows the empty line.
fn ambiguous() -> Vec<(String, &'static str)> {
    let smuggled = "0\r\n\r\nGET /open/smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n";
    let mut cases: Vec<(String, &'static str)> = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding:",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding\t: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: 5,6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5.0",
        "Content-Length: 5 5",
        "Content-Length: \"5\"",
        "Content-Length:",
        "Content-Length: ",
        "Content-Length: five",
        "Content-Length: 99999999999999999999999",
        "Content-Length: 18446744073709551616",
        "Content-Length : 5",
        " Content-Length: 5",
        "Content\u{0}-Length: 5",
        "Content-Length: 5\u{0}",
        "Content-Length: 5\rX: y",
        "X: a\nContent-Length: 5",
        ": x",
        "X",
        "X y: z",
        "X\u{e9}: z",
        "(X): z",
        "X: a\u{0}b",
        "X: a\rb",
        "X: a\u{7f}b\u{1}",
        "X: y\r\n folded",
        "X: y\r\n\tfolded",
    ]
    .map(|lines| (String::from(lines), smuggled))
    .into();
    let bodies = [
        "x\r\n\r\n",
        "-1\r\nx\r\n",
        "+1\r\nx\r\n0\r\n\r\n",
        "0x1\r\nx\r\n0\r\n\r\n",
        " 1\r\nx\r\n0\r\n\r\n",
        "1 \r\nx\r\n0\r\n\r\n",
        "1\nx\n0\n\n",
        "1\r\nxy\r\n0\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "10000000000000000\r\nx\r\n",
        "fffffffffffffffff\r\nx\r\n",
        "\r\n1\r\nx\r\n0\r\n\r\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        "1;\u{0}\r\nx\r\n0\r\n\r\n",
        "1\r\nx\r\n0\r\nX\r\n\r\n",
        "1\r\nx\r\n0\r\n X: y\r\n\r\n",
        "1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n",
        "1\r\nx\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];
    cases.extend(bodies.map(|body| (String::from("Transfer-Encoding: chunked"), body)));
    cases
}

/// Ways to begin a request: protected with a session, open, and one that is refused anyway.
#[tokio::test(flavor = "multi_thread")]
async fn the_origin_sees_nothing_of_an_ambiguous_head() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let heads = ambiguous()
        .into_iter()
        .filter(|(lines, _)| lines != "Transfer-Encoding: chunked");
    let before = gateway.origin.bytes_seen();
    for (lines, body) in heads {
        for (method, target) in [
            ("POST", "/app/"),
            ("GET", "/app/"),
            ("POST", "/open/"),
            ("POST", "/strong/"),
        ] {
            let mut raw = gateway.raw().await;
            let head = format!(
                "{method} {target} HTTP/1.1\r\nHost: app.test\r\nCookie: SMSESSION={cookie}\r\n{lines}\r\n\r\n"
            );
            raw.send([head.as_bytes(), body.as_bytes()].concat()).await;
            let answer = String::from_utf8_lossy(&raw.rest().await).into_owned();
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
                "{lines:?}: {answer}"
            );
            assert!(
                answer.matches("HTTP/1.1 ").count() <= 1,
                "{lines:?}: a second answer: {answer}"
            );
            assert_eq!(
                gateway.origin.bytes_seen(),
                before,
                "{method} {target} {lines:?} reached the origin"
            );
        }
    }
}

/// A chunk can be malformed long after its head was forwarded. Then the origin must not see the end of
/// a request, nor another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_chunk_never_becomes_a_whole_request() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    for (lines, body) in ambiguous()
        .into_iter()
        .filter(|(lines, _)| lines == "Transfer-Encoding: chunked")
    {
        for pause_after_head in [false, true] {
            let mut raw = gateway.raw().await;
            let head = format!(
                "POST /app/?do=sink HTTP/1.1\r\nHost: app.test\r\nCookie: SMSESSION={cookie}\r\n{lines}\r\n\r\n"
            );
            let seen = gateway.origin.requests().len();
            if pause_after_head {
                raw.send(&head).await;
                harness::eventually("the head is forwarded", async || {
                    (gateway.origin.requests().len() > seen).then_some(())
                })
                .await;
                raw.send(body).await;
            } else {
                raw.send([head.as_bytes(), body.as_bytes()].concat()).await;
            }
            raw.send("GET /open/smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n")
                .await;
            let answer = String::from_utf8_lossy(&raw.rest().await).into_owned();
            assert!(!answer.contains(" 200 "), "{body:?}: {answer}");
            harness::eventually("the origin sees the connection end", async || {
                (gateway.origin.open_connections() == 0).then_some(())
            })
            .await;
            // The origin has a body's digest when it has seen the body's end.
            for request in &gateway.origin.requests()[seen..] {
                assert_eq!(request.target, "/app/?do=sink", "{body:?}");
                assert_eq!(request.body_sha256, "", "{body:?}: {request:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_has_no_chunks() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.send(
        "POST /open/ HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    )
    .await;
    assert!(String::from_utf8_lossy(&raw.rest().await).starts_with("HTTP/1.1 400"));
    assert_eq!(gateway.origin.bytes_seen(), 0);
}

/// R6: a body that nobody read is not the next request.
#[tokio::test(flavor = "multi_thread")]
async fn an_unread_body_closes_the_connection() {
    let gateway = Gateway::start().await;
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut raw = gateway.raw().await;
        let smuggled = "GET /open/smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n";
        let length = 10_000_000;
        raw.send(format!("PUT /app/ HTTP/1.1\r\nHost: app.test\r\n{expect}Content-Length: {length}\r\n\r\n{smuggled}")).await;
        let answer = String::from_utf8_lossy(&raw.rest().await).into_owned();
        assert!(
            !answer.is_empty() && !answer.starts_with("HTTP/1.1 2"),
            "{answer}"
        );
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    assert_eq!(gateway.origin.bytes_seen(), 0);
}

/// The gateway writes its own framing; the origin never sees the client's.
#[tokio::test(flavor = "multi_thread")]
async fn sound_framing_passes() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    for (head, body, length) in [
        ("Content-Length: 5", "hello", 5),
        ("content-length:   5", "hello", 5),
        (
            "Transfer-Encoding: chunked",
            "5;ext=1\r\nhello\r\n0\r\n\r\n",
            5,
        ),
        (
            "transfer-encoding: Chunked",
            "1\r\nh\r\n4\r\nello\r\n00\r\n\r\n",
            5,
        ),
        ("Content-Length: 0", "", 0),
        ("X: y", "", 0),
    ] {
        let answer = raw
            .ask(format!(
                "POST /open/ HTTP/1.1\r\nHost: app.test\r\n{head}\r\n\r\n{body}"
            ))
            .await;
        assert_eq!(answer.status, 200, "{head}");
        assert_eq!(gateway.origin.last().body_length, length, "{head}");
    }
    raw.send("GET /open/1 HTTP/1.1\r\nHost: app.test\r\n\r\nGET /open/2 HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert!(raw.response().await.unwrap().text().contains("/open/1"));
    assert!(
        raw.response().await.unwrap().text().contains("/open/2"),
        "pipelined requests are answered in order"
    );
}

/// What HTTP/2 allows on the wire must not become something else in HTTP/1.
#[tokio::test(flavor = "multi_thread")]
async fn http2_requests_keep_their_length() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http2);
    for body in ["", "hello"] {
        let request = client.request(http::Method::POST, "/open/");
        let answer = client
            .send(request.body(harness::client::full(body)).unwrap())
            .await;
        assert_eq!(answer.status, 200);
        let seen = gateway.origin.last();
        assert_eq!(seen.body, body);
        assert!(
            seen.header("content-length").is_none() || seen.header("transfer-encoding").is_none()
        );
    }
    let lying = client
        .request(http::Method::POST, "/open/?do=sink")
        .header("content-length", "3");
    let frames = futures_util::stream::iter([Ok::<_, std::io::Error>(hyper::body::Frame::data(
        "hello".into(),
    ))]);
    let lying = lying
        .body(harness::client::boxed(http_body_util::StreamBody::new(
            frames,
        )))
        .unwrap();
    let status = client
        .try_start(lying)
        .await
        .map(|response| response.status().as_u16())
        .unwrap_or(400);
    assert!(status >= 400, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_chunked_get_is_not_lost() {
    let gateway = Gateway::start().await;
    let request = "GET /open/search HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n0\r\n\r\n";
    let answer = gateway.raw().await.ask(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen: harness::SeenRequest = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((seen.body_length, seen.body.as_str()), (5, "hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_spellings_of_host_and_method_are_refused() {
    let gateway = Gateway::start().await;
    for head in [
        "GET /open/x HTTP/1.1\r\nHost: app.test.\r\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost: app.test.:443\r\n\r\n",
        "get /open/x HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "Post /open/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n",
    ] {
        let answer = gateway.raw().await.ask(head).await;
        assert_eq!(answer.status, 400, "{head}");
    }
    assert_eq!(gateway.origin.count_of("/open/x"), 0);
}
