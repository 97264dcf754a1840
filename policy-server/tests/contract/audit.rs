//! Audit records: who was let in, and nothing that would let anybody else in.

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use policy_client::PolicyError;
use policy_protocol::administration::{AddAgentRequest, AgentAnswer, RotateAgentRequest};
use policy_protocol::message::{Credentials, LoginAnswer, LogoutRequest};
use policy_protocol::sessions::SessionQuery;
use policy_protocol::{Reason, SessionId, Timestamp};
use policy_server::NotEnrolled;
use policy_server::sessions::SessionError;

use crate::harness::{
    ADMIN_SECRET, AGENT, PASSWORD, World, address, alive, assert_dead, authorization,
    login_request, persistent, realm, validation,
};

#[tokio::test]
async fn every_decision_is_recorded_and_no_secret_is() {
    let world = World::embedded().await;
    let session = world.login("alice", &realm()).await;
    world
        .try_login("alice", "wrong password", &realm(), None)
        .await;
    world
        .try_login("password typed as name", "x", &realm(), None)
        .await;
    let session = alive(world.validate(&session).await);
    world.authorize(&session, "/app", 5).await;
    world.authorize(&session, "/elsewhere", 5).await;
    world.logout(session.ticket()).await;
    assert_dead(world.validate(&session).await, Reason::REVOKED_SESSION);
    world.server.revoke_user("bob").await.unwrap();

    let text = world.audit_text();
    let records = world.audit();
    let events: Vec<_> = records
        .iter()
        .map(|record| record["event"].as_str().unwrap())
        .collect();
    let expected = [
        "AuthAccept",
        "AuthReject",
        "AuthAttempt",
        "ValidateAccept",
        "AzAccept",
        "AzReject",
        "AuthLogout",
        "ValidateReject",
        "AdminLogin",
    ];
    assert_eq!(events, expected, "in the order of what happened");
    let login = &records[0];
    for (field, expected) in [
        ("agent", AGENT),
        ("user", "id-of-alice"),
        ("client", "192.0.2.1"),
        ("realm", "app"),
        ("host", "app.test"),
        ("resource", "/app"),
        ("action", "GET"),
        ("transaction_id", "t1"),
        ("reason", "none"),
        ("server", "ps-test"),
    ] {
        assert_eq!(login[field], expected, "{field}");
    }
    assert!(login["directory"].is_string());
    assert_eq!(records[7]["reason"], "revoked_session");
    assert_eq!(
        (&records[8]["action"], &records[8]["user"]),
        (&"revoke-user".into(), &"bob".into())
    );
    let id = session.id.to_string();
    assert_eq!(login["session"], format!("{}…", &id[..6]));
    for secret in [
        PASSWORD,
        "wrong password",
        "typed as name",
        &id,
        session.spec.as_str(),
    ] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}

#[tokio::test]
async fn a_refusal_for_an_assertion_that_ends_too_soon_is_recorded() {
    let believed = format!("[[assertions]]\nissuer = \"sts\"\nagents = [\"{AGENT}\"]\n[limits]");
    let world = World::embedded().await;
    let world = world.restart_with("[limits]", &believed).await;
    let assert_until = |not_on_or_after: Timestamp| Credentials::Assertion {
        name_id: String::from("alice"),
        issuer: String::from("sts"),
        not_on_or_after,
    };
    let soon = world.now().plus(Duration::from_secs(3));
    let answer = world.present(assert_until(soon), &realm(), None).await;
    assert!(matches!(answer, LoginAnswer::Yes { .. }), "{answer:?}");
    // What begins now is dated after the end of all sessions, which is later than that of the assertion.
    world.server.revoke_user("id-of-alice").await.unwrap();
    let answer = world.present(assert_until(soon), &realm(), None).await;
    let reason = Reason::UNKNOWN_USER;
    assert_eq!(answer, LoginAnswer::No { reason });
    let records = world.audit();
    let last = records.last().unwrap();
    for (field, expected) in [
        ("event", "AuthReject"),
        ("user", "id-of-alice"),
        ("directory", "users"),
        ("reason", "unknown_user"),
        ("client", "192.0.2.1"),
        ("realm", "app"),
        ("transaction_id", "t1"),
    ] {
        assert_eq!(last[field], expected, "{field}");
    }
    let detail = last["detail"].as_str().unwrap();
    assert!(detail.starts_with("assertion that ends"), "{detail}");
}

#[tokio::test]
async fn sessions_that_end_for_others_are_recorded() {
    let world = World::embedded().await;
    let first = world.login("alice", &realm()).await;
    let second = world
        .try_login("bob", PASSWORD, &realm(), Some(&first))
        .await;
    assert!(matches!(second, LoginAnswer::Yes { .. }));
    let records = world.audit();
    let events: Vec<_> = records
        .iter()
        .map(|record| {
            let text = |field: &str| record[field].as_str().unwrap().to_owned();
            (text("event"), text("user"), text("reason"))
        })
        .collect();
    let event = |event: &str, user: &str, reason: &str| {
        (event.to_owned(), user.to_owned(), reason.to_owned())
    };
    assert_eq!(
        events,
        [
            event("AuthAccept", "id-of-alice", "none"),
            event("AuthLogout", "id-of-alice", "revoked_session"),
            event("AuthAccept", "bob", "none"),
        ]
    );
    assert_eq!(records[0]["session"], records[1]["session"]);
}

#[tokio::test]
async fn whoever_is_gone_loses_all_sessions_as_soon_as_the_store_works() {
    let world = World::embedded().await;
    for user in ["alice", "bob"] {
        world.login(user, &persistent()).await;
    }
    let database = world.dir.path().join("state/policy-server.sqlite");
    let database = rusqlite::Connection::open(database).unwrap();
    database.busy_timeout(Duration::from_secs(20)).unwrap();
    let rename = |from: &str, to: &str| {
        let statement = format!("ALTER TABLE {from} RENAME TO {to}");
        database.execute_batch(&statement).unwrap();
    };
    rename("revoked_user", "away");
    std::fs::write(world.dir.path().join("users.toml"), "").unwrap();
    assert!(world.server.maintain().await.is_err());
    assert_eq!(world.listed(SessionQuery::default()).await.len(), 2);
    rename("away", "revoked_user");
    world.server.maintain().await.unwrap();
    assert_eq!(world.listed(SessionQuery::default()).await, []);
    let records = world.audit();
    for user in ["id-of-alice", "bob"] {
        let ended: Vec<_> = records
            .iter()
            .filter(|record| record["event"] == "AuthLogout" && record["user"] == user)
            .collect();
        assert_eq!(ended.len(), 1, "{records:?}");
        assert_eq!(ended[0]["reason"], "user_disabled");
    }
}

#[tokio::test]
async fn what_administrators_did_not_get_done_is_recorded_too() {
    let world = World::embedded().await;
    let server = &world.server;
    let unknown = server.enrol_second_factor("nobody", "x").await;
    assert!(matches!(unknown, Err(NotEnrolled::UnknownUser)));
    server.enrol_second_factor("alice", "x").await.unwrap();
    assert_eq!(server.remove_second_factor("bob").await, Ok(false));
    let id = SessionId::from_bytes([9; 20]);
    assert_eq!(server.reset_idle(id).await, Err(SessionError::Unknown));
    let request = RotateAgentRequest {
        certificate: None,
        grace: Duration::ZERO,
    };
    let answer = server.rotate_agent("nobody", &request).await;
    assert!(matches!(answer, Ok(AgentAnswer::No { .. })));
    assert_eq!(server.remove_agent("nobody").await, Ok(false));
    let records = world.audit();
    let acts: Vec<_> = records
        .iter()
        .map(|record| {
            let text = |field: &str| record[field].as_str().unwrap_or_default();
            (text("action"), text("user"), text("detail"))
        })
        .collect();
    assert_eq!(
        acts,
        [
            ("enrol-second-factor", "nobody", ""),
            (
                "enrol-second-factor",
                "nobody",
                "not done: there is no such user"
            ),
            ("enrol-second-factor", "alice", ""),
            ("remove-second-factor", "bob", ""),
            ("remove-second-factor", "bob", "not done: there was none"),
            ("reset-idle", "", ""),
            ("reset-idle", "", "not done: there is no such session"),
            ("rotate-agent", "nobody", ""),
            (
                "rotate-agent",
                "nobody",
                "not done: there is no agent of this name"
            ),
            ("remove-agent", "nobody", "not done: there was none"),
        ]
    );
}

#[tokio::test]
async fn nothing_is_given_that_cannot_be_recorded() {
    let world = World::embedded().await;
    world.fill_audit_disk();
    let enrolled = world.server.enrol_second_factor("alice", "x").await;
    assert!(matches!(enrolled, Err(NotEnrolled::Failed(_))));
    let request = AddAgentRequest {
        name: String::from("gateway-2"),
        secret: true,
        certificate: None,
    };
    assert!(world.server.add_agent(&request).await.is_err());
    world.empty_audit_disk();
    world
        .audited(|record| record["action"] == "add-agent")
        .await;
    let status = world.server.user_status("alice").await.unwrap();
    assert_eq!(status.second_factor, None);
    let agents = world.server.agents_report().await.unwrap().agents;
    assert!(agents.iter().all(|agent| agent.name != "gateway-2"));
}

impl World {
    /// From now on every write of a record fails, as on a full disk.
    fn fill_audit_disk(&self) {
        self.point_audit("/dev/full".as_ref());
    }

    fn empty_audit_disk(&self) {
        self.point_audit(&self.dir.path().join("audit-later.jsonl"));
    }

    fn point_audit(&self, target: &std::path::Path) {
        let new = self.dir.path().join("new-link");
        symlink(target, &new).unwrap();
        std::fs::rename(new, self.dir.path().join("audit.jsonl")).unwrap();
    }

    /// Waits for a record that satisfies `wanted` and returns all.
    async fn audited(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> Vec<serde_json::Value> {
        let start = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.dir.path().join("audit.jsonl"));
            // The last line may be on its way.
            let text = text.unwrap_or_default();
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let lines = whole.lines();
            let records: Vec<serde_json::Value> = lines
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            if records.iter().any(&wanted) {
                return records;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{records:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

crate::for_both!(
    what_cannot_be_recorded_is_refused_and_is_recorded_when_it_can_be,
    sessions_end_even_if_that_cannot_be_recorded,
);

async fn what_cannot_be_recorded_is_refused_and_is_recorded_when_it_can_be(world: World) {
    let session = world.login("alice", &realm()).await;
    world.fill_audit_disk();
    for password in [PASSWORD, "wrong"] {
        let request = login_request(Credentials::password("alice", password), &realm(), None);
        let answer = world.calls.login(request).await;
        assert!(answer.is_err(), "{answer:?}");
    }
    assert!(
        world
            .calls
            .validate(validation(session.ticket()))
            .await
            .is_err()
    );
    assert!(
        world
            .calls
            .authorize(authorization(&session, "/app"))
            .await
            .is_err()
    );
    let listed = world.server.sessions(SessionQuery::default()).await;
    assert_eq!(listed, Err(SessionError::Failed(PolicyError::Failure)));

    world.empty_audit_disk();
    let records = world.audited(|record| record["action"] == "list").await;
    let mut events: Vec<_> = records
        .iter()
        .map(|record| record["event"].as_str().unwrap())
        .collect();
    // A client may ask again where that does no harm.
    events.dedup();
    assert_eq!(
        events,
        [
            "AuthAccept",
            "AuthReject",
            "ValidateAccept",
            "AzAccept",
            "AdminLogin"
        ]
    );
    // The login that was refused left no session behind.
    assert_eq!(world.listed(SessionQuery::default()).await, [session.id]);
    alive(world.validate(&session).await);
}

async fn sessions_end_even_if_that_cannot_be_recorded(world: World) {
    let [logged_out, revoked, of_user] = [
        world.login("alice", &persistent()).await,
        world.login("alice", &realm()).await,
        world.login("bob", &realm()).await,
    ];
    world.fill_audit_disk();
    let request = LogoutRequest {
        session: logged_out.ticket(),
        transaction_id: String::from("t-logout"),
    };
    assert!(world.calls.logout(request).await.is_err());
    assert_eq!(
        world.server.revoke_session(revoked.id).await,
        Err(PolicyError::Failure)
    );
    assert_eq!(
        world.server.revoke_user("bob").await,
        Err(PolicyError::Failure)
    );
    world.empty_audit_disk();
    let records = world
        .audited(|record| record["action"] == "revoke-user")
        .await;
    assert!(
        records
            .iter()
            .any(|record| record["transaction_id"] == "t-logout")
    );
    for session in [logged_out, revoked, of_user] {
        assert_dead(world.validate(&session).await, Reason::REVOKED_SESSION);
    }
}

#[tokio::test]
async fn administrators_who_cannot_be_recorded_are_refused() {
    let world = World::remote().await;
    world.fill_audit_disk();
    for secret in [ADMIN_SECRET, "a secret that is wrong"] {
        let answer = world.admin(secret).sessions(&SessionQuery::default()).await;
        assert!(answer.is_err());
    }
    world.empty_audit_disk();
    let records = world
        .audited(|record| record["event"] == "AdminReject")
        .await;
    assert_eq!(records[0]["event"], "AdminLogin");
}

#[tokio::test]
async fn what_lets_a_session_go_on_may_be_left_out() {
    let file = "file = \"audit.jsonl\"";
    let left_out = format!("{file}\nleave_out = [\"ValidateAccept\", \"AzAccept\"]");
    let world = World::embedded().await.restart_with(file, &left_out).await;
    let session = world.login("alice", &realm()).await;
    alive(world.validate(&session).await);
    world.authorize(&session, "/app", 5).await;
    world.authorize(&session, "/elsewhere", 5).await;
    let elsewhere = world
        .validate_ticket(
            session.ticket(),
            session.last_access,
            Some(address("192.0.2.9")),
        )
        .await;
    assert_dead(elsewhere, Reason::INVALID_SESSION_IP);
    let records = world.audit();
    let events: Vec<_> = records
        .iter()
        .map(|record| record["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["AuthAccept", "AzReject", "ValidateReject"]);
}

/// A store that keeps whoever writes waiting until it is let go.
struct Held(rusqlite::Connection);

impl Held {
    fn of(world: &World) -> Self {
        let database = world.dir.path().join("state/policy-server.sqlite");
        let database = rusqlite::Connection::open(database).unwrap();
        database.busy_timeout(Duration::from_secs(20)).unwrap();
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(database)
    }

    fn let_go(self) {
        self.0.execute_batch("COMMIT").unwrap();
    }
}

/// The records of these events so far, once there are that many.
async fn recorded(world: &World, events: &[&str]) -> Vec<serde_json::Value> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut records = world.audit();
        records.retain(|record| events.iter().any(|event| record["event"] == *event));
        if records.len() >= events.len() {
            return records;
        }
        assert!(Instant::now() < deadline, "{records:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Agents have a deadline for each call, and people press Ctrl-C.
#[tokio::test]
async fn what_is_done_is_recorded_also_if_the_caller_has_gone() {
    let world = World::remote().await;
    let patience = Duration::from_millis(700);
    let held = Held::of(&world);
    let request = login_request(Credentials::password("alice", PASSWORD), &realm(), None);
    let login = tokio::time::timeout(patience, world.calls.login(request));
    assert!(login.await.is_err(), "it waits for the store");
    held.let_go();
    let records = recorded(&world, &["AuthAccept", "AuthLogout"]).await;
    assert_eq!(records[0]["event"], "AuthAccept");
    assert_eq!(records[0]["session"], records[1]["session"]);
    assert!(world.listed(SessionQuery::default()).await.is_empty());

    let held = Held::of(&world);
    let admin = world.admin(ADMIN_SECRET);
    let all = tokio::time::timeout(patience, admin.revoke_all());
    assert!(all.await.is_err(), "it waits for the store");
    held.let_go();
    // The first is of the list.
    let records = recorded(&world, &["AdminLogin", "AdminLogin"]).await;
    assert_eq!(records[1]["action"], "revoke-all");
}
