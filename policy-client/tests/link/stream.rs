use std::time::Instant;

use futures_util::StreamExt as _;
use policy_client::{PolicyCalls as _, PolicyError};
use policy_protocol::EventKind;

use crate::server::{Server, TIMEOUT, ask, client, eventually};

const HELLO: &str = r#"{"position":{"instance":"store","sequence":1},"event":"hello","gap":true}"#;
const UNHEARD_OF: &str =
    r#"{"position":{"instance":"store","sequence":2},"event":"unheard_of","by":"us"}"#;

#[tokio::test]
async fn a_silent_stream_is_lost_and_its_server_passed_over() {
    let (first, second) = (Server::start().await, Server::start().await);
    first.tells(&[HELLO, UNHEARD_OF]);
    let client = client(&[&first, &second]);
    let mut events = client.events(None).await.unwrap();
    let hello = events.next().await.unwrap().unwrap();
    assert_eq!(hello.kind, EventKind::Hello { gap: true });
    let unknown = events.next().await.unwrap().unwrap();
    assert_eq!(unknown.kind, EventKind::Unknown);
    let begun = Instant::now();
    assert_eq!(events.next().await, Some(Err(PolicyError::TimedOut)));
    assert!(begun.elapsed().as_secs() >= 2, "three heartbeats");
    assert!(events.next().await.is_none());
    ask(&client).await.unwrap();
    assert_eq!((first.count("logout"), second.count("logout")), (0, 1));
    eventually("the first is asked again", async || {
        ask(&client).await.unwrap();
        first.count("logout") > 0
    })
    .await;
}

#[tokio::test]
async fn a_stream_stays_where_it_is_and_its_server_is_asked_for_keys() {
    let (first, second) = (Server::start().await, Server::start().await);
    second.tells(&[HELLO]);
    first.stop();
    let client = client(&[&first, &second]);
    let mut events = client.events(None).await.unwrap();
    events.next().await.unwrap().unwrap();
    first.start_again().await;
    eventually("the first is asked again", async || {
        ask(&client).await.unwrap();
        first.count("logout") > 0
    })
    .await;
    let begun = Instant::now();
    // Not there, says the server, which is an answer.
    assert_eq!(client.agent_keys().await, Err(PolicyError::Protocol));
    assert_eq!(
        (first.count("agent-keys"), second.count("agent-keys")),
        (0, 1)
    );
    assert_eq!((first.count("events"), second.count("events")), (0, 1));
    assert!(begun.elapsed() < TIMEOUT);
}
