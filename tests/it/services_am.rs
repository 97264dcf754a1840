//! Sessions as by the REST API of AM, with the real agent and policy server.

mod authenticate;
mod cors;
mod elsewhere;
mod errors;
mod fuzz;
mod idle;
mod policies;
mod recorded;
mod rights;
mod sessions;

use harness::gateway::{Gateway, PASSWORD, Setup};
use harness::{Answer, Client, Protocol};
use http::Method;
use serde_json::{Value, json};

/// `alice` administers, `bob` asks for others, `carol` is anybody.
const SERVICE: &str = r#"
trusted_proxies = []
[[listeners]]
address = "127.0.0.1:0"
tls.certificates = [{ cert_file = "server.crt", key_file = "server.key" }]
[listeners.services.am]
path = "/openam"
realm = "app"
realms = { "/alpha" = "stored", "/alpha/beta" = "basic" }
properties = ["AMCtxId", "AuthLevel"]
policy_evaluators = ["everyone"]
"#;
const POLICY_SERVER: &str =
    "[sessions]\nadministrators = [\"staff\"]\nproperties = [\"color\", \"AuthLevel\"]";

/// The header that tokens come in.
const TOKEN: &str = "iPlanetDirectoryPro";

/// A gateway that offers the service.
struct Am {
    gateway: Gateway,
    client: Client,
}

fn setup() -> Setup {
    Gateway::setup().with(SERVICE).with_policy(POLICY_SERVER)
}

impl Am {
    async fn start() -> Self {
        Self::of(setup()).await
    }

    async fn of(setup: Setup) -> Self {
        let gateway = setup.start().await;
        let client = gateway.client(Protocol::Http1);
        Self { gateway, client }
    }

    /// One call, with no cookie but those among the headers.
    async fn call(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.client.forget_cookies();
        let mut request = self.client.request(method, target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = harness::client::full(body.to_owned());
        self.client.send(request.body(body).unwrap()).await
    }

    async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.call(Method::GET, target, headers, "").await
    }

    async fn post(&self, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.call(Method::POST, target, headers, body).await
    }

    /// An action on sessions in a version of the API, by the right of `caller`'s header.
    async fn act(&self, version: &str, action: &str, caller: Option<&str>, body: &Value) -> Answer {
        let target = format!("/openam/json/sessions?_action={action}");
        let version = format!("resource={version}");
        let mut headers = vec![
            ("accept-api-version", version.as_str()),
            ("content-type", "application/json"),
        ];
        headers.extend(caller.map(|token| (TOKEN, token)));
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.post(&target, &headers, &body).await
    }

    /// What `getSessionInfo` says of a token that proves itself.
    async fn info(&self, token: &str) -> Value {
        let answer = self
            .act("4.0", "getSessionInfo", None, &json!({ "tokenId": token }))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    async fn is_alive(&self, token: &str) -> bool {
        self.info(token).await != json!({ "valid": false })
    }

    /// A token of a new session.
    async fn login(&self, user: &str) -> String {
        self.login_to("/openam/json/authenticate", user).await
    }

    async fn login_to(&self, target: &str, user: &str) -> String {
        let answer = self.try_login(target, user, PASSWORD).await;
        assert_eq!(answer.status, 200, "{user}: {}", answer.text());
        let answer: Value = answer.json();
        answer["tokenId"].as_str().unwrap().to_owned()
    }

    async fn try_login(&self, target: &str, user: &str, password: &str) -> Answer {
        let headers = [
            ("x-openam-username", user),
            ("x-openam-password", password),
            ("accept-api-version", "resource=2.1"),
        ];
        self.post(target, &headers, "").await
    }
}

/// Asserts status and body of an answer, to the letter.
#[track_caller]
fn is_exactly(answer: &Answer, status: u16, body: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.text().as_str()),
        (status, body)
    );
}

/// Asserts that the members of an object are these, in this order.
#[track_caller]
fn has_members(text: &str, names: &[&str]) {
    let json: Value = serde_json::from_str(text).unwrap();
    let object = json.as_object().unwrap_or_else(|| panic!("{text}"));
    assert_eq!(object.len(), names.len(), "{text}");
    let mut at = 0;
    for name in names {
        let found = text[at..].find(&format!("\"{name}\":"));
        at += found.unwrap_or_else(|| panic!("{name} is not there or not in its place: {text}"));
    }
}
