//! Logins with a factor that answers challenges, at two policy servers beside one store.

mod answering;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use policy_client::PolicyCalls as _;
use policy_protocol::message::{Credentials, LoginAnswer, LoginRequest};
use policy_protocol::{
    AuthScheme, ManualClock, ProtectionLevel, RealmContext, Reason, ResourceContext, Secret,
    Timestamp,
};
use tempfile::TempDir;

use self::answering::{answer, in_place_of_codes};
use crate::store::Store;
use crate::store::sqlite::SqliteStore;
use crate::{PasswordCost, PolicyServer, PolicyServerConfig, hash_password_at};

const PASSWORD: &str = "correct horse";
const HOST: &str = "app.test";

struct World {
    clock: Arc<ManualClock>,
    servers: [Arc<PolicyServer>; 2],
    /// What alice's device signs with.
    secret: String,
    dir: TempDir,
}

async fn server(dir: &Path, store: &Arc<dyn Store>, clock: &Arc<ManualClock>) -> Arc<PolicyServer> {
    let config = PolicyServerConfig::parse(
        "state_dir = \"state\"\naudit.file = \"audit\"\n[[directories]]\nname = \"users\"\n\
         kind = \"file\"\nfile = \"users.toml\"\nwritable = true",
        "test",
        dir,
    );
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let clock = Arc::clone(clock);
    PolicyServer::open_proving(config, Arc::clone(store), clock, in_place_of_codes)
        .await
        .unwrap()
}

impl World {
    /// alice has a device, bob has none. `more` goes to alice.
    async fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hash = hash_password_at(PASSWORD, PasswordCost::LIGHT).unwrap();
        let user =
            |name, more| format!("[[users]]\nname = \"{name}\"\npassword = \"{hash}\"\n{more}\n");
        let users = user("alice", more) + &user("bob", "");
        std::fs::write(dir.path().join("users.toml"), users).unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
        let store = SqliteStore::open(&dir.path().join("state")).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let servers = [
            server(dir.path(), &store, &clock).await,
            server(dir.path(), &store, &clock).await,
        ];
        let enrolled = servers[0].enrol_second_factor("alice", "x").await;
        Self {
            clock,
            servers,
            secret: enrolled.unwrap().secret.expose().clone(),
            dir,
        }
    }

    async fn login(&self, at: usize, request: LoginRequest) -> LoginAnswer {
        let agent = self.servers[at].as_agent("gateway-1");
        agent.login(request).await.unwrap()
    }

    /// The challenge that follows the right password.
    async fn challenge(&self, at: usize) -> String {
        challenge_of(
            self.login(at, request("alice", None)).await,
            Reason::TOKEN_CARD_CHALLENGE,
        )
    }

    fn answer(&self, challenge: &str) -> String {
        answer(&self.secret, challenge, HOST)
    }

    fn audit(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("audit")).unwrap()
    }
}

#[track_caller]
fn challenge_of(answer: LoginAnswer, because: Reason) -> String {
    match answer {
        LoginAnswer::Challenge {
            reason,
            challenge: Some(challenge),
        } if reason == because => challenge,
        other => panic!("{other:?}"),
    }
}

/// A login for a page of [`HOST`].
fn request(user: &str, proof: Option<&str>) -> LoginRequest {
    LoginRequest {
        resource: ResourceContext {
            agent: String::from("gateway-1"),
            server: String::from(HOST),
            resource: String::from("/vault"),
            action: String::from("GET"),
        },
        realm: RealmContext {
            name: String::from("vault"),
            protection_level: ProtectionLevel(15),
            auth_scheme: AuthScheme::Totp,
            idle_timeout: Duration::from_secs(600),
            max_timeout: Duration::from_secs(3600),
            persistent: false,
        },
        credentials: Credentials::Password {
            user_name: user.to_owned(),
            password: Secret::new(PASSWORD.to_owned()),
            new_password: None,
            code: proof.map(|proof| Secret::new(proof.to_owned())),
        },
        client_address: None,
        previous: Vec::new(),
        transaction_id: String::from("t1"),
    }
}

fn with_passwords(request: LoginRequest, old: &str, new: Option<&str>) -> LoginRequest {
    let Credentials::Password {
        user_name, code, ..
    } = request.credentials
    else {
        unreachable!()
    };
    LoginRequest {
        credentials: Credentials::Password {
            user_name,
            password: Secret::new(old.to_owned()),
            new_password: new.map(|new| Secret::new(new.to_owned())),
            code,
        },
        ..request
    }
}

fn on(host: &str, mut request: LoginRequest) -> LoginRequest {
    host.clone_into(&mut request.resource.server);
    request
}

const REFUSED: LoginAnswer = LoginAnswer::No {
    reason: Reason::UNKNOWN_USER,
};

#[tokio::test]
async fn a_challenge_of_one_policy_server_is_answered_at_another_once() {
    let world = World::new("").await;
    let challenge = world.challenge(0).await;
    let answer = world.answer(&challenge);
    match world.login(1, request("alice", Some(&answer))).await {
        LoginAnswer::Yes { session } => {
            assert_eq!(session.auth_scheme, AuthScheme::Totp);
            assert_eq!(session.protection_level, ProtectionLevel(15));
        }
        other => panic!("{other:?}"),
    }
    for at in [0, 1] {
        let again = world.login(at, request("alice", Some(&answer))).await;
        assert_eq!(again, REFUSED);
    }
    assert_ne!(world.challenge(0).await, challenge);
    let audit = world.audit();
    for part in ["\"AuthChallenge\"", "\"token_card_challenge\"", "\"code\""] {
        assert!(audit.contains(part), "{part}: {audit}");
    }
    assert!(!audit.contains(&challenge) && !audit.contains(&answer));
}

#[tokio::test]
async fn of_two_policy_servers_that_are_shown_an_answer_at_once_one_accepts_it() {
    let world = World::new("").await;
    let answer = world.answer(&world.challenge(0).await);
    let login = |at| world.login(at, request("alice", Some(&answer)));
    let (one, other) = tokio::join!(login(0), login(1));
    let accepted = [one, other].into_iter().filter(|it| *it != REFUSED);
    assert_eq!(accepted.count(), 1);
}

#[tokio::test]
async fn an_answer_is_good_on_the_host_that_asked() {
    let world = World::new("").await;
    let challenge = world.challenge(0).await;
    // The page of somebody else passed it on.
    let elsewhere = answer(&world.secret, &challenge, "app.test.evil.example");
    let passed_on = world.login(1, request("alice", Some(&elsewhere))).await;
    assert_eq!(passed_on, REFUSED);
    // It was asked for a page of another host.
    for answer in [
        world.answer(&challenge),
        answer(&world.secret, &challenge, "other.test"),
    ] {
        let request = on("other.test", request("alice", Some(&answer)));
        assert_eq!(world.login(1, request).await, REFUSED);
    }
    // None of it used the challenge up.
    let answer = world.answer(&challenge);
    world.clock.advance(Duration::from_secs(10));
    let right = world.login(1, request("alice", Some(&answer))).await;
    assert!(matches!(right, LoginAnswer::Yes { .. }), "{right:?}");
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_refused() {
    let world = World::new("").await;
    let answer = world.answer(&world.challenge(0).await);
    world.clock.advance(answering::TIME);
    let late = world.login(1, request("alice", Some(&answer))).await;
    assert_eq!(late, REFUSED);
}

#[tokio::test]
async fn who_has_no_password_or_no_device_is_asked_nothing() {
    let world = World::new("").await;
    let wrong = with_passwords(request("alice", None), "wrong", None);
    assert_eq!(world.login(0, wrong).await, REFUSED);
    assert_eq!(world.login(0, request("bob", None)).await, REFUSED);
    // Forms send an empty field.
    let empty = world.login(0, request("alice", Some(""))).await;
    challenge_of(empty, Reason::TOKEN_CARD_CHALLENGE);
    assert!(
        world.servers[1]
            .remove_second_factor("alice")
            .await
            .unwrap()
    );
    assert_eq!(world.login(0, request("alice", None)).await, REFUSED);
}

/// Each step has a challenge of its own: what was answered for one page does not do on the next.
#[tokio::test]
async fn a_password_is_changed_with_a_proof_for_each_page() {
    const NEW: &str = "a password of their own";
    let world = World::new("must_change = true").await;
    let first = world.answer(&world.challenge(0).await);
    let must = world.login(0, request("alice", Some(&first))).await;
    let second = challenge_of(must, Reason::PASSWORD_MUST_CHANGE);
    let change = |answer: &str, new| {
        world.login(
            0,
            with_passwords(request("alice", Some(answer)), PASSWORD, Some(new)),
        )
    };
    assert_eq!(change(&first, NEW).await, REFUSED);
    // Without a proof nothing is changed.
    let second = match change("", NEW).await {
        LoginAnswer::Challenge {
            reason: Reason::TOKEN_CARD_CHALLENGE,
            challenge: Some(third),
        } => {
            assert_ne!(second, third);
            third
        }
        other => panic!("{other:?}"),
    };
    let bad = change(&world.answer(&second), PASSWORD).await;
    let last = challenge_of(bad, Reason::BAD_PASSWORD_CHANGE);
    let changed = change(&world.answer(&last), NEW).await;
    assert!(matches!(changed, LoginAnswer::Yes { .. }), "{changed:?}");
    let again = with_passwords(request("alice", Some(&world.answer(&last))), NEW, None);
    assert_eq!(world.login(0, again).await, REFUSED);
}
