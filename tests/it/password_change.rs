//! Passwords that must be changed before the first login.

use harness::gateway::{Deployment, Gateway, PASSWORD};
use harness::policy_host::WITH_NEWCOMERS;
use harness::{Answer, Client, Protocol, SeenRequest};
use http::StatusCode;

use crate::support::path_of;

const NEW: &str = "a password of their own";

async fn change(client: &Client, page: &Answer, old: &str, new: &str, again: &str) -> Answer {
    let fields = [
        ("PASSWORD", old),
        ("NEWPASSWORD", new),
        ("CONFIRMATION", again),
    ];
    client.fill_form(page, &fields).await
}

fn asks_for_new_password(answer: &Answer) -> bool {
    answer.status == StatusCode::FORBIDDEN && answer.text().contains("name=\"NEWPASSWORD\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_on_the_way_in() {
    for deployment in Deployment::BOTH {
        let gateway = Gateway::setup()
            .deployment(deployment)
            .with_policy(WITH_NEWCOMERS)
            .start()
            .await;
        let client = gateway.client(Protocol::Http2);
        let page = client.submit_login("/app/x?y=1", "frank", PASSWORD).await;
        assert!(asks_for_new_password(&page), "{}", page.text());
        assert_eq!(client.cookie("SMSESSION"), None);
        assert!(!page.text().contains("frank"), "{}", page.text());

        let page = change(&client, &page, PASSWORD, NEW, "something else").await;
        assert!(asks_for_new_password(&page));
        assert!(page.text().contains("not the same"), "{}", page.text());
        let page = change(&client, &page, "wrong", NEW, NEW).await;
        assert!(asks_for_new_password(&page));
        let page = change(&client, &page, PASSWORD, PASSWORD, PASSWORD).await;
        assert!(asks_for_new_password(&page));
        assert!(page.text().contains("not accepted"), "{}", page.text());
        for typed in [PASSWORD, NEW, "something else", "wrong", "frank"] {
            assert!(!page.text().contains(typed), "{typed}");
        }
        assert_eq!(client.cookie("SMSESSION"), None);

        let answer = change(&client, &page, PASSWORD, NEW, NEW).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        assert_eq!(path_of(answer.location()), "/app/x?y=1");
        let seen: SeenRequest = client.get("/app/x?y=1").await.json();
        assert_eq!(seen.header("SM_USER"), Some("frank"));

        let other = gateway.client(Protocol::Http1);
        let old = other.submit_login("/app/", "frank", PASSWORD).await;
        assert_eq!(old.status, StatusCode::FORBIDDEN);
        assert!(!asks_for_new_password(&old));
        other.login("/app/", "frank", NEW).await;
    }
}

/// The form says whose password it changes in its sealed state, not in a field.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_changes_the_password_of_nobody_else() {
    let gateway = Gateway::setup().with_policy(WITH_NEWCOMERS).start().await;
    let client = gateway.client(Protocol::Http1);
    let page = client.submit_login("/app/", "frank", PASSWORD).await;
    let fields = [
        ("USER", "alice"),
        ("PASSWORD", PASSWORD),
        ("NEWPASSWORD", NEW),
        ("CONFIRMATION", NEW),
    ];
    let answer = client.fill_form(&page, &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let seen: SeenRequest = client.get("/app/").await.json();
    assert_eq!(seen.header("SM_USER"), Some("frank"));
    // A login form changes none.
    let other = gateway.client(Protocol::Http1);
    let page = other.login_page("/app/").await;
    let answer = other.fill_form(&page, &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    other.forget_cookies();
    other.login("/app/", "alice", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_does_not_let_in_who_must_change_the_password() {
    use base64::Engine as _;
    let gateway = Gateway::setup().with_policy(WITH_NEWCOMERS).start().await;
    let client = gateway.client(Protocol::Http1);
    let pair = format!("frank:{PASSWORD}");
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    let request = client
        .request(http::Method::GET, "/basic/")
        .header("authorization", format!("Basic {pair}"));
    let answer = client
        .send(request.body(harness::client::empty()).unwrap())
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client.cookie("SMSESSION"), None);
}
