//! Clients that go away in the middle of what they asked for (a tab that is closed, a button that is clicked twice), and
//! sessions that no browser takes.

use harness::gateway::{Deployment, Gateway, PASSWORD};
use harness::policy_watch::Call;
use harness::{Client, Protocol, eventually};
use policy_client::PolicyError;
use url::form_urlencoded;

use crate::support::{challenge_reason, get, holding, logged_in, refused};

/// Sends a request that causes `call`, and hangs up while the policy server keeps that waiting. Returns when the agent
/// knows; calls still wait. Until then nobody else may end a connection.
pub async fn hang_up_during(gateway: &Gateway, call: Call, request: impl AsRef<[u8]>) {
    hang_up_during_nth(gateway, call, 1, request).await;
}

/// The same, in the call of this number that the request causes: those before it are answered.
pub async fn hang_up_during_nth(
    gateway: &Gateway,
    call: Call,
    nth: usize,
    request: impl AsRef<[u8]>,
) {
    gateway.policy.hold();
    let before = gateway.policy.count(call);
    let mut client = gateway.raw().await;
    client.send(request).await;
    let asked = async |times: usize| {
        eventually("the policy server is asked", async || {
            (gateway.policy.count(call) >= before + times).then_some(())
        })
        .await;
    };
    for answered in 1..nth {
        asked(answered).await;
        gateway.policy.let_one_pass();
    }
    asked(nth).await;
    let open = metric(gateway, "doorward_connections_open").await;
    drop(client);
    eventually("the agent has noticed", async || {
        (metric(gateway, "doorward_connections_open").await < open).then_some(())
    })
    .await;
}

/// The value of a metric with these labels.
pub async fn metric(gateway: &Gateway, name: &str) -> u64 {
    let metrics = gateway.admin().get("/metrics").await.text();
    let line = metrics.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name}: {metrics}"))
}

/// A user who closes the tab has logged out all the same: of every session that the browser showed.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_is_carried_out_although_nobody_waits_for_it() {
    let gateway = Gateway::start().await;
    let other = gateway.beside("").await;
    let (_first, one) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let (_second, two) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let elsewhere = [&one, &two].map(|cookie| holding(&other, cookie, Protocol::Http1));
    for client in &elsewhere {
        assert_eq!(client.get("/app/").await.status, 200);
    }

    let cookies = format!("Cookie: SMSESSION={one}; SMSESSION={two}");
    let request = get("/doorward/logout", &[&cookies]);
    hang_up_during(&gateway, Call::Logout, request).await;
    gateway.policy.cut(PolicyError::TimedOut);
    for cookie in [&one, &two] {
        let here = holding(&gateway, cookie, Protocol::Http1);
        refused(&here.get("/app/").await);
    }

    gateway.policy.open();
    for client in &elsewhere {
        eventually("the session is over at the other agent", async || {
            challenge_reason(&client.get("/app/").await)
        })
        .await;
    }
}

/// The form, filled in by a browser that is at its login page.
async fn filled_form(client: &Client, user: &str) -> String {
    let page = client.login_page("/app/").await;
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("USER", user)
        .append_pair("PASSWORD", PASSWORD)
        .extend_pairs(page.hidden_fields())
        .finish();
    let nonce = client.cookie("__Host-SMLOGIN").unwrap();
    format!(
        "POST /doorward/login HTTP/1.1\r\nHost: app.test\r\nCookie: __Host-SMLOGIN={nonce}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Of a button that is clicked twice, the browser gives up the first request: its session must not lock the user out.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_nobody_waited_for_ends() {
    for deployment in Deployment::BOTH {
        let gateway = Gateway::setup()
            .deployment(deployment)
            .with_policy("[sessions]\nquota = 1")
            .start()
            .await;
        let client = gateway.client(Protocol::Http1);
        let form = filled_form(&client, "alice").await;
        hang_up_during(&gateway, Call::Login, form).await;
        gateway.policy.open();
        eventually("its session ends", async || {
            (gateway.policy.count(Call::Logout) > 0).then_some(())
        })
        .await;
        eventually("alice can log in", async || {
            let answer = client.submit_login("/app/", "alice", PASSWORD).await;
            (answer.status == 303).then_some(())
        })
        .await;
        assert_eq!(client.get("/app/").await.status, 200);
        assert_eq!(gateway.policy.count(Call::Logout), 1);
    }
}

/// Usually it is the user's entry that is too large; here, what the agent is called.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_fits_into_no_cookie_ends() {
    let too_large = format!("agent.name = \"{}\"", "a".repeat(4096));
    let gateway = Gateway::setup()
        .with(&too_large)
        .with_policy("[sessions]\nquota = 1")
        .start()
        .await;
    let client = gateway.client(Protocol::Http1);
    for _ in 0..2 {
        let answer = client.submit_login("/app/", "alice", PASSWORD).await;
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert_eq!(client.cookie("SMSESSION"), None);
    }
    let other = gateway.beside("agent.name = \"agent-1\"").await;
    logged_in(&other, "alice", Protocol::Http1).await;
}
