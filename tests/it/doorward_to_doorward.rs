//! Doorward before Doorward: the front one asks the rear one in the dialect of another system, and is told by it who
//! somebody is. The whole story of a gateway must be the same over each.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::gateway::{Deployment, Gateway, PASSWORD};
use harness::policy_watch::Call;
use harness::{Answer, Client, Protocol, SeenRequest};
use http::{Method, StatusCode};
use policy_protocol::Reason;

use crate::support::{holding, refused};

/// A dialect: how the rear one answers it, how the front one asks, and how a user begins a session at the rear one.
struct Dialect {
    /// `listeners.services` of the rear one.
    service: &'static str,
    /// `[policy_server]` of the front one, but for the address.
    back_end: &'static str,
    /// Below the rear one's address.
    path: &'static str,
    /// The cookie that brings sessions of the rear one to the front one.
    cookie: &'static str,
    /// What the rear one asks its policy server when the front one looks after a session.
    asks: Call,
    /// Whether it tells groups, and answers what a user may do.
    decides: bool,
    /// Whether a login says what it is for, so that it may be as strong as that wants.
    steps_up: bool,
}

const AUTHAZ: Dialect = Dialect {
    service: "services.authaz = { apps = { app = \"app.test\" } }",
    back_end: "kind = \"authaz\"\napps = { \"*\" = \"app\" }\ncookie_name = \"GWSESSION\"\nforeign_level = 5",
    path: "",
    cookie: "GWSESSION",
    asks: Call::Validate,
    decides: true,
    steps_up: true,
};
const AM: Dialect = Dialect {
    service: "services.am = { path = \"/am\", realm = \"app\", properties = [\"AuthLevel\"], policy_evaluators = [\"everyone\"] }",
    back_end: "kind = \"am\"\nam_agent_user = \"bob\"\nam_agent_password_file = \"{rear}/agent\"",
    path: "/am",
    cookie: "iPlanetDirectoryPro",
    asks: Call::Validate,
    decides: true,
    steps_up: false,
};
const VSPHERE: Dialect = Dialect {
    service: "services.vsphere = { realm = \"app\" }",
    back_end: "kind = \"vsphere\"\nforeign_level = 5",
    path: "",
    cookie: "vmware-api-session-id",
    asks: Call::Validate,
    decides: false,
    steps_up: false,
};

const REALM: &str = "[[realms]]\nname = \"app\"\nvalidation_period = \"5m\"";

struct Pair {
    front: Gateway,
    rear: Gateway,
    dialect: Dialect,
}

impl Pair {
    async fn start(dialect: Dialect, more: &str) -> Self {
        Self::configured(dialect, more, "", "").await
    }

    /// A pair whose realms differ from each other.
    async fn configured(dialect: Dialect, more: &str, rear: &str, front: &str) -> Self {
        let rear = Gateway::setup()
            .deployment(Deployment::Embedded)
            .with(REALM)
            .with(rear)
            .with(&format!(
                "[[listeners]]\naddress = \"127.0.0.1:0\"\n\
                 tls.certificates = [{{ cert_file = \"server.crt\", key_file = \"server.key\" }}]\n{}",
                dialect.service
            ))
            .start()
            .await;
        let folder = rear.folder.path();
        std::fs::write(folder.join("agent"), PASSWORD).unwrap();
        let ca_file = folder.join("ca.crt");
        let back_end = format!(
            "{}\nurls = [\"https://localhost:{}{}\"]\nca_file = {ca_file:?}\nagent_keys_file = \"agent-keys\"\n{more}",
            dialect.back_end.replace("{rear}", folder.to_str().unwrap()),
            rear.address().port(),
            dialect.path
        );
        let front = Gateway::setup()
            .with(REALM)
            .with(front)
            .with_other_system(&format!("[policy_server]\n{back_end}"))
            .start()
            .await;
        Self {
            front,
            rear,
            dialect,
        }
    }

    /// A session that a user begins at the rear one, and its token.
    async fn begin_there(&self, user: &str) -> String {
        self.rear
            .client(Protocol::Http1)
            .login("/app/", user, PASSWORD)
            .await
    }

    /// A client of the front one that shows a token of the rear one.
    fn showing(&self, token: &str) -> Client {
        let client = self.front.client(Protocol::Http1);
        client.set_cookie(self.dialect.cookie, token);
        client
    }

    fn asked(&self) -> usize {
        self.rear.policy.count(self.dialect.asks)
    }
}

async fn story(dialect: Dialect) {
    let pair = Pair::start(dialect, "").await;
    let (front, rear) = (&pair.front, &pair.rear);
    for protocol in Protocol::BOTH {
        let client = front.client(protocol);
        let before = front.origin.requests().len();
        assert_eq!(refused(&client.get("/app/page").await), Reason::NONE);
        for (user, password) in [("alice", "wrong"), ("nobody", PASSWORD), ("erin", PASSWORD)] {
            let answer = client.submit_login("/app/page", user, password).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{user}");
        }
        assert_eq!(front.origin.requests().len(), before, "nothing has passed");

        let cookie = client.login("/app/page", "alice", PASSWORD).await;
        let seen: SeenRequest = client.get("/app/page?a=1").await.json();
        assert_eq!(seen.target, "/app/page?a=1");
        assert_eq!(seen.header("SM_USER"), Some("alice"));
        assert_eq!(seen.header("cookie"), None);
        let asked = pair.asked();
        for _ in 0..3 {
            assert_eq!(client.get("/app/page").await.status, 200);
        }
        assert_eq!(pair.asked(), asked, "answered from the cache");

        // Looked after when its time has come, and still alive.
        front.clock.advance(Duration::from_mins(5));
        rear.clock.advance(Duration::from_mins(5));
        assert_eq!(client.get("/app/page").await.status, 200);
        assert!(pair.asked() > asked);

        let logouts = rear.policy.count(Call::Logout);
        client.get("/doorward/logout").await;
        assert_eq!(rear.policy.count(Call::Logout), logouts + 1, "ended there");
        refused(&holding(front, &cookie, protocol).get("/app/page").await);
    }
}

/// A session that was begun there opens what is here, until it ends there, or here.
async fn begun_there(dialect: Dialect) {
    let pair = Pair::start(dialect, "").await;
    let token = pair.begin_there("bob").await;
    let client = pair.showing(&token);
    let seen: SeenRequest = client.get("/app/").await.json();
    assert_eq!(seen.header("SM_USER"), Some("bob"));
    assert_eq!(
        seen.header("cookie"),
        None,
        "the token is not the application's"
    );
    let asked = pair.asked();
    assert_eq!(client.get("/app/").await.status, 200);
    assert_eq!(pair.asked(), asked, "answered from the cache");
    let changed = format!("{}x", &token[..token.len() - 1]);
    refused(&pair.showing(&changed).get("/app/").await);

    // Ended there: known here after the validation period.
    holding(&pair.rear, &token, Protocol::Http1)
        .get("/doorward/logout")
        .await;
    pair.front.clock.advance(Duration::from_mins(5));
    refused(&client.get("/app/").await);

    // Ended here: over there at once.
    let token = pair.begin_there("bob").await;
    let client = pair.showing(&token);
    assert_eq!(client.get("/app/").await.status, 200);
    let there = holding(&pair.rear, &token, Protocol::Http1);
    assert_eq!(there.get("/app/").await.status, 200);
    client.get("/doorward/logout").await;
    refused(&there.get("/app/").await);
}

/// What the rear one tells of groups is what rules here go by, and what it decides holds here: by path and by level.
async fn decisions(dialect: Dialect) {
    let rear = "[[realms]]\nname = \"app\"\n\
        rules = [{ name = \"not this\", effect = \"deny\", resource = \"/app/secret\" }]";
    let front = "[[realms]]\nname = \"app\"\nauthorize = true\n\
        [[realms]]\nname = \"staff\"\nauthorize = true\n\
        [[realms]]\nname = \"strong\"\nauthorize = true\nprotection_level = 5";
    let pair = Pair::configured(dialect, "", rear, front).await;
    let Dialect {
        decides, steps_up, ..
    } = pair.dialect;
    let status = async |client: &Client, path: &str| client.get(path).await.status.as_u16();
    let if_it_decides = |yes: u16, no: u16| if decides { yes } else { no };
    for there in [false, true] {
        let client = match there {
            false => {
                let client = pair.front.client(Protocol::Http1);
                client.login("/app/", "alice", PASSWORD).await;
                client
            }
            true => pair.showing(&pair.begin_there("alice").await),
        };
        let seen: SeenRequest = client.get("/app/page").await.json();
        let groups = seen.header("SM_USERGROUPS").unwrap_or_default();
        assert_eq!(groups.contains("staff"), decides, "{groups}");
        assert_eq!(status(&client, "/staff/").await, if_it_decides(200, 403));
        assert_eq!(
            status(&client, "/app/secret").await,
            if_it_decides(403, 200)
        );
        assert_eq!(status(&client, "/app/page").await, 200, "the session lives");
        let answer = client.get("/strong/").await;
        if !decides {
            assert_eq!(answer.status, 200, "as far as the front one knows");
            continue;
        }
        assert_eq!(refused(&answer), Reason::AUTH_LEVEL_TOO_LOW);
        client.login("/strong/", "alice", PASSWORD).await;
        let expected = if steps_up { 200 } else { 403 };
        assert_eq!(status(&client, "/strong/").await, expected);
        assert_eq!(status(&client, "/app/page").await, 200);
    }
    let bob = pair.front.client(Protocol::Http1);
    bob.login("/app/", "bob", PASSWORD).await;
    assert_eq!(status(&bob, "/app/page").await, 200);
    assert_eq!(status(&bob, "/staff/").await, 403);
}

/// Nobody to ask is no refusal: no login page, and the session goes on when somebody is there again.
async fn away(dialect: Dialect) {
    let pair = Pair::start(dialect, "timeout = \"2s\"").await;
    let client = pair.front.client(Protocol::Http1);
    client.login("/app/", "alice", PASSWORD).await;
    pair.rear.policy_server.stop().await;
    assert_eq!(client.get("/app/").await.status, 200, "in the cache");
    // The rear one has a cache of its own.
    pair.rear.clock.advance(Duration::from_mins(5));
    pair.front.clock.advance(Duration::from_mins(5));
    assert_eq!(
        client.get("/app/").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let other = pair.front.client(Protocol::Http1);
    let answer = other.submit_login("/app/", "bob", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    pair.rear.policy_server.start().await;
    harness::eventually("the session goes on", async || {
        (client.get("/app/").await.status == 200).then_some(())
    })
    .await;
}

macro_rules! over {
    ($($module:ident: $dialect:ident;)*) => {$(
        mod $module {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn the_story_is_the_same() {
                story($dialect).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_session_begun_there_opens_what_is_here() {
                begun_there($dialect).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn what_is_told_and_decided_there_counts_here() {
                decisions($dialect).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn nobody_to_ask_is_no_refusal() {
                away($dialect).await;
            }
        }
    )*};
}

over! {
    authaz: AUTHAZ;
    am: AM;
    vsphere: VSPHERE;
}

/// What one dialect creates, every other accepts, and ends for all.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_the_same_in_every_dialect() {
    let rear = Gateway::setup()
        .with(&format!(
            "[[listeners]]\naddress = \"127.0.0.1:0\"\n\
             tls.certificates = [{{ cert_file = \"server.crt\", key_file = \"server.key\" }}]\n{}\n{}\n{}",
            AUTHAZ.service, AM.service, VSPHERE.service
        ))
        .start()
        .await;
    let client = rear.client(Protocol::Http1);
    for begin in [Begin::AuthAz, Begin::Am, Begin::VSphere] {
        for end in [Begin::AuthAz, Begin::Am, Begin::VSphere] {
            let token = begin.log_in(&client).await;
            for dialect in [Begin::AuthAz, Begin::Am, Begin::VSphere] {
                assert!(
                    dialect.is_alive(&client, &token).await,
                    "{begin:?} {dialect:?}"
                );
            }
            let browser = holding(&rear, &token, Protocol::Http2);
            assert_eq!(browser.get("/app/").await.status, 200);
            end.log_out(&client, &token).await;
            for dialect in [Begin::AuthAz, Begin::Am, Begin::VSphere] {
                assert!(
                    !dialect.is_alive(&client, &token).await,
                    "{begin:?} {end:?} {dialect:?}"
                );
            }
            refused(&browser.get("/app/").await);
        }
    }
}

/// A dialect as its clients speak it.
#[derive(Clone, Copy, Debug)]
enum Begin {
    AuthAz,
    Am,
    VSphere,
}

impl Begin {
    async fn log_in(self, client: &Client) -> String {
        match self {
            Self::AuthAz => {
                let body = format!(
                    "<loginRequest><userName>alice</userName><password>{PASSWORD}</password><action>GET</action></loginRequest>"
                );
                let answer = xml(client, "login/app/app/", &body).await;
                element(&answer.text(), "sessionToken")
            }
            Self::Am => {
                let request = client
                    .request(Method::POST, "/am/json/realms/root/authenticate")
                    .header("x-openam-username", "alice")
                    .header("x-openam-password", PASSWORD)
                    .header("accept-api-version", "resource=2.1");
                let answer = client
                    .send(request.body(harness::client::empty()).unwrap())
                    .await;
                let answer: serde_json::Value = answer.json();
                client.forget_cookies();
                answer["tokenId"].as_str().unwrap().to_owned()
            }
            Self::VSphere => {
                let basic = STANDARD.encode(format!("alice:{PASSWORD}"));
                let request = client
                    .request(Method::POST, "/api/session")
                    .header("vmware-use-header-authn", "true")
                    .header("authorization", format!("Basic {basic}"));
                let answer = client
                    .send(request.body(harness::client::empty()).unwrap())
                    .await;
                answer.json()
            }
        }
    }

    async fn is_alive(self, client: &Client, token: &str) -> bool {
        match self {
            Self::AuthAz => {
                let body = format!(
                    "<authorizationRequest><action>GET</action><resource>/app/</resource><sessionToken>{token}</sessionToken></authorizationRequest>"
                );
                let answer = xml(client, "authz/app/app/", &body).await.text();
                match element(&answer, "resultCode").as_str() {
                    "AUTHORIZED" => true,
                    "NOTAUTHORIZED" => false,
                    other => panic!("{other}: {answer}"),
                }
            }
            Self::Am => {
                let request = client
                    .request(
                        Method::POST,
                        "/am/json/sessions?_action=validate&refresh=false",
                    )
                    .header("accept-api-version", "resource=4.0")
                    .header("content-type", "application/json");
                let body = format!("{{\"tokenId\":{token:?}}}");
                let answer = client
                    .send(request.body(harness::client::full(body)).unwrap())
                    .await;
                let answer: serde_json::Value = answer.json();
                answer["valid"].as_bool().unwrap()
            }
            Self::VSphere => {
                let request = client
                    .request(Method::GET, "/api/session")
                    .header("vmware-api-session-id", token);
                let answer = client
                    .send(request.body(harness::client::empty()).unwrap())
                    .await;
                match answer.status.as_u16() {
                    200 => true,
                    401 => false,
                    other => panic!("{other}: {}", answer.text()),
                }
            }
        }
    }

    async fn log_out(self, client: &Client, token: &str) {
        match self {
            Self::AuthAz => {
                let body =
                    format!("<logoutRequest><sessionToken>{token}</sessionToken></logoutRequest>");
                let answer = xml(client, "logout/app/app/", &body).await.text();
                assert_eq!(element(&answer, "resultCode"), "LOGOUT_SUCCESS");
            }
            Self::Am => {
                let request = client
                    .request(Method::POST, "/am/json/sessions?_action=logout")
                    .header("accept-api-version", "resource=3.1")
                    .header("iplanetdirectorypro", token);
                let answer = client
                    .send(request.body(harness::client::empty()).unwrap())
                    .await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
            Self::VSphere => {
                let request = client
                    .request(Method::DELETE, "/api/session")
                    .header("vmware-api-session-id", token);
                let answer = client
                    .send(request.body(harness::client::empty()).unwrap())
                    .await;
                assert_eq!(answer.status, 204);
            }
        }
    }
}

async fn xml(client: &Client, path: &str, body: &str) -> Answer {
    let request = client
        .request(Method::POST, &format!("/authazws/AuthRestService/{path}"))
        .header("content-type", "application/xml")
        .body(harness::client::full(body.to_owned()))
        .unwrap();
    client.send(request).await
}

/// The text of the first element of a name.
fn element(document: &str, name: &str) -> String {
    let (_, rest) = document
        .split_once(&format!("<{name}>"))
        .unwrap_or_else(|| panic!("no {name}: {document}"));
    rest.split('<').next().unwrap_or_default().to_owned()
}
