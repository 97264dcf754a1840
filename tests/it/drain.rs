//! SIGTERM: no new connections, and what is in progress is finished, within a deadline.

use harness::gateway::Gateway;
use harness::{Protocol, eventually, within};
use http::Method;
use http_body_util::BodyExt;
use tokio::net::TcpStream;

use crate::support::{get, logged_in};

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_progress_run_to_their_end() {
    for protocol in Protocol::BOTH {
        let gateway = Gateway::start().await;
        let (client, _) = logged_in(&gateway, "alice", protocol).await;
        let request = client
            .request(Method::GET, "/app/?do=slow-body")
            .body(harness::client::empty())
            .unwrap();
        let mut streaming = client.start(request).await.into_body();
        assert_eq!(
            within("the first part", streaming.frame())
                .await
                .unwrap()
                .unwrap()
                .into_data()
                .unwrap(),
            "first"
        );
        let address = gateway.address();
        let world = std::sync::Arc::clone(gateway.world());
        let draining = tokio::spawn(gateway.drain());
        eventually("nothing is accepted any more", async || {
            TcpStream::connect(address).await.is_err().then_some(())
        })
        .await;
        assert!(!draining.is_finished());
        world.origin.release(1);
        assert_eq!(
            within("the rest", streaming.collect())
                .await
                .unwrap()
                .to_bytes(),
            "last",
            "{protocol:?}"
        );
        within("the end of the drain", draining).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed_at_once() {
    let gateway = Gateway::start().await;
    let mut idle = gateway.raw().await;
    assert_eq!(idle.ask(get("/open/", &[])).await.status, 200);
    within("the drain", gateway.drain()).await;
    assert_eq!(idle.rest().await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_cut_off() {
    let gateway = Gateway::setup()
        .with("agent.drain_timeout = \"1s\"")
        .start()
        .await;
    let mut raw = gateway.raw().await;
    raw.send(get("/open/?do=slow-body", &[])).await;
    assert_eq!(raw.head().await.unwrap().status, 200);
    within("the drain", gateway.drain()).await;
    let rest = String::from_utf8_lossy(&raw.rest().await).into_owned();
    assert!(
        !rest.contains("last") && !rest.ends_with("0\r\n\r\n"),
        "a whole answer it is not: {rest}"
    );
}
