//! The vSphere Session service: what clients of it were seen to send, and what they get.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::client::{Answer, empty};
use harness::gateway::{Deployment, Gateway, HOST, PASSWORD, Setup};
use harness::policy_host::WITH_NEWCOMERS;
use harness::policy_watch::Call;
use harness::{Client, Protocol, RawClient, RawResponse, SeenRequest, eventually};
use http::Method;
use http_body_util::BodyExt as _;
use policy_client::PolicyError;
use serde_json::{Value, json};

use crate::hang_up::hang_up_during;
use crate::support::{challenge_reason, holding, logged_in, refused};

/// A listener that offers the service, and an application that has an `/api` and a `/rest` of its own.
pub const OFFERED: &str = r#"
[[listeners]]
address = "127.0.0.1:0"
tls.certificates = [{ cert_file = "server.crt", key_file = "server.key" }]
services.vsphere.realm = "app"
[[realms]]
name = "api"
resource = "/api"
upstream = "origin"
scheme = "none"
[[realms]]
name = "rest"
resource = "/rest"
upstream = "origin"
scheme = "none"
"#;

const OLD: &str = "/rest/com/vmware/cis/session";
const NEW: &str = "/api/session";
const MINUTE: Duration = Duration::from_secs(60);

fn offering(deployment: Deployment) -> Setup {
    Gateway::setup().deployment(deployment).with(OFFERED)
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn authentication_required() -> Value {
    json!([{
        "args": [],
        "default_message": "Authentication required.",
        "id": "com.vmware.vapi.endpoint.method.authentication.required",
    }])
}

pub fn unauthenticated_old() -> Value {
    json!({
        "type": "com.vmware.vapi.std.errors.unauthenticated",
        "value": { "messages": authentication_required() },
    })
}

fn unauthenticated_new() -> Value {
    json!({
        "error_type": "UNAUTHENTICATED",
        "messages": authentication_required(),
        "challenge": "Basic realm=\"VAPI endpoint\"",
    })
}

#[track_caller]
fn body(response: &RawResponse) -> Value {
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    serde_json::from_slice(&response.body).unwrap_or_else(|_| panic!("{}", response.text()))
}

/// `alice`, and two times as the SDKs parse them.
#[track_caller]
fn assert_is_info(info: &Value, user: &str) {
    assert_eq!(info["user"], user);
    assert_eq!(info.as_object().unwrap().len(), 3);
    for name in ["created_time", "last_accessed_time"] {
        let time = info[name].as_str().unwrap();
        assert_eq!(time.len(), "2026-11-21T10:00:00.000Z".len(), "{time}");
        assert!(
            time.ends_with(".000Z") && time.as_bytes()[10] == b'T',
            "{time}"
        );
    }
}

/// The requests of govmomi 0.24.2: POST with an empty chunked body, all on one connection.
async fn govmomi(raw: &mut RawClient, what: &str, more: &str) -> RawResponse {
    let chunked = what.starts_with("POST");
    let framing = if chunked {
        "Transfer-Encoding: chunked\r\n"
    } else {
        ""
    };
    let content = if chunked {
        "Content-Type: application/json\r\n"
    } else {
        ""
    };
    let end = if chunked { "0\r\n\r\n" } else { "" };
    raw.ask(format!(
        "{what} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: Go-http-client/1.1\r\n{framing}\
         Accept: application/json\r\n{content}{more}Accept-Encoding: gzip\r\n\r\n{end}"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn govmomi_is_served_on_one_connection() {
    for deployment in Deployment::BOTH {
        let gateway = offering(deployment).start().await;
        let mut raw = gateway.raw().await;
        let get = format!("POST {OLD}?~action=get");
        let create = format!("POST {OLD}");
        let without = govmomi(&mut raw, &get, "").await;
        assert_eq!(without.status, 401);
        assert_eq!(body(&without), unauthenticated_old());

        let credentials = format!(
            "Authorization: {}\r\nVmware-Use-Header-Authn: true\r\n",
            basic("alice", PASSWORD)
        );
        let created = govmomi(&mut raw, &create, &credentials).await;
        assert_eq!(created.status, 200, "{}", created.text());
        assert_eq!(created.header("set-cookie"), None);
        let created = body(&created);
        assert_eq!(created.as_object().unwrap().len(), 1);
        let shown = format!(
            "Vmware-Api-Session-Id: {}\r\n",
            created["value"].as_str().unwrap()
        );

        let info = govmomi(&mut raw, &get, &shown).await;
        assert_eq!(info.status, 200);
        assert_is_info(&body(&info)["value"], "alice");
        let deleted = govmomi(&mut raw, &format!("DELETE {OLD}"), &shown).await;
        assert_eq!((deleted.status, deleted.body.len()), (200, 0));
        for after in [&get, &format!("DELETE {OLD}")] {
            let over = govmomi(&mut raw, after, &shown).await;
            assert_eq!(over.status, 401, "{after}");
            assert_eq!(body(&over), unauthenticated_old());
        }
        let wrong = format!("Authorization: {}\r\n", basic("nobody", "wrong"));
        let refused = govmomi(&mut raw, &create, &wrong).await;
        assert_eq!(refused.status, 401);
        assert_eq!(body(&refused), unauthenticated_old());
        assert_eq!(refused.header("set-cookie"), None);
    }
}

const SDK: &str = "User-Agent: SDK/9.1.1.0 vAPI/9.1.1.0 Python/3.11.7 (Linux; 6.18.44-fc-v669; x86_64)\r\n\
                   Accept-Encoding: gzip, deflate\r\n";

async fn sdk_rest(raw: &mut RawClient, method: &str, more: &str) -> RawResponse {
    let content = if method == "GET" {
        ""
    } else {
        "Content-Type: application/json\r\nContent-Length: 0\r\n"
    };
    raw.ask(format!(
        "{method} {NEW} HTTP/1.1\r\nHost: {HOST}\r\n{SDK}Accept: application/json\r\n\
         Connection: keep-alive\r\n{more}{content}\r\n"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_is_served_in_the_new_form() {
    for deployment in Deployment::BOTH {
        let gateway = offering(deployment).start().await;
        let mut raw = gateway.raw().await;
        let credentials = format!("Authorization: {}\r\n", basic("alice", PASSWORD));
        let created = sdk_rest(&mut raw, "POST", &credentials).await;
        assert_eq!(created.status, 201, "{}", created.text());
        let shown = format!(
            "vmware-api-session-id: {}\r\n",
            body(&created).as_str().unwrap()
        );
        let info = sdk_rest(&mut raw, "GET", &shown).await;
        assert_eq!(info.status, 200);
        assert_is_info(&body(&info), "alice");
        let deleted = sdk_rest(&mut raw, "DELETE", &shown).await;
        assert_eq!((deleted.status, deleted.body.len()), (204, 0));
        let wrong = format!("Authorization: {}\r\n", basic("alice", "x"));
        for refused in [
            sdk_rest(&mut raw, "GET", &shown).await,
            sdk_rest(&mut raw, "DELETE", &shown).await,
            sdk_rest(&mut raw, "POST", &wrong).await,
            sdk_rest(&mut raw, "GET", "").await,
            sdk_rest(&mut raw, "POST", "").await,
        ] {
            assert_eq!(refused.status, 401);
            assert_eq!(body(&refused), unauthenticated_new());
        }
    }
}

pub async fn sdk_rpc(raw: &mut RawClient, operation: &str, security: Value, id: &str) -> Value {
    let message = json!({
        "jsonrpc": "2.0",
        "method": "invoke",
        "params": {
            "serviceId": "com.vmware.cis.session",
            "operationId": operation,
            "input": { "STRUCTURE": { "operation-input": {} } },
            "ctx": {
                "appCtx": { "opId": "f8c386a2-e8ff-46cb-a001-d3033558b7a2" },
                "securityCtx": security,
            },
        },
        "id": id,
    });
    send_rpc(raw, operation, &message.to_string(), id).await
}

pub async fn send_rpc(raw: &mut RawClient, operation: &str, message: &str, id: &str) -> Value {
    let response = raw
        .ask(format!(
            "POST /api HTTP/1.1\r\nHost: {HOST}\r\n{SDK}Accept: */*\r\nConnection: keep-alive\r\n\
             Content-Type: application/json\r\nvapi-service: com.vmware.cis.session\r\n\
             vapi-operation: {operation}\r\nvapi-ctx-opid: f8c386a2-e8ff-46cb-a001-d3033558b7a2\r\n\
             Content-Length: {}\r\n\r\n{message}",
            message.len()
        ))
        .await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("set-cookie"), None);
    let mut answer = body(&response);
    assert_eq!(answer["jsonrpc"], "2.0");
    assert_eq!(answer["id"], id);
    answer["result"].take()
}

fn user_pass(user: &str, password: &str) -> Value {
    json!({
        "schemeId": "com.vmware.vapi.std.security.user_pass",
        "userName": user,
        "password": password,
    })
}

fn session_id(id: &str) -> Value {
    json!({ "schemeId": "com.vmware.vapi.std.security.session_id", "sessionId": id })
}

pub fn unauthenticated_rpc() -> Value {
    let message = &authentication_required()[0];
    json!({ "error": { "ERROR": { "com.vmware.vapi.std.errors.unauthenticated": {
        "messages": [{ "STRUCTURE": { "com.vmware.vapi.std.localizable_message": message } }],
        "data": { "OPTIONAL": null },
        "error_type": { "OPTIONAL": "UNAUTHENTICATED" },
        "challenge": { "OPTIONAL": null },
    } } } })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_is_served_in_json_rpc() {
    for deployment in Deployment::BOTH {
        let gateway = offering(deployment).start().await;
        let mut raw = gateway.raw().await;
        let created = sdk_rpc(&mut raw, "create", user_pass("alice", PASSWORD), "0").await;
        let id = created["output"]["SECRET"].as_str().unwrap().to_owned();
        assert_eq!(created, json!({ "output": { "SECRET": id } }));
        let info = sdk_rpc(&mut raw, "get", session_id(&id), "0").await;
        assert_is_info(
            &info["output"]["STRUCTURE"]["com.vmware.cis.session.info"],
            "alice",
        );
        let deleted = sdk_rpc(&mut raw, "delete", session_id(&id), "1").await;
        assert_eq!(deleted, json!({ "output": null }));
        for (operation, security) in [
            ("get", session_id(&id)),
            ("delete", session_id(&id)),
            ("delete", session_id("0123456789abcdef0123456789abcdef")),
            ("get", user_pass("alice", PASSWORD)),
            ("create", user_pass("u", "bad")),
            ("create", session_id(&id)),
            ("create", Value::Null),
            (
                "create",
                json!({ "schemeId": "com.vmware.vapi.std.security.saml_bearer_token", "samlToken": "<saml2:Assertion/>" }),
            ),
        ] {
            let refused = sdk_rpc(&mut raw, operation, security, "0").await;
            assert_eq!(refused, unauthenticated_rpc(), "{operation}");
        }
        let unknown = sdk_rpc(&mut raw, "list", session_id(&id), "0").await;
        let error = unknown["error"]["ERROR"].as_object().unwrap();
        assert!(error.contains_key("com.vmware.vapi.std.errors.operation_not_found"));
    }
}

async fn ask(client: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.body(empty()).unwrap()).await
}

async fn create(gateway: &Gateway, user: &str) -> String {
    let client = gateway.client(Protocol::Http1);
    let credentials = basic(user, PASSWORD);
    let created = ask(
        &client,
        Method::POST,
        NEW,
        &[("authorization", &credentials)],
    )
    .await;
    assert_eq!(created.status, 201, "{}", created.text());
    created.json()
}

async fn get(gateway: &Gateway, id: &str) -> Answer {
    let client = gateway.client(Protocol::Http1);
    ask(&client, Method::GET, NEW, &[("vmware-api-session-id", id)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_for_those_who_do_not_keep_the_id() {
    let gateway = offering(Deployment::Embedded).start().await;
    let credentials = basic("alice", PASSWORD);
    for (path, cookie_path, status) in [(OLD, "/rest", 200), (NEW, "/api", 201)] {
        for protocol in Protocol::BOTH {
            let client = gateway.client(protocol);
            let created = ask(
                &client,
                Method::POST,
                path,
                &[("authorization", &credentials)],
            )
            .await;
            assert_eq!(created.status, status);
            let cookie = created.set_cookie("vmware-api-session-id").unwrap();
            let attributes = cookie.split_once("; ").unwrap().1;
            let expected = format!("HttpOnly; SameSite=Lax; Secure; Path={cookie_path}");
            assert_eq!(attributes, expected);
            // The client sends it now, and nothing else.
            assert_eq!(ask(&client, Method::GET, path, &[]).await.status, 200);
            // A header counts before it, even one that is worth nothing.
            let header = [("vmware-api-session-id", "nothing")];
            assert_eq!(ask(&client, Method::GET, path, &header).await.status, 401);
            // Pages of other sites cannot use it.
            for foreign in [
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://evil.test"),
            ] {
                assert_eq!(
                    ask(&client, Method::DELETE, path, &[foreign]).await.status,
                    401
                );
            }
            let own = [
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://app.test"),
            ];
            let deleted = ask(&client, Method::DELETE, path, &own).await;
            assert!(deleted.status.is_success());
            assert_eq!(ask(&client, Method::GET, path, &[]).await.status, 401);

            let client = gateway.client(protocol);
            for value in ["true", "1", "no"] {
                let asked = [
                    ("authorization", credentials.as_str()),
                    ("vmware-use-header-authn", value),
                ];
                let created = ask(&client, Method::POST, path, &asked).await;
                assert_eq!(created.header("set-cookie"), "");
            }
            // Without a value it says nothing.
            let empty = [
                ("authorization", credentials.as_str()),
                ("vmware-use-header-authn", ""),
            ];
            let created = ask(&client, Method::POST, path, &empty).await;
            assert!(created.set_cookie("vmware-api-session-id").is_some());
            // Nor does a browser's memory of a password count for another site.
            let foreign = [
                ("authorization", credentials.as_str()),
                ("sec-fetch-site", "cross-site"),
            ];
            assert_eq!(ask(&client, Method::POST, path, &foreign).await.status, 401);
        }
    }
}

/// Each create makes a session of its own; none is taken over from the client.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_a_client_brings_is_not_taken_over() {
    let gateway = offering(Deployment::Embedded).start().await;
    let planted = create(&gateway, "bob").await;
    let client = gateway.client(Protocol::Http1);
    client.set_cookie("vmware-api-session-id", &planted);
    client.set_cookie("SMSESSION", &planted);
    let credentials = basic("alice", PASSWORD);
    let created = ask(
        &client,
        Method::POST,
        NEW,
        &[("authorization", &credentials)],
    )
    .await;
    let new: String = created.json();
    assert_ne!(new, planted);
    assert_eq!(get(&gateway, &new).await.json::<Value>()["user"], "alice");
    assert_eq!(get(&gateway, &planted).await.json::<Value>()["user"], "bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_the_same_at_the_gateway_and_ends_there_at_once() {
    for deployment in Deployment::BOTH {
        let gateway = offering(deployment).start().await;
        let other = gateway.beside("agent.name = \"agent-1\"").await;
        let id = create(&gateway, "alice").await;
        let browser = holding(&gateway, &id, Protocol::Http1);
        assert_eq!(browser.get("/app/").await.status, 200);
        assert_eq!(get(&other, &id).await.status, 200);
        let client = gateway.client(Protocol::Http1);
        let shown = [("vmware-api-session-id", id.as_str())];
        assert_eq!(ask(&client, Method::DELETE, OLD, &shown).await.status, 200);
        assert!(challenge_reason(&browser.get("/app/").await).is_some());
        assert_eq!(get(&gateway, &id).await.status, 401);
        assert_eq!(get(&other, &id).await.status, 401);

        // And the other way round.
        let (client, cookie) = logged_in(&gateway, "bob", Protocol::Http2).await;
        let info = get(&other, &cookie).await;
        assert_eq!(info.json::<Value>()["user"], "bob");
        client.get("/doorward/logout").await;
        assert_eq!(get(&gateway, &cookie).await.status, 401);
        assert_eq!(get(&other, &cookie).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn get_keeps_a_session_alive_until_its_absolute_end() {
    let config = format!(
        "{OFFERED}[[realms]]\nname = \"app\"\nidle_timeout = \"10m\"\nmax_timeout = \"30m\""
    );
    for deployment in Deployment::BOTH {
        let setup = Gateway::setup().deployment(deployment).with(&config);
        let gateway = setup.start().await;
        let id = create(&gateway, "alice").await;
        let created = get(&gateway, &id).await.json::<Value>();
        for _ in 0..3 {
            gateway.clock.advance(MINUTE * 9);
            let info = get(&gateway, &id).await;
            assert_eq!(info.status, 200);
            let info = info.json::<Value>();
            assert_eq!(info["created_time"], created["created_time"]);
            assert_ne!(info["last_accessed_time"], created["last_accessed_time"]);
        }
        gateway.clock.advance(MINUTE * 3);
        assert_eq!(get(&gateway, &id).await.status, 401, "the absolute end");

        let id = create(&gateway, "alice").await;
        gateway.clock.advance(MINUTE * 10);
        assert_eq!(get(&gateway, &id).await.status, 401, "nobody used it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_come_in_learns_nothing() {
    let gateway = offering(Deployment::Embedded)
        .with_policy(WITH_NEWCOMERS)
        .start()
        .await;
    let client = gateway.client(Protocol::Http1);
    for (user, password) in [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("erin", PASSWORD),
        ("frank", PASSWORD),
        ("", ""),
    ] {
        let credentials = basic(user, password);
        for path in [OLD, NEW] {
            let answer = ask(
                &client,
                Method::POST,
                path,
                &[("authorization", &credentials)],
            )
            .await;
            assert_eq!(answer.status, 401, "{user}");
            let expected = if path == OLD {
                unauthenticated_old()
            } else {
                unauthenticated_new()
            };
            assert_eq!(answer.json::<Value>(), expected);
            assert_eq!(answer.header("www-authenticate"), "");
        }
    }
}

/// The gateway's cache knows of uses that the policy server has not heard of.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_alive_at_the_gateway_ends_here() {
    let timed = format!(
        "{OFFERED}[[realms]]\nname = \"app\"\nidle_timeout = \"10m\"\nvalidation_period = \"8m\""
    );
    for knows_of_the_use in [true, false] {
        let gateway = Gateway::setup().with(&timed).start().await;
        let id = create(&gateway, "alice").await;
        let browser = holding(&gateway, &id, Protocol::Http1);
        gateway.clock.advance(MINUTE * 7);
        assert_eq!(browser.get("/app/").await.status, 200);
        gateway.clock.advance(MINUTE * 4);
        let beside = gateway.beside("").await;
        let (asked, expected) = if knows_of_the_use {
            (&gateway, 204)
        } else {
            // Told dead, and over all the same.
            (&beside, 401)
        };
        let client = asked.client(Protocol::Http1);
        let shown = [("vmware-api-session-id", id.as_str())];
        let deleted = ask(&client, Method::DELETE, NEW, &shown).await;
        assert_eq!(deleted.status, expected, "{}", deleted.text());
        assert!(
            challenge_reason(&holding(&gateway, &id, Protocol::Http1).get("/app/").await).is_some()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_server_every_form_says_so() {
    for deployment in Deployment::BOTH {
        let gateway = offering(deployment).start().await;
        let id = create(&gateway, "alice").await;
        let other = create(&gateway, "bob").await;
        gateway.policy_server.stop().await;
        let client = gateway.client(Protocol::Http1);
        let credentials = basic("alice", PASSWORD);
        let message = json!([{
            "id": "doorward.service_unavailable",
            "default_message": "The service is unavailable.",
            "args": [],
        }]);
        for header in [
            ("authorization", credentials.as_str()),
            ("vmware-api-session-id", &id),
        ] {
            let (old, new) = if header.0 == "authorization" {
                (Method::POST, Method::POST)
            } else {
                (Method::GET, Method::DELETE)
            };
            let answer = ask(&client, old, OLD, &[header]).await;
            assert_eq!(answer.status, 503);
            let expected = json!({
                "type": "com.vmware.vapi.std.errors.service_unavailable",
                "value": { "messages": message },
            });
            assert_eq!(answer.json::<Value>(), expected);
            let answer = ask(&client, new, NEW, &[header]).await;
            assert_eq!(answer.status, 503);
            let expected = json!({ "error_type": "SERVICE_UNAVAILABLE", "messages": message });
            assert_eq!(answer.json::<Value>(), expected);
        }
        // But what was to end has ended here.
        let browser = holding(&gateway, &id, Protocol::Http1);
        assert_ne!(browser.get("/app/").await.status, 200);
        let mut raw = gateway.raw().await;
        let message = &message[0];
        let expected = json!({ "error": { "ERROR": {
            "com.vmware.vapi.std.errors.service_unavailable": {
                "messages": [{ "STRUCTURE": { "com.vmware.vapi.std.localizable_message": message } }],
                "data": { "OPTIONAL": null },
                "error_type": { "OPTIONAL": "SERVICE_UNAVAILABLE" },
            },
        } } });
        for (operation, security) in [
            ("create", user_pass("alice", PASSWORD)),
            ("get", session_id(&other)),
            ("delete", session_id(&other)),
        ] {
            let answer = sdk_rpc(&mut raw, operation, security, "0").await;
            assert_eq!(answer, expected, "{operation}");
        }
    }
}

/// Then the paths without it are the applications'.
#[tokio::test(flavor = "multi_thread")]
async fn the_service_may_be_below_a_path_of_its_own() {
    let moved = "services.vsphere.realm = \"app\"\nservices.vsphere.path = \"/vcenter\"";
    let moved = OFFERED.replace("services.vsphere.realm = \"app\"", moved);
    let gateway = Gateway::setup().with(&moved).start().await;
    let credentials = basic("alice", PASSWORD);
    let known = [("authorization", credentials.as_str())];
    for (path, cookie_path) in [
        ("/vcenter/rest/com/vmware/cis/session", "/vcenter/rest"),
        ("/vcenter/rest/session", "/vcenter/rest"),
        ("/vcenter/api/session", "/vcenter/api"),
    ] {
        let client = gateway.client(Protocol::Http1);
        let created = ask(&client, Method::POST, path, &known).await;
        assert!(created.status.is_success(), "{path}: {}", created.text());
        let cookie = created.set_cookie("vmware-api-session-id").unwrap();
        let written_for = format!("; Path={cookie_path}");
        assert!(cookie.ends_with(&written_for), "{cookie}");
        let deleted = ask(&client, Method::DELETE, path, &[]).await;
        assert!(deleted.status.is_success(), "{path}");
        assert_eq!(ask(&client, Method::GET, path, &[]).await.status, 401);
    }
    let service = ("vapi-service", "com.vmware.cis.session");
    let client = gateway.client(Protocol::Http1);
    let answer = ask(&client, Method::POST, "/vcenter/api", &[service]).await;
    assert_eq!(answer.json::<Value>()["error"]["code"], -32700);
    assert!(gateway.origin.requests().is_empty());
    for path in [OLD, NEW, "/rest/session", "/api"] {
        let answer = ask(&client, Method::POST, path, &[service]).await;
        assert_eq!(answer.json::<SeenRequest>().target, path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_in_the_form_of_its_path() {
    let gateway = offering(Deployment::Embedded).start().await;
    let client = gateway.client(Protocol::Http1);
    let credentials = basic("alice", PASSWORD);
    let known = [("authorization", credentials.as_str())];
    let answer = ask(
        &client,
        Method::POST,
        &format!("{OLD}?~action=renew"),
        &known,
    )
    .await;
    assert_eq!(answer.status, 404);
    let kind = answer.json::<Value>()["type"].take();
    assert_eq!(kind, "com.vmware.vapi.std.errors.operation_not_found");
    let answer = ask(&client, Method::PUT, NEW, &known).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), "GET, POST, DELETE");
    assert_eq!(answer.json::<Value>()["error_type"], "OPERATION_NOT_FOUND");
    assert_eq!(ask(&client, Method::HEAD, NEW, &known).await.status, 405);
    assert!(gateway.origin.requests().is_empty());
}

/// An application may have an `/api` of its own. It never sees a token.
#[tokio::test(flavor = "multi_thread")]
async fn applications_keep_what_is_theirs_and_get_no_token() {
    let gateway = offering(Deployment::Embedded).start().await;
    let id = create(&gateway, "alice").await;
    let client = gateway.client(Protocol::Http1);
    client.set_cookie("vmware-api-session-id", &id);
    client.set_cookie("other", "1");
    for (method, path, service) in [
        (Method::POST, "/api", None),
        (Method::POST, "/api", Some("com.vmware.vcenter.vm")),
        (Method::GET, "/api", Some("com.vmware.cis.session")),
        (Method::GET, "/api/session/1", None),
        (Method::POST, "/rest/com/vmware/cis/session/", None),
    ] {
        let mut headers = vec![("vmware-api-session-id", id.as_str())];
        headers.extend(service.map(|service| ("vapi-service", service)));
        let answer = ask(&client, method.clone(), path, &headers).await;
        assert_eq!(answer.status, 200, "{method} {path}");
        let seen: SeenRequest = answer.json();
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            (method.as_str(), path)
        );
        assert_eq!(seen.header("vmware-api-session-id"), None);
        assert_eq!(seen.header("cookie"), Some("other=1"));
    }
    // Where the service is not offered, nothing is taken.
    let without = Gateway::setup().with(&OFFERED.replace("services.vsphere.realm = \"app\"", ""));
    let without = without.start().await;
    let client = without.client(Protocol::Http1);
    let own = [("vmware-api-session-id", "the application's own")];
    let seen: SeenRequest = ask(&client, Method::POST, NEW, &own).await.json();
    assert_eq!(seen.header("vmware-api-session-id"), Some(own[0].1));
}

/// What is under way completes, whatever ends the session.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_session_breaks_nothing_off() {
    let timed = format!(
        "{OFFERED}[[realms]]\nname = \"app\"\nidle_timeout = \"10m\"\nmax_timeout = \"30m\""
    );
    for end in ["delete", "idle", "absolute"] {
        let setup = Gateway::setup().deployment(Deployment::Remote);
        let gateway = setup.with(&timed).start().await;
        let id = create(&gateway, "alice").await;
        let browser = holding(&gateway, &id, Protocol::Http1);
        let request = browser.request(Method::GET, "/app/?do=slow-body");
        let mut response = browser.start(request.body(empty()).unwrap()).await;
        let first = response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "first");
        match end {
            "delete" => {
                let client = gateway.client(Protocol::Http1);
                let shown = [("vmware-api-session-id", id.as_str())];
                assert_eq!(ask(&client, Method::DELETE, NEW, &shown).await.status, 204);
            }
            "idle" => gateway.clock.advance(MINUTE * 10),
            _ => {
                for _ in 0..3 {
                    gateway.clock.advance(MINUTE * 9);
                    assert_eq!(get(&gateway, &id).await.status, 200);
                }
                gateway.clock.advance(MINUTE * 3);
            }
        }
        assert_eq!(get(&gateway, &id).await.status, 401, "{end}");
        let over = holding(&gateway, &id, Protocol::Http1).get("/app/").await;
        assert!(challenge_reason(&over).is_some(), "{end}");
        gateway.origin.release(1);
        let rest = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(rest, "last", "{end}");
    }
}

/// A body is read to its end whatever comes of the call, or the connection ends.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_nobody_needs_do_not_desynchronise() {
    let gateway = offering(Deployment::Embedded).start().await;
    let mut raw = gateway.raw().await;
    for method in ["POST", "DELETE", "GET", "PUT"] {
        let inside = format!("GET {NEW} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        let answer = raw
            .ask(format!(
                "{method} {NEW} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\r\n{inside}",
                inside.len()
            ))
            .await;
        assert!([401, 405].contains(&answer.status), "{method}");
        let answer = raw
            .ask(format!(
                "{method} {OLD} HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n\
                 {:x}\r\n{inside}\r\n0\r\n\r\n",
                inside.len()
            ))
            .await;
        assert!([401, 405].contains(&answer.status), "{method}");
    }
    // The answers were to these requests, and to nothing that was in them.
    let probe = raw.ask(crate::support::get("/open/probe", &[])).await;
    let seen: SeenRequest = serde_json::from_slice(&probe.body).unwrap();
    assert_eq!(seen.target, "/open/probe");
    assert_eq!(gateway.origin.requests().len(), 1);
    // One that is too long is refused, and the connection with it.
    let long = "x".repeat(300 * 1024);
    raw.send(format!(
        "POST {NEW} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\r\n{long}",
        long.len()
    ))
    .await;
    let refused = raw.response().await.unwrap();
    assert_eq!(refused.status, 400);
    assert_eq!(body(&refused)["error_type"], "INVALID_REQUEST");
}

/// A target that has two readings is read by nobody, but the service says so itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_in_the_form_of_its_path() {
    let gateway = offering(Deployment::Embedded).start().await;
    let ask = async |line: &str| {
        let mut raw = gateway.raw().await;
        let request = format!(
            "{line} HTTP/1.1\r\nHost: app.test:x\r\nvapi-service: com.vmware.cis.session\r\n\
             Content-Length: 0\r\n\r\n"
        );
        raw.ask(request).await
    };
    let old = ask(&format!("DELETE {OLD}")).await;
    assert_eq!(old.status, 400);
    let kind = body(&old)["type"].take();
    assert_eq!(kind, "com.vmware.vapi.std.errors.invalid_request");
    let new = ask(&format!("GET {NEW}")).await;
    assert_eq!(new.status, 400);
    assert_eq!(body(&new)["error_type"], "INVALID_REQUEST");
    let message = ask("POST /api").await;
    assert_eq!(message.status, 200);
    assert_eq!(body(&message)["error"]["code"], -32600);
    // What is the applications' is the gateway's to refuse.
    let other = ask("GET /api").await;
    assert_eq!(other.status, 400);
    assert_ne!(other.header("content-type"), Some("application/json"));
}

/// A script whose own time is up while the policy server is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_delete_is_carried_out_although_nobody_waits_for_it() {
    let gateway = offering(Deployment::Remote).start().await;
    let other = gateway.beside("").await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let elsewhere = holding(&other, &cookie, Protocol::Http1);
    assert_eq!(elsewhere.get("/app/").await.status, 200);
    let request =
        format!("DELETE {NEW} HTTP/1.1\r\nHost: {HOST}\r\nvmware-api-session-id: {cookie}\r\n\r\n");
    hang_up_during(&gateway, Call::SessionService, request).await;
    gateway.policy.cut(PolicyError::TimedOut);
    let here = holding(&gateway, &cookie, Protocol::Http1);
    refused(&here.get("/app/").await);
    gateway.policy.open();
    eventually("it is over at the other agent", async || {
        challenge_reason(&elsewhere.get("/app/").await)
    })
    .await;
}
