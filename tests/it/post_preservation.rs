//! A POST that meets a login is replayed after it, once, to the same place, or refused with a reason.

use std::time::Duration;

use futures_util::future::join_all;
use harness::client::full;
use harness::gateway::{Gateway, PASSWORD};
use harness::{Answer, Client, Protocol, SeenRequest};
use http::Method;
use policy_client::PolicyError;

use crate::support::challenge_reason;

async fn post(client: &Client, body: &str) -> Answer {
    let request = client
        .request(Method::POST, "/app/order?id=7")
        .header("accept", "text/html")
        .header("origin", client.base())
        .header("content-type", "application/x-www-form-urlencoded");
    client
        .send(request.body(full(body.to_owned())).unwrap())
        .await
}

fn nothing_was_posted(gateway: &Gateway) -> bool {
    let requests = gateway.origin.requests();
    requests.iter().all(|seen| seen.method != "POST")
}

/// Follows redirects by GET, as a browser does, to an answer that is none.
async fn follow(client: &Client, mut answer: Answer) -> Answer {
    for _ in 0..5 {
        if !answer.status.is_redirection() {
            break;
        }
        answer = client.get(answer.location()).await;
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preserved_post_arrives_once_after_the_login() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let before = gateway.origin.requests().len();
        let client = gateway.client(protocol);
        let challenge = post(&client, "item=book&amount=2&note=%3Cscript%3E").await;
        assert!(challenge.status.is_redirection(), "{}", challenge.status);
        assert_eq!(gateway.origin.requests().len(), before);
        let page = client.get(challenge.location()).await;
        assert!(
            !page.text().contains("item=book"),
            "the body is not in the page"
        );
        let answer = client.fill_login(&page, "alice", PASSWORD).await;
        assert_eq!(answer.status, 303);
        let resume = answer.location().to_owned();
        let answer = follow(&client, answer).await;
        let seen: SeenRequest = answer.json();
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("POST", "/app/order?id=7")
        );
        assert_eq!(seen.body, "item=book&amount=2&note=%3Cscript%3E");
        assert_eq!(
            seen.header("content-type"),
            Some("application/x-www-form-urlencoded")
        );
        assert_eq!(seen.header("SM_USER"), Some("alice"));

        client.get(&resume).await;
        let posts = gateway.origin.requests()[before..]
            .iter()
            .filter(|seen| seen.method == "POST")
            .count();
        assert_eq!(posts, 1, "not a second time");
    }
}

/// Where a request that met a login is sent from after it.
async fn resumed_at(client: &Client) -> String {
    let challenge = post(client, "item=book").await;
    let page = client.get(challenge.location()).await;
    let answer = client.fill_login(&page, "alice", PASSWORD).await;
    answer.location().to_owned()
}

fn posts(gateway: &Gateway) -> usize {
    let seen = gateway.origin.requests();
    seen.iter().filter(|seen| seen.method == "POST").count()
}

/// The page for a 503 says that it is worth trying again.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decided_upon_is_kept_and_sent_once_when_it_can_be() {
    let gateway = Gateway::setup()
        .with("[[realms]]\nname = \"app\"\nvalidation_period = \"1m\"")
        .start()
        .await;
    let client = gateway.client(Protocol::Http1);
    let resume = resumed_at(&client).await;
    gateway.policy.cut(PolicyError::Unavailable);
    gateway.clock.advance(Duration::from_secs(61));
    for _ in 0..2 {
        assert_eq!(client.get(&resume).await.status, 503);
    }
    gateway.policy.open();
    let reloaded = join_all([client.get(&resume), client.get(&resume)]).await;
    let mut statuses: Vec<_> = reloaded.iter().map(|it| it.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(posts(&gateway), 1);
}

/// Whoever has this browser next may press Reload, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_not_sent_for_somebody_else() {
    let rule = "rules = [{ name = \"bob\", effect = \"allow\", users = [\"bob\"] }]";
    let gateway = Gateway::setup()
        .with(&format!("[[realms]]\nname = \"app\"\n{rule}"))
        .start()
        .await;
    let client = gateway.client(Protocol::Http1);
    let resume = resumed_at(&client).await;
    assert_eq!(client.get(&resume).await.status, 403);
    // Without a logout, as by a cookie that is gone.
    client.set_cookie("SMSESSION", "gone");
    client.login("/app/", "bob", PASSWORD).await;
    assert_eq!(client.get(&resume).await.status, 409);
    assert_eq!(posts(&gateway), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_not_for_who_comes_after_a_logout() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http1);
    let resume = resumed_at(&client).await;
    let answer = client.get("/doorward/logout").await;
    let forgotten = answer.set_cookie("__Host-SMLOGIN").unwrap();
    // Without these a browser heeds no cookie of this name.
    for attribute in ["Max-Age=0", "Path=/", "Secure"] {
        assert!(forgotten.contains(attribute), "{forgotten}");
    }
    assert_eq!(client.cookie("__Host-SMLOGIN"), None);
    client.login("/app/", "bob", PASSWORD).await;
    assert_eq!(client.get(&resume).await.status, 409);
    assert_eq!(posts(&gateway), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_must_log_in_again_has_one_request_kept() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http1);
    let resume = resumed_at(&client).await;
    client.set_cookie("SMSESSION", "gone");
    let challenge = client.get(&resume).await;
    assert_eq!(challenge.status, 303, "{}", challenge.text());
    let page = client.get(challenge.location()).await;
    let answer = client.fill_login(&page, "alice", PASSWORD).await;
    assert_eq!(client.get(answer.location()).await.status, 200);
    assert_eq!(client.get(&resume).await.status, 409);
    assert_eq!(posts(&gateway), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preserved_post_is_for_nobody_else() {
    let gateway = Gateway::start().await;
    let victim = gateway.client(Protocol::Http1);
    let page = victim
        .get(post(&victim, "transfer=all").await.location())
        .await;
    let location = victim
        .fill_login(&page, "alice", PASSWORD)
        .await
        .location()
        .to_owned();
    let thief = gateway.client(Protocol::Http1);
    thief.login("/app/", "bob", PASSWORD).await;
    let before = gateway.origin.requests().len();
    follow(&thief, thief.get(&location).await).await;
    let posts = gateway.origin.requests()[before..]
        .iter()
        .filter(|seen| seen.method == "POST")
        .count();
    assert_eq!(posts, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_is_too_large_to_keep_is_not_silently_lost() {
    let gateway = Gateway::setup()
        .with("login.preserve_size = \"1KiB\"")
        .start()
        .await;
    let client = gateway.client(Protocol::Http1);
    let answer = post(&client, &"x=1&".repeat(1000)).await;
    let explained = if answer.status.is_redirection() {
        client.get(answer.location()).await
    } else {
        answer
    };
    assert!(
        explained.text().contains("again") || explained.text().contains("too large"),
        "{}",
        explained.text()
    );
    if !explained.hidden_fields().is_empty() {
        let answer = client.fill_login(&explained, "alice", PASSWORD).await;
        follow(&client, answer).await;
    }
    assert!(nothing_was_posted(&gateway));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_is_not_replayed() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http1);
    let request = client
        .request(Method::POST, "/app/order")
        .header("accept", "text/html")
        .header("origin", "https://evil.test")
        .header("sec-fetch-site", "cross-site")
        .header("content-type", "application/x-www-form-urlencoded");
    let challenge = client
        .send(request.body(full("transfer=all")).unwrap())
        .await;
    if challenge_reason(&challenge).is_some() || challenge.status.is_redirection() {
        let page = client.get(challenge.location()).await;
        let answer = client.fill_login(&page, "alice", PASSWORD).await;
        follow(&client, answer).await;
    }
    assert!(nothing_was_posted(&gateway));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_does_not_take_the_place_of_others() {
    let gateway = Gateway::setup()
        .with("trusted_proxies = [\"127.0.0.0/8\"]")
        .with("login.preserve_size = \"1MiB\"")
        .start()
        .await;
    let kept = async |address: &str| {
        let client = gateway.client(Protocol::Http1);
        let request = client
            .request(Method::POST, "/app/order")
            .header("accept", "text/html")
            .header("origin", client.base())
            .header("x-forwarded-for", address);
        let body = full("x".repeat(1_000_000));
        let answer = client.send(request.body(body).unwrap()).await;
        answer.status.is_redirection()
    };
    let greedy = [(); 3].map(|()| kept("198.51.100.7"));
    let greedy = join_all(greedy).await;
    assert_eq!(greedy.iter().filter(|kept| **kept).count(), 2);
    assert!(kept("198.51.100.8").await);
}
