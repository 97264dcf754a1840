//! The session service of vSphere: exchanges as they were recorded of its clients and servers.

use std::time::Duration;

use policy_client::foreign::{ForeignKind, ForeignSettings, ticket};
use policy_client::vsphere::{VSphereClient, VSphereSettings, WireForm};
use policy_client::{PolicyCalls as _, PolicyError};
use policy_protocol::message::{
    AuthorizeAnswer, LoginAnswer, LogoutAnswer, SessionTicket, ValidateAnswer,
};
use policy_protocol::{AuthScheme, ProtectionLevel, Reason, Timestamp};

use crate::foreign::{
    Does, NOW, PASSWORD, Received, Script, THERE, authorize, clock, hasty, logged_in, login,
    logout, no_answers, settings, validate,
};

const FORMS: [WireForm; 3] = [WireForm::Api, WireForm::Rest, WireForm::JsonRpc];
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// `alice:plainly fake`
const BASIC: &str = "Basic YWxpY2U6cGxhaW5seSBmYWtl";
const FIELDS: &str = r#"{"user":"Administrator@VSPHERE.LOCAL","created_time":"2026-11-21T10:00:00.000Z","last_accessed_time":"2026-11-21T10:05:00.000Z"}"#;

fn client(form: WireForm, servers: &[&Script]) -> VSphereClient {
    client_of(form, settings(servers))
}

fn client_of(form: WireForm, link: ForeignSettings) -> VSphereClient {
    let settings = VSphereSettings {
        link,
        wire_form: form,
    };
    VSphereClient::new(&settings, clock()).unwrap()
}

/// The one token and the one password that a server knows.
fn server(form: WireForm) -> impl Fn(&Received) -> Does + Send + Sync + 'static {
    move |request| match form {
        WireForm::Api => api(request),
        WireForm::Rest => rest(request),
        WireForm::JsonRpc => rpc(request),
    }
}

fn api(request: &Received) -> Does {
    let live = request.header("vmware-api-session-id") == TOKEN;
    let refusal = r#"{"error_type":"UNAUTHENTICATED","messages":[{"args":[],"default_message":"Authentication required.","id":"com.vmware.vapi.endpoint.method.authentication.required"}]}"#;
    match (request.method.as_str(), request.target.as_str()) {
        ("POST", "/api/session") if request.header("authorization") == BASIC => {
            Does::Says(201, format!("{TOKEN:?}"))
        }
        ("GET", "/api/session") if live => Does::says(200, FIELDS),
        ("DELETE", "/api/session") if live => Does::says(204, ""),
        (_, "/api/session") => Does::says(401, refusal),
        _ => Does::says(404, "404 page not found\n"),
    }
}

/// As a simulator does it: errors have no body.
fn rest(request: &Received) -> Does {
    let live = request.header("vmware-api-session-id") == TOKEN;
    const PATH: &str = "/rest/com/vmware/cis/session";
    match (request.method.as_str(), request.target.as_str()) {
        ("POST", PATH) if request.header("authorization") == BASIC => {
            Does::Says(200, format!("{{\"value\":{TOKEN:?}}}"))
        }
        ("POST", "/rest/com/vmware/cis/session?~action=get") if live => {
            Does::Says(200, format!("{{\"value\":{FIELDS}}}"))
        }
        ("DELETE", PATH) if live => Does::says(200, ""),
        ("DELETE" | "POST", target) if target.starts_with(PATH) => Does::says(401, ""),
        _ => Does::says(404, "404 page not found\n"),
    }
}

fn rpc(request: &Received) -> Does {
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/api")
    );
    let call: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        (&call["jsonrpc"], &call["method"]),
        (&"2.0".into(), &"invoke".into())
    );
    let params = &call["params"];
    assert_eq!(params["serviceId"], "com.vmware.cis.session");
    assert_eq!(request.header("vapi-service"), "com.vmware.cis.session");
    let operation = params["operationId"].as_str().unwrap();
    assert_eq!(request.header("vapi-operation"), operation);
    assert!(params["input"]["STRUCTURE"]["operation-input"].is_object());
    let context = &params["ctx"]["securityCtx"];
    let output = match (operation, context["schemeId"].as_str().unwrap()) {
        ("create", "com.vmware.vapi.std.security.user_pass")
            if context["userName"] == "alice" && context["password"] == PASSWORD =>
        {
            format!("{{\"SECRET\":{TOKEN:?}}}")
        }
        (operation, "com.vmware.vapi.std.security.session_id") if context["sessionId"] == TOKEN => {
            match operation {
                "get" => format!(r#"{{"STRUCTURE":{{"com.vmware.cis.session.info":{FIELDS}}}}}"#),
                "delete" => String::from("null"),
                other => panic!("{other}"),
            }
        }
        _ => {
            return Does::says(
                200,
                r#"{"jsonrpc":"2.0","id":"0","result":{"error":{"ERROR":{"com.vmware.vapi.std.errors.unauthenticated":{"messages":[],"data":{"OPTIONAL":null},"error_type":{"OPTIONAL":"UNAUTHENTICATED"},"challenge":{"OPTIONAL":null}}}}}}"#,
            );
        }
    };
    Does::Says(
        200,
        format!(r#"{{"jsonrpc":"2.0","id":"0","result":{{"output":{output}}}}}"#),
    )
}

fn there() -> SessionTicket {
    ticket(ForeignKind::VSphere, TOKEN.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_session_is_begun_looked_after_and_ended_in_each_form() {
    for form in FORMS {
        let server = Script::start(server(form)).await;
        let client = client(form, &[&server]);
        let session = logged_in(&client).await;
        assert_eq!(session.spec.as_str(), TOKEN);
        assert_eq!(session.identity.user_name, "Administrator@VSPHERE.LOCAL");
        assert_eq!(session.identity.directory.name, "VSPHERE.LOCAL");
        assert_eq!(session.protection_level, ProtectionLevel(5));
        assert_eq!(session.auth_scheme, AuthScheme::Form);
        assert_eq!(session.started, Timestamp(NOW.0 - 600));
        assert_eq!(session.last_access, Timestamp(NOW.0 - 300));
        assert_eq!(session.max_timeout, Duration::from_secs(7200));
        let begun = &server.received()[0];
        if form != WireForm::JsonRpc {
            assert_eq!(begun.header("vmware-use-header-authn"), "true");
            assert_eq!(begun.body, "");
        }
        assert!(begun.headers.get("doorward-agent-instance").is_none());

        let answer = client.validate(validate(session.ticket())).await.unwrap();
        let again = ValidateAnswer::Yes {
            session: Box::new(session.clone()),
        };
        assert_eq!(answer, again, "{form:?}");
        let answer = client.authorize(authorize(session.ticket())).await.unwrap();
        assert!(matches!(answer, AuthorizeAnswer::Yes { .. }));
        let answer = client.logout(logout(session.ticket())).await.unwrap();
        assert_eq!(answer, LogoutAnswer::Yes);
        let last = server.received().pop().unwrap();
        assert!(last.method == "DELETE" || last.header("vapi-operation") == "delete");
    }
}

#[tokio::test]
async fn a_session_that_was_begun_there_has_the_level_that_is_configured() {
    for form in FORMS {
        let server = Script::start(server(form)).await;
        let client = client(form, &[&server]);
        let answer = client.validate(validate(there())).await.unwrap();
        let ValidateAnswer::Yes { session } = answer else {
            panic!("{form:?}")
        };
        assert_eq!(session.id, there().session_id);
        assert_eq!(session.protection_level, THERE);
        // Another session than that of the same token that was begun here.
        assert_ne!(session.id, logged_in(&client).await.id);
    }
}

#[tokio::test]
async fn wrong_credentials_and_sessions_that_are_not_known_are_refused() {
    for form in FORMS {
        let server = Script::start(server(form)).await;
        let client = client(form, &[&server]);
        let answer = client.login(login("alice", "wrong")).await.unwrap();
        assert_eq!(
            answer,
            LoginAnswer::No {
                reason: Reason::NONE
            }
        );
        let unknown = ticket(ForeignKind::VSphere, b"another").unwrap();
        let answer = client.validate(validate(unknown.clone())).await.unwrap();
        let reason = Reason::REVOKED_SESSION;
        assert_eq!(answer, ValidateAnswer::No { reason });
        // Gone already.
        let answer = client.logout(logout(unknown)).await.unwrap();
        assert_eq!(answer, LogoutAnswer::Yes);
    }
}

#[tokio::test]
async fn what_is_no_answer_is_neither_yes_nor_no() {
    for form in FORMS {
        for does in no_answers() {
            let script = does.clone();
            let server = Script::start(move |_| script.clone()).await;
            let client = client_of(form, hasty(&server));
            assert!(
                client.validate(validate(there())).await.is_err(),
                "{form:?} {does:?}"
            );
            let login = client.login(login("alice", PASSWORD)).await;
            assert!(login.is_err(), "{form:?} {does:?}");
            let is_success = matches!(does, Does::Says(200, _)) && form != WireForm::JsonRpc;
            if !is_success {
                assert!(
                    client.logout(logout(there())).await.is_err(),
                    "{form:?} {does:?}"
                );
            }
        }
    }
    let nobody = {
        let server = Script::start(|_| Does::Waits).await;
        client(WireForm::Api, &[&server])
    };
    let error = nobody.validate(validate(there())).await.unwrap_err();
    assert_eq!(error, PolicyError::NoConnection);
}

#[tokio::test]
async fn a_login_that_may_have_been_processed_is_not_sent_to_another_server() {
    for does in [Does::says(500, ""), Does::Breaks] {
        let first = Script::start(move |_| does.clone()).await;
        let second = Script::start(server(WireForm::Api)).await;
        let client = client(WireForm::Api, &[&first, &second]);
        assert!(client.login(login("alice", PASSWORD)).await.is_err());
        assert!(second.received().is_empty());
        // What may be repeated is.
        assert!(client.validate(validate(there())).await.is_ok());
    }
}

#[tokio::test]
async fn a_session_of_which_nothing_is_told_is_given_up_and_ended() {
    let server = Script::start(|request| match request.method.as_str() {
        "POST" | "DELETE" => api(request),
        _ => Does::says(401, ""),
    })
    .await;
    let client = client(WireForm::Api, &[&server]);
    assert!(client.login(login("alice", PASSWORD)).await.is_err());
    assert_eq!(server.received().pop().unwrap().method, "DELETE");
}

#[tokio::test]
async fn a_login_ends_the_sessions_that_it_replaces() {
    let server = Script::start(server(WireForm::Api)).await;
    let client = client(WireForm::Api, &[&server]);
    let mut request = login("alice", PASSWORD);
    request.previous = vec![ticket(ForeignKind::VSphere, b"older").unwrap()];
    assert!(matches!(
        client.login(request).await,
        Ok(LoginAnswer::Yes { .. })
    ));
    let last = server.received().pop().unwrap();
    assert_eq!(last.method, "DELETE");
    assert_eq!(last.header("vmware-api-session-id"), "older");
}
