//! The `am` back end, call by call, against a server that is like PingAM, OpenAM or one from before.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use harness::fake_am::{AGENT, Dialect, FakeAm};
use harness::gateway::PASSWORD;
use harness::policy_host::AGENT_SECRET;
use harness::{Pki, eventually};
use policy_client::am::{AmAgent, AmClient, AmSettings, AuthIndex, AuthIndexKind};
use policy_client::foreign::{self, ForeignKind, ForeignSettings};
use policy_client::{EventStream, PolicyCalls as _, PolicyError, ServerList};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, Credentials, LoginAnswer, LoginRequest, LogoutAnswer,
    LogoutRequest, SessionTicket, ValidateAnswer, ValidateRequest,
};
use policy_protocol::{
    AuthScheme, EventKind, ProtectionLevel, RealmContext, Reason, ResourceContext, Secret, Session,
    SessionId, SessionSpec, SystemClock, Timestamp,
};
use serde_json::json;
use tempfile::TempDir;

/// A server and what asks it.
struct Setting {
    am: FakeAm,
    settings: AmSettings,
    client: AmClient,
    _folder: TempDir,
}

impl Setting {
    async fn new(dialect: Dialect) -> Self {
        Self::with(dialect, |_| {}).await
    }

    async fn with(dialect: Dialect, change: impl FnOnce(&mut AmSettings)) -> Self {
        harness::pki::install_crypto_provider();
        let pki = Pki::default();
        let am = FakeAm::start(&pki.server(&["localhost"]), dialect).await;
        let folder = TempDir::new().unwrap();
        let ca_file = folder.path().join("ca.crt");
        std::fs::write(&ca_file, pki.ca_pem()).unwrap();
        let mut settings = AmSettings {
            link: ForeignSettings {
                servers: ServerList::in_order(vec![am.url()]),
                ca_file: Some(ca_file),
                client_certificate: None,
                timeout: Duration::from_secs(5),
                agent_keys_file: None,
                foreign_level: ProtectionLevel(3),
            },
            cookie_name: String::from(harness::fake_am::COOKIE),
            realm: String::from("/"),
            login: None,
            agent: Some(AmAgent {
                user: String::from(AGENT),
                password: Secret::new(String::from(AGENT_SECRET)),
                login: Some(AuthIndex {
                    kind: AuthIndexKind::Module,
                    name: String::from("Application"),
                }),
            }),
            application: String::from("iPlanetAMWebAgentService"),
            notifications: true,
        };
        change(&mut settings);
        let client = AmClient::new(&settings, Arc::new(SystemClock)).unwrap();
        Self {
            am,
            settings,
            client,
            _folder: folder,
        }
    }

    async fn login(&self, user: &str, password: &str) -> Result<LoginAnswer, PolicyError> {
        let request = LoginRequest {
            resource: resource(),
            realm: realm(),
            credentials: Credentials::password(user, password),
            client_address: None,
            previous: Vec::new(),
            transaction_id: String::from("t"),
        };
        self.client.login(request).await
    }

    async fn logged_in(&self) -> Session {
        match self.login("alice", PASSWORD).await {
            Ok(LoginAnswer::Yes { session }) => *session,
            other => panic!("{other:?}"),
        }
    }

    async fn validate(&self, token: &str, overlooked: bool) -> Result<ValidateAnswer, PolicyError> {
        let session = ticket(token);
        let request = ValidateRequest {
            session,
            resource: resource(),
            realm: realm(),
            client_address: None,
            last_access: Timestamp(0),
            overlooked,
            transaction_id: String::from("t"),
        };
        self.client.validate(request).await
    }

    async fn valid(&self, token: &str, overlooked: bool) -> Session {
        match self.validate(token, overlooked).await {
            Ok(ValidateAnswer::Yes { session }) => *session,
            other => panic!("{other:?}"),
        }
    }

    async fn authorize(&self, token: &str) -> Result<AuthorizeAnswer, PolicyError> {
        let request = AuthorizeRequest {
            session: ticket(token),
            resource: resource(),
            realm: realm(),
            from: "192.0.2.7".parse().unwrap(),
            client_address: None,
            transaction_id: String::from("t"),
        };
        self.client.authorize(request).await
    }

    async fn logout(&self, session: SessionTicket) -> Result<LogoutAnswer, PolicyError> {
        let transaction_id = String::from("t");
        let request = LogoutRequest {
            session,
            transaction_id,
        };
        self.client.logout(request).await
    }

    /// The versions in which sessions were asked about.
    fn versions(&self) -> Vec<String> {
        let requests = self.am.requests().into_iter();
        let about = requests.filter(|request| request.target.starts_with("/sessions"));
        about.map(|request| request.version).collect()
    }
}

fn ticket(token: &str) -> SessionTicket {
    foreign::ticket(ForeignKind::Am, token.as_bytes()).unwrap()
}

fn resource() -> ResourceContext {
    ResourceContext {
        agent: String::from("agent-1"),
        server: String::from("app.test"),
        resource: String::from("/app/"),
        action: String::from("GET"),
    }
}

fn realm() -> RealmContext {
    RealmContext {
        name: String::from("app"),
        protection_level: ProtectionLevel(5),
        auth_scheme: AuthScheme::Form,
        idle_timeout: Duration::from_secs(3600),
        max_timeout: Duration::from_secs(7200),
        persistent: false,
    }
}

fn refused(reason: Reason) -> Result<ValidateAnswer, PolicyError> {
    Ok(ValidateAnswer::No { reason })
}

#[tokio::test]
async fn the_version_is_found_out_once() {
    for (dialect, first, then) in [
        (Dialect::PingAm, &["4.0"][..], "4.0"),
        (Dialect::OpenAm, &["4.0", "5.0", "3.0", "2.0", "2.0"], "2.0"),
        (
            Dialect::Old,
            &["4.0", "5.0", "3.0", "2.0", "1.1", "1.1"],
            "1.1",
        ),
    ] {
        let setting = Setting::new(dialect).await;
        let token = setting.am.begin("alice");
        let session = setting.valid(&token, false).await;
        assert_eq!(session.identity.user_name, "alice");
        let expected: Vec<_> = first.iter().map(|v| format!("resource={v}")).collect();
        assert_eq!(setting.versions(), expected, "{dialect:?}");
        for _ in 0..3 {
            setting.valid(&token, false).await;
        }
        let after = setting.versions().split_off(expected.len());
        assert!(!after.is_empty());
        assert!(
            after
                .iter()
                .all(|version| *version == format!("resource={then}")),
            "{after:?}"
        );
        assert_eq!(
            setting.validate("no-such-token", false).await,
            refused(Reason::REVOKED_SESSION)
        );
    }
}

#[tokio::test]
async fn another_version_is_found_out_when_the_servers_are_replaced() {
    let setting = Setting::new(Dialect::PingAm).await;
    let token = setting.am.begin("alice");
    setting.valid(&token, false).await;
    setting.am.script().dialect = Dialect::OpenAm;
    setting.valid(&token, false).await;
    assert_eq!(setting.versions().last().unwrap(), "resource=2.0");
    setting.am.script().dialect = Dialect::Old;
    setting.valid(&token, true).await;
    assert_eq!(setting.versions().last().unwrap(), "resource=1.1");
}

/// OpenAM looks at who asks before it looks at the version.
#[tokio::test]
async fn a_dead_token_teaches_nothing_about_versions() {
    for dialect in [Dialect::PingAm, Dialect::OpenAm, Dialect::Old] {
        let setting = Setting::new(dialect).await;
        for _ in 0..3 {
            let answer = setting.validate("no-such-token", false).await;
            assert_eq!(answer, refused(Reason::REVOKED_SESSION), "{dialect:?}");
        }
        let token = setting.am.begin("alice");
        setting.valid(&token, false).await;
        assert_eq!(
            setting.validate("no-such-token", true).await,
            refused(Reason::REVOKED_SESSION)
        );
        setting.valid(&token, true).await;
    }
}

#[tokio::test]
async fn requests_that_are_overlooked_leave_the_idle_time_alone() {
    let setting = Setting::new(Dialect::PingAm).await;
    let token = setting.am.begin("alice");
    let uses = || setting.am.sessions()[&token].uses;
    let first = setting.valid(&token, false).await;
    let before = uses();
    for _ in 0..3 {
        let again = setting.valid(&token, true).await;
        assert_eq!(again.identity, first.identity);
    }
    assert_eq!(uses(), before);
    setting.valid(&token, false).await;
    assert!(uses() > before);
}

#[tokio::test]
async fn a_session_is_described_in_full() {
    let setting = Setting::new(Dialect::PingAm).await;
    let token = setting.am.begin("alice");
    let session = setting.valid(&token, false).await;
    let there = setting.am.sessions()[&token].clone();
    assert_eq!(session.id, ticket(&token).session_id);
    assert_eq!(session.spec.as_str(), token);
    let identity = &session.identity;
    assert_eq!(identity.user_dn, "uid=alice,ou=people,dc=am");
    assert_eq!(identity.universal_id, "id=alice,ou=user,dc=am");
    assert_eq!(identity.groups, ["cn=staff,ou=groups,dc=am"]);
    assert_eq!(identity.attributes["mail"], ["alice@example.com"]);
    assert_eq!(
        session.protection_level,
        ProtectionLevel(3),
        "the level of what is begun there"
    );
    assert_eq!(session.idle_timeout, Duration::from_secs(1800));
    assert_eq!(
        session.started.plus(session.max_timeout),
        Timestamp(there.end)
    );
    // When it began is not told again and again, but it stays what it was.
    setting.am.sessions().get_mut(&token).unwrap().latest += 60;
    assert_eq!(setting.valid(&token, false).await.started, session.started);
}

#[tokio::test]
async fn the_level_is_read_where_it_may_be_read() {
    for dialect in [Dialect::PingAm, Dialect::OpenAm, Dialect::Old] {
        let setting = Setting::new(dialect).await;
        let token = setting.am.begin("alice");
        assert_eq!(
            setting.valid(&token, false).await.protection_level,
            ProtectionLevel(3)
        );
        setting.am.sessions().get_mut(&token).unwrap().level = Some(String::from("15"));
        let session = setting.valid(&token, false).await;
        assert_eq!(session.protection_level, ProtectionLevel(15), "{dialect:?}");
    }
}

#[tokio::test]
async fn a_session_of_another_realm_is_not_accepted() {
    let setting = Setting::new(Dialect::PingAm).await;
    let token = setting.am.begin("alice");
    setting.am.sessions().get_mut(&token).unwrap().realm = String::from("/customers");
    assert_eq!(
        setting.validate(&token, false).await,
        refused(Reason::INVALID_SESSION)
    );
}

#[tokio::test]
async fn a_user_who_may_not_be_read_has_no_attributes_and_one_who_cannot_be_read_no_session() {
    let setting = Setting::new(Dialect::PingAm).await;
    let token = setting.am.begin("alice");
    setting.am.script().users_readable = false;
    let session = setting.valid(&token, false).await;
    assert_eq!(session.identity.user_name, "alice");
    assert!(session.identity.attributes.is_empty() && session.identity.groups.is_empty());
    for (status, body) in [
        (200, "<html>"),
        (401, "{\"code\":401}"),
        (500, ""),
        (503, ""),
    ] {
        setting.am.script().instead_of = vec![("/users/", status, body)];
        assert!(setting.validate(&token, false).await.is_err(), "{status}");
    }
}

/// Every kind of answer that does not say what it was asked for.
const NO_ANSWERS: [(u16, &str); 12] = [
    (200, ""),
    (200, "<html>sign in</html>"),
    (200, "{}"),
    (200, "[]"),
    (302, ""),
    (400, r#"{"code":400,"reason":"Bad Request"}"#),
    (401, "<html>proxy</html>"),
    (403, r#"{"code":403,"reason":"Forbidden"}"#),
    (429, r#"{"code":429,"reason":"Too Many Requests"}"#),
    (500, r#"{"code":500,"reason":"Internal Server Error"}"#),
    (502, "<html>bad gateway</html>"),
    (503, ""),
];

#[tokio::test]
async fn no_session_and_cannot_tell_are_never_confused() {
    for (status, body) in NO_ANSWERS {
        let setting = Setting::new(Dialect::PingAm).await;
        let session = setting.logged_in().await;
        let token = session.spec.as_str().to_owned();
        setting.am.script().instead = Some((status, body));
        for overlooked in [false, true] {
            let answer = setting.validate(&token, overlooked).await;
            assert!(answer.is_err(), "{status} {body}: {answer:?}");
        }
        assert!(
            setting.login("alice", PASSWORD).await.is_err(),
            "{status} {body}"
        );
        assert!(setting.authorize(&token).await.is_err(), "{status} {body}");
        assert!(
            setting.logout(ticket(&token)).await.is_err(),
            "{status} {body}"
        );
        setting.am.script().instead = None;
        setting.am.stop();
        assert!(setting.validate(&token, false).await.is_err());
        assert!(setting.login("alice", PASSWORD).await.is_err());
        setting.am.restart();
        eventually("the server is back", async || {
            setting.validate(&token, false).await.ok()
        })
        .await;
        setting.am.sessions().clear();
        for overlooked in [false, true] {
            let answer = setting.validate(&token, overlooked).await;
            assert_eq!(answer, refused(Reason::REVOKED_SESSION));
        }
        assert_eq!(setting.logout(ticket(&token)).await, Ok(LogoutAnswer::Yes));
    }
}

#[tokio::test]
async fn a_login_is_made_with_headers_or_callbacks_and_never_twice() {
    for callbacks in [false, true] {
        for dialect in [Dialect::PingAm, Dialect::OpenAm, Dialect::Old] {
            let setting = Setting::new(dialect).await;
            setting.am.script().callbacks = callbacks;
            let session = setting.logged_in().await;
            assert_eq!(session.protection_level, ProtectionLevel(5), "the realm's");
            assert_eq!(session.auth_scheme, AuthScheme::Form);
            assert!(setting.am.sessions().contains_key(session.spec.as_str()));
            let wrong = setting.login("alice", "wrong").await;
            let none = LoginAnswer::No {
                reason: Reason::NONE,
            };
            assert_eq!(wrong, Ok(none.clone()));
            assert_eq!(setting.login("pässword", "=?x").await, Ok(none));
        }
    }
    let setting = Setting::new(Dialect::PingAm).await;
    setting.am.script().instead = Some((500, ""));
    assert!(setting.login("alice", PASSWORD).await.is_err());
    assert_eq!(setting.am.count("/authenticate"), 1);
    setting.am.script().instead = Some((
        200,
        r#"{"authId":"x","callbacks":[{"type":"ChoiceCallback","input":[{"name":"IDToken1"}]}]}"#,
    ));
    let reason = Reason::UNSUPPORTED_SCHEME;
    assert_eq!(
        setting.login("alice", PASSWORD).await,
        Ok(LoginAnswer::No { reason })
    );
}

#[tokio::test]
async fn a_login_that_comes_to_nothing_leaves_no_session_behind() {
    let setting = Setting::new(Dialect::PingAm).await;
    setting.am.script().instead_of = vec![("/users/", 500, "")];
    assert!(setting.login("alice", PASSWORD).await.is_err());
    assert!(setting.am.sessions().is_empty());
}

#[tokio::test]
async fn the_agents_own_session_is_begun_when_needed_and_renewed_when_it_dies() {
    let setting = Setting::new(Dialect::PingAm).await;
    let session = setting.logged_in().await;
    let token = session.spec.as_str();
    let logins = || setting.am.count("authIndexType=module");
    assert_eq!(logins(), 0);
    let kill = || {
        setting
            .am
            .sessions()
            .retain(|_, session| session.user != AGENT)
    };
    let is_yes = |answer: &_| matches!(answer, Ok(AuthorizeAnswer::Yes { .. }));
    for round in 1..4 {
        let calls = join_all((0..20).map(|_| setting.authorize(token))).await;
        assert!(calls.iter().all(is_yes), "{calls:?}");
        assert_eq!(logins(), round, "one login for however many calls");
        kill();
    }
    // Whatever says 401 to everybody is asked twice, not for ever.
    let before = setting.am.count("/policies");
    setting.am.script().instead_of = vec![("/policies", 401, r#"{"code":401}"#)];
    assert!(setting.authorize(token).await.is_err());
    assert_eq!(setting.am.count("/policies"), before + 2);
}

#[tokio::test]
async fn a_wrong_password_of_the_agent_is_not_tried_again_and_again() {
    let wrong = |settings: &mut AmSettings| {
        settings.agent.as_mut().unwrap().password = Secret::new(String::from("wrong"));
    };
    let setting = Setting::with(Dialect::PingAm, wrong).await;
    let session = setting.logged_in().await;
    for _ in 0..10 {
        let answer = setting.authorize(session.spec.as_str()).await;
        assert_eq!(answer, Err(PolicyError::Failure));
    }
    assert_eq!(setting.am.count("authIndexType=module"), 1);
}

/// A proxy that strips the header, or a server that does not share sessions with the one that logged us in.
#[tokio::test]
async fn a_session_of_the_agent_that_is_never_accepted_is_a_failed_login() {
    let setting = Setting::new(Dialect::PingAm).await;
    let session = setting.logged_in().await;
    let token = session.spec.as_str();
    let logins = || setting.am.count("authIndexType=module");
    let own = || {
        let sessions = setting.am.sessions();
        sessions.values().filter(|one| one.user == AGENT).count()
    };
    setting.am.script().instead_of = vec![("/policies", 401, r#"{"code":401}"#)];
    for _ in 0..10 {
        assert!(setting.authorize(token).await.is_err());
    }
    // A slow machine may come past the first pause of a second, not past the next ones.
    assert!(logins() <= 3, "{}", logins());
    assert!(own() <= 1, "what was replaced is ended there");
    setting.am.script().instead_of.clear();
    eventually("the pause is over", async || {
        setting.authorize(token).await.ok()
    })
    .await;
    let before = logins();
    setting.am.sessions().retain(|_, one| one.user != AGENT);
    assert!(
        setting.authorize(token).await.is_ok(),
        "accepted once: renewed at once"
    );
    assert_eq!(logins(), before + 1);
    assert_eq!(own(), 1);
}

/// The same for a WebSocket, while policies are decided with the same session.
#[tokio::test]
async fn a_session_that_only_notifications_refuse_is_not_replaced_again_and_again() {
    let setting = Setting::new(Dialect::PingAm).await;
    let session = setting.logged_in().await;
    let token = session.spec.as_str();
    setting.am.script().instead_of = vec![("/notifications", 401, "")];
    for _ in 0..10 {
        assert!(setting.client.events(None).await.is_err());
        _ = setting.authorize(token).await;
    }
    let logins = setting.am.count("authIndexType=module");
    assert!(logins <= 3, "{logins}");
}

#[tokio::test]
async fn decisions_are_kept_as_long_as_they_say_and_advices_are_no_yes() {
    let setting = Setting::new(Dialect::PingAm).await;
    let session = setting.logged_in().await;
    let token = session.spec.as_str();
    let Ok(AuthorizeAnswer::Yes { ttl, .. }) = setting.authorize(token).await else {
        panic!("allowed")
    };
    assert!((50..=60).contains(&ttl.as_secs()), "{ttl:?}");
    let asked = setting.am.requests().pop().unwrap();
    let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body["subject"]["ssoToken"], token);
    assert_eq!(body["environment"]["requestIp"], json!(["192.0.2.7"]));
    setting.am.script().decision = json!({
        "actions": {"GET": true}, "advices": {"AuthLevelConditionAdvice": ["10"]}, "ttl": i64::MAX,
    });
    let no = |reason| {
        Ok(AuthorizeAnswer::No {
            ttl: Duration::ZERO,
            reason,
            redirect: None,
        })
    };
    assert_eq!(
        setting.authorize(token).await,
        no(Reason::AUTH_LEVEL_TOO_LOW)
    );
    setting.am.sessions().remove(token);
    assert_eq!(setting.authorize(token).await, no(Reason::REVOKED_SESSION));
}

#[tokio::test]
async fn without_an_account_of_the_agent_policies_cannot_be_asked_and_events_are_quiet() {
    let without = |settings: &mut AmSettings| {
        settings.agent = None;
        settings.notifications = false;
    };
    let setting = Setting::with(Dialect::PingAm, without).await;
    let session = setting.logged_in().await;
    assert!(setting.authorize(session.spec.as_str()).await.is_err());
    let mut events = setting.client.events(None).await.unwrap();
    for expected in [EventKind::Hello { gap: false }, EventKind::Heartbeat] {
        assert_eq!(next(&mut events).await, expected);
    }
}

async fn next(events: &mut EventStream) -> EventKind {
    events.next().await.unwrap().unwrap().kind
}

/// The next event that is no heartbeat.
async fn told(events: &mut EventStream) -> EventKind {
    loop {
        match next(events).await {
            EventKind::Heartbeat => {}
            kind => return kind,
        }
    }
}

#[tokio::test]
async fn ends_of_sessions_and_changes_of_policies_are_told() {
    let setting = Setting::new(Dialect::PingAm).await;
    let here = setting.logged_in().await;
    let token = here.spec.as_str();
    setting.valid(token, false).await;
    let mut events = setting.client.events(None).await.unwrap();
    assert_eq!(told(&mut events).await, EventKind::Hello { gap: true });
    assert_eq!(next(&mut events).await, EventKind::Heartbeat);
    let about = |kind: &str| {
        json!({"topic": "/agent/session", "timestamp": "2026-11-22T03:00:00Z",
               "body": {"tokenId": token, "eventType": kind}})
    };
    setting.am.tell(&about("SESSION_CREATION"));
    setting.am.tell(&about("LOGOUT"));
    // It may be cached as one that was begun here and as one that was begun there.
    let mut ended = Vec::<SessionId>::new();
    for _ in 0..2 {
        let EventKind::SessionRevoked { session_id } = told(&mut events).await else {
            panic!("an end")
        };
        ended.push(session_id);
    }
    assert!(ended.contains(&here.id) && ended.contains(&ticket(token).session_id));
    setting
        .am
        .tell(&json!({"topic": "/agent/policy", "body": {"realm": "/", "eventType": "UPDATE"}}));
    assert_eq!(told(&mut events).await, EventKind::CacheFlush);
    setting.am.hang_up();
    while let Some(event) = events.next().await {
        if event.is_err() {
            assert!(events.next().await.is_none());
            break;
        }
    }
}

#[tokio::test]
async fn what_is_no_notice_ends_the_stream() {
    for message in [
        json!("x"),
        json!({"error": "no"}),
        json!({"topic": "x".repeat(100_000)}),
    ] {
        let setting = Setting::new(Dialect::PingAm).await;
        let mut events = setting.client.events(None).await.unwrap();
        assert_eq!(told(&mut events).await, EventKind::Hello { gap: true });
        setting.am.tell(&message);
        loop {
            match events.next().await {
                Some(Ok(event)) => assert_eq!(event.kind, EventKind::Heartbeat),
                Some(Err(_)) => break,
                None => panic!("an end without an error"),
            }
        }
    }
}

#[tokio::test]
async fn the_agents_own_session_is_renewed_for_notifications_too() {
    let setting = Setting::new(Dialect::PingAm).await;
    let mut events = setting.client.events(None).await.unwrap();
    assert_eq!(told(&mut events).await, EventKind::Hello { gap: true });
    setting.am.sessions().clear();
    setting.am.hang_up();
    let mut events = setting.client.events(None).await.unwrap();
    assert_eq!(told(&mut events).await, EventKind::Hello { gap: true });
    assert_eq!(setting.am.count("authIndexType=module"), 2);
    // An account that is not an agent's is no reason to go on without a word.
    setting
        .am
        .sessions()
        .values_mut()
        .for_each(|session| session.user = String::from("alice"));
    assert!(setting.client.events(None).await.is_err());
}

#[tokio::test]
async fn a_token_that_cannot_be_a_spec_is_no_session() {
    let setting = Setting::new(Dialect::PingAm).await;
    let long = format!(
        r#"{{"tokenId":"{}"}}"#,
        "x".repeat(SessionSpec::MAX_LENGTH + 1)
    );
    setting.am.script().instead_of = vec![("/authenticate", 200, Box::leak(long.into_boxed_str()))];
    assert_eq!(
        setting.login("alice", PASSWORD).await,
        Err(PolicyError::Protocol)
    );
    assert_eq!(setting.settings.realm, "/");
}

#[tokio::test]
async fn a_server_that_hangs_leaves_the_next_one_its_time_for_notifications() {
    // The same one twice: it is silent once.
    let setting = Setting::with(Dialect::PingAm, |settings| {
        let servers = settings.link.servers.clusters[0].clone();
        settings.link.servers = ServerList::in_order([servers.clone(), servers].concat());
    })
    .await;
    setting.am.script().silent = 1;
    let mut events = setting.client.events(None).await.unwrap();
    assert_eq!(told(&mut events).await, EventKind::Hello { gap: true });
}

#[tokio::test]
async fn a_server_that_does_not_subscribe_us_is_no_source_of_events() {
    let setting = Setting::new(Dialect::PingAm).await;
    setting.am.script().subscribes = false;
    let mut events = setting.client.events(None).await.unwrap();
    let first = harness::within("the end", events.next()).await;
    assert_eq!(first, Some(Err(PolicyError::TimedOut)));
    assert_eq!(events.next().await, None);
}

/// What PingAM 8.0.1 said to another client, with other tokens.
#[tokio::test]
async fn pingam_as_it_was_recorded() {
    let setting = Setting::new(Dialect::PingAm).await;
    setting.am.script().instead_of = vec![
        (
            "/authenticate",
            200,
            r#"{"tokenId":"pFakeFakeFakeFakeFakeFakeFa.*AAJTSQACMDEAAlNLABwrRmFrZQAEdHlwZQADQ1RTAAJTMQAA.*","successUrl":"/am/console","realm":"/"}"#,
        ),
        (
            "/sessions",
            200,
            r#"{"username":"amadmin","universalId":"id=amadmin,ou=user,ou=am-config","realm":"/","latestAccessTime":"2025-07-31T15:05:45Z","maxIdleExpirationTime":"2025-07-31T15:35:45Z","maxSessionExpirationTime":"2025-07-31T17:05:44Z","properties":{"AMCtxId":"86d527f2-3667-4c8e-bfd8-3bf1b9517d24-280"}}"#,
        ),
        (
            "/users/",
            404,
            r#"{"code":404,"reason":"Not Found","message":"Resource cannot be found."}"#,
        ),
    ];
    let Ok(LoginAnswer::Yes { session }) = setting.login("amadmin", "not-a-secret").await else {
        panic!("a session")
    };
    assert!(session.spec.as_str().starts_with("pFake"));
    assert_eq!(
        session.identity.universal_id,
        "id=amadmin,ou=user,ou=am-config"
    );
    assert_eq!(session.idle_timeout, Duration::from_secs(1800));
    assert_eq!(session.max_timeout, Duration::from_secs(7199));
    let requests = setting.am.requests();
    let login = &requests[0];
    assert_eq!(login.target, "/authenticate");
    assert_eq!(login.version, "resource=2.0, protocol=1.0");
    assert_eq!(login.headers["x-openam-username"], "amadmin");
    assert_eq!(login.body, "{}");
    let info = &requests[1];
    assert_eq!(info.target, "/sessions?_action=getSessionInfo");
    assert_eq!(info.version, "resource=4.0");
    let body = json!({"tokenId": session.spec.as_str()}).to_string();
    assert_eq!(info.body, body);
}

/// What OpenAM 16.0.5 said to this one, with other tokens.
#[tokio::test]
async fn openam_as_it_was_recorded() {
    let setting = Setting::new(Dialect::OpenAm).await;
    let token = setting.am.begin("demo");
    setting.valid(&token, false).await;
    setting.am.script().instead_of = vec![
        (
            "/sessions?_action=getSessionInfo",
            200,
            r#"{"username":"demo","universalId":"id=demo,ou=user,dc=openam,dc=example,dc=org","realm":"/","sessionHandle":"shandle:AQIC5wFake.*AAJTSQACMDEAAlNLABQtMTY2AgACUzEAAA..*","latestAccessTime":"2026-11-22T03:27:47Z","maxIdleExpirationTime":"2026-11-22T03:57:47Z","maxSessionExpirationTime":"2026-11-22T05:27:46Z"}"#,
        ),
        ("/sessions?_action=getSessionProperties", 200, "{}"),
        (
            "/sessions?_action=logout",
            401,
            r#"{"code":401,"reason":"Unauthorized","message":"Access Denied"}"#,
        ),
        (
            "/users/demo",
            200,
            r#"{"_id":"demo","_rev":"165092602","username":"demo","realm":"/","uid":["demo"],"universalid":["id=demo,ou=user,dc=openam,dc=example,dc=org"],"objectClass":["person"],"dn":["uid=demo,ou=people,dc=openam,dc=example,dc=org"],"inetUserStatus":["Active"],"sn":["demo"],"cn":["demo"],"createTimestamp":["20261122032123Z"],"roles":["ui-self-service-user"]}"#,
        ),
        (
            "/policies",
            200,
            r#"[{"resource":"https://app.test:443/app/","actions":{"POST":true,"GET":true},"attributes":{},"advices":{},"ttl":9223372036854775807}]"#,
        ),
    ];
    let session = setting.valid(&token, false).await;
    assert_eq!(
        session.identity.user_dn,
        "uid=demo,ou=people,dc=openam,dc=example,dc=org"
    );
    assert_eq!(session.identity.attributes["cn"], ["demo"]);
    assert_eq!(session.protection_level, ProtectionLevel(3));
    let allowed = setting.authorize(&token).await;
    assert!(
        matches!(&allowed, Ok(AuthorizeAnswer::Yes { ttl, .. }) if ttl.as_secs() == 180),
        "{allowed:?}"
    );
    setting.am.script().instead_of = vec![
        (
            "/policies",
            400,
            r#"{"code":400,"reason":"Bad Request","message":"Invalid value subject"}"#,
        ),
        (
            "/sessions?_action=getSessionInfo",
            401,
            r#"{"code":401,"reason":"Unauthorized","message":"Access Denied"}"#,
        ),
    ];
    let over = setting.authorize(&token).await;
    assert!(
        matches!(
            over,
            Ok(AuthorizeAnswer::No {
                reason: Reason::REVOKED_SESSION,
                ..
            })
        ),
        "{over:?}"
    );
    assert_eq!(
        setting.validate(&token, false).await,
        refused(Reason::REVOKED_SESSION)
    );
    setting.am.script().instead_of = vec![(
        "/policies",
        404,
        r#"{"code":404,"reason":"Not Found","message":"Unable to retrieve application under realm /."}"#,
    )];
    assert_eq!(setting.authorize(&token).await, Err(PolicyError::Failure));
}
