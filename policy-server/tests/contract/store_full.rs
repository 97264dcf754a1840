//! The store is there and takes no writes: no room on its disk or in its memory.

use std::time::Duration;

use http::StatusCode;
use policy_protocol::message::LogoutRequest;
use policy_protocol::{Reason, Session};

use crate::harness::{World, alive, assert_dead, eventually, persistent, realm, validation};
use crate::http_calls::{is_ready, login, send};

crate::for_servers!(a_store_that_takes_no_writes_keeps_who_is_in_and_nobody_comes_or_goes);

/// What is said of what there is no room for.
const NO_ROOM: &str = "urn:doorward:problem:no-room";

/// Its status, whether it says when to come again, and whether it says that there is no room.
async fn try_logout(world: &World, session: &Session) -> (StatusCode, bool, bool) {
    let request = LogoutRequest {
        session: session.ticket(),
        transaction_id: String::from("t"),
    };
    let request = serde_json::to_string(&request).unwrap();
    let (status, retry, body) = send(world, "POST", "logout", request).await;
    (status, retry, body.contains(NO_ROOM))
}

async fn a_store_that_takes_no_writes_keeps_who_is_in_and_nobody_comes_or_goes(world: World) {
    let unavailable = (StatusCode::SERVICE_UNAVAILABLE, true, true);
    let server = world.store.as_ref().unwrap();
    let mut sessions = [
        world.login("alice", &realm()).await,
        world.login("alice", &persistent()).await,
    ];
    let records = world.audit().len();
    server.refuse_writes();
    eventually("it is read", async || {
        let request = validation(sessions[0].ticket());
        is_ready(&world).await && world.calls.validate(request).await.is_ok()
    })
    .await;
    // Longer than the idle timeout, and than a store that hears of no use keeps a session.
    for _ in 0..5 {
        world.clock.advance(Duration::from_mins(20));
        for session in &mut sessions {
            *session = alive(world.validate(session).await);
        }
        // It cleans up, if it can.
        _ = world.server.maintain().await;
    }
    let (status, retry, body) = send(&world, "POST", "login", login()).await;
    assert_eq!(
        (status, retry, body.contains(NO_ROOM)),
        unavailable,
        "{body}"
    );
    for session in &mut sessions {
        assert_eq!(try_logout(&world, session).await, unavailable);
        *session = alive(world.validate(session).await);
    }
    assert!(is_ready(&world).await);
    let told = world.audit().split_off(records);
    let told: Vec<_> = told.iter().map(|record| &record["event"]).collect();
    assert!(
        told.iter().all(|event| *event == "ValidateAccept"),
        "{told:?}"
    );

    server.take_writes();
    let (status, ..) = send(&world, "POST", "login", login()).await;
    assert_eq!(status, StatusCode::OK);
    for session in &sessions {
        alive(world.validate(session).await);
        assert_eq!(try_logout(&world, session).await.0, StatusCode::OK);
        assert_dead(world.validate(session).await, Reason::REVOKED_SESSION);
    }
    eventually("all is done", async || {
        world.server.maintain().await.is_ok()
    })
    .await;
}
