//! Audit records: who was let in, and nothing that would let anybody else in.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use policy_protocol::Reason;

use crate::harness::{AGENT, PASSWORD, World, alive, assert_dead, realm, ticket};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_decision_is_recorded_and_no_secret_is() {
    let log = Log::default();
    let (writer, here) = (log.clone(), thread::current().id());
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || -> Box<dyn Write> {
            if thread::current().id() == here {
                Box::new(writer.clone())
            } else {
                Box::new(io::sink())
            }
        })
        .finish();
    // For the whole process: a thread's own subscriber may miss what other threads met first.
    tracing::subscriber::set_global_default(subscriber).unwrap();

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

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for event in [
        "AuthAccept",
        "AuthReject",
        "AuthAttempt",
        "ValidateAccept",
        "AzAccept",
        "AzReject",
        "AuthLogout",
        "ValidateReject",
        "AdminLogin",
    ] {
        let of_event = text
            .lines()
            .filter(|line| line.contains(&format!("event={event} ")));
        assert_eq!(of_event.count(), 1, "{event} in\n{text}");
    }
    for expected in [
        AGENT,
        "id-of-alice",
        "192.0.2.1",
        "t1",
        "reason=\"revoked_session\"",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let id = session.id.to_string();
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
