//! A disk without room under the embedded store.

use policy_client::PolicyCalls as _;
use policy_protocol::Reason;
use policy_protocol::message::LogoutAnswer;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::world::{PASSWORD, World, log_in, login, logout, refusal, session_of};

/// No file of the policy server may grow beyond so many bytes. Its superiors' limit stays as it is.
fn limit_files(world: &World, bytes: Option<u64>) {
    let limit = Rlimit {
        current: bytes,
        ..getrlimit(Resource::Fsize)
    };
    prlimit(Some(Pid::from_child(&world.child)), Resource::Fsize, limit).unwrap();
}

#[tokio::test]
async fn with_a_full_disk_who_is_in_stays_and_nobody_comes_or_goes() {
    // Audit records have a row of their own in the table of failures.
    let mut world = World::start_with("[audit]\nfile = \"/dev/null\"\n");
    let mut client = world.client().await;
    let persistent = login("alice", PASSWORD, String::from("t"));
    let mut other = persistent.clone();
    other.realm.persistent = false;
    // In the middle of the first page that is written, and before it.
    let log = world.path("state/policy-server.sqlite-wal");
    for room in [Some(1000), None] {
        let sessions = [
            session_of(&persistent, &client).await,
            session_of(&other, &client).await,
        ];
        let used = log.metadata().unwrap().len();
        limit_files(&world, Some(room.map_or(0, |room| used + room)));
        for session in &sessions {
            assert_eq!(refusal(&client, session).await, None);
        }
        client.login(persistent.clone()).await.unwrap_err();
        for session in &sessions {
            client.logout(logout(session)).await.unwrap_err();
            assert_eq!(refusal(&client, session).await, None);
        }

        limit_files(&world, None);
        let [ended, kept] = &sessions;
        log_in(&client, "alice").await;
        assert_eq!(
            client.logout(logout(ended)).await.unwrap(),
            LogoutAnswer::Yes
        );
        assert_eq!(refusal(&client, ended).await, Some(Reason::REVOKED_SESSION));
        assert_eq!(refusal(&client, kept).await, None);
        // Nothing was written by halves either.
        world.restart();
        client = world.client().await;
        assert_eq!(refusal(&client, ended).await, Some(Reason::REVOKED_SESSION));
        assert_eq!(refusal(&client, kept).await, None);
    }
}
