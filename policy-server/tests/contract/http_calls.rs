//! Calls as they come over the network, down to status and problem.

use axum::body::{Body, to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use policy_protocol::message::Credentials;
use tower::ServiceExt as _;

use crate::harness::{AGENT, AGENT_SECRET, PASSWORD, World, login_request, realm};

/// Status, `Retry-After` and body of an answer.
pub(crate) async fn send(
    world: &World,
    method: &str,
    path: &str,
    body: String,
) -> (StatusCode, bool, String) {
    let pair = STANDARD.encode(format!("{AGENT}:{AGENT_SECRET}"));
    let request = http::Request::builder()
        .method(method)
        .uri(format!("/policy/v1/{path}"))
        .header("authorization", format!("Basic {pair}"))
        .body(Body::from(body))
        .unwrap();
    let response = world.server.router().oneshot(request).await.unwrap();
    let (status, retry) = (response.status(), response.headers().get("retry-after"));
    let retry = retry.is_some_and(|value| value == "1");
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, retry, String::from_utf8(body.to_vec()).unwrap())
}

/// Whether it says so.
pub(crate) async fn is_ready(world: &World) -> bool {
    send(world, "GET", "ready", String::new()).await.0 == StatusCode::OK
}

/// Alice's login, as agents send it.
pub(crate) fn login() -> String {
    let request = login_request(Credentials::password("alice", PASSWORD), &realm(), None);
    serde_json::to_string(&request).unwrap()
}
