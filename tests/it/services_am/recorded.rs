//! What clients of this API have been seen to send, byte for byte but for the credentials; and what they need.

use harness::gateway::PASSWORD;
use harness::{RawClient, RawResponse};
use serde_json::Value;

use super::{Am, SERVICE, has_members, setup};

const NODE_AGENT: &str = include_str!("recorded_clients/openam-agent-5.0.1-requests.log");
const JAVASCRIPT_SDK: &str = include_str!("recorded_clients/javascript-sdk-4.9.1-requests.log");
const FRODO: &str = include_str!("recorded_clients/frodo-lib-3.3.3-requests.log");

/// The token and the authId of the recordings.
const RECORDED_TOKEN: &str = "AQIC5wM2LY4SfcTESTTOKEN.*AAJTSQACMDEAAlNLABM0NQACUzEAAA..*";
const RECORDED_AUTH_ID: &str = "eyJ.x.y";

/// One recorded exchange.
struct Exchange {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
    answer: Value,
}

fn exchanges(log: &str) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for line in log.lines() {
        if let Some(line) = line.strip_prefix(">> ") {
            exchanges.push(Exchange {
                line: line.to_owned(),
                headers: Vec::new(),
                body: String::new(),
                answer: Value::Null,
            });
        } else if let Some(answer) = line.strip_prefix("<< 200 ") {
            exchanges.last_mut().unwrap().answer = serde_json::from_str(answer).unwrap();
        } else if let Some(body) = line.trim().strip_prefix("BODY ") {
            let body = body.trim_matches('\'');
            exchanges.last_mut().unwrap().body = body.to_owned();
        } else if let Some((name, value)) = line.trim().split_once(": ") {
            let headers = &mut exchanges.last_mut().unwrap().headers;
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    assert!(exchanges.len() > 2, "nothing was read");
    exchanges
}

impl Exchange {
    /// The request with other credentials in it.
    fn bytes(&self, replace: &dyn Fn(&str) -> String) -> Vec<u8> {
        let body = replace(&self.body);
        let mut text = format!("{} HTTP/1.1\r\n", replace(&self.line));
        for (name, value) in &self.headers {
            let value = if name.eq_ignore_ascii_case("content-length") {
                body.len().to_string()
            } else {
                replace(value)
            };
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        format!("{text}\r\n{body}").into_bytes()
    }
}

/// A gateway with the service on a second listener without TLS, as it was where the requests were recorded: they name
/// hosts that no certificate is for.
async fn start() -> Am {
    let plain = SERVICE.replace(
        "tls.certificates = [{ cert_file = \"server.crt\", key_file = \"server.key\" }]",
        "",
    );
    let (_, plain) = plain.split_once("[[listeners]]").unwrap();
    Am::of(setup().with(&format!("{SERVICE}\n[[listeners]]{plain}"))).await
}

/// Replays a recording on one connection; returns each request line with its answer.
async fn replay(am: &Am, log: &str) -> Vec<(String, RawResponse)> {
    let (mut token, mut auth_id) = (String::new(), String::new());
    let mut raw = RawClient::connect_plain(am.gateway.addresses()[1]).await;
    let mut answers = Vec::new();
    for exchange in exchanges(log) {
        let replace = |text: &str| {
            text.replace(RECORDED_TOKEN, &token)
                .replace(RECORDED_AUTH_ID, &auth_id)
                .replace("demo", "alice")
                .replace("amadmin", "alice")
                .replace("changeit", PASSWORD)
                .replace("cangetinam", PASSWORD)
                .replace("http://a/", "https://app.test/app/")
        };
        let answer = raw.ask(exchange.bytes(&replace)).await;
        let text = answer.text();
        assert_eq!(answer.status, 200, "{} {text}", exchange.line);
        let json: Value = serde_json::from_str(&text).unwrap();
        // Whatever the clients were content with is there, and of the same kind.
        for (name, recorded) in exchange.answer.as_object().into_iter().flatten() {
            let ours = json
                .get(name)
                .unwrap_or_else(|| panic!("{name}: {} {text}", exchange.line));
            assert_eq!(
                std::mem::discriminant(ours),
                std::mem::discriminant(recorded),
                "{name}: {text}"
            );
        }
        if let Some(new) = json.get("tokenId").and_then(Value::as_str) {
            token = new.to_owned();
        }
        if let Some(new) = json.get("authId").and_then(Value::as_str) {
            auth_id = new.to_owned();
        }
        answers.push((exchange.line, answer));
    }
    assert!(!token.is_empty());
    answers
}

fn find<'a>(answers: &'a [(String, RawResponse)], part: &str) -> &'a RawResponse {
    let found = answers.iter().find(|(line, _)| line.contains(part));
    &found.unwrap_or_else(|| panic!("{part}")).1
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_agent_gets_what_it_needs() {
    let am = start().await;
    let answers = replay(&am, NODE_AGENT).await;
    assert_eq!(
        find(&answers, "_action=validate").text(),
        r#"{"valid":true,"uid":"alice","realm":"/"}"#
    );
    let decisions: Value = serde_json::from_str(&find(&answers, "/policies").text()).unwrap();
    assert_eq!(decisions[0]["resource"], "https://app.test/app/");
    assert_eq!(decisions[0]["actions"]["GET"], true);
    assert_eq!(
        find(&answers, "_action=logout").text(),
        r#"{"result":"Successfully logged out"}"#
    );
    let user: Value = serde_json::from_str(&find(&answers, "/users/").text()).unwrap();
    assert_eq!(user["username"], "alice");
    assert_eq!(user["mail"], serde_json::json!(["alice@example.com"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_logs_in_by_callbacks() {
    let am = start().await;
    // Its last request brings the cookie that browsers, but not this recording, have kept.
    let exchanges = exchanges(JAVASCRIPT_SDK);
    assert_eq!(exchanges.len(), 3);
    let logout = JAVASCRIPT_SDK.rfind(">> ").unwrap();
    let answers = replay(&am, &with_cookie(JAVASCRIPT_SDK, logout)).await;
    let form = answers[0].1.text();
    has_members(
        &form,
        &[
            "authId",
            "template",
            "stage",
            "header",
            "infoText",
            "callbacks",
        ],
    );
    has_members(&answers[1].1.text(), &["tokenId", "successUrl", "realm"]);
    assert_eq!(
        answers[1].1.header("content-api-version"),
        Some("resource=2.1")
    );
    assert_eq!(
        answers[2].1.text(),
        r#"{"result":"Successfully logged out"}"#
    );
    assert_eq!(answers[2].1.header("set-cookie"), None, "as in version 2");
}

fn with_cookie(log: &str, request: usize) -> String {
    let (before, last) = log.split_at(request);
    let cookie = format!("\n    cookie: iPlanetDirectoryPro={RECORDED_TOKEN}\n");
    format!("{before}{}", last.replacen('\n', &cookie, 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn frodo_logs_in_and_asks_with_the_token_in_the_body() {
    let am = start().await;
    let answers = replay(&am, FRODO).await;
    let info = find(&answers, "getSessionInfo");
    assert_eq!(info.header("content-api-version"), Some("resource=4.0"));
    // As recorded from a server of version 8.0.1.
    has_members(
        &info.text(),
        &[
            "username",
            "universalId",
            "realm",
            "latestAccessTime",
            "maxIdleExpirationTime",
            "maxSessionExpirationTime",
            "properties",
        ],
    );
    let json: Value = serde_json::from_str(&info.text()).unwrap();
    let time = json["maxIdleExpirationTime"].as_str().unwrap();
    assert_eq!(time.len(), "2025-07-31T15:35:45Z".len(), "{time}");
    assert!(time.ends_with('Z') && &time[10..11] == "T", "{time}");
    let version = find(&answers, "serverinfo/version");
    has_members(
        &version.text(),
        &["_id", "_rev", "version", "fullVersion", "revision", "date"],
    );
    assert_eq!(
        version.header("content-type"),
        Some("application/json;charset=UTF-8")
    );
    let json: Value = serde_json::from_str(&version.text()).unwrap();
    let tag = format!("\"{}\"", json["_rev"].as_str().unwrap());
    assert_eq!(version.header("etag"), Some(tag.as_str()));
    let numbers: Result<Vec<u32>, _> = json["version"]
        .as_str()
        .unwrap()
        .split('.')
        .map(str::parse)
        .collect();
    assert_eq!(numbers.unwrap().len(), 3);
    has_members(
        &find(&answers, "serverinfo/*").text(),
        &[
            "_id",
            "_rev",
            "domains",
            "protectedUserAttributes",
            "cookieName",
            "secureCookie",
            "cookieHttpOnly",
            "cookieSameSite",
            "forgotPassword",
            "forgotUsername",
            "kbaEnabled",
            "selfRegistration",
            "lang",
            "successfulUserRegistrationDestination",
            "socialImplementations",
            "referralsEnabled",
            "zeroPageLogin",
            "realm",
            "xuiUserSessionValidationEnabled",
            "fileBasedConfiguration",
            "userIdAttributes",
            "nodeDesignerXuiEnabled",
        ],
    );
}
