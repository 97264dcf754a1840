//! R1: a header of ours is ours, however a client spells it.

use harness::gateway::Gateway;
use harness::{Protocol, SeenRequest};
use http::Method;

use crate::support::{get, logged_in};

/// Characters of a header name besides letters, digits and `-` (RFC 9110, section 5.6.2).
const ODD: &str = "!#$%&'*+.^_`|~";

fn folded(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect()
}

/// Asserts that no header whose name could be read as a managed one carries what the client said.
#[track_caller]
fn clean(seen: &SeenRequest, told: &str) {
    for (name, value) in &seen.headers {
        assert!(
            !value.contains("evil"),
            "{told:?} got through as {name}: {value}"
        );
    }
    let users: Vec<_> = seen
        .headers
        .iter()
        .filter(|(name, _)| folded(name) == "sm-user")
        .collect();
    assert!(users.len() <= 1, "{users:?}");
}

fn managed_names() -> Vec<String> {
    let plain = [
        "SM_USER",
        "SM_USERDN",
        "SM_USERGROUPS",
        "SM_SERVERSESSIONID",
        "SM_TRANSACTIONID",
        "SM_SOMETHINGNEW",
        "HTTP_SM_USER",
        "X-Doorward-Assertion",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Uri",
        "X-Forwarded-User",
        "Forwarded",
        "X-Real-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Department",
    ];
    let mut names = Vec::new();
    for name in plain {
        names.push(name.to_lowercase());
        names.push(name.to_uppercase());
        for odd in ODD.chars() {
            names.push(name.replace(['_', '-'], &odd.to_string()));
        }
    }
    names
}

/// A realm that sends a configured header of ours, also for users who have no such attribute.
const RESPONSES: &str = r#"
[identity.assertion]
issuer = "https://app.test"
[[realms]]
name = "app"
responses = [{ header = "X-Department", attribute = "department" }]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_alias_of_a_managed_name_is_dropped_over_http1() {
    let gateway = Gateway::setup().with(RESPONSES).start().await;
    let (_, cookie) = logged_in(&gateway, "bob", Protocol::Http1).await;
    let cookie = format!("Cookie: SMSESSION={cookie}");
    let mut raw = gateway.raw().await;
    for name in managed_names() {
        let evil = format!("{name}: evil");
        for (target, lines) in [
            ("/app/", vec![cookie.as_str(), &evil]),
            ("/open/", vec![evil.as_str(), &evil]),
        ] {
            let answer = raw.ask(get(target, &lines)).await;
            assert_eq!(answer.status, 200, "{name}");
            let seen: SeenRequest = serde_json::from_slice(&answer.body).unwrap();
            clean(&seen, &name);
            assert_eq!(seen.header("SM_USER"), (target == "/app/").then_some("bob"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_alias_of_a_managed_name_is_dropped_over_http2() {
    let gateway = Gateway::setup().with(RESPONSES).start().await;
    let (client, _) = logged_in(&gateway, "bob", Protocol::Http2).await;
    for target in ["/app/", "/open/"] {
        for method in [Method::GET, Method::OPTIONS, Method::POST] {
            let mut request = client.request(method, target);
            for name in managed_names() {
                request = request.header(name.to_lowercase(), "evil");
            }
            let answer = client
                .send(request.body(harness::client::empty()).unwrap())
                .await;
            assert_eq!(answer.status, 200);
            clean(&answer.json(), "all of them");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_that_a_user_has_is_sent_and_one_that_is_missing_is_absent() {
    let gateway = Gateway::setup().with(RESPONSES).start().await;
    let (alice, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let (bob, _) = logged_in(&gateway, "bob", Protocol::Http1).await;
    for (client, expected) in [(alice, Some("engineering")), (bob, None)] {
        let request = client
            .request(Method::GET, "/app/")
            .header("x-department", "evil");
        let seen: SeenRequest = client
            .send(request.body(harness::client::empty()).unwrap())
            .await
            .json();
        assert_eq!(seen.header("X-Department"), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_cannot_name_our_headers_away() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let cookie = format!("Cookie: SMSESSION={cookie}; mine=1");
    for connection in [
        "Connection: keep-alive, SM_USER, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto",
        "Connection: SM_USER\r\nConnection: X-Forwarded-For, Cookie, Authorization",
        "Connection: close, sm_user, SM_USERDN, host, content-length",
        "Keep-Alive: x\r\nProxy-Connection: SM_USER\r\nConnection: keep-alive, sm_user",
    ] {
        let mut raw = gateway.raw().await;
        let answer = raw.ask(get("/app/", &[&cookie, connection])).await;
        assert_eq!(answer.status, 200, "{connection}");
        let seen: SeenRequest = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(seen.header("SM_USER"), Some("alice"), "{connection}");
        assert_eq!(
            seen.header("X-Forwarded-For"),
            Some("127.0.0.1"),
            "{connection}"
        );
        assert_eq!(seen.header("X-Forwarded-Host"), Some("app.test"));
        assert_eq!(seen.header("X-Forwarded-Proto"), Some("https"));
        assert_eq!(seen.header("Cookie"), Some("mine=1"), "{connection}");
        assert_eq!(seen.header("Proxy-Connection"), None);
        assert_eq!(seen.header("Keep-Alive"), None);
        let named = seen.header("Connection").unwrap_or_default().to_lowercase();
        assert!(
            !named.contains("sm_") && !named.contains("forwarded"),
            "{named}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_cannot_bring_our_headers_in() {
    let gateway = Gateway::start().await;
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let request = format!(
        "POST /app/ HTTP/1.1\r\nHost: app.test\r\nCookie: SMSESSION={cookie}\r\nTransfer-Encoding: chunked\r\n\
         Trailer: SM_USER, X-Fine\r\n\r\n2\r\nab\r\n0\r\nSM_USER: evil\r\nsm.user: evil\r\nX-Forwarded-For: evil\r\n\
         X-Fine: yes\r\n\r\n"
    );
    let answer = gateway.raw().await.ask(request).await;
    assert_eq!(answer.status, 200);
    let seen: SeenRequest = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(seen.body, "ab");
    let fine = [(String::from("x-fine"), String::from("yes"))];
    assert_eq!(seen.trailers, fine);

    let trailers = http::HeaderMap::from_iter([
        (
            "sm_user".parse().unwrap(),
            http::HeaderValue::from_static("evil"),
        ),
        (
            "x-fine".parse().unwrap(),
            http::HeaderValue::from_static("yes"),
        ),
    ]);
    let frames = [
        hyper::body::Frame::data("ab".into()),
        hyper::body::Frame::trailers(trailers),
    ];
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(
        frames.map(Ok::<_, std::io::Error>),
    ));
    let http2 = crate::support::holding(
        &gateway,
        &client.cookie("SMSESSION").unwrap(),
        Protocol::Http2,
    );
    http2
        .send(
            http2
                .request(Method::POST, "/app/")
                .header("trailer", "sm_user, x-fine")
                .body(harness::client::boxed(body))
                .unwrap(),
        )
        .await;
    let seen = gateway.origin.last();
    assert_eq!(seen.body, "ab");
    assert_eq!(seen.trailers, fine);
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_headers_can_be_spelled_with_hyphens_and_left_out() {
    let gateway = Gateway::setup()
        .with("identity.header_style = \"hyphen\"\nidentity.omit = [\"SM_SERVERSESSIONSPEC\", \"SM_USERDN\"]")
        .start()
        .await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let seen: SeenRequest = client.get("/app/").await.json();
    assert_eq!(seen.header("SM-USER"), Some("alice"));
    for absent in ["SM_USER", "SM-USERDN", "SM-SERVERSESSIONSPEC"] {
        assert_eq!(seen.header(absent), None, "{absent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_cookies_pass_and_ours_does_only_if_asked() {
    let gateway = Gateway::start().await;
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    client.set_cookie("theirs", "1");
    let seen: SeenRequest = client.get("/app/").await.json();
    assert_eq!(seen.header("cookie"), Some("theirs=1"));
    let passing = gateway.beside("session.pass_cookie = true").await;
    let client = crate::support::holding(&passing, &cookie, Protocol::Http1);
    let seen: SeenRequest = client.get("/app/").await.json();
    assert!(
        seen.header("cookie")
            .is_some_and(|value| value.contains("SMSESSION="))
    );
}

/// An answer with a fresh SMSESSION must not reach anybody else out of a shared cache.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_a_new_session_cookie_is_kept_by_nobody_else() {
    let gateway = Gateway::start().await;
    for (said, sent) in [
        ("max-age=600", "private, no-store"),
        ("public, max-age=600", "private, no-store"),
        ("s-maxage=600", "private, no-store"),
        ("must-revalidate", "private, no-store"),
        ("max-age=600, private", "max-age=600, private"),
        ("No-Store", "No-Store"),
    ] {
        let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
        let target = format!("/app/?do=cache&as={}", said.replace(' ', "%20"));
        let quiet = client.get(&target).await;
        assert_eq!(quiet.set_cookie("SMSESSION"), None);
        assert_eq!(quiet.header("cache-control"), said);
        gateway.clock.advance(std::time::Duration::from_secs(31));
        let writing = client.get(&target).await;
        assert!(writing.set_cookie("SMSESSION").is_some());
        assert_eq!(writing.header("cache-control"), sent, "{said}");
    }
}
