//! Keys administration over HTTP.

use std::sync::Arc;

use axum::extract::State;
use policy_protocol::administration::{KeysReport, RollAnswer, RollRequest};

use super::{Answer, Call, answer};
use crate::server::PolicyServer;

pub(super) async fn show(State(server): State<Arc<PolicyServer>>) -> Answer<KeysReport> {
    answer(server.keys_report().await)
}

pub(super) async fn roll(
    State(server): State<Arc<PolicyServer>>,
    Call(request): Call<RollRequest>,
) -> Answer<RollAnswer> {
    answer(server.roll_keys(&request).await)
}
