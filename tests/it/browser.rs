//! The login page in a real browser.

use std::path::Path;

use harness::browser::{ENTER, TAB};
use harness::gateway::{Gateway, PASSWORD};
use harness::policy_host::WITH_NEWCOMERS;
use harness::{Browser, eventually};
use serde_json::json;

use crate::second_factor::{App, VAULT};

fn url(gateway: &Gateway, path: &str) -> String {
    format!("https://localhost:{}{path}", gateway.address().port())
}

async fn fill(browser: &Browser, user: &str, password: &str) {
    fill_fields(browser, &[("USER", user), ("PASSWORD", password)]).await;
}

/// Types into each field, and sends the form.
async fn fill_fields(browser: &Browser, fields: &[(&str, &str)]) {
    for (name, text) in fields {
        let field = browser.find(&format!("input[name={name}]")).await;
        browser.clear(&field).await;
        browser.type_into(&field, text).await;
    }
    browser
        .click(&browser.find("button[type=submit]").await)
        .await;
}

async fn session_cookie(browser: &Browser) -> Option<serde_json::Value> {
    browser
        .cookies()
        .await
        .into_iter()
        .find(|cookie| cookie["name"] == "SMSESSION")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_steps_up_and_logs_out() {
    let gateway = Gateway::start().await;
    let Some(browser) = Browser::start(&[&gateway.certificate.key_digest]).await else {
        return;
    };

    browser.open(&url(&gateway, "/app/hello?x=1")).await;
    assert!(
        browser.url().await.contains("/doorward/login"),
        "{}",
        browser.url().await
    );
    fill(&browser, "alice", "wrong").await;
    let page = browser.wait_for("PASSWORD").await;
    assert!(!page.contains("SM_USER"), "a wrong password opens nothing");
    assert!(session_cookie(&browser).await.is_none());

    fill(&browser, "alice", PASSWORD).await;
    browser.wait_for("sm_user").await;
    assert_eq!(browser.url().await, url(&gateway, "/app/hello?x=1"));
    let cookie = session_cookie(&browser).await.expect("a session cookie");
    assert_eq!(
        (&cookie["httpOnly"], &cookie["secure"], &cookie["sameSite"]),
        (&json!(true), &json!(true), &json!("Lax"))
    );

    browser.open(&url(&gateway, "/strong/vault")).await;
    fill(&browser, "alice", PASSWORD).await;
    browser.wait_for("/strong/vault").await;
    assert_ne!(
        session_cookie(&browser).await.unwrap()["value"],
        cookie["value"]
    );

    browser.open(&url(&gateway, "/doorward/logout")).await;
    assert_eq!(
        session_cookie(&browser).await.unwrap()["value"],
        "LOGGEDOFF"
    );
    browser.back().await;
    browser.open(&url(&gateway, "/app/hello?x=1")).await;
    browser.find("input[name=PASSWORD]").await;
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_back_button_shows_nothing_that_needs_a_session() {
    let gateway = Gateway::start().await;
    let Some(browser) = Browser::start(&[&gateway.certificate.key_digest]).await else {
        return;
    };
    browser.open(&url(&gateway, "/app/private")).await;
    fill(&browser, "alice", PASSWORD).await;
    browser.wait_for("sm_user").await;
    browser.open(&url(&gateway, "/doorward/logout")).await;
    let seen = gateway.origin.count_of("/app");
    browser.back().await;
    eventually("the login page or nothing new", async || {
        let url = browser.url().await;
        (url.contains("/doorward/") || url.contains("/app/private")).then_some(())
    })
    .await;
    assert_eq!(
        gateway.origin.count_of("/app"),
        seen,
        "going back asked the application for nothing"
    );
    let page = browser.source().await;
    assert!(
        !page.contains("sm_user"),
        "the private page is shown again: {page}"
    );
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_is_enough() {
    let gateway = Gateway::start().await;
    let Some(browser) = Browser::start(&[&gateway.certificate.key_digest]).await else {
        return;
    };
    browser.open(&url(&gateway, "/app/keys")).await;
    let name = browser.find("input[name=USER]").await;
    assert_eq!(
        browser.focused().await,
        name,
        "the first field has the focus"
    );
    browser.press("alice").await;
    browser.press(TAB).await;
    assert_eq!(
        browser.focused().await,
        browser.find("input[name=PASSWORD]").await
    );
    browser.press(PASSWORD).await;
    browser.press(ENTER).await;
    browser.wait_for("sm_user").await;
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_remembered_for_who_ticks_the_box() {
    let remembers = "[login]\nremember_user_name = \"30d\"";
    let gateway = Gateway::setup().with(remembers).start().await;
    let Some(browser) = Browser::start(&[&gateway.certificate.key_digest]).await else {
        return;
    };
    browser.open(&url(&gateway, "/app/name")).await;
    let box_ = browser.find("input[name=REMEMBER]").await;
    assert_eq!(browser.property(&box_, "checked").await, false);
    browser.find("label[for=remember]").await;
    // By keyboard alone: name, password, box.
    browser.press("alice").await;
    browser.press(TAB).await;
    browser.press(PASSWORD).await;
    browser.press(TAB).await;
    assert_eq!(browser.focused().await, box_);
    browser.press(" ").await;
    assert_eq!(browser.property(&box_, "checked").await, true);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    browser.screenshot(&folder.join("remember.png")).await;
    browser.press(TAB).await;
    browser.press(ENTER).await;
    let page = browser.wait_for("sm_user").await;
    assert!(!page.contains("USERNAME"), "the application sees no cookie");
    let here = browser.cookies().await;
    let of_page = |cookie: &serde_json::Value| cookie["name"] == "SMUSERNAME";
    assert!(
        !here.iter().any(of_page),
        "the cookie is for the login page"
    );

    browser.open(&url(&gateway, "/doorward/logout")).await;
    browser.open(&url(&gateway, "/app/name")).await;
    let cookies = browser.cookies().await;
    let cookie = cookies.iter().find(|cookie| of_page(cookie)).unwrap();
    assert_eq!(
        (&cookie["httpOnly"], &cookie["secure"], &cookie["path"]),
        (&json!(true), &json!(true), &json!("/doorward/login"))
    );
    assert!(cookie["expiry"].is_u64(), "it outlives the browser");
    let name = browser.find("input[name=USER]").await;
    assert_eq!(browser.property(&name, "value").await, "alice");
    let box_ = browser.find("input[name=REMEMBER]").await;
    assert_eq!(browser.property(&box_, "checked").await, true);
    let password = browser.find("input[name=PASSWORD]").await;
    assert_eq!(browser.focused().await, password);

    browser.press(PASSWORD).await;
    browser.click(&box_).await;
    browser
        .click(&browser.find("button[type=submit]").await)
        .await;
    browser.wait_for("sm_user").await;
    browser.open(&url(&gateway, "/doorward/logout")).await;
    browser.open(&url(&gateway, "/app/name")).await;
    let name = browser.find("input[name=USER]").await;
    assert_eq!(browser.property(&name, "value").await, "");
    assert_eq!(browser.focused().await, name);
    browser.quit().await;
}

/// What a screen reader needs: names for the fields, a language, a heading, an error that is announced.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_can_be_read_aloud_and_looked_at() {
    let gateway = Gateway::start().await;
    let Some(browser) = Browser::start(&[&gateway.certificate.key_digest]).await else {
        return;
    };
    browser.open(&url(&gateway, "/app/look")).await;
    for selector in ["input[name=USER]", "input[name=PASSWORD]"] {
        let field = browser.find(selector).await;
        let labels = browser.property(&field, "labels").await;
        assert!(
            labels.as_object().is_some_and(|labels| !labels.is_empty())
                || labels.as_array().is_some_and(|labels| !labels.is_empty()),
            "{selector} has no label: {labels}"
        );
        assert!(
            !browser
                .property(&field, "autocomplete")
                .await
                .as_str()
                .unwrap_or_default()
                .is_empty()
        );
    }
    browser.find("html[lang]").await;
    browser.find("h1").await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    browser.screenshot(&folder.join("login.png")).await;
    fill(&browser, "alice", "wrong").await;
    browser.find("[role=alert]").await;
    browser.screenshot(&folder.join("login-refused.png")).await;
    browser.open(&url(&gateway, "/doorward/logout")).await;
    browser.screenshot(&folder.join("logout.png")).await;
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_steps_up_with_a_code() {
    let gateway = Gateway::setup().with(VAULT).start().await;
    let Some(browser) = Browser::start(&[&gateway.certificate.key_digest]).await else {
        return;
    };
    let app = App::enrol(&gateway, "alice").await;
    browser.open(&url(&gateway, "/app/")).await;
    fill(&browser, "alice", PASSWORD).await;
    browser.wait_for("sm_user").await;

    browser.open(&url(&gateway, "/vault/gold")).await;
    let code = browser.find("input[name=CODE]").await;
    assert_eq!(
        browser.property(&code, "autocomplete").await,
        "one-time-code"
    );
    assert_eq!(browser.property(&code, "inputMode").await, "numeric");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    browser.screenshot(&folder.join("code.png")).await;
    let wrong = [
        ("USER", "alice"),
        ("PASSWORD", PASSWORD),
        ("CODE", "000000"),
    ];
    fill_fields(&browser, &wrong).await;
    browser.find("[role=alert]").await;
    let code = app.code(&gateway);
    let right = [("PASSWORD", PASSWORD), ("CODE", code.as_str())];
    fill_fields(&browser, &right).await;
    browser.wait_for("/vault/gold").await;
    let page = browser.wait_for("Form-TOTP").await;
    assert!(page.contains("alice"));
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_changes_a_password_that_must_be_changed() {
    let gateway = Gateway::setup().with_policy(WITH_NEWCOMERS).start().await;
    let Some(browser) = Browser::start(&[&gateway.certificate.key_digest]).await else {
        return;
    };
    let new = "a password of their own";
    browser.open(&url(&gateway, "/app/first?x=1")).await;
    fill(&browser, "frank", PASSWORD).await;
    browser.find("input[name=NEWPASSWORD]").await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    browser.screenshot(&folder.join("new-password.png")).await;
    let typo = [
        ("PASSWORD", PASSWORD),
        ("NEWPASSWORD", new),
        ("CONFIRMATION", "something else"),
    ];
    fill_fields(&browser, &typo).await;
    browser.find("[role=alert]").await;
    let page = browser.source().await;
    for typed in ["frank", new, "something else", PASSWORD] {
        assert!(!page.contains(typed), "{typed} is in the page");
        assert!(!browser.url().await.contains(typed));
    }
    let right = [
        ("PASSWORD", PASSWORD),
        ("NEWPASSWORD", new),
        ("CONFIRMATION", new),
    ];
    fill_fields(&browser, &right).await;
    browser.wait_for("sm_user").await;
    assert_eq!(browser.url().await, url(&gateway, "/app/first?x=1"));

    browser.open(&url(&gateway, "/doorward/logout")).await;
    browser.open(&url(&gateway, "/app/again")).await;
    fill(&browser, "frank", PASSWORD).await;
    browser.find("[role=alert]").await;
    fill(&browser, "frank", new).await;
    browser.wait_for("sm_user").await;
    browser.quit().await;
}
