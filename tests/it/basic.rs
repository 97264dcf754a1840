//! HTTP Basic: a challenge instead of a page, and a session behind it like any other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::gateway::{Gateway, PASSWORD};
use harness::policy_watch::Call;
use harness::{Answer, Client, Protocol, SeenRequest};
use http::Method;

async fn ask(client: &Client, target: &str, user: &str, password: &str) -> Answer {
    let credentials = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let request = client
        .request(Method::GET, target)
        .header("authorization", credentials);
    client
        .send(request.body(harness::client::empty()).unwrap())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_open_the_realm_and_are_not_passed_on() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let client = gateway.client(protocol);
        let challenge = client.get("/basic/").await;
        assert_eq!(challenge.status, 401);
        assert!(
            challenge
                .header("www-authenticate")
                .starts_with("Basic realm="),
            "{:?}",
            challenge.headers
        );
        assert_eq!(challenge.location(), "");
        let answer = ask(&client, "/basic/x", "alice", PASSWORD).await;
        assert_eq!(answer.status, 200);
        let seen: SeenRequest = answer.json();
        assert_eq!(seen.header("SM_USER"), Some("alice"));
        assert_eq!(seen.header("SM_AUTHTYPE"), Some("Basic"));
        assert_eq!(
            seen.header("authorization"),
            None,
            "a password is not the application's business"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_do_not_and_all_answers_are_alike() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http1);
    for (user, password) in [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("", ""),
        ("alice", ""),
    ] {
        let answer = ask(&client, "/basic/", user, password).await;
        assert_eq!(answer.status, 401, "{user}");
        assert!(
            answer
                .header("www-authenticate")
                .starts_with("Basic realm=")
        );
        assert_eq!(client.cookie("SMSESSION"), None);
    }
    assert!(gateway.origin.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_that_the_password_of_a_disabled_user_is_right() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http1);
    let reason = async |user: &str, password: &str| {
        let answer = ask(&client, "/basic/", user, password).await;
        assert_eq!(answer.status, 401, "{user}");
        answer.json::<serde_json::Value>()["sm_auth_reason"].clone()
    };
    let wrong = reason("alice", "wrong").await;
    assert!(wrong.is_number(), "{wrong}");
    assert_eq!(reason("nobody", PASSWORD).await, wrong);
    assert_eq!(reason("erin", PASSWORD).await, wrong);
}

/// A client that sends its credentials with every request logs in once.
#[tokio::test(flavor = "multi_thread")]
async fn repeated_credentials_use_the_session_cache() {
    let gateway = Gateway::start().await;
    for _ in 0..5 {
        let client = gateway.client(Protocol::Http1);
        assert_eq!(ask(&client, "/basic/", "alice", PASSWORD).await.status, 200);
    }
    assert_eq!(gateway.policy.count(Call::Login), 1);
    assert_eq!(
        ask(&gateway.client(Protocol::Http1), "/basic/", "bob", PASSWORD)
            .await
            .json::<SeenRequest>()
            .header("SM_USER"),
        Some("bob")
    );
    assert_eq!(
        ask(
            &gateway.client(Protocol::Http1),
            "/basic/",
            "alice",
            "wrong"
        )
        .await
        .status,
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_credentials_do_not_open_a_form_realm() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http1);
    let answer = ask(&client, "/app/", "alice", PASSWORD).await;
    assert_eq!(answer.status, 302);
    assert!(gateway.origin.requests().is_empty());
}

/// Browsers send a password to everything on the host once a realm has asked for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_reaches_no_application_of_another_realm_either() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let client = gateway.client(protocol);
        let answer = ask(&client, "/open/x", "alice", PASSWORD).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json::<SeenRequest>().header("authorization"), None);
        // What is no password passes: it may be the application's own.
        let token = client
            .request(Method::GET, "/open/x")
            .header("authorization", "Bearer abc");
        let answer = client
            .send(token.body(harness::client::empty()).unwrap())
            .await;
        let seen: SeenRequest = answer.json();
        assert_eq!(seen.header("authorization"), Some("Bearer abc"));
    }
}

/// What a password alone opens by form, it opens here; what needs a code, it opens in no way.
#[tokio::test(flavor = "multi_thread")]
async fn basic_credentials_never_open_a_realm_that_asks_for_a_code() {
    let gateway = Gateway::setup()
        .with(crate::second_factor::VAULT)
        .start()
        .await;
    for protocol in Protocol::BOTH {
        let client = gateway.client(protocol);
        let answer = ask(&client, "/vault/", "alice", PASSWORD).await;
        assert_eq!(answer.status, 302, "{protocol:?}");
        assert_eq!(client.cookie("SMSESSION"), None);
        // Nor does the session that they opened elsewhere.
        assert_eq!(ask(&client, "/basic/", "alice", PASSWORD).await.status, 200);
        assert!(client.cookie("SMSESSION").is_some());
        for answer in [
            client.get("/vault/").await,
            ask(&client, "/vault/", "alice", PASSWORD).await,
        ] {
            let reason = crate::support::refused(&answer);
            assert_eq!(reason, policy_protocol::Reason::AUTH_LEVEL_TOO_LOW);
        }
    }
    assert_eq!(gateway.origin.count_of("/vault"), 0);
}

/// The credentials are as good as before; only what they led to is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_does_not_do_any_more_is_given_up_for_a_new_one() {
    let gateway = Gateway::start().await;
    // Without cookies, as scripts are: each time a new client.
    let level = async || {
        let client = gateway.client(Protocol::Http1);
        let answer = ask(&client, "/basic/", "alice", PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let seen: SeenRequest = answer.json();
        seen.header("SM_AUTHLEVEL").map(str::to_owned)
    };
    assert_eq!(level().await.as_deref(), Some("5"));
    let higher = "[[realms]]\nname = \"basic\"\nprotection_level = 8";
    gateway.reload(higher).await.unwrap();
    for _ in 0..3 {
        assert_eq!(level().await.as_deref(), Some("8"));
    }
    assert_eq!(gateway.policy.count(Call::Login), 2, "one for each level");
}

/// A script that gives up waits for nothing, and asks again.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_nobody_waited_for_is_found_by_the_next_request() {
    let gateway = Gateway::setup()
        .with_policy("[sessions]\nquota = 1")
        .start()
        .await;
    let credentials = STANDARD.encode(format!("alice:{PASSWORD}"));
    let authorization = format!("Authorization: Basic {credentials}");
    let request = crate::support::get("/basic/", &[&authorization]);
    crate::hang_up::hang_up_during(&gateway, Call::Login, request).await;
    gateway.policy.open();
    let logins = "doorward_policy_calls_total{call=\"login\",answer=\"yes\"}";
    harness::eventually("the login is over", async || {
        (crate::hang_up::metric(&gateway, logins).await > 0).then_some(())
    })
    .await;
    let client = gateway.client(Protocol::Http1);
    assert_eq!(ask(&client, "/basic/", "alice", PASSWORD).await.status, 200);
    assert_eq!(gateway.policy.count(Call::Login), 1);
}
