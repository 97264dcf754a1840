//! The AuthAz service: real calls over TLS, against a real policy server.

mod authorize;
mod callers;
mod login;
mod logout;
mod soap;

use harness::gateway::{Deployment, Gateway, PASSWORD, Setup};
use harness::{Answer, Client, Protocol};
use http::Method;
use policy_protocol::Reason;

use crate::support::{holding, refused};

/// Where REST calls go.
const REST: &str = "/authazws/AuthRestService";

/// A listener with the service, and what it is to have besides.
fn listener(settings: &str) -> String {
    format!(
        "[[listeners]]\naddress = \"127.0.0.1:0\"\n\
         tls.certificates = [{{ cert_file = \"server.crt\", key_file = \"server.key\" }}]\n\
         services.authaz = {{ apps = {{ app = \"app.test\", other = \"other.test\" }}{settings} }}\n"
    )
}

fn setup() -> Setup {
    Gateway::setup().with(&listener(""))
}

/// The text of the first element of a name; empty if there is none.
fn text_of(answer: &Answer, name: &str) -> String {
    let document = answer.text();
    let found = document.split_once(&format!("<{name}>"));
    let text = found.and_then(|(_, rest)| rest.split_once('<'));
    text.map(|(text, _)| text.to_owned()).unwrap_or_default()
}

fn code(answer: &Answer) -> String {
    text_of(answer, "resultCode")
}

/// The value of a response attribute.
fn attribute(answer: &Answer, name: &str) -> Option<String> {
    let document = answer.text();
    let (_, rest) = document.split_once(&format!("<name>{name}</name><value>"))?;
    Some(rest.split_once('<')?.0.to_owned())
}

fn reason(answer: &Answer) -> Option<Reason> {
    Some(Reason(attribute(answer, "SM_AUTHREASON")?.parse().ok()?))
}

/// A POST of XML.
async fn post(client: &Client, path: &str, body: &str) -> Answer {
    post_as(client, path, "application/xml", body).await
}

async fn post_as(client: &Client, path: &str, content_type: &str, body: &str) -> Answer {
    let request = client
        .request(Method::POST, path)
        .header("content-type", content_type)
        .body(harness::client::full(body.to_owned()))
        .unwrap();
    client.send(request).await
}

fn login_request(user: &str, password: &str) -> String {
    format!(
        "<loginRequest>       <binaryCreds></binaryCreds>        <password>{password}</password>        \
         <userName>{user}</userName>        <action>GET</action>          </loginRequest>"
    )
}

async fn log_in(client: &Client, resource: &str, user: &str, password: &str) -> Answer {
    let path = format!("{REST}/login/app{resource}");
    post(client, &path, &login_request(user, password)).await
}

/// A token for `resource`.
async fn token(gateway: &Gateway, resource: &str) -> String {
    let answer = log_in(&client(gateway), resource, "alice", PASSWORD).await;
    assert_eq!(code(&answer), "LOGIN_SUCCESS", "{}", answer.text());
    text_of(&answer, "sessionToken")
}

async fn authorize(client: &Client, resource: &str, token: &str) -> Answer {
    let path = format!("{REST}/authz/app{resource}");
    let body = format!(
        "<authorizationRequest><action>GET</action><resource>{resource}</resource>\
         <sessionToken>{token}</sessionToken></authorizationRequest>"
    );
    post(client, &path, &body).await
}

async fn log_out(client: &Client, token: &str) -> Answer {
    let body = format!("<logoutRequest><sessionToken>{token}</sessionToken></logoutRequest>");
    post(client, &format!("{REST}/logout/"), &body).await
}

fn client(gateway: &Gateway) -> Client {
    gateway.client(Protocol::Http1)
}

/// What the author of the first seed wanted: after a logout that succeeded the token is worth nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_a_session_cookie_until_its_logout_and_nothing_after() {
    for deployment in Deployment::BOTH {
        for resource in ["/app/x", "/stored/x"] {
            let gateway = setup().deployment(deployment).start().await;
            let other = gateway.beside("").await;
            let token = token(&gateway, resource).await;
            for agent in [&gateway, &other] {
                let holding = holding(agent, &token, Protocol::Http1);
                assert_eq!(holding.get(resource).await.status, 200, "cached");
                let answer = authorize(&client(agent), resource, &token).await;
                assert_eq!(code(&answer), "AUTHORIZED", "{}", answer.text());
            }
            let answer = log_out(&client(&gateway), &token).await;
            assert_eq!(answer.status, 200);
            assert_eq!(code(&answer), "LOGOUT_SUCCESS");

            let replayed = holding(&gateway, &token, Protocol::Http2);
            assert_eq!(refused(&replayed.get(resource).await), Reason::USER_LOGOUT);
            let answer = authorize(&client(&gateway), resource, &token).await;
            assert_eq!(code(&answer), "NOTAUTHORIZED");
            assert_eq!(reason(&answer), Some(Reason::USER_LOGOUT));
            harness::eventually("the other agent hears of it", async || {
                let answer = authorize(&client(&other), resource, &token).await;
                (code(&answer) == "NOTAUTHORIZED").then_some(())
            })
            .await;
            refused(&holding(&other, &token, Protocol::Http1).get(resource).await);
            // One that never saw it asks.
            let third = gateway.beside("").await;
            let answer = authorize(&client(&third), resource, &token).await;
            assert_eq!(code(&answer), "NOTAUTHORIZED");
            assert_eq!(reason(&answer), Some(Reason::REVOKED_SESSION));
        }
    }
}

/// A cookie that the gateway gave out is a token, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_cookie_is_a_token() {
    let gateway = setup().start().await;
    let browser = client(&gateway);
    let cookie = browser.login("/app/", "alice", PASSWORD).await;
    let answer = authorize(&client(&gateway), "/app/", &cookie).await;
    assert_eq!(code(&answer), "AUTHORIZED");
    assert_eq!(attribute(&answer, "SM_USER").as_deref(), Some("alice"));
    let answer = log_out(&client(&gateway), &cookie).await;
    assert_eq!(code(&answer), "LOGOUT_SUCCESS");
    refused(&browser.get("/app/").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_own_paths_are_the_services() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    for path in [
        "/authazws",
        "/authazws/",
        "/authazws/AuthRestService/forget/app",
        "/authazws/auth/x",
    ] {
        assert_eq!(post(&client, path, "").await.status, 404, "{path}");
    }
    for path in ["/authazws/auth", "/authazws/AuthRestService/login/app/app"] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.header("allow"), "POST");
    }
    let answer = client.get("/authazws/AuthRestService/login/app/app").await;
    assert_eq!(code(&answer), "LOGIN_ERROR");
    assert_eq!(client.get("/open/authazws/auth").await.status, 200);
    assert_eq!(gateway.origin.count_of("/authazws/auth"), 0);
    // Without the service the path is nobody's.
    let without = Gateway::start().await;
    let answer = post(&without.client(Protocol::Http1), "/authazws/auth", "").await;
    assert_eq!(answer.status, 404);
}

/// A target that has two readings is read by nobody, but the service says so itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_in_the_services_own_words() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    for (path, root, expected) in [
        ("/login/app//reports", "<loginResponse>", "LOGIN_ERROR"),
        ("/logout/%2F", "<logoutResponse>", "LOGOUT_FAILURE"),
        ("/authz/app/a/../b", "<authorizationResult>", "SERVER_ERROR"),
    ] {
        let answer = post(&client, &format!("{REST}{path}"), "").await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.header("content-type"), "application/xml", "{path}");
        assert!(answer.text().contains(root), "{}", answer.text());
        assert_eq!(code(&answer), expected, "{path}");
    }
    let in_json = post_as(&client, &format!("{REST}/login//x"), "application/json", "").await;
    assert_eq!(in_json.status, 400);
    assert_eq!(
        in_json.json::<serde_json::Value>()["resultCode"],
        "LOGIN_ERROR"
    );
    let mut raw = gateway.raw().await;
    let request = "POST /authazws/auth HTTP/1.1\r\nHost: app.test:x\r\n\
                   Content-Type: application/soap+xml\r\nContent-Length: 0\r\n\r\n";
    let fault = raw.ask(request).await;
    assert_eq!(fault.status, 400);
    assert!(
        fault.text().contains("<soap:Value>soap:Sender<"),
        "{}",
        fault.text()
    );
    // Beside the service it is the gateway that says so.
    let answer = post(&client, "/authazwsx//y", "").await;
    assert_eq!(answer.status, 400);
    assert_ne!(answer.header("content-type"), "application/xml");
}
