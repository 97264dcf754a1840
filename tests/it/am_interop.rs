//! The story of the `am` back end with a real AM. `tests/interop/openam.sh` starts one and runs this.

use std::sync::Arc;

use harness::fake_am::COOKIE;
use harness::gateway::Gateway;
use harness::policy_watch::Call;
use harness::{Protocol, SeenRequest, eventually};
use policy_client::PolicyCalls as _;
use policy_client::am::AmClient;
use policy_protocol::message::{Credentials, LoginAnswer, LoginRequest, LogoutRequest};
use policy_protocol::{
    AuthScheme, ProtectionLevel, RealmContext, ResourceContext, Session, SystemClock,
};

use crate::support::challenge_reason;

/// OpenAM's sample user.
const USER: (&str, &str) = ("demo", "changeit");

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/interop/openam.sh"))
}

/// Somebody else's client of the same AM.
struct Elsewhere(AmClient);

impl Elsewhere {
    async fn login(&self) -> Session {
        let request = LoginRequest {
            resource: ResourceContext {
                agent: String::from("other"),
                server: String::from("other.test"),
                resource: String::from("/"),
                action: String::from("GET"),
            },
            realm: RealmContext {
                name: String::from("other"),
                protection_level: ProtectionLevel(0),
                auth_scheme: AuthScheme::Form,
                idle_timeout: std::time::Duration::from_secs(600),
                max_timeout: std::time::Duration::from_secs(600),
                persistent: false,
            },
            credentials: Credentials::password(USER.0, USER.1),
            client_address: None,
            previous: Vec::new(),
            transaction_id: String::from("t"),
        };
        match self.0.login(request).await {
            Ok(LoginAnswer::Yes { session }) => *session,
            other => panic!("{other:?}"),
        }
    }

    async fn logout(&self, session: &Session) {
        let request = LogoutRequest {
            session: session.ticket(),
            transaction_id: String::from("t"),
        };
        self.0.logout(request).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real AM: tests/interop/openam.sh"]
async fn the_story_with_a_real_am() {
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), setting("DOORWARD_OPENAM_AGENT_PASSWORD")).unwrap();
    let section = format!(
        "[policy_server]\nkind = \"am\"\nurls = [\"{}\"]\nca_file = \"{}\"\nforeign_level = 5\n\
         agent_keys_file = \"agent-keys.json\"\nam_agent_user = \"doorward\"\nam_agent_password_file = \"{}\"\n\
         am_agent_login = \"module=Application\"\nnotifications = true\n",
        setting("DOORWARD_OPENAM_URL"),
        setting("DOORWARD_OPENAM_CA"),
        password.path().display()
    );
    let gateway = Gateway::setup()
        .with_other_system(&section)
        .with("[[realms]]\nname = \"app\"\nauthorize = true")
        .start()
        .await;
    let elsewhere =
        Elsewhere(AmClient::new(&gateway.am_settings(), Arc::new(SystemClock)).unwrap());

    println!("begun here");
    let client = gateway.client(Protocol::Http1);
    let wrong = client.submit_login("/app/", USER.0, "wrong").await;
    assert_eq!(wrong.status, 403);
    client.login("/app/", USER.0, USER.1).await;
    let seen: SeenRequest = client.get("/app/").await.json();
    assert_eq!(seen.header("SM_USER"), Some(USER.0));
    let validated = gateway.policy.count(Call::Validate);
    assert_eq!(client.get("/app/").await.status, 200);
    assert_eq!(gateway.policy.count(Call::Validate), validated, "cached");
    client.get("/doorward/logout").await;
    assert!(challenge_reason(&client.get("/app/").await).is_some());

    println!("begun there");
    let session = elsewhere.login().await;
    let client = gateway.client(Protocol::Http1);
    client.set_cookie(COOKIE, session.spec.as_str());
    let answer = client.get("/app/").await;
    assert_eq!(answer.set_cookie("SMSESSION"), None);
    let seen: SeenRequest = answer.json();
    assert_eq!(seen.header("SM_USER"), Some(USER.0));
    assert!(gateway.policy.count(Call::Authorize) > 0);

    println!("ended there");
    let validated = gateway.policy.count(Call::Validate);
    elsewhere.logout(&session).await;
    eventually("the end is told", async || {
        challenge_reason(&client.get("/app/").await).map(drop)
    })
    .await;
    assert_eq!(
        gateway.policy.count(Call::Validate),
        validated,
        "told, and not asked"
    );

    println!("begun there, ended here");
    let session = elsewhere.login().await;
    client.set_cookie(COOKIE, session.spec.as_str());
    assert_eq!(client.get("/app/").await.status, 200);
    client.get("/doorward/logout").await;
    let fresh = gateway.beside("").await;
    let client = fresh.client(Protocol::Http1);
    client.set_cookie(COOKIE, session.spec.as_str());
    assert!(
        challenge_reason(&client.get("/app/").await).is_some(),
        "over there too"
    );
    client.set_cookie(COOKIE, "AQIC5wM2LY4SfcNoSuchSession.*AAJTSQACMDE.*");
    assert!(challenge_reason(&client.get("/app/").await).is_some());
}
