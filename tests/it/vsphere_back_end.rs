//! Sessions of vSphere: begun here or there, looked after and ended there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::gateway::{Gateway, PASSWORD, Setup};
use harness::{ForeignServer, Pki, Protocol};
use http::{Method, Request, Response, StatusCode};
use policy_protocol::{Clock, Reason, SystemClock, Timestamp};

use crate::support::{challenge_reason, holding, refused};

const USER: &str = "administrator@vsphere.local";
const HEADER: &str = "vmware-api-session-id";
const REALM: &str =
    "[[realms]]\nname = \"app\"\nvalidation_period = \"5m\"\nidle_timeout = \"15m\"";

/// Sessions by their id, with when each was last used.
type Store = Arc<Mutex<HashMap<String, Timestamp>>>;

/// A vCenter, as far as it has sessions.
struct VCenter {
    server: ForeignServer,
    sessions: Store,
}

impl VCenter {
    /// Sessions that begin here have ids of this length.
    async fn start(pki: &Pki, length: usize) -> Self {
        let sessions = Store::default();
        let store = Arc::clone(&sessions);
        let server =
            ForeignServer::start(pki, move |request| answer(&store, length, request)).await;
        Self { server, sessions }
    }

    /// A session that somebody begins there.
    fn begin(&self, id: &str) {
        let now = SystemClock.now();
        self.sessions.lock().unwrap().insert(id.to_owned(), now);
    }

    fn calls(&self) -> usize {
        self.server.received().len()
    }
}

fn answer(sessions: &Store, length: usize, request: &Request<String>) -> Response<String> {
    let mut sessions = sessions.lock().unwrap();
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    let id = header(HEADER).unwrap_or_default().to_owned();
    let basic = format!("{USER}:{PASSWORD}");
    let expected = format!("Basic {}", base64(&basic));
    let says = |status: u16, body: String| Response::builder().status(status).body(body).unwrap();
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/api/session") if header("authorization") == Some(&expected) => {
            let id = format!("{:0length$x}", sessions.len() + 1);
            sessions.insert(id.clone(), SystemClock.now());
            says(201, format!("{id:?}"))
        }
        (&Method::GET, "/api/session") if sessions.contains_key(&id) => {
            let used = sessions[&id];
            let created = SystemClock.now();
            says(
                200,
                format!(
                    r#"{{"user":"Administrator@VSPHERE.LOCAL","created_time":"{created}","last_accessed_time":"{used}"}}"#
                ),
            )
        }
        (&Method::DELETE, "/api/session") if sessions.remove(&id).is_some() => {
            says(204, String::new())
        }
        (_, "/api/session") => says(401, String::new()),
        _ => says(404, String::new()),
    }
}

fn base64(text: &str) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}

/// A gateway whose sessions are those of a vCenter.
async fn gateway(configure: impl Fn(Setup) -> Setup) -> (Gateway, VCenter) {
    gateway_with_ids(32, configure).await
}

async fn gateway_with_ids(length: usize, configure: impl Fn(Setup) -> Setup) -> (Gateway, VCenter) {
    let pki = Pki::default();
    let vcenter = VCenter::start(&pki, length).await;
    let setup = Gateway::setup().pki(pki).with(REALM).with_other_system(&format!(
        "[policy_server]\nkind = \"vsphere\"\nurls = [{:?}]\nca_file = \"ca.crt\"\nagent_keys_file = \"agent-keys\"\nforeign_level = 5",
        vcenter.server.url()
    ));
    (configure(setup).start().await, vcenter)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_begun_here_lives_and_ends_there() {
    let (gateway, vcenter) = gateway(|setup| setup).await;
    let client = gateway.client(Protocol::Http1);
    assert_eq!(refused(&client.get("/app/").await), Reason::NONE);
    let wrong = client.submit_login("/app/", USER, "wrong").await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    let cookie = client.login("/app/", USER, PASSWORD).await;
    let calls = vcenter.calls();
    for _ in 0..3 {
        assert_eq!(client.get("/app/").await.status, 200);
    }
    assert_eq!(vcenter.calls(), calls, "answered from the cache");
    let seen = gateway.origin.requests().pop().unwrap();
    assert_eq!(seen.header("SM_USER"), Some("Administrator@VSPHERE.LOCAL"));
    assert_eq!(seen.header("SM_AUTHLEVEL"), Some("5"));

    // Another agent, with the same keys, tells level and user as well.
    let beside = gateway.beside("").await;
    let elsewhere = holding(&beside, &cookie, Protocol::Http2);
    assert_eq!(elsewhere.get("/app/").await.status, 200);

    client.get("/doorward/logout").await;
    assert!(vcenter.sessions.lock().unwrap().is_empty());
    let copy = holding(&gateway, &cookie, Protocol::Http1);
    refused(&copy.get("/app/").await);
    // Nothing tells the other agent before it asks.
    gateway.clock.advance(Duration::from_mins(5));
    assert_eq!(
        refused(&elsewhere.get("/app/").await),
        Reason::REVOKED_SESSION
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_begun_there_is_accepted_by_cookie_and_header_and_ended_there() {
    let (gateway, vcenter) = gateway(|setup| setup).await;
    vcenter.begin("by-cookie");
    vcenter.begin("by-header");
    let client = gateway.client(Protocol::Http1);
    client.set_cookie(HEADER, "by-cookie");
    for _ in 0..3 {
        let answer = client.get("/app/").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.set_cookie("SMSESSION"), None);
    }
    assert_eq!(vcenter.server.received(), ["GET /api/session"]);
    let other = gateway.client(Protocol::Http2);
    let with_header = || {
        let request = other
            .request(Method::GET, "/app/")
            .header(HEADER, "by-header");
        other.send(request.body(harness::client::empty()).unwrap())
    };
    assert_eq!(with_header().await.status, 200);
    assert_eq!(with_header().await.status, 200);
    assert_eq!(vcenter.calls(), 2);
    for seen in gateway.origin.requests() {
        assert!(seen.header(HEADER).is_none() && seen.header("cookie").is_none());
    }

    client.get("/doorward/logout").await;
    assert!(!vcenter.sessions.lock().unwrap().contains_key("by-cookie"));
    refused(&client.get("/app/").await);
    assert_eq!(with_header().await.status, 200, "another session");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_session_there_leads_to_the_login_page_and_is_asked_about_once() {
    let (gateway, vcenter) = gateway(|setup| setup).await;
    let client = gateway.client(Protocol::Http1);
    client.set_cookie(HEADER, "unknown");
    for _ in 0..3 {
        assert_eq!(refused(&client.get("/app/").await), Reason::REVOKED_SESSION);
    }
    assert_eq!(vcenter.calls(), 1);
    let long = "x".repeat(2049);
    client.set_cookie(HEADER, &long);
    assert_eq!(refused(&client.get("/app/").await), Reason::INVALID_SESSION);
    assert_eq!(vcenter.calls(), 1, "too long to be one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_token_cannot_be_used_is_ended_there() {
    let (gateway, vcenter) = gateway_with_ids(2049, |setup| setup).await;
    let client = gateway.client(Protocol::Http1);
    let answer = client.submit_login("/app/", USER, PASSWORD).await;
    assert!(answer.status.is_server_error(), "{}", answer.status);
    assert_eq!(vcenter.calls(), 2, "created and deleted");
    assert!(vcenter.sessions.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_level_of_sessions_that_were_begun_there_must_suffice() {
    let (gateway, vcenter) = gateway(|setup| setup).await;
    vcenter.begin("weak");
    let client = gateway.client(Protocol::Http1);
    client.set_cookie(HEADER, "weak");
    let answer = client.get("/strong/").await;
    assert_eq!(challenge_reason(&answer), Some(Reason::AUTH_LEVEL_TOO_LOW));
    client.login("/strong/", USER, PASSWORD).await;
    assert_eq!(client.get("/strong/").await.status, 200);
    // It was not replaced: others use it.
    assert!(vcenter.sessions.lock().unwrap().contains_key("weak"));
}

#[tokio::test(flavor = "multi_thread")]
async fn applications_may_be_given_the_token() {
    let (gateway, vcenter) = gateway(|setup| setup.with("session.pass_cookie = true")).await;
    vcenter.begin("passed");
    let client = gateway.client(Protocol::Http1);
    client.set_cookie(HEADER, "passed");
    assert_eq!(client.get("/app/").await.status, 200);
    let seen = gateway.origin.requests().pop().unwrap();
    assert!(seen.header("cookie").unwrap().contains("passed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_what_is_cached_goes_on_and_nothing_else_is_decided() {
    let (gateway, vcenter) = gateway(|setup| setup).await;
    vcenter.begin("cached");
    vcenter.begin("unseen");
    let client = gateway.client(Protocol::Http1);
    client.set_cookie(HEADER, "cached");
    assert_eq!(client.get("/app/").await.status, 200);
    vcenter.server.stop().await;
    assert_eq!(client.get("/app/").await.status, 200);
    let other = gateway.client(Protocol::Http1);
    other.set_cookie(HEADER, "unseen");
    let answer = other.get("/app/").await;
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "no login page"
    );
    gateway.clock.advance(Duration::from_mins(5));
    assert_eq!(client.get("/app/").await.status, 503);
    let visitor = gateway.client(Protocol::Http1);
    let login = visitor.submit_login("/app/", USER, PASSWORD).await;
    assert_eq!(login.status, 503);

    vcenter.server.start_again();
    harness::eventually("all is well again", async || {
        let well =
            client.get("/app/").await.status == 200 && other.get("/app/").await.status == 200;
        well.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_loses_all_sessions_is_survived() {
    let (gateway, vcenter) = gateway(|setup| setup).await;
    vcenter.begin("there");
    let here = gateway.client(Protocol::Http1);
    here.login("/app/", USER, PASSWORD).await;
    let there = gateway.client(Protocol::Http1);
    there.set_cookie(HEADER, "there");
    assert_eq!(there.get("/app/").await.status, 200);
    vcenter.server.stop().await;
    vcenter.sessions.lock().unwrap().clear();
    vcenter.server.start_again();
    gateway.clock.advance(Duration::from_mins(5));
    harness::eventually("the server is asked", async || {
        challenge_reason(&here.get("/app/").await)
    })
    .await;
    assert_eq!(refused(&there.get("/app/").await), Reason::REVOKED_SESSION);
    here.login("/app/", USER, PASSWORD).await;
    assert_eq!(here.get("/app/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_idle_here_may_have_been_used_there() {
    let (gateway, vcenter) = gateway(|setup| setup).await;
    vcenter.begin("busy");
    vcenter.begin("idle");
    let client = |id: &str| {
        let client = gateway.client(Protocol::Http1);
        client.set_cookie(HEADER, id);
        client
    };
    let (busy, idle) = (client("busy"), client("idle"));
    assert_eq!(busy.get("/app/").await.status, 200);
    assert_eq!(idle.get("/app/").await.status, 200);
    gateway.clock.advance(Duration::from_mins(20));
    let used = gateway.clock.now();
    vcenter
        .sessions
        .lock()
        .unwrap()
        .insert(String::from("busy"), used);
    assert_eq!(busy.get("/app/").await.status, 200);
    assert_eq!(refused(&idle.get("/app/").await), Reason::IDLE_SESSION);
}
