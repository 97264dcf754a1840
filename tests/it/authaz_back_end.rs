//! Sessions of an Access Gateway, over its AuthAz services: begun here or there, looked after and ended there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::gateway::{Gateway, PASSWORD};
use harness::{ForeignServer, Pki, Protocol, logs};
use http::{Request, Response, StatusCode};
use policy_protocol::Reason;

use crate::support::{holding, refused};

const COOKIE: &str = "GWSESSION";
const REALM: &str = "[[realms]]\nname = \"app\"\nvalidation_period = \"5m\"";

/// Live tokens, each of the user it names: `bob-1` is one of Bob's.
type Tokens = Arc<Mutex<HashSet<String>>>;

fn between<'t>(text: &'t str, name: &str) -> &'t str {
    let inner = text
        .split_once(&format!("<{name}>"))
        .map_or("", |(_, rest)| rest);
    inner.split('<').next().unwrap_or_default()
}

fn says(content: &str) -> Response<String> {
    Response::new(format!("<r xmlns=\"urn:whatever\">{content}</r>"))
}

fn responses(list: &str, user: &str) -> String {
    let response = |name: &str, value: &str| {
        format!("<response><name>{name}</name><value>{value}</value></response>")
    };
    let all = [
        response("SM_USER", user),
        response("SM_USERDN", &format!("uid={user},dc=example,dc=com")),
        response("x-department", "engineering"),
    ];
    format!("<{list}>{}</{list}>", all.concat())
}

fn answer(tokens: &Tokens, request: &Request<String>) -> Response<String> {
    let mut tokens = tokens.lock().unwrap();
    let body = request.body();
    let token = between(body, "sessionToken");
    let live = tokens.contains(token);
    let path = request.uri().path();
    let operation = path
        .strip_prefix("/authazws/AuthRestService/")
        .unwrap_or_default();
    match operation.split('/').next().unwrap_or_default() {
        "login" if between(body, "password") == PASSWORD => {
            let user = between(body, "userName");
            let token = format!("{user}-{}", tokens.len() + 1);
            tokens.insert(token.clone());
            let responses = responses("authenticationResponses", user);
            says(&format!(
                "<resultCode>LOGIN_SUCCESS</resultCode><sessionToken>{token}</sessionToken>{responses}"
            ))
        }
        "login" => {
            says("<message>Authentication Failed</message><resultCode>LOGIN_FAILED</resultCode>")
        }
        "authz" if live && !operation.contains("/forbidden") => {
            let user = token.split('-').next().unwrap_or_default();
            let responses = responses("authorizationResponses", user);
            says(&format!(
                "<resultCode>AUTHORIZED</resultCode><sessionToken>{token}</sessionToken>{responses}"
            ))
        }
        "authz" => says("<resultCode>NOTAUTHORIZED</resultCode>"),
        "logout" if tokens.remove(token) => says("<resultCode>LOGOUT_SUCCESS</resultCode>"),
        "logout" => says("<resultCode>LOGOUT_FAILURE</resultCode>"),
        _ => Response::builder().status(404).body(String::new()).unwrap(),
    }
}

/// A gateway whose sessions are those of AuthAz services.
async fn gateway(configuration: &str) -> (Gateway, ForeignServer, Tokens) {
    let tokens = Tokens::default();
    let known = Arc::clone(&tokens);
    let answers = move |request: &Request<String>| answer(&known, request);
    let (gateway, server) = gateway_of(configuration, answers).await;
    (gateway, server, tokens)
}

/// A gateway whose sessions are those of services that answer in this way.
async fn gateway_of(
    configuration: &str,
    answers: impl Fn(&Request<String>) -> Response<String> + Send + Sync + 'static,
) -> (Gateway, ForeignServer) {
    let pki = Pki::default();
    let server = ForeignServer::start(&pki, answers).await;
    let gateway = Gateway::setup()
        .pki(pki)
        .with(REALM)
        .with(configuration)
        .with_other_system(&format!(
            "[policy_server]\nkind = \"authaz\"\nurls = [{:?}]\nca_file = \"ca.crt\"\nagent_keys_file = \"agent-keys\"\nforeign_level = 5\ncookie_name = \"{COOKIE}\"\napps = {{ \"app.test\" = \"shop\", \"*\" = \"rest\" }}",
            server.url()
        ))
        .start()
        .await;
    (gateway, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_begun_here_lives_and_ends_there() {
    let (gateway, server, tokens) = gateway("").await;
    let client = gateway.client(Protocol::Http1);
    let wrong = client.submit_login("/app/", "alice", "wrong").await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    let cookie = client.login("/app/", "alice", PASSWORD).await;
    let calls = server.received().len();
    for _ in 0..3 {
        assert_eq!(client.get("/app/").await.status, 200);
    }
    assert_eq!(server.received().len(), calls, "answered from the cache");
    let seen = gateway.origin.requests().pop().unwrap();
    assert_eq!(seen.header("SM_USER"), Some("alice"));
    assert_eq!(
        seen.header("SM_USERDN"),
        Some("uid=alice,dc=example,dc=com")
    );
    gateway.clock.advance(Duration::from_mins(5));
    assert_eq!(client.get("/app/").await.status, 200);
    let last = server.received().pop().unwrap();
    assert_eq!(last, "POST /authazws/AuthRestService/authz/shop/app/");

    client.get("/doorward/logout").await;
    assert!(tokens.lock().unwrap().is_empty());
    refused(
        &holding(&gateway, &cookie, Protocol::Http1)
            .get("/app/")
            .await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_begun_there_is_accepted_and_ended_there() {
    let (gateway, server, tokens) = gateway("").await;
    tokens.lock().unwrap().insert(String::from("bob-there"));
    let client = gateway.client(Protocol::Http2);
    client.set_cookie(COOKIE, "bob-there");
    for _ in 0..3 {
        let answer = client.get("/app/").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.set_cookie("SMSESSION"), None);
    }
    assert_eq!(server.received().len(), 1);
    let seen = gateway.origin.requests().pop().unwrap();
    assert_eq!(seen.header("SM_USER"), Some("bob"));
    assert!(seen.header("cookie").is_none());
    client.get("/doorward/logout").await;
    assert!(tokens.lock().unwrap().is_empty());
    assert_eq!(refused(&client.get("/app/").await), Reason::USER_LOGOUT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_realm_may_leave_decisions_to_the_policies_there() {
    let (gateway, _server, _) = gateway(
        "identity.managed_headers = [\"x-department\"]\n[[realms]]\nname = \"app\"\nauthorize = true",
    )
    .await;
    let client = gateway.client(Protocol::Http1);
    client.login("/app/", "alice", PASSWORD).await;
    assert_eq!(client.get("/app/").await.status, 200);
    let seen = gateway.origin.requests().pop().unwrap();
    assert_eq!(seen.header("x-department"), Some("engineering"));
    assert_eq!(client.get("/app/forbidden").await.status, 403);
    // When the session is to be validated as well, a refusal may be about either, and the user logs in.
    gateway.clock.advance(Duration::from_mins(5));
    assert_eq!(
        refused(&client.get("/app/forbidden").await),
        Reason::INVALID_SESSION
    );
    assert_eq!(client.get("/app/").await.status, 200, "the session lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_may_not_is_not_the_end_of_a_session_that_is_not_cached() {
    let (mut gateway, _server, _) = gateway("").await;
    let cookie = gateway
        .client(Protocol::Http1)
        .login("/app/", "alice", PASSWORD)
        .await;
    for _ in 0..5 {
        gateway.restart().await;
        let client = holding(&gateway, &cookie, Protocol::Http2);
        // They arrive while the first is asked about, and must not share its answer.
        let (forbidden, first, second) = tokio::join!(
            client.get("/app/forbidden"),
            client.get("/app/"),
            client.get("/app/")
        );
        assert_eq!(refused(&forbidden), Reason::INVALID_SESSION);
        assert_eq!(
            (first.status, second.status),
            (StatusCode::OK, StatusCode::OK)
        );
    }
    gateway.restart().await;
    let client = holding(&gateway, &cookie, Protocol::Http1);
    refused(&client.get("/app/forbidden").await);
    assert_eq!(client.get("/app/").await.status, 200, "the session lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_does_not_begin_the_max_timeout_anew() {
    let (mut gateway, _server, _) =
        gateway("[[realms]]\nname = \"app\"\nmax_timeout = \"1h\"\nidle_timeout = \"1h\"").await;
    let cookie = gateway
        .client(Protocol::Http1)
        .login("/app/", "alice", PASSWORD)
        .await;
    gateway.clock.advance(Duration::from_mins(40));
    gateway.restart().await;
    let client = holding(&gateway, &cookie, Protocol::Http1);
    let answer = client.get("/app/").await;
    assert_eq!(answer.status, 200);
    assert!(answer.set_cookie("SMSESSION").is_some(), "a new cookie");
    gateway.clock.advance(Duration::from_mins(21));
    assert_eq!(refused(&client.get("/app/").await), Reason::EXPIRED_SESSION);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_what_is_cached_goes_on_and_nothing_else_is_decided() {
    let (gateway, server, tokens) = gateway("").await;
    tokens.lock().unwrap().insert(String::from("bob-there"));
    let client = gateway.client(Protocol::Http1);
    client.login("/app/", "alice", PASSWORD).await;
    server.stop().await;
    assert_eq!(client.get("/app/").await.status, 200);
    let other = gateway.client(Protocol::Http1);
    other.set_cookie(COOKIE, "bob-there");
    assert_eq!(other.get("/app/").await.status, 503, "no login page");
    gateway.clock.advance(Duration::from_mins(5));
    assert_eq!(client.get("/app/").await.status, 503);
    server.start_again();
    harness::eventually("all is well again", async || {
        (client.get("/app/").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_go_by_the_groups_and_attributes_that_the_service_told_last() {
    let groups = Arc::new(Mutex::new(Some("staff^drivers")));
    let told = Arc::clone(&groups);
    let realms = "[[realms]]\nname = \"staff\"\nvalidation_period = \"5m\"\n\
        [[realms]]\nname = \"app\"\n\
        rules = [{ name = \"may\", effect = \"allow\", attributes = { x-admin = [\"yes\"] } }]";
    let (gateway, _server) = gateway_of(realms, move |request| {
        let path = request.uri().path();
        let groups = told.lock().unwrap().map(|groups| {
            format!("<response><name>SM_USERGROUPS</name><value>{groups}</value></response>")
        });
        // The policy of this path alone tells it.
        let admin = "<response><name>x-admin</name><value>yes</value></response>";
        let admin = if path.contains("/app/admin") {
            admin
        } else {
            ""
        };
        let responses = format!(
            "<response><name>SM_USER</name><value>alice</value></response>{}{admin}",
            groups.unwrap_or_default()
        );
        match path.contains("/login/") {
            true => says(&format!(
                "<resultCode>LOGIN_SUCCESS</resultCode><sessionToken>alice-1</sessionToken>\
                 <authenticationResponses>{responses}</authenticationResponses>"
            )),
            false => says(&format!(
                "<resultCode>AUTHORIZED</resultCode>\
                 <authorizationResponses>{responses}</authorizationResponses>"
            )),
        }
    })
    .await;
    let client = gateway.client(Protocol::Http1);
    client.login("/staff/", "alice", PASSWORD).await;
    let status = async |path: &str| {
        gateway.clock.advance(Duration::from_mins(5));
        client.get(path).await.status.as_u16()
    };
    assert_eq!(status("/staff/").await, 200);
    let seen = gateway.origin.requests().pop().unwrap();
    assert_eq!(seen.header("SM_USERGROUPS"), Some("staff^drivers"));
    // That nothing is told of groups does not change them; that there are none does.
    *groups.lock().unwrap() = None;
    assert_eq!(status("/staff/").await, 200);
    *groups.lock().unwrap() = Some("drivers");
    assert_eq!(status("/staff/").await, 403);
    *groups.lock().unwrap() = Some("staff");
    assert_eq!(status("/staff/").await, 200);
    *groups.lock().unwrap() = Some("");
    assert_eq!(status("/staff/").await, 403);
    // An attribute that one path's policy tells opens no other path.
    assert_eq!(status("/app/admin").await, 200);
    assert_eq!(status("/app/").await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_fail_from_the_start_may_have_the_wrong_name_for_names() {
    const NAME: &str = "a-realm-of-this-test-alone";
    logs::watch_for(NAME);
    let warned = || {
        let lines = logs::leaks(&[NAME]);
        let about = |line: &&String| line.contains("policy_server.user_name_field");
        lines.iter().filter(about).count()
    };
    let realm = format!(
        "[[realms]]\nname = \"{NAME}\"\nresource = \"/named\"\nupstream = \"origin\"\nscheme = \"form\""
    );
    let (gateway, _server, _) = gateway(&realm).await;
    let client = gateway.client(Protocol::Http1);
    for expected in 1..3 {
        client.submit_login("/named/", "alice", "wrong").await;
        assert_eq!(warned(), expected);
    }
    client.login("/named/", "alice", PASSWORD).await;
    let other = gateway.client(Protocol::Http1);
    other.submit_login("/named/", "alice", "wrong").await;
    assert_eq!(warned(), 2, "the name is right");
}
