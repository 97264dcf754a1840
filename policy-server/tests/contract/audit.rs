//! Audit records: who was let in, and nothing that would let anybody else in.

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use policy_client::PolicyError;
use policy_protocol::Reason;
use policy_protocol::message::LogoutRequest;
use policy_protocol::sessions::SessionQuery;
use policy_server::sessions::SessionError;

use crate::harness::{
    ADMIN_SECRET, AGENT, PASSWORD, World, address, alive, assert_dead, authorization, credentials,
    login_request, persistent, realm, ticket, validation,
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
    world.logout(ticket(&session)).await;
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
        let request = login_request(credentials("alice", password), &realm(), None);
        let answer = world.calls.login(request).await;
        assert!(answer.is_err(), "{answer:?}");
    }
    assert!(
        world
            .calls
            .validate(validation(ticket(&session)))
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
        session: ticket(&logged_out),
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
            ticket(&session),
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
