//! Realms that ask for a one-time code as well as the password.

use harness::gateway::{Deployment, Gateway, PASSWORD};
use harness::{Answer, Client, Protocol, SeenRequest};
use http::StatusCode;
use policy_protocol::Reason;
use policy_protocol::message::LoginAnswer;
use totp_rs::Totp;

use crate::support::{challenge_reason, logged_in, path_of, refused};

/// Laid over the agent's configuration, adds a realm that asks for codes.
pub const VAULT: &str = r#"
[[realms]]
name = "vault"
resource = "/vault"
upstream = "origin"
scheme = "totp"
"#;

/// Somebody's authenticator app.
pub struct App(Totp);

impl App {
    /// Gives a user a second factor.
    pub async fn enrol(gateway: &Gateway, user: &str) -> Self {
        let server = gateway.policy_server.server();
        let enrolment = server.enrol_second_factor(user, "Tests").await.unwrap();
        Self(Totp::from_url(enrolment.uri.expose()).unwrap())
    }

    /// The code of the moment.
    pub fn code(&self, gateway: &Gateway) -> String {
        use policy_protocol::Clock as _;
        self.0.generate(gateway.clock.now().0).to_string()
    }
}

async fn submit(client: &Client, target: &str, password: &str, code: &str) -> Answer {
    let page = client.login_page(target).await;
    let fields = [("USER", "alice"), ("PASSWORD", password), ("CODE", code)];
    client.fill_form(&page, &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_and_a_code_open_the_realm_once() {
    for deployment in Deployment::BOTH {
        let gateway = Gateway::setup()
            .deployment(deployment)
            .with(VAULT)
            .start()
            .await;
        let app = App::enrol(&gateway, "alice").await;
        let client = gateway.client(Protocol::Http2);
        let challenge = client.get("/vault/x?y=1").await;
        assert_eq!(challenge_reason(&challenge), Some(Reason::NONE));
        let code = app.code(&gateway);
        let answer = submit(&client, "/vault/x?y=1", PASSWORD, &code).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(path_of(answer.location()), "/vault/x?y=1");
        let seen: SeenRequest = client.get("/vault/x?y=1").await.json();
        assert_eq!(seen.header("SM_AUTHTYPE"), Some("Form-TOTP"));
        assert_eq!(seen.header("SM_AUTHLEVEL"), Some("15"));
        assert_eq!(client.get("/app/").await.status, StatusCode::OK);

        let other = gateway.client(Protocol::Http1);
        let again = submit(&other, "/vault/", PASSWORD, &code).await;
        assert_eq!(again.status, StatusCode::FORBIDDEN);
        assert_eq!(other.cookie("SMSESSION"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_code_steps_up_with_one() {
    let gateway = Gateway::setup().with(VAULT).start().await;
    let app = App::enrol(&gateway, "alice").await;
    let (client, weak) = logged_in(&gateway, "alice", Protocol::Http1).await;
    assert_eq!(
        refused(&client.get("/vault/").await),
        Reason::AUTH_LEVEL_TOO_LOW
    );
    let page = client.login_page("/vault/").await;
    assert!(page.text().contains("name=\"CODE\""), "{}", page.text());
    let answer = submit(&client, "/vault/", PASSWORD, &app.code(&gateway)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(client.get("/vault/").await.status, StatusCode::OK);
    assert_ne!(client.cookie("SMSESSION"), Some(weak));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_tells_what_was_wrong() {
    let gateway = Gateway::setup().with(VAULT).start().await;
    let app = App::enrol(&gateway, "alice").await;
    let code = app.code(&gateway);
    let mut pages = Vec::new();
    for (password, code) in [
        ("wrong", code.as_str()),
        (PASSWORD, "12345"),
        (PASSWORD, ""),
    ] {
        let client = gateway.client(Protocol::Http1);
        let answer = submit(&client, "/vault/", password, code).await;
        assert_eq!(client.cookie("SMSESSION"), None);
        let mut page = answer.text();
        for (_, value) in answer.hidden_fields() {
            page = page.replace(&value, "");
        }
        for typed in ["12345", code, PASSWORD, "wrong"] {
            assert!(typed.is_empty() || !page.contains(typed), "{typed}");
        }
        pages.push((answer.status, page));
    }
    assert_eq!(pages[0], pages[1]);
    assert_eq!(pages[1], pages[2]);
    // Who has no second factor learns no more.
    let client = gateway.client(Protocol::Http1);
    let page = client.login_page("/vault/").await;
    let fields = [("USER", "bob"), ("PASSWORD", PASSWORD), ("CODE", "123456")];
    let answer = client.fill_form(&page, &fields).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

/// The form for a weaker realm makes a session for that realm.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_not_asked_for_changes_nothing() {
    let gateway = Gateway::setup().with(VAULT).start().await;
    let app = App::enrol(&gateway, "alice").await;
    let client = gateway.client(Protocol::Http1);
    let code = app.code(&gateway);
    let answer = submit(&client, "/app/", PASSWORD, &code).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(
        refused(&client.get("/vault/").await),
        Reason::AUTH_LEVEL_TOO_LOW
    );
    let answer = submit(&client, "/vault/", PASSWORD, &code).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "it was not used up");
}

/// No factor of this policy server asks anything, so its answers are made up; what they cause on the page is not.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_a_proof_must_answer() {
    let gateway = Gateway::setup().with(VAULT).start().await;
    let app = App::enrol(&gateway, "alice").await;
    let client = gateway.client(Protocol::Http1);
    let challenge = |reason, text: &str| LoginAnswer::Challenge {
        reason,
        challenge: Some(text.to_owned()),
    };
    let asked = challenge(Reason::TOKEN_CARD_CHALLENGE, "{\"a\":\"<b>\"}");
    gateway.policy.answer_login(asked);
    let page = submit(&client, "/vault/x", PASSWORD, "").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let text = page.text();
    let shown = "data-challenge=\"{&quot;a&quot;:&quot;&lt;b&gt;&quot;}\"";
    assert!(text.contains(shown), "{text}");
    assert!(text.contains("value=\"alice\""), "{text}");
    assert!(!text.contains("NEWPASSWORD") && !text.contains(PASSWORD));
    assert_eq!(client.cookie("SMSESSION"), None);

    // Where a new password is asked for, the proof answers a challenge of its own.
    let must = challenge(Reason::PASSWORD_MUST_CHANGE, "second");
    gateway.policy.answer_login(must);
    let fields = [("USER", "alice"), ("PASSWORD", PASSWORD), ("CODE", "proof")];
    let changing = client.fill_form(&page, &fields).await.text();
    assert!(changing.contains("data-challenge=\"second\""), "{changing}");
    assert!(changing.contains("NEWPASSWORD"), "{changing}");

    // The page leads on as any other.
    let code = app.code(&gateway);
    let fields = [("USER", "alice"), ("PASSWORD", PASSWORD), ("CODE", &code)];
    let answer = client.fill_form(&page, &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(path_of(answer.location()), "/vault/x");
}
