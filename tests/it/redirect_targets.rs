//! R10: after login and logout a browser goes only where it may, however the target is written.

use harness::Protocol;
use harness::gateway::{Gateway, PASSWORD};
use http::StatusCode;
use url::Url;

/// What follows the host that an attacker wants the browser at.
const EVIL: &str = "evil.test";

/// Ways to write an address elsewhere so that a careless check takes it for one here.
fn payloads() -> Vec<String> {
    let mut payloads = Vec::new();
    let starts = [
        "//",
        "///",
        "////",
        "/\\",
        "\\/",
        "\\\\",
        "\\",
        "/\\/",
        "//\\",
        "/\t/",
        "/\n/",
        "/\r/",
        "\t//",
        " //",
        "\u{a0}//",
        "/ /",
        "/.//",
        "/..//",
        "/./\\",
        "http://",
        "https://",
        "https:/",
        "https:",
        "http:",
        "HTTPS://",
        "hTtPs:/\\",
        "https:\\\\",
        "https:///",
        "https:/\\/",
        "ht\ttps://",
        "https:\n//",
        "\u{0}//",
        "\u{1}https://",
        "%2f%2f",
        "/%2f",
        "/%5c",
        "%5c%5c",
        "/%09/",
        "/%0a/",
        "/%0d%0a/",
        "%09//",
        "//%09",
        "/%2e%2e//",
        "ftp://",
        "ws://",
        "blob:https://",
        "view-source:https://",
        "https://app.test@",
        "https://app.test:443@",
        "https://app.test%40",
        "//app.test@",
        "//app.test:x@",
        "https://app.test\\@",
        "https://app.test%00@",
        "https://app.test#@",
        "https://app.test?@",
        "https://app.test/@",
        "https://x:y@",
        "//x@",
        "https://app.test.",
        "https://app.test-",
        "https://app.testx.",
        "//app.test.",
        "https://xapp.test.",
        "https://app.test:",
        "https://app.test:443.",
        "https://app.test%2e",
        "https://app.test%2f",
        "https://app.test%5c",
        "https://app.test;",
        "https://app.test,",
        "https://app.test&",
        "https://app.test=",
        "https://app.test ",
        "https://app.test\t",
        "https://[::1]@",
        "https://[",
        "//[",
        "https://app.test]@",
        "https://app。test。",
        "https://app．test．",
        "//\u{200b}",
        "https://\u{feff}",
        "https:///\\",
        "http:/\\/\\",
        "//google.test/..//",
        "/app/..//",
        "/app//../..//",
        "/%2e//",
        "/;//",
        "/app/;//",
    ];
    for start in starts {
        payloads.push(format!("{start}{EVIL}"));
        payloads.push(format!("{start}{EVIL}/app/"));
    }
    for whole in [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "java\tscript:alert(1)",
        "\u{1}javascript:alert(1)",
        "javascript://app.test/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "about:blank",
        "mailto:x@evil.test",
        "https://other.test/app/",
        "http://app.test/app/",
        "https://app.test:8443/app/",
        "https://APP.TEST.evil.test/",
        "https://1.2.3.4/",
        "https://0x7f.1/",
        "https://2130706433/",
        "//0/",
        "https://xn--pp-xka.test/",
        "https://аpp.test/",
        "",
        " ",
        "?",
        "#",
        "..",
        "/..",
        "%",
        "https://",
        "//",
        "https:",
        "/\u{0}",
        "/app/\r\nSet-Cookie: evil=1",
        "/app/%0d%0aSet-Cookie:%20evil=1",
        "/app/\r\n\r\n<script>",
        "https://app.test/app/\r\nLocation: https://evil.test",
        "/doorward/logout",
        "/doorward/login?TARGET=//evil.test",
    ] {
        payloads.push(whole.into());
    }
    payloads
}

/// Where a browser would go.
fn browser_goes_to(base: &str, location: &str) -> Url {
    Url::parse(base)
        .unwrap()
        .join(location)
        .unwrap_or_else(|error| panic!("{location:?}: {error}"))
}

fn encoded(payload: &str) -> String {
    url::form_urlencoded::byte_serialize(payload.as_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_login_the_browser_stays_here() {
    let gateway = Gateway::start().await;
    let payloads = payloads();
    assert!(payloads.len() > 150);
    let mut logins = 0;
    for payload in &payloads {
        for parameter in ["TARGET", "target", "rd"] {
            let client = gateway.client(Protocol::Http2);
            let page = client
                .get(&format!("/doorward/login?{parameter}={}", encoded(payload)))
                .await;
            for location in page.headers.get_all("location") {
                let url = browser_goes_to(
                    "https://app.test/doorward/login",
                    location.to_str().unwrap(),
                );
                assert_eq!(
                    url.origin().ascii_serialization(),
                    "https://app.test",
                    "{payload:?}"
                );
            }
            if page.hidden_fields().is_empty() {
                assert!(
                    !page.status.is_success(),
                    "{payload:?}: no form, and {}",
                    page.status
                );
                continue;
            }
            let answer = client.fill_login(&page, "alice", PASSWORD).await;
            assert!(
                answer
                    .headers
                    .get("set-cookie")
                    .is_none_or(|_| client.cookie("evil").is_none()),
                "{payload:?}"
            );
            if answer.status != StatusCode::SEE_OTHER {
                continue;
            }
            logins += 1;
            let url = browser_goes_to("https://app.test/doorward/login", answer.location());
            assert_eq!(
                url.origin().ascii_serialization(),
                "https://app.test",
                "{payload:?} -> {}",
                answer.location()
            );
        }
    }
    assert!(
        logins > payloads.len() * 3 * 9 / 10,
        "only {logins} logins got as far as a redirect"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_logout_the_browser_stays_here() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http2);
    for payload in payloads() {
        for parameter in ["TARGET", "target", "rd", "logout_target"] {
            let answer = client
                .get(&format!(
                    "/doorward/logout?{parameter}={}",
                    encoded(&payload)
                ))
                .await;
            assert!(!answer.status.is_server_error(), "{payload:?}");
            if answer.status.is_redirection() {
                let url = browser_goes_to("https://app.test/doorward/logout", answer.location());
                assert_eq!(
                    url.origin().ascii_serialization(),
                    "https://app.test",
                    "{payload:?} -> {}",
                    answer.location()
                );
            }
            assert!(!answer.text().contains("href=\"javascript:"), "{payload:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_here_and_on_the_list_are_kept() {
    let gateway = Gateway::setup()
        .with("login.allowed_targets = [\"https://other.test\"]")
        .start()
        .await;
    for (target, expected) in [
        ("/app/x?y=1&z=%20", "https://app.test/app/x?y=1&z=%20"),
        ("https://app.test/app/x", "https://app.test/app/x"),
        ("https://other.test/app/y", "https://other.test/app/y"),
    ] {
        let client = gateway.client(Protocol::Http1);
        let page = client
            .get(&format!("/doorward/login?TARGET={}", encoded(target)))
            .await;
        let answer = client.fill_login(&page, "alice", PASSWORD).await;
        assert_eq!(
            answer.status,
            StatusCode::SEE_OTHER,
            "{target}: {}",
            answer.text()
        );
        assert_eq!(
            browser_goes_to("https://app.test/doorward/login", answer.location()).as_str(),
            expected
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configured_logout_target_is_where_a_logout_leads() {
    let gateway = Gateway::setup()
        .with("login.logout_target = \"/open/bye\"")
        .start()
        .await;
    let client = gateway.client(Protocol::Http1);
    let answer = client.get("/doorward/logout").await;
    assert!(answer.status.is_redirection(), "{}", answer.status);
    let url = browser_goes_to("https://app.test/", answer.location());
    assert_eq!(url.as_str(), "https://app.test/open/bye");
    let evil = client
        .get("/doorward/logout?TARGET=https://evil.test/")
        .await;
    assert!(!evil.location().contains("evil"), "{}", evil.location());
}
