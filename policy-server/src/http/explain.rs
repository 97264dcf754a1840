//! Explanations of decisions, for administrators.

use std::sync::Arc;

use axum::extract::State;
use policy_protocol::explain::{ExplainAnswer, ExplainRequest};

use super::{Answer, Call, answer};
use crate::server::PolicyServer;

pub(super) async fn explain(
    State(server): State<Arc<PolicyServer>>,
    Call(request): Call<ExplainRequest>,
) -> Answer<ExplainAnswer> {
    answer(server.explain(&request).await)
}
