//! The login page remembers a user's name on a device, for who asked for it: sealed with the static key.

use std::time::Duration;

use harness::gateway::{Gateway, PASSWORD};
use harness::policy_host::WITH_NEWCOMERS;
use harness::{Answer, Client, Protocol, SeenRequest, eventually};
use http::StatusCode;

use crate::support::{challenge_reason, holding, logged_in};

const REMEMBERS: &str = "[login]\nremember_user_name = \"30d\"";
const COOKIE: &str = "SMUSERNAME";
const PAGE: &str = "/doorward/login?TARGET=/app/";

async fn gateway() -> Gateway {
    Gateway::setup().with(REMEMBERS).start().await
}

/// The name in the form, and whether the box is ticked; `None` without a box.
fn form(page: &Answer) -> (String, Option<bool>) {
    let text = page.text();
    let field = |id: &str| {
        let mut inputs = text.split("<input ").skip(1);
        let input = inputs.find(|input| input.starts_with(&format!("id=\"{id}\"")))?;
        Some(input.split('>').next().unwrap_or_default().to_owned())
    };
    let user = field("user").unwrap_or_else(|| panic!("no form: {text}"));
    let name = user.split("value=\"").nth(1).unwrap();
    let name = name.split('"').next().unwrap().to_owned();
    (
        name,
        field("remember").map(|input| input.contains("checked")),
    )
}

fn nothing() -> (String, Option<bool>) {
    (String::new(), Some(false))
}

fn alice() -> (String, Option<bool>) {
    (String::from("alice"), Some(true))
}

/// What a browser sees that brings nothing but this cookie.
async fn shown_for(gateway: &Gateway, cookie: &str) -> (String, Option<bool>) {
    let client = gateway.client(Protocol::Http1);
    client.set_cookie(COOKIE, cookie);
    let page = client.get(PAGE).await;
    assert_eq!(page.status, StatusCode::OK);
    form(&page)
}

async fn log_in(client: &Client, user: &str, password: &str, remember: bool) -> Answer {
    let page = client.get(PAGE).await;
    let mut typed = vec![("USER", user), ("PASSWORD", password)];
    typed.extend(remember.then_some(("REMEMBER", "yes")));
    client.fill_form(&page, &typed).await
}

/// A cookie that remembers alice.
async fn remembered(gateway: &Gateway, name: &str) -> String {
    let client = gateway.client(Protocol::Http1);
    let answer = log_in(&client, "alice", PASSWORD, true).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    client.cookie(name).expect("a remembered name")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_to_be_remembered_is_there_after_a_logout() {
    for protocol in Protocol::BOTH {
        let gateway = gateway().await;
        let client = gateway.client(protocol);
        assert_eq!(form(&client.login_page("/app/").await), nothing());
        let answer = log_in(&client, " alice ", PASSWORD, true).await;
        let written = answer.set_cookie(COOKIE).expect("a cookie").to_owned();
        let attributes: Vec<&str> = written.split("; ").skip(1).collect();
        for attribute in [
            "HttpOnly",
            "SameSite=Lax",
            "Secure",
            "Path=/doorward/login",
            "Max-Age=2592000",
        ] {
            assert!(attributes.contains(&attribute), "{attribute} in {written}");
        }
        assert_eq!(attributes.len(), 5, "{written}");
        assert!(!written.contains("alice"));

        // This client knows nothing of paths, and brings the cookie everywhere.
        let seen: SeenRequest = client.get("/app/").await.json();
        assert_eq!(seen.header("SM_USER"), Some("alice"));
        assert_eq!(seen.header("cookie"), None);

        let answer = client.get("/doorward/logout").await;
        assert_eq!(answer.set_cookie(COOKIE), None);
        assert_eq!(form(&client.login_page("/app/").await), alice());
        let cookie = client.cookie(COOKIE).unwrap();
        let alone = gateway.client(protocol);
        alone.set_cookie(COOKIE, &cookie);
        assert!(challenge_reason(&alone.get("/app/").await).is_some());

        gateway.clock.advance(Duration::from_hours(30 * 24));
        assert_eq!(shown_for(&gateway, &cookie).await, nothing());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_the_tick_forgets_the_name() {
    let gateway = gateway().await;
    let client = gateway.client(Protocol::Http1);
    client.set_cookie(COOKIE, &remembered(&gateway, COOKIE).await);
    let answer = log_in(&client, "bob", PASSWORD, false).await;
    let gone = answer.set_cookie(COOKIE).expect("a cookie");
    assert!(gone.contains("Max-Age=0") && gone.contains("Path=/doorward/login"));
    assert_eq!(client.cookie(COOKIE), None);
    assert_eq!(form(&client.get(PAGE).await), nothing());
    let answer = log_in(&client, "bob", PASSWORD, false).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(
        answer.set_cookie(COOKIE),
        None,
        "there was nothing to forget"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_changes_nothing() {
    let gateway = gateway().await;
    let client = gateway.client(Protocol::Http1);
    for user in ["alice", "nobody"] {
        let page = log_in(&client, user, "wrong", true).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert_eq!(page.set_cookie(COOKIE), None);
        assert_eq!(form(&page), (user.to_owned(), Some(true)));
    }
    let cookie = remembered(&gateway, COOKIE).await;
    client.set_cookie(COOKIE, &cookie);
    let page = log_in(&client, "bob", "wrong", false).await;
    assert_eq!(page.set_cookie(COOKIE), None);
    assert_eq!(form(&page), (String::from("bob"), Some(false)));
    assert_eq!(shown_for(&gateway, &cookie).await, alice());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_with_anything_wrong_is_none() {
    let gateway = gateway().await;
    let cookie = remembered(&gateway, COOKIE).await;
    assert_eq!(shown_for(&gateway, &cookie).await, alice());
    let tampered = cookie[..cookie.len() - 1].to_owned();
    let other_zone = gateway.beside("[session]\nzone = \"Z1\"").await;
    let of_other_zone = remembered(&other_zone, "Z1USERNAME").await;
    let (_, session) = logged_in(&gateway, "alice", Protocol::Http1).await;
    for wrong in [
        String::new(),
        String::from("alice"),
        "A".repeat(5000),
        tampered,
        of_other_zone,
        session,
    ] {
        assert_eq!(shown_for(&gateway, &wrong).await, nothing(), "{wrong}");
    }
    let client = holding(&gateway, &cookie, Protocol::Http1);
    assert!(challenge_reason(&client.get("/app/").await).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_static_key_forgets_names_and_new_agent_keys_do_not() {
    let gateway = gateway().await;
    let cookie = remembered(&gateway, COOKIE).await;
    let (client, _) = logged_in(&gateway, "bob", Protocol::Http1).await;
    for _ in 0..2 {
        gateway.policy_server.roll_keys().await;
    }
    assert_eq!(shown_for(&gateway, &cookie).await, alice());
    gateway.policy_server.roll_static_key().await;
    eventually("the name is forgotten", async || {
        (shown_for(&gateway, &cookie).await == nothing()).then_some(())
    })
    .await;
    assert_eq!(
        client.get("/app/").await.status,
        StatusCode::OK,
        "sessions stay"
    );
    let again = remembered(&gateway, COOKIE).await;
    assert_eq!(shown_for(&gateway, &again).await, alice());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_remembered_unless_the_configuration_says_so() {
    let gateway = gateway().await;
    let cookie = remembered(&gateway, COOKIE).await;
    let plain = Gateway::start().await;
    assert_eq!(shown_for(&plain, &cookie).await, (String::new(), None));
    let client = plain.client(Protocol::Http1);
    client.set_cookie("other", "1");
    let answer = log_in(&client, "alice", PASSWORD, true).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.set_cookie(COOKIE), None);
    client.set_cookie(COOKIE, &cookie);
    let seen: SeenRequest = client.get("/app/").await.json();
    assert_eq!(seen.header("cookie"), Some("other=1"));
    // A shorter time holds for what is there.
    gateway.clock.advance(Duration::from_hours(2));
    assert_eq!(shown_for(&gateway, &cookie).await, alice());
    gateway
        .reload("[login]\nremember_user_name = \"1h\"")
        .await
        .unwrap();
    assert_eq!(shown_for(&gateway, &cookie).await, nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_up_neither_shows_nor_changes_what_is_remembered() {
    let gateway = gateway().await;
    let (client, _) = logged_in(&gateway, "bob", Protocol::Http1).await;
    client.set_cookie(COOKIE, &remembered(&gateway, COOKIE).await);
    let page = client.login_page("/strong/").await;
    assert_eq!(form(&page), (String::new(), None));
    let answer = client.fill_login(&page, "bob", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.set_cookie(COOKIE), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_must_change_the_password_first_is_remembered_as_well() {
    let setup = Gateway::setup().with(REMEMBERS);
    let gateway = setup.with_policy(WITH_NEWCOMERS).start().await;
    let client = gateway.client(Protocol::Http1);
    let page = log_in(&client, "frank", PASSWORD, true).await;
    assert_eq!(page.set_cookie(COOKIE), None, "not logged in yet");
    let new = "a password of their own";
    let fields = |confirmation| {
        [
            ("PASSWORD", PASSWORD),
            ("NEWPASSWORD", new),
            ("CONFIRMATION", confirmation),
        ]
    };
    let page = client.fill_form(&page, &fields("another")).await;
    assert_eq!(page.set_cookie(COOKIE), None);
    let answer = client.fill_form(&page, &fields(new)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let cookie = client.cookie(COOKIE).expect("a remembered name");
    let frank = (String::from("frank"), Some(true));
    assert_eq!(shown_for(&gateway, &cookie).await, frank);
}
