//! HTTP/2 in, HTTP/1.1 out: what is one request on one side must not become two on the other.

use harness::Protocol;
use harness::gateway::Gateway;
use harness::raw_http2::End;

use crate::support::logged_in;

type Field = (&'static [u8], &'static [u8]);

const GOOD: [Field; 4] = [
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"app.test"),
    (b":path", b"/open/x"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_request_made_by_hand_is_answered() {
    let gateway = Gateway::start().await;
    let end = gateway
        .raw_http2()
        .await
        .ask(&GOOD, Some(b"hello"), None)
        .await;
    assert_eq!(end, End::Answered);
    assert_eq!(gateway.origin.last().body, "hello");
}

/// RFC 9113, sections 8.2 and 8.3: all of these are malformed.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_fields_never_reach_the_origin() {
    let gateway = Gateway::start().await;
    let fields: [Field; 24] = [
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"sm_user"),
        (b"proxy-connection", b"x"),
        (b"keep-alive", b"x"),
        (b"upgrade", b"websocket"),
        (b"te", b"gzip"),
        (b"content-length", b"4"),
        (b"content-length", b"6"),
        (b"content-length", b"+5"),
        (b"x", b"a\r\nTransfer-Encoding: chunked"),
        (
            b"x",
            b"a\r\n\r\nGET /open/smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n",
        ),
        (b"x", b"a\nsm_user: evil"),
        (b"x", b"a\0b"),
        (b"x\r\nsm_user", b"evil"),
        (b"x: y\r\nsm_user", b"evil"),
        (b"X-Upper", b"y"),
        (b"", b"y"),
        (b"x y", b"z"),
        (b":path", b"/open/other"),
        (b":method", b"GET"),
        (b":authority", b"other.test"),
        (b":unknown", b"x"),
        (b":status", b"200"),
        (b"host", b"other.test"),
    ];
    for field in fields {
        let request: Vec<_> = GOOD.iter().copied().chain([field]).collect();
        gateway
            .raw_http2()
            .await
            .ask(&request, Some(b"hello"), None)
            .await;
        let seen = gateway.origin.requests();
        let shown = String::from_utf8_lossy(field.0);
        assert!(
            seen.iter().all(|seen| seen.target == "/open/x"),
            "{shown}: {seen:?}"
        );
        for seen in seen {
            // Dropping a field is as good as refusing the request; passing it on is not.
            assert_eq!(seen.body, "hello", "{shown}");
            assert_eq!(seen.all("x").first(), None, "{shown}");
            assert!(
                seen.headers.iter().all(|(_, value)| value != "evil"),
                "{shown}"
            );
            for hop in ["proxy-connection", "keep-alive", "upgrade"] {
                assert_eq!(seen.header(hop), None, "{shown}");
            }
            assert!(
                seen.all("transfer-encoding").len() + seen.all("content-length").len() <= 1,
                "{shown}"
            );
            assert_eq!(seen.header("host"), Some("app.test"), "{shown}");
        }
    }
}

/// A fragment is not among them: the HTTP/2 library drops it before anybody decides, so what is decided
/// on is still what is forwarded (see `paths`).
#[tokio::test(flavor = "multi_thread")]
async fn malformed_pseudo_fields_never_reach_the_origin() {
    let gateway = Gateway::start().await;
    let with = |name: &'static [u8], value: &'static [u8]| -> Vec<Field> {
        GOOD.iter()
            .map(|field| {
                if field.0 == name {
                    (name, value)
                } else {
                    *field
                }
            })
            .collect()
    };
    let without = |name: &[u8]| -> Vec<Field> {
        GOOD.iter()
            .copied()
            .filter(|field| field.0 != name)
            .collect()
    };
    for request in [
        with(b":path", b"/open/x HTTP/1.1\r\nsm_user: evil\r\nx: y"),
        with(
            b":path",
            b"/open/x\r\n\r\nGET /open/smuggled HTTP/1.1\r\n\r\n",
        ),
        with(b":path", b"/open/x y"),
        with(b":path", b""),
        with(b":path", b"open"),
        with(b":path", b"*"),
        with(b":path", b"/open/\xff"),
        with(b":method", b"GET /open/other HTTP/1.1\r\nx: y\r\n\r\nGET"),
        with(b":method", b""),
        with(b":method", b"TRACE"),
        with(b":method", b"CONNECT"),
        with(b":authority", b"app.test\r\nsm_user: evil"),
        with(b":authority", b"app.test@evil.test"),
        with(b":authority", b""),
        without(b":path"),
        without(b":method"),
        without(b":authority"),
        vec![
            (b"x", b"before pseudo fields"),
            GOOD[0],
            GOOD[1],
            GOOD[2],
            GOOD[3],
        ],
    ] {
        gateway
            .raw_http2()
            .await
            .ask(&request, Some(b"hello"), None)
            .await;
        assert!(
            gateway.origin.requests().is_empty(),
            "{request:?}: {:?}",
            gateway.origin.last()
        );
    }
    assert_eq!(gateway.origin.bytes_seen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_of_our_headers_are_dropped_from_head_and_trailers() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http2).await;
    let cookie = format!("SMSESSION={cookie}");
    let evil: [(&[u8], &[u8]); 6] = [
        (b"sm_user", b"evil"),
        (b"sm-user", b"evil"),
        (b"sm.user", b"evil"),
        (b"sm^user", b"evil"),
        (b"x-forwarded-for", b"evil"),
        (b"x_forwarded_host", b"evil"),
    ];
    let mut request: Vec<(&[u8], &[u8])> = GOOD[..3].to_vec();
    request.extend([
        (&b":path"[..], &b"/app/x"[..]),
        (b"cookie", cookie.as_bytes()),
        (b"trailer", b"sm_user, x-fine"),
    ]);
    request.extend(evil);
    let end = gateway
        .raw_http2()
        .await
        .ask(&request, Some(b"hello"), Some(&evil))
        .await;
    if end == End::Answered {
        let seen = gateway.origin.last();
        assert_eq!(seen.header("SM_USER"), Some("alice"));
        let all = seen.headers.iter().chain(&seen.trailers);
        assert!(all.clone().all(|(_, value)| value != "evil"), "{seen:?}");
    }
}
