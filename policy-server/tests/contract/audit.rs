//! Audit records: who was let in, and nothing that would let anybody else in.

use policy_protocol::Reason;

use crate::harness::{AGENT, PASSWORD, World, alive, assert_dead, realm, ticket};

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
