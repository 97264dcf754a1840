//! A tampered SMSESSION: one and the same refusal, whatever is wrong with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::gateway::{Gateway, PASSWORD};
use harness::policy_watch::Call;
use harness::{Protocol, RawClient, RawResponse};
use policy_protocol::Reason;

use crate::support::{get, logged_in};

/// What ties a login page to its browser.
const LOGIN_COOKIE: &str = "__Host-SMLOGIN";

/// Everything in an answer but what differs from request to request by its nature.
fn normalised(mut answer: RawResponse) -> RawResponse {
    answer.headers.retain(|(name, _)| {
        !name.eq_ignore_ascii_case("date") && !name.to_lowercase().contains("transaction")
    });
    let text = answer.text();
    let start = text
        .to_lowercase()
        .find("transaction")
        .unwrap_or(text.len());
    answer.body = text.as_bytes()[..start].to_vec();
    answer
}

async fn ask(raw: &mut RawClient, cookie: &str) -> RawResponse {
    normalised(
        raw.ask(get("/app/", &[&format!("Cookie: SMSESSION={cookie}")]))
            .await,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_matters_and_no_answer_tells_which() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let sealed = URL_SAFE_NO_PAD.decode(&cookie).unwrap();
    let mut raw = gateway.raw().await;
    assert_eq!(ask(&mut raw, &cookie).await.status, 200);
    let seen = gateway.origin.requests().len();

    let garbage = ask(&mut raw, "garbage").await;
    assert_eq!(garbage.status, 302);
    let reason = format!("SMAUTHREASON={}", Reason::INVALID_SESSION);
    assert!(
        garbage.header("location").unwrap().contains(&reason),
        "{garbage:?}"
    );

    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1 << (index % 8);
        assert_eq!(
            ask(&mut raw, &URL_SAFE_NO_PAD.encode(&changed)).await,
            garbage,
            "byte {index} flipped"
        );
    }
    for length in (0..sealed.len()).step_by(7).filter(|length| *length > 0) {
        assert_eq!(
            ask(&mut raw, &URL_SAFE_NO_PAD.encode(&sealed[..length])).await,
            garbage,
            "cut to {length}"
        );
    }
    for extra in [&[0u8][..], &[0xff; 3], &[0x20; 64]] {
        let longer = [&sealed, extra].concat();
        assert_eq!(
            ask(&mut raw, &URL_SAFE_NO_PAD.encode(longer)).await,
            garbage,
            "{} bytes more",
            extra.len()
        );
    }
    for version in [0, 2, 255] {
        let mut changed = sealed.clone();
        changed[0] = version;
        assert_eq!(
            ask(&mut raw, &URL_SAFE_NO_PAD.encode(changed)).await,
            garbage,
            "version {version}"
        );
    }
    for text in [
        format!("{cookie}="),
        format!("{cookie}A"),
        format!("A{cookie}"),
        cookie[1..].into(),
        "A".repeat(4096),
    ] {
        assert_eq!(
            ask(&mut raw, &text).await,
            garbage,
            "{} characters",
            text.len()
        );
    }
    assert_eq!(
        gateway.origin.requests().len(),
        seen,
        "the origin saw none of it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_of_other_keys_zones_and_kinds_are_garbage() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    let garbage = ask(&mut raw, "garbage").await;

    let stranger = Gateway::start().await;
    let (_, foreign) = logged_in(&stranger, "alice", Protocol::Http1).await;
    assert_eq!(
        ask(&mut raw, &foreign).await,
        garbage,
        "an unknown key, or another one of the same name"
    );

    let other_zone = gateway.beside("session.zone = \"ZZ\"").await;
    let client = other_zone.client(Protocol::Http1);
    assert_eq!(
        client.submit_login("/app/", "alice", PASSWORD).await.status,
        303
    );
    let zoned = client.cookie("ZZSESSION").unwrap();
    assert_eq!(client.get("/app/").await.status, 200);
    assert_eq!(ask(&mut raw, &zoned).await, garbage, "another zone");

    let client = gateway.client(Protocol::Http1);
    let hidden = client.login_page("/app/").await.hidden_fields();
    assert!(!hidden.is_empty());
    for (name, state) in hidden {
        assert_eq!(ask(&mut raw, &state).await, garbage, "the form's {name}");
    }
    let login = client.cookie(LOGIN_COOKIE).expect("a login cookie");
    assert_eq!(ask(&mut raw, &login).await, garbage, "a login cookie");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_of_a_trusted_zone_are_accepted_in_order() {
    let gateway = Gateway::start().await;
    let other_zone = gateway.beside("session.zone = \"ZZ\"").await;
    let client = other_zone.client(Protocol::Http1);
    client.submit_login("/app/", "alice", PASSWORD).await;
    let zoned = client.cookie("ZZSESSION").unwrap();
    let trusting = gateway.beside("session.trusted_zones = [\"ZZ\"]").await;
    let mut raw = trusting.raw().await;
    let answer = raw
        .ask(get("/app/", &[&format!("Cookie: ZZSESSION={zoned}")]))
        .await;
    assert_eq!(answer.status, 200);
    let answer = raw
        .ask(get("/app/", &[&format!("Cookie: SMSESSION={zoned}")]))
        .await;
    assert_eq!(
        answer.status, 302,
        "a cookie is one of the zone that its name says"
    );
}

/// A state that was sealed for a login page is nothing to forge, either.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_cookie_is_no_login_state() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let before = gateway.policy.count(Call::Login);
    let client = gateway.client(Protocol::Http1);
    let page = client.login_page("/app/").await;
    let hidden = page.hidden_fields();
    assert!(!hidden.is_empty());
    let own = client.cookie(LOGIN_COOKIE).expect("a login cookie");
    let forged = hidden.into_iter().map(|(name, _)| (name, cookie.clone()));
    let mut fields = vec![
        ("USER".to_owned(), "bob".to_owned()),
        ("PASSWORD".to_owned(), PASSWORD.to_owned()),
    ];
    fields.extend(forged);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    for login_cookie in [&own, &cookie] {
        client.set_cookie(LOGIN_COOKIE, login_cookie);
        let answer = client.post_form("/doorward/login", &fields).await;
        assert_eq!(answer.status, 403);
    }
    assert_eq!(gateway.policy.count(Call::Login), before);
    // The same browser gets in with the state that it was given: nothing else was wrong.
    client.set_cookie(LOGIN_COOKIE, &own);
    assert_eq!(client.fill_login(&page, "bob", PASSWORD).await.status, 303);
}
