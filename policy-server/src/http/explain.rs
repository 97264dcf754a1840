//! Explanations of decisions, for administrators.

use axum::extract::State;
use policy_protocol::explain::{ExplainAnswer, ExplainRequest};

use super::{Answer, Call, Server, answer};

pub(super) async fn explain(
    State(server): Server,
    Call(request): Call<ExplainRequest>,
) -> Answer<ExplainAnswer> {
    answer(server.explain(&request).await)
}
