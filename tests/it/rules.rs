//! Authorization: local rules, methods, and the policy server's own policies.

use harness::gateway::Gateway;
use harness::policy_watch::Call;
use harness::{Protocol, SeenRequest};
use http::Method;
use policy_client::PolicyError;

use crate::support::logged_in;

#[tokio::test(flavor = "multi_thread")]
async fn groups_attributes_and_denials_decide() {
    let config = r#"
[[realms]]
name = "app"
rules = [
    { name = "engineers", effect = "allow", attributes = { department = ["engineering"] } },
    { name = "bob", effect = "allow", users = ["bob"], methods = ["GET"] },
    { name = "not here", effect = "deny", resource = "/app/closed" },
]
"#;
    let gateway = Gateway::setup().with(config).start().await;
    for (user, method, target, expected) in [
        ("alice", Method::GET, "/app/", 200),
        ("alice", Method::DELETE, "/app/", 200),
        ("alice", Method::GET, "/app/closed", 403),
        ("alice", Method::GET, "/app/closed/x", 403),
        ("alice", Method::GET, "/app/closedness", 200),
        ("bob", Method::GET, "/app/", 200),
        ("bob", Method::POST, "/app/", 403),
        ("carol", Method::GET, "/app/", 403),
    ] {
        let client = gateway.client(Protocol::Http2);
        client
            .login("/stored/", user, harness::gateway::PASSWORD)
            .await;
        let request = client
            .request(method.clone(), target)
            .body(harness::client::empty())
            .unwrap();
        assert_eq!(
            client.send(request).await.status,
            expected,
            "{user} {method} {target}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_a_realm_does_not_list_are_not_allowed() {
    let gateway = Gateway::setup()
        .with("[[realms]]\nname = \"app\"\nmethods = [\"GET\", \"HEAD\"]")
        .start()
        .await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    for (method, expected) in [
        (Method::GET, 200),
        (Method::HEAD, 200),
        (Method::POST, 405),
        (Method::DELETE, 405),
    ] {
        let request = client
            .request(method.clone(), "/app/")
            .body(harness::client::empty())
            .unwrap();
        assert_eq!(client.send(request).await.status, expected, "{method}");
    }
}

const ASKING: &str = "[identity]\nmanaged_headers = [\"X-Department\"]\n[[realms]]\nname = \"app\"\nauthorize = true";
const POLICIES: &str = r#"
[[domains]]
name = "app"
realms = [{ name = "app", resource = "/app" }]
rules = [
    { name = "use", realm = "app" },
    { name = "closed", realm = "app", resource = "/closed", effect = "deny" },
]
responses = [
    { name = "department", header = "X-Department", attribute = "department" },
    { name = "seen", cookie = "seen", value = "1" },
]
[[domains.policies]]
name = "staff"
rules = ["use"]
groups = ["staff"]
responses = ["department", "seen"]
ttl = "5m"
[[domains.policies]]
name = "closed"
rules = ["closed"]
"#;

async fn asking() -> Gateway {
    let setup = Gateway::setup().with(ASKING).with_policies(POLICIES);
    setup.start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_server_is_asked_where_the_realm_says_so() {
    let gateway = asking().await;
    let (alice, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let answer = alice.get("/app/").await;
    assert_eq!(answer.status, 200);
    assert!(answer.set_cookie("seen").is_some());
    assert_eq!(
        answer.json::<SeenRequest>().header("X-Department"),
        Some("engineering")
    );
    assert_eq!(alice.get("/app/closed").await.status, 403);
    let (bob, _) = logged_in(&gateway, "bob", Protocol::Http1).await;
    assert_eq!(bob.get("/app/").await.status, 403);
}

/// R5: a decision is kept for the same session, resource and method, and for nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_kept_for_what_they_were_about() {
    let gateway = asking().await;
    let (alice, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    for _ in 0..5 {
        assert_eq!(alice.get("/app/").await.status, 200);
    }
    assert_eq!(gateway.policy.count(Call::Authorize), 1);
    alice.get("/app/other").await;
    assert_eq!(gateway.policy.count(Call::Authorize), 2);
    let post = alice
        .request(Method::POST, "/app/")
        .body(harness::client::empty())
        .unwrap();
    alice.send(post).await;
    assert_eq!(gateway.policy.count(Call::Authorize), 3);
    let (bob, _) = logged_in(&gateway, "bob", Protocol::Http1).await;
    assert_eq!(bob.get("/app/").await.status, 403);
    assert_eq!(gateway.policy.count(Call::Authorize), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_no_permission() {
    let gateway = asking().await;
    let (alice, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    gateway.policy.cut(PolicyError::Failure);
    assert_eq!(alice.get("/app/new").await.status, 503);
    assert_eq!(gateway.origin.count_of("/app/new"), 0);
}
