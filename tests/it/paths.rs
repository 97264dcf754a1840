//! R2: one canonical path. What is decided on is what is forwarded.

use harness::gateway::Gateway;
use harness::{Protocol, SeenRequest};
use percent_encoding::percent_decode_str;

use crate::support::{get, logged_in};

/// A world where everything but `/app` and `/strong` is open: every trick pays.
const MOSTLY_OPEN: &str = r#"
[[realms]]
name = "root"
resource = "/"
upstream = "origin"
scheme = "none"
[[realms]]
name = "app"
ignore_extensions = [".gif", ".css"]
ignore_paths = ["/app/public"]
"#;

/// The path as the most lenient server that one can think of would read it.
fn most_lenient(target: &str) -> String {
    let mut path = target.split(['?', '#']).next().unwrap().to_owned();
    for _ in 0..3 {
        path = percent_decode_str(&path).decode_utf8_lossy().into_owned();
    }
    let path = path.replace('\\', "/").replace('\0', "");
    let mut segments: Vec<&str> = Vec::new();
    for segment in path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or_default())
    {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    format!("/{}", segments.join("/")).to_lowercase()
}

#[test]
fn the_most_lenient_reading_sees_through_the_tricks() {
    for trick in [
        "/app",
        "//app/",
        "/x/../app",
        "/%61pp",
        "/%2561pp",
        "/x/%2e%2e/app",
        "/.;/app;x=1/",
        "/x\\..\\app",
        "/App",
        "/%41PP",
    ] {
        assert_eq!(most_lenient(trick), "/app", "{trick}");
    }
}

/// Spellings of `/app/secret`, and ways to look like something else.
fn tricks() -> Vec<String> {
    let mut tricks: Vec<String> = [
        "/app/secret",
        "//app/secret",
        "/app//secret",
        "/./app/secret",
        "/app/./secret",
        "/x/../app/secret",
        "/app/secret/.",
        "/app/x/../secret",
        "/%61pp/secret",
        "/%61%70%70/secret",
        "/a%70p/%73ecret",
        "/%2561pp/secret",
        "/%2e/app/secret",
        "/x/%2e%2e/app/secret",
        "/x/.%2e/app/secret",
        "/x/%2E./app/secret",
        "/x%2f..%2fapp/secret",
        "/app%2fsecret",
        "/app%2Fsecret",
        "/%2fapp/secret",
        "/app%5csecret",
        "/x\\..\\app\\secret",
        "/x%5c..%5capp/secret",
        "/app\\secret",
        "/app;x=1/secret",
        "/app;/secret",
        "/;/app/secret",
        "/;x=1/app/secret",
        "/x/..;/app/secret",
        "/x/..;a=b/app/secret",
        "/..;/app/secret",
        "/.;/app/secret",
        "/x;/../app/secret",
        "/app%3bx=1/secret",
        "/app%3b/secret",
        "/x/%2e%2e;/app/secret",
        "/open/../app/secret",
        "/open/..;/app/secret",
        "/open/%2e%2e/app/secret",
        "/open;/../app/secret",
        "/open../app/secret",
        "/app%00/secret",
        "/app/secret%00.gif",
        "/app/secret%00",
        "/%00/app/secret",
        "/app%20/../app/secret",
        "/app/secret;.gif",
        "/app/secret;x.gif",
        "/app/$/x.gif/../secret",
        "/app/secret/x.gif/..",
        "/app/secret?x.gif",
        "/app/secret?a=/x.gif",
        "/app/secret#.gif",
        "/app/secret#/public",
        "/app/secret%23.gif",
        "/app/secret%3fx.gif",
        "/app/secret%2egif/..",
        "/app/public/../secret",
        "/app/public/..;/secret",
        "/app/public%2f..%2fsecret",
        "/app/public/%2e%2e/secret",
        "/app/public;/../secret",
        "/app/publicity/../secret",
        "/app/%2e%2e/app/secret",
        "/%c0%ae%c0%ae/app/secret",
        "/x/%c0%ae%c0%ae/app/secret",
        "/x/%e0%80%ae%e0%80%ae/app/secret",
        "/app%c0%afsecret",
        "/%ff/../app/secret",
        "/app/secret%",
        "/app/secret%2",
        "/app/secret%zz",
        "/app%",
        "/%u0061pp/secret",
        "/x/%252e%252e/app/secret",
        "/x/%25%32%65%25%32%65/app/secret",
        "/app\t/secret",
        "/app/secret\u{b}",
        "app/secret",
        "*",
        "",
        "http://app.test/app/secret",
        "http://app.test//app/secret",
        "http://other.test/app/secret",
        "https://app.test/x/../app/secret",
        "http://app.test@evil.test/app/secret",
        "http://app.test",
        "//app.test/app/secret",
        "///app/secret",
        "/http://app.test/app/secret",
        "?/app/secret",
        "/?x=/app/secret",
        "/app?/../open",
        "/app/secret/",
        "/app",
        "/app/",
        "/app/secret/%2e",
        "/app/secret/%2E%2e/secret",
        "/app/secret/..%3b/secret",
        "/app/...;/secret",
        "/APP/secret",
        "/App/secret",
        "/aPp/SECRET",
        "/%41pp/secret",
        "/APP",
        "/APP/public",
        "/app/PUBLIC",
        "/app/Public/secret",
        "/APP/x.gif",
        "/x/../APP/secret",
        "/Open/../App/secret",
    ]
    .map(String::from)
    .into();
    for byte in 0..=255u8 {
        tricks.push(format!("/x/..%{byte:02x}/app/secret"));
        tricks.push(format!("/app%{byte:02x}secret"));
        tricks.push(format!("/%{byte:02X}/app/secret"));
    }
    tricks
}

/// Whether the resource that the most lenient reader finds is a protected one.
fn is_protected(target: &str) -> bool {
    let reached = most_lenient(target);
    reached == "/app" || reached.starts_with("/app/") && !reached.starts_with("/app/public")
}

#[track_caller]
fn nothing_protected_since(gateway: &Gateway, before: usize, trick: &str) {
    for seen in &gateway.origin.requests()[before..] {
        assert!(
            !is_protected(&seen.target),
            "{trick:?} reached {:?}",
            seen.target
        );
        assert_eq!(seen.header("SM_USER"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_reaches_the_protected_resource_over_http1() {
    let gateway = Gateway::setup().with(MOSTLY_OPEN).start().await;
    for trick in tricks() {
        let before = gateway.origin.requests().len();
        let mut raw = gateway.raw().await;
        raw.send(get(&trick, &["User-Agent: kube-probe/1.0"])).await;
        raw.response().await;
        nothing_protected_since(&gateway, before, &trick);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_reaches_the_protected_resource_over_http2() {
    let gateway = Gateway::setup().with(MOSTLY_OPEN).start().await;
    for trick in tricks() {
        let before = gateway.origin.requests().len();
        let fields: [(&[u8], &[u8]); 4] = [
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", b"app.test"),
            (b":path", trick.as_bytes()),
        ];
        gateway.raw_http2().await.ask(&fields, None, None).await;
        nothing_protected_since(&gateway, before, &trick);
    }
}

/// The realm's own resource may have the capitals.
#[tokio::test(flavor = "multi_thread")]
async fn another_case_does_not_lead_around_a_realm_with_capitals() {
    let admin = "[[realms]]\nname = \"root\"\nresource = \"/\"\nupstream = \"origin\"\nscheme = \"none\"\n\
                 [[realms]]\nname = \"admin\"\nresource = \"/Admin\"\nupstream = \"origin\"\nscheme = \"basic\"";
    let gateway = Gateway::setup().with(admin).start().await;
    for protocol in Protocol::BOTH {
        let client = gateway.client(protocol);
        for path in [
            "/admin/x",
            "/admin",
            "/ADMIN/x",
            "/%61dmin/x",
            "/admin;x=1/x",
        ] {
            assert_eq!(client.get(path).await.status, 400, "{path}");
        }
        assert_eq!(client.get("/Admin/x").await.status, 401);
        assert_eq!(client.get("/other").await.status, 200);
        assert!(
            gateway
                .origin
                .requests()
                .iter()
                .all(|seen| seen.target == "/other"),
            "{:?}",
            gateway.origin.requests()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ignored_paths_and_extensions_pass_without_a_session_and_only_they() {
    let gateway = Gateway::setup().with(MOSTLY_OPEN).start().await;
    let client = gateway.client(Protocol::Http2);
    for open in [
        "/app/public",
        "/app/public/x",
        "/app/logo.gif",
        "/app/site.css?v=1",
        "/other",
    ] {
        assert_eq!(client.get(open).await.status, 200, "{open}");
    }
    for protected in [
        "/app/publicity",
        "/app/x?y=.gif",
        "/app/x?public",
        "/app/x.gif.php",
        "/app/x.php/y.gif",
        "/app/$/x.gif",
        "/app/x.gif/",
        "/app/gif",
        "/app/x.gif;y",
        "/app/a.b.gif",
    ] {
        let status = client.get(protected).await.status;
        assert!(status == 302 || status == 400, "{protected}: {status}");
    }
}

/// With a session, too, the origin gets what was decided on.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_forwarded_is_canonical_or_nothing() {
    let gateway = Gateway::setup().with(MOSTLY_OPEN).start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let cookie = format!("Cookie: SMSESSION={cookie}");
    for (sent, forwarded) in [
        ("/app/a%62c?x=%2f..%2f&y", Some("/app/abc?x=%2f..%2f&y")),
        ("/app/%e2%82%ac", Some("/app/%E2%82%AC")),
        ("/app/a%20b", Some("/app/a%20b")),
        ("/app/a;b=1", Some("/app/a;b=1")),
        ("/app/~u", Some("/app/~u")),
        ("http://app.test/app/x", Some("/app/x")),
        ("http://app.test", Some("/")),
        ("http://app.test?x=/../", Some("/?x=/../")),
        ("/app/%7Eu", Some("/app/~u")),
        ("/app/a%2Fb", None),
        ("/app/a%5Cb", None),
        ("/app/%ff", None),
        ("/app/../app/", None),
        ("/app/a#b", None),
    ] {
        let answer = gateway.raw().await.ask(get(sent, &[&cookie])).await;
        match forwarded {
            Some(expected) => {
                assert_eq!(answer.status, 200, "{sent}");
                let seen: SeenRequest = serde_json::from_slice(&answer.body).unwrap();
                assert_eq!(seen.target, expected);
            }
            None => assert_eq!(answer.status, 400, "{sent}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_have_one_reading_as_well() {
    let gateway = Gateway::start().await;
    for head in [
        "GET /open/ HTTP/1.1\r\n\r\n",
        "GET /open/ HTTP/1.1\r\nHost: app.test\r\nHost: app.test\r\n\r\n",
        "GET /open/ HTTP/1.1\r\nHost: app.test\r\nHost: other.test\r\n\r\n",
        "GET /open/ HTTP/1.1\r\nHost: a\";for=1.2.3.4\r\n\r\n",
        "GET /open/ HTTP/1.1\r\nHost: app.test/x\r\n\r\n",
        "GET /open/ HTTP/1.1\r\nHost: user@app.test\r\n\r\n",
        "GET /open/ HTTP/1.1\r\nHost: app.test:99999\r\n\r\n",
        "GET /open/ HTTP/1.1\r\nHost: app.test:1:2\r\n\r\n",
        "GET http://other.test/open/ HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "GET /open/ HTTP/1.1\r\nHost:\r\n\r\n",
    ] {
        let mut raw = gateway.raw().await;
        raw.send(head).await;
        let status = raw.response().await.map(|answer| answer.status);
        assert!(
            matches!(status, None | Some(400 | 421)),
            "{head:?}: {status:?}"
        );
    }
    assert!(gateway.origin.requests().is_empty());
    let mut raw = gateway.raw().await;
    assert_eq!(
        raw.ask("GET /open/ HTTP/1.1\r\nHost: other.test\r\n\r\n")
            .await
            .status,
        421,
        "not the TLS server name"
    );
    assert_eq!(
        raw.ask("GET /open/ HTTP/1.1\r\nHost: APP.test:443\r\n\r\n")
            .await
            .status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_make_no_sense_are_refused() {
    let gateway = Gateway::start().await;
    for head in [
        "TRACE /open/ HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n\r\n",
        "CONNECT /open/ HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /open/ HTTP/2.0\r\nHost: app.test\r\n\r\n",
        "GET /open/ HTTP/3\r\nHost: app.test\r\n\r\n",
        "GET /open/\r\nHost: app.test\r\n\r\n",
        "GET  /open/ HTTP/1.1\r\nHost: app.test\r\n\r\n",
    ] {
        let mut raw = gateway.raw().await;
        raw.send(head).await;
        let status = raw.response().await.map(|answer| answer.status);
        assert!(
            status.is_none_or(|status| (400..600).contains(&status)),
            "{head:?}: {status:?}"
        );
    }
    assert!(gateway.origin.requests().is_empty());
}
