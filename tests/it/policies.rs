//! Policies of the policy server, as they are seen at an agent.

use harness::gateway::{Deployment, Gateway};
use harness::policy_watch::Call;
use harness::{Answer, Client, Protocol, eventually};
use http::Method;

use crate::support::{holding, logged_in};

const ASKING: &str = "trusted_proxies = [\"127.0.0.0/8\"]
[[realms]]
name = \"app\"
authorize = true";

const POLICIES: &str = r#"
[[domains]]
name = "app"
realms = [{ name = "app", resource = "/app" }]
rules = [
    { name = "use", realm = "app" },
    { name = "staff", realm = "app", resource = "/staff" },
    { name = "inside", realm = "app", resource = "/inside" },
    { name = "moved", realm = "app", resource = "/moved" },
    { name = "loop", realm = "app", resource = "/loop" },
    { name = "away", realm = "app", resource = "/away" },
]
responses = [{ name = "seen", cookie = "seen", value = "1" }]
[[domains.policies]]
name = "use"
rules = ["use"]
[[domains.policies]]
name = "staff"
rules = ["staff"]
groups = ["staff"]
on_reject_redirect = "/app/join?why=staff"
[[domains.policies]]
name = "inside"
rules = ["inside"]
networks = ["203.0.113.0/24", "2001:db8::/32"]
[[domains.policies]]
name = "moved"
rules = ["moved"]
responses = ["seen"]
on_accept_redirect = "/app/moved/here?to=stay"
[[domains.policies]]
name = "loop"
rules = ["loop"]
groups = ["nobody"]
on_reject_redirect = "https://app.test/app/loop"
[[domains.policies]]
name = "away"
rules = ["away"]
on_accept_redirect = "https://elsewhere.example.com/"
"#;

async fn gateway(deployment: Deployment) -> Gateway {
    Gateway::setup()
        .deployment(deployment)
        .with(ASKING)
        .with_policies(POLICIES)
        .start()
        .await
}

async fn ask(client: &Client, method: Method, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.request(method, target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client
        .send(request.body(harness::client::empty()).unwrap())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_leads_a_browser_elsewhere_and_nobody_else() {
    for deployment in Deployment::BOTH {
        let gateway = gateway(deployment).await;
        let (bob, _) = logged_in(&gateway, "bob", Protocol::Http1).await;
        // Answered by the policy server, and then from memory.
        for _ in 0..2 {
            let answer = bob.get("/app/staff").await;
            assert_eq!(answer.status, 302);
            assert_eq!(answer.location(), "/app/join?why=staff");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
        assert_eq!(gateway.policy.count(Call::Authorize), 1);
        let head = ask(&bob, Method::HEAD, "/app/staff", &[]).await;
        assert_eq!(head.status, 302);
        let post = ask(&bob, Method::POST, "/app/staff", &[]).await;
        assert_eq!(post.status, 403);
        for (name, value) in [("accept", "application/json"), ("sec-fetch-mode", "cors")] {
            let answer = ask(&bob, Method::GET, "/app/staff", &[(name, value)]).await;
            assert_eq!(answer.status, 403, "{name}");
            assert_eq!(answer.header("content-type"), "application/problem+json");
        }
        assert_eq!(gateway.origin.count_of("/app/staff"), 0);
        // Who is refused where the redirect leads is not led in circles.
        assert_eq!(bob.get("/app/loop").await.status, 403);
        assert_eq!(
            bob.get("/app/loop/x").await.location(),
            "https://app.test/app/loop"
        );
        let (alice, _) = logged_in(&gateway, "alice", Protocol::Http2).await;
        assert_eq!(alice.get("/app/staff").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_allowed_may_be_led_elsewhere_and_is_not_forwarded() {
    let gateway = gateway(Deployment::Embedded).await;
    let (bob, _) = logged_in(&gateway, "bob", Protocol::Http2).await;
    for target in ["/app/moved", "/app/moved/x"] {
        let answer = bob.get(target).await;
        assert_eq!(answer.status, 302, "{target}");
        assert_eq!(answer.location(), "/app/moved/here?to=stay");
        assert!(answer.set_cookie("seen").is_some());
    }
    // The browser then asks with GET.
    let post = ask(&bob, Method::POST, "/app/moved/x", &[]).await;
    assert_eq!(post.status, 303);
    let script = [("accept", "application/json")];
    assert_eq!(
        ask(&bob, Method::GET, "/app/moved/x", &script).await.status,
        302
    );
    assert_eq!(gateway.origin.count_of("/app/moved/x"), 0);
    // Whoever is there has arrived, whatever the query and however the path is written.
    for target in [
        "/app/moved/here",
        "/app/moved/here?to=go",
        "/app/moved/%68ere",
    ] {
        assert_eq!(bob.get(target).await.status, 200, "{target}");
    }
    let answer = bob.get("/app/away").await;
    assert_eq!(answer.location(), "https://elsewhere.example.com/");
    assert_eq!(bob.get("/app/").await.status, 200);
}

/// The network is the client's, as listed proxies say, and not that of the proxy; and what was decided for
/// one address counts for no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_for_a_network_looks_at_the_client_and_not_at_the_proxy() {
    let gateway = gateway(Deployment::Remote).await;
    let (alice, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let from = async |client: &Client, address: &str| {
        let header = [("x-forwarded-for", address)];
        let answer = ask(client, Method::GET, "/app/inside", &header).await;
        answer.status.as_u16()
    };
    for (address, expected) in [
        ("203.0.113.9", 200),
        ("198.51.100.9", 403),
        ("203.0.113.9", 200),
        ("2001:db8::9", 200),
        ("2001:db9::9", 403),
        ("198.51.100.9, 203.0.113.9", 200),
        ("203.0.113.9, 198.51.100.9", 403),
    ] {
        assert_eq!(from(&alice, address).await, expected, "{address}");
    }
    assert_eq!(alice.get("/app/inside").await.status, 403);
    // A proxy that is not listed says nothing.
    let unlisted = gateway.beside("trusted_proxies = [\"192.0.2.1/32\"]").await;
    let alice = holding(&unlisted, &cookie, Protocol::Http1);
    assert_eq!(from(&alice, "203.0.113.9").await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_policies_reach_agents_without_a_restart_and_bad_ones_do_not() {
    for deployment in Deployment::BOTH {
        let gateway = gateway(deployment).await;
        let beside = gateway.beside("").await;
        let (alice, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
        let other = holding(&beside, &cookie, Protocol::Http1);
        let clients = [&alice, &other];
        let all_answer = async |status: u16| {
            for client in clients {
                eventually("the policies at every agent", async || {
                    let answer = client.get("/app/").await;
                    (answer.status == status).then_some(())
                })
                .await;
            }
        };
        all_answer(200).await;
        let closed = POLICIES.replace(
            "name = \"use\"\nrules = [\"use\"]",
            "name = \"use\"\nrules = [\"use\"]\ngroups = [\"nobody\"]",
        );
        assert_ne!(closed, POLICIES);
        let policy_server = &gateway.policy_server;
        policy_server.write_policies(&closed);
        policy_server.server().maintain().await.unwrap();
        all_answer(403).await;
        policy_server.write_policies(&closed.replace("\"nobody\"", "\"staff\"]\nuser = [\"x\""));
        // Its own round may have been first to find the mistake; it is told once.
        _ = policy_server.server().maintain().await;
        for client in clients {
            assert_eq!(client.get("/app/").await.status, 403);
            assert_eq!(client.get("/app/new").await.status, 403);
        }
        policy_server.write_policies(POLICIES);
        policy_server.server().maintain().await.unwrap();
        all_answer(200).await;
    }
}

/// A decision is forgotten before office hours end, though its policy would let it be kept for longer.
#[tokio::test(flavor = "multi_thread")]
async fn decisions_of_no_time_at_all_are_not_kept() {
    let gateway = Gateway::setup()
        .with(ASKING)
        .with_policies(&POLICIES.replace(
            "name = \"use\"\nrules = [\"use\"]",
            "name = \"use\"\nrules = [\"use\"]\nttl = \"0s\"",
        ))
        .start()
        .await;
    let (alice, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    for asked in 1..4 {
        assert_eq!(alice.get("/app/").await.status, 200);
        assert_eq!(gateway.policy.count(Call::Authorize), asked);
    }
}
