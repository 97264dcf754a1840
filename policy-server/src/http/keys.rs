//! Keys administration over HTTP.

use axum::extract::State;
use policy_protocol::administration::{KeysReport, RollAnswer, RollRequest};

use super::{Answer, Call, Server, answer};

pub(super) async fn show(State(server): Server) -> Answer<KeysReport> {
    answer(server.keys_report().await)
}

pub(super) async fn roll(
    State(server): Server,
    Call(request): Call<RollRequest>,
) -> Answer<RollAnswer> {
    answer(server.roll_keys(&request).await)
}
