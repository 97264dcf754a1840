//! Servers of other systems that hang in the middle of a login.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use policy_client::am::{AmClient, AmSettings};
use policy_client::authaz::{AuthAzClient, AuthAzProtocol, AuthAzSettings, UserNameField};
use policy_client::foreign::{ForeignKind, ForeignSettings, ticket};
use policy_client::vsphere::{VSphereClient, VSphereSettings, WireForm};
use policy_client::{PolicyCalls, PolicyError};
use policy_protocol::message::LoginAnswer;

use crate::foreign::{Does, Received, Script, clock, hasty, login, settings};
use crate::server::TIMEOUT;

const KINDS: [ForeignKind; 3] = [ForeignKind::AuthAz, ForeignKind::Am, ForeignKind::VSphere];
/// How long a login waits for the end of sessions that nobody will hold.
const CLEAN_UP: Duration = Duration::from_secs(2);
/// What a busy machine may add.
const MARGIN: Duration = Duration::from_millis(1500);

/// What a request of a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Begin,
    Look,
    End,
}

fn step(request: &Received) -> Step {
    let target = &request.target;
    match request.method.as_str() {
        "DELETE" => Step::End,
        _ if target.contains("logout") => Step::End,
        "POST" if target.contains("/sessions") => Step::Look,
        "POST" => Step::Begin,
        _ => Step::Look,
    }
}

/// Answers everything but one step.
async fn server(kind: ForeignKind, hangs: Step) -> Script {
    Script::start(move |request| match step(request) {
        step if step == hangs => Does::Waits,
        step => answer(kind, step, request),
    })
    .await
}

fn answer(kind: ForeignKind, step: Step, request: &Received) -> Does {
    match (kind, step) {
        (ForeignKind::AuthAz, Step::End) => {
            Does::says(200, "<r><resultCode>LOGOUT_SUCCESS</resultCode></r>")
        }
        (ForeignKind::AuthAz, _) => Does::says(
            200,
            "<r><resultCode>LOGIN_SUCCESS</resultCode><sessionToken>new</sessionToken><authenticationResponses>\
             <response><name>SM_USER</name><value>alice</value></response></authenticationResponses></r>",
        ),
        (ForeignKind::Am, Step::Begin) => Does::says(200, r#"{"tokenId":"new","realm":"/"}"#),
        (ForeignKind::Am, Step::Look) if request.target.contains("/users/") => {
            Does::says(404, r#"{"code":404,"reason":"Not Found","message":"none"}"#)
        }
        (ForeignKind::Am, Step::Look) => Does::says(
            200,
            r#"{"username":"alice","universalId":"id=alice","realm":"/","latestAccessTime":"2026-11-21T10:05:00Z",
                "maxIdleExpirationTime":"2026-11-21T10:35:00Z","maxSessionExpirationTime":"2026-11-21T12:05:00Z"}"#,
        ),
        (ForeignKind::Am, Step::End) => Does::says(200, r#"{"result":"Successfully logged out"}"#),
        (ForeignKind::VSphere, Step::Begin) => Does::says(201, r#""new""#),
        (ForeignKind::VSphere, Step::Look) => Does::says(
            200,
            r#"{"user":"alice","created_time":"2026-11-21T10:00:00.000Z"}"#,
        ),
        (ForeignKind::VSphere, Step::End) => Does::says(204, ""),
    }
}

fn client(kind: ForeignKind, link: ForeignSettings) -> Box<dyn PolicyCalls> {
    match kind {
        ForeignKind::AuthAz => {
            let settings = AuthAzSettings {
                link,
                protocol: AuthAzProtocol::Rest,
                apps: [(String::from("app.example.com"), String::from("shop"))].into(),
                user_name_field: UserNameField::UserName,
                caller: None,
            };
            Box::new(AuthAzClient::new(&settings, clock()).unwrap())
        }
        ForeignKind::Am => {
            let settings = AmSettings {
                link,
                cookie_name: String::from("iPlanetDirectoryPro"),
                realm: String::from("/"),
                login: None,
                agent: None,
                application: String::new(),
                notifications: false,
            };
            Box::new(AmClient::new(&settings, clock()).unwrap())
        }
        ForeignKind::VSphere => {
            let settings = VSphereSettings {
                link,
                wire_form: WireForm::Api,
            };
            Box::new(VSphereClient::new(&settings, clock()).unwrap())
        }
    }
}

#[tokio::test]
async fn old_sessions_that_cannot_be_ended_do_not_undo_a_login() {
    let tried = KINDS.map(async |kind| {
        let server = server(kind, Step::End).await;
        let client = client(kind, settings(&[&server]));
        let mut request = login("alice", "plainly fake");
        let old = |number: u8| ticket(kind, &[b'o', b'0' + number]).unwrap();
        request.previous = (0..5).map(old).collect();
        let begun = Instant::now();
        let answer = client.login(request).await;
        let took = begun.elapsed();
        assert!(
            matches!(answer, Ok(LoginAnswer::Yes { .. })),
            "{kind:?} {answer:?}"
        );
        assert!(took < TIMEOUT + CLEAN_UP, "{kind:?} {took:?}");
        let received = server.received();
        let ends = received.iter().filter(|one| step(one) == Step::End);
        assert_eq!(ends.count(), 5, "{kind:?}: all at once");
    });
    join_all(tried).await;
}

#[tokio::test]
async fn a_session_of_which_nothing_is_told_is_ended_though_the_login_is_out_of_time() {
    let tried = [ForeignKind::Am, ForeignKind::VSphere].map(async |kind| {
        let server = server(kind, Step::Look).await;
        let link = hasty(&server);
        let timeout = link.timeout;
        let begun = Instant::now();
        let answer = client(kind, link)
            .login(login("alice", "plainly fake"))
            .await;
        assert_eq!(answer, Err(PolicyError::TimedOut), "{kind:?}");
        let took = begun.elapsed();
        assert!(took < timeout + MARGIN, "{kind:?} {took:?}");
        let last = server.received().pop().unwrap();
        assert_eq!(step(&last), Step::End, "{kind:?}");
        let shown = ["vmware-api-session-id", "iplanetdirectorypro"];
        assert!(
            shown.iter().any(|name| last.header(name) == "new"),
            "{kind:?}"
        );
    });
    join_all(tried).await;
}
