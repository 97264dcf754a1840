//! R9: no secret in a log, an address, a page or a metric.

use harness::gateway::{Gateway, PASSWORD};
use harness::{Protocol, logs};
use policy_client::PolicyError;

use crate::support::{alone, holding, logged_in};

#[tokio::test(flavor = "multi_thread")]
async fn passwords_cookies_and_specs_are_in_no_log_line() {
    let gateway = Gateway::setup().with("identity.omit = []").start().await;
    for secret in [
        PASSWORD,
        "another odd password",
        harness::policy_host::AGENT_SECRET,
    ] {
        logs::watch_for(secret);
    }
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    logs::watch_for(&cookie);
    client.get("/app/").await;
    let spec = gateway
        .origin
        .last()
        .header("SM_SERVERSESSIONSPEC")
        .unwrap()
        .to_owned();
    logs::watch_for(&spec);
    let state = gateway
        .client(Protocol::Http1)
        .login_page("/app/")
        .await
        .hidden_fields()[0]
        .1
        .clone();
    logs::watch_for(&state);

    let before = logs::lines();
    client.get("/app/").await;
    holding(&gateway, &format!("{cookie}x"), Protocol::Http2)
        .get("/app/")
        .await;
    gateway
        .client(Protocol::Http2)
        .submit_login("/app/", "alice", "another odd password")
        .await;
    gateway.policy.cut(PolicyError::Failure);
    let fresh = gateway.beside("").await;
    holding(&fresh, &cookie, Protocol::Http1).get("/app/").await;
    gateway.policy.open();
    client.get("/doorward/logout").await;
    holding(&gateway, &cookie, Protocol::Http1)
        .get("/app/")
        .await;
    assert!(
        logs::lines() > before,
        "nothing was logged, so nothing was tested"
    );
    let leaks = logs::leaks(&[PASSWORD, "another odd password", &cookie, &spec, &state]);
    assert!(leaks.is_empty(), "{leaks:?}");
}

/// The access log goes to standard output, so it is looked at from outside.
#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_names_requests_and_no_secrets() {
    let Some(told) = alone("secrets::the_access_log_names_requests_and_no_secrets") else {
        return play_with_the_access_log_on().await;
    };
    for line in ["/app/logged", "/doorward/login", "/doorward/logout"] {
        assert!(
            told.contains(line),
            "{line} is not in the access log: {told}"
        );
    }
    let (secrets, logged): (Vec<_>, Vec<_>) =
        told.lines().partition(|line| line.starts_with("SECRET "));
    assert_eq!(secrets.len(), 4);
    for secret in secrets.iter().map(|line| &line["SECRET ".len()..]) {
        let found: Vec<_> = logged.iter().filter(|line| line.contains(secret)).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

async fn play_with_the_access_log_on() {
    let gateway = Gateway::setup().with("log.access_log = true").start().await;
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    client.get("/app/logged?x=1").await;
    let session_id = gateway
        .origin
        .last()
        .header("SM_SERVERSESSIONID")
        .unwrap()
        .to_owned();
    holding(&gateway, &format!("{cookie}x"), Protocol::Http2)
        .get("/app/logged")
        .await;
    gateway
        .client(Protocol::Http2)
        .submit_login("/app/", "alice", "another odd password")
        .await;
    client.get("/doorward/logout").await;
    gateway.drain().await;
    for secret in [PASSWORD, "another odd password", &cookie, &session_id] {
        println!("\nSECRET {secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_and_no_page_carries_a_session_or_a_password() {
    let gateway = Gateway::start().await;
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let strong = client.get("/strong/").await;
    let page = client.get(strong.location()).await;
    let wrong = client
        .fill_login(&page, "alice", "another odd password")
        .await;
    let logout = client.get("/doorward/logout").await;
    for answer in [strong, page, wrong, logout] {
        assert!(!answer.location().contains(&cookie));
        assert!(!answer.text().contains(&cookie));
        assert!(
            !answer.text().contains("another odd password"),
            "the page does not repeat the password"
        );
        assert!(
            answer.header("cache-control").contains("no-store"),
            "{:?}",
            answer.headers
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_strict_about_what_they_may_load() {
    let gateway = Gateway::start().await;
    let page = gateway.client(Protocol::Http2).login_page("/app/").await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!page.text().contains("<script"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
}

/// CVE-2011-4054 of another agent: what comes from the address ended up in the page as it was.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_from_the_address_or_the_form_becomes_markup() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http1);
    let evil = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E%3Cimg%20src=x%20onerror=alert(1)%3E";
    for target in [
        format!("/doorward/login?TARGET={evil}&SMAUTHREASON={evil}&{evil}={evil}"),
        format!("/doorward/login?TARGET=/app/{evil}&SMAUTHREASON=5"),
        format!("/doorward/logout?TARGET={evil}"),
        format!("/doorward/{evil}"),
        format!("/nowhere/{evil}"),
    ] {
        let text = client.get(&target).await.text().to_lowercase();
        assert!(
            !text.contains("<script") && !text.contains("<img src=x"),
            "{target}: {text}"
        );
    }
    let answer = client
        .submit_login("/app/", "\"><script>alert(1)</script>", "x")
        .await;
    assert!(!answer.text().contains("<script"), "{}", answer.text());
}
