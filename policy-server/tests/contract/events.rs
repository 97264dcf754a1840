//! Events: what agents are told, and whether they can rely on it.

use std::time::Duration;

use futures_util::StreamExt;
use policy_client::EventStream;
use policy_protocol::{Event, EventKind, EventPosition};

use crate::harness::{World, persistent, realm};

crate::for_both!(
    the_first_event_says_whether_there_is_a_gap,
    what_was_missed_is_told_again,
    a_restart_is_no_gap,
    what_ends_sessions_is_told,
    a_change_of_groups_is_told,
    the_oldest_of_too_many_streams_ends,
);

/// The next event that is not a heartbeat.
async fn next(stream: &mut EventStream) -> Event {
    loop {
        let event = stream.next().await.unwrap().unwrap();
        if event.kind != EventKind::Heartbeat {
            return event;
        }
    }
}

async fn listen(world: &World, position: Option<EventPosition>) -> EventStream {
    world.calls.events(position).await.unwrap()
}

/// Ends a session, and says what agents are told of it.
async fn end_a_session(world: &World) -> EventKind {
    let session = world.login("alice", &realm()).await;
    world.logout(session.ticket()).await;
    EventKind::SessionRevoked {
        session_id: session.id,
    }
}

async fn the_first_event_says_whether_there_is_a_gap(world: World) {
    let mut stream = listen(&world, None).await;
    let hello = next(&mut stream).await;
    assert_eq!(hello.kind, EventKind::Hello { gap: true });
    let mut stream = listen(&world, Some(hello.position.clone())).await;
    assert_eq!(
        next(&mut stream).await.kind,
        EventKind::Hello { gap: false }
    );
    let ahead = EventPosition {
        sequence: hello.position.sequence + 1,
        ..hello.position
    };
    let mut stream = listen(&world, Some(ahead)).await;
    assert_eq!(next(&mut stream).await.kind, EventKind::Hello { gap: true });
}

async fn what_was_missed_is_told_again(world: World) {
    let mut stream = listen(&world, None).await;
    let start = next(&mut stream).await.position;
    let first = end_a_session(&world).await;
    let seen = next(&mut stream).await;
    assert_eq!(seen.kind, first);
    assert_eq!(seen.position.sequence, start.sequence + 1);
    drop(stream);
    let second = end_a_session(&world).await;
    let mut stream = listen(&world, Some(seen.position)).await;
    assert_eq!(next(&mut stream).await.kind, second);
    assert_eq!(
        next(&mut stream).await.kind,
        EventKind::Hello { gap: false }
    );
    let third = end_a_session(&world).await;
    assert_eq!(next(&mut stream).await.kind, third);
    let mut stream = listen(&world, Some(start)).await;
    for expected in [first, second, third] {
        assert_eq!(next(&mut stream).await.kind, expected);
    }
}

async fn a_restart_is_no_gap(world: World) {
    let mut stream = listen(&world, None).await;
    let position = next(&mut stream).await.position;
    drop(stream);
    let end = end_a_session(&world).await;
    let world = world.restart().await;
    let mut stream = listen(&world, Some(position)).await;
    assert_eq!(next(&mut stream).await.kind, end);
    // Users and policies may have changed meanwhile.
    assert_eq!(next(&mut stream).await.kind, EventKind::CacheFlush);
    assert_eq!(
        next(&mut stream).await.kind,
        EventKind::Hello { gap: false }
    );
}

async fn what_ends_sessions_is_told(world: World) {
    let mut stream = listen(&world, None).await;
    next(&mut stream).await;
    world.calls.agent_keys().await.unwrap();
    let session = world.login("alice", &persistent()).await;
    // Step-up, logout (of the same, once only), administrator, user, disabled user, keys.
    world
        .try_login("bob", crate::harness::PASSWORD, &realm(), Some(&session))
        .await;
    world.logout(session.ticket()).await;
    let session_id = world.login("alice", &realm()).await.id;
    world.server.revoke_session(session_id).await.unwrap();
    world.server.revoke_user("bob").await.unwrap();
    world.write_users("disabled = true");
    world.server.maintain().await.unwrap();
    world.roll().await;
    let through = world.now().plus(Duration::from_secs(5));
    for expected in [
        EventKind::SessionRevoked {
            session_id: session.id,
        },
        EventKind::SessionRevoked { session_id },
        EventKind::UserRevoked {
            universal_id: String::from("bob"),
            through,
        },
        EventKind::UserRevoked {
            universal_id: String::from("id-of-alice"),
            through,
        },
        EventKind::CacheFlush,
        EventKind::KeysRolled,
    ] {
        assert_eq!(next(&mut stream).await.kind, expected);
    }
}

async fn a_change_of_groups_is_told(world: World) {
    let mut stream = listen(&world, None).await;
    next(&mut stream).await;
    let file = world.dir.path().join("users.toml");
    let users = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        users.replace(r#"["staff"]"#, r#"["staff", "night"]"#),
    )
    .unwrap();
    world.server.maintain().await.unwrap();
    assert_eq!(next(&mut stream).await.kind, EventKind::CacheFlush);
    // Told once: what comes next is the end of a session.
    world.server.maintain().await.unwrap();
    let end = end_a_session(&world).await;
    assert_eq!(next(&mut stream).await.kind, end);
}

async fn the_oldest_of_too_many_streams_ends(world: World) {
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = listen(&world, None).await;
        next(&mut stream).await;
        streams.push(stream);
    }
    let mut oldest = streams.remove(0);
    let ended = async { while let Some(Ok(_)) = oldest.next().await {} };
    let waited = tokio::time::timeout(Duration::from_secs(30), ended).await;
    waited.expect("it goes on");
    let end = end_a_session(&world).await;
    for stream in &mut streams {
        assert_eq!(next(stream).await.kind, end);
    }
}
