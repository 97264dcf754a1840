//! Pages of other origins, as browsers let them call.

use harness::browser::Browser;
use harness::gateway::{PASSWORD, Setup};
use harness::origin::Origin;
use harness::pki::Pki;
use http::Method;
use serde_json::{Value, json};

use super::{Am, SERVICE, TOKEN, setup};

const LISTED: &str = "https://app.example.com";

fn setup_for(origins: &[&str]) -> Setup {
    setup().with(&format!("{SERVICE}origins = {origins:?}\n"))
}

/// A service that pages of these origins may use.
async fn used_by(origins: &[&str]) -> Am {
    Am::of(setup_for(origins)).await
}

const PREFLIGHT: [(&str, &str); 2] = [
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "accept-api-version"),
];

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_told_of_listed_origins_alone() {
    let am = used_by(&[LISTED]).await;
    let target = "/openam/json/sessions/?_action=logout";
    let asked = async |origin: &str| {
        let headers = [PREFLIGHT[0], PREFLIGHT[1], ("origin", origin)];
        am.call(Method::OPTIONS, target, &headers, "").await
    };
    let answer = asked(LISTED).await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (204, ""));
    for (name, value) in [
        ("access-control-allow-origin", LISTED),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET, POST"),
        ("vary", "origin"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let allowed = answer.header("access-control-allow-headers").to_owned();
    for name in [
        "accept-api-version",
        "content-type",
        "x-requested-with",
        "x-requested-platform",
        "x-forgerock-transactionid",
        TOKEN,
    ] {
        assert!(
            allowed.split(", ").any(|one| one == name),
            "{name}: {allowed}"
        );
    }
    for other in [
        "null",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "http://app.example.com",
        "*",
    ] {
        let answer = asked(other).await;
        assert!(!answer.status.is_success(), "{other}: {}", answer.status);
        let told = answer.headers.keys();
        let mut told = told.filter(|name| name.as_str().starts_with("access-control"));
        assert_eq!(told.next(), None, "{other}");
        assert_eq!(answer.header("vary"), "origin");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_origin_is_believed_to_mean_its_calls_and_no_other_is() {
    let am = used_by(&[LISTED]).await;
    let login = "/openam/json/authenticate";
    let logout = "/openam/json/sessions/?_action=logout";
    let credentials = [
        ("x-openam-username", "carol"),
        ("x-openam-password", PASSWORD),
    ];
    for (origin, site, expected) in [
        (LISTED, "same-site", true),
        (LISTED, "cross-site", true),
        ("https://evil.example", "same-site", false),
        ("null", "cross-site", false),
    ] {
        let from = [("origin", origin), ("sec-fetch-site", site)];
        let answer = am
            .post(login, &[&credentials[..], &from].concat(), "")
            .await;
        assert_eq!(
            answer.status.as_u16(),
            if expected { 200 } else { 403 },
            "{origin}"
        );

        let token = am.login("carol").await;
        let cookie = format!("{TOKEN}={token}");
        let headers = [
            from[0],
            from[1],
            ("cookie", cookie.as_str()),
            ("accept-api-version", "resource=2.0"),
        ];
        let answer = am.post(logout, &headers, "").await;
        assert_eq!(
            answer.status.as_u16(),
            if expected { 200 } else { 403 },
            "{origin}"
        );
        assert_eq!(am.is_alive(&token).await, !expected, "{origin}");
    }
}

/// What is refused before the service sees it is an answer that a page can read, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_listed_origin_reads_every_refusal() {
    let am = used_by(&[LISTED]).await;
    for (origin, read) in [(LISTED, true), ("https://evil.example", false)] {
        let answer = am
            .get("/openam//json/serverinfo/*", &[("origin", origin)])
            .await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("vary"), "origin");
        let allowed = answer.headers.get("access-control-allow-origin");
        assert_eq!(allowed.is_some(), read, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_origins_there_is_no_word_of_them() {
    let am = Am::start().await;
    let headers = [PREFLIGHT[0], PREFLIGHT[1], ("origin", LISTED)];
    let target = "/openam/json/serverinfo/*";
    let asked = am.call(Method::OPTIONS, target, &headers, "").await;
    assert!(!asked.status.is_success());
    let got = am.get(target, &[("origin", LISTED)]).await;
    assert_eq!(got.status, 200);
    for answer in [asked, got] {
        assert!(!answer.headers.contains_key("vary"));
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
}

/// A page's calls as clients for browsers make them: with the cookie, and with headers that browsers ask about first.
const STORY: &str = r#"
const [base, password, done] = arguments;
const call = (path, version, headers = {}) => fetch(base + path, {
    method: "POST",
    credentials: "include",
    headers: { "accept-api-version": version, "x-requested-with": "a-page", ...headers },
}).then(async (answer) => [answer.status, await answer.json()]);
(async () => {
    const credentials = { "x-openam-username": "carol", "x-openam-password": password };
    const login = await call("/authenticate", "protocol=1.0,resource=2.1", credentials);
    const whose = await call("/users?_action=idFromSession", "resource=2.0");
    const logout = await call("/sessions/?_action=logout", "resource=2.0");
    const after = await call("/users?_action=idFromSession", "resource=2.0");
    done({ login: login[0], whose: [whose[0], whose[1].id], logout: logout[0], after: after[0] });
})().catch((error) => done(String(error)));
"#;

/// Both origins are of one site, so that the cookie goes along.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_listed_origin_has_its_user_log_in_and_out_in_a_browser() {
    let pki = Pki::default();
    let leaf = pki.server(&["localhost"]);
    let (app, stranger) = (
        Origin::start_tls(&leaf).await,
        Origin::start_tls(&leaf).await,
    );
    let url = |origin: &Origin| format!("https://localhost:{}", origin.address().port());
    let am = Am::of(setup_for(&[&url(&app)]).pki(pki)).await;
    let trusted = [&am.gateway.certificate.key_digest, &leaf.key_digest];
    let Some(browser) = Browser::start(&trusted.map(String::as_str)).await else {
        return;
    };
    let base = format!(
        "https://localhost:{}/openam/json",
        am.gateway.address().port()
    );
    let story = async |origin: &Origin| -> Value {
        browser.open(&url(origin)).await;
        browser.run(STORY, json!([base, PASSWORD])).await
    };
    let expected = json!({ "login": 200, "whose": [200, "carol"], "logout": 200, "after": 401 });
    assert_eq!(story(&app).await, expected);
    assert_eq!(story(&stranger).await, json!("TypeError: Failed to fetch"));
}
