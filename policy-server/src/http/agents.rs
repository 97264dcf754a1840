//! Agents administration over HTTP.

use std::sync::Arc;

use ::http::StatusCode;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use policy_protocol::administration::{
    AddAgentRequest, AgentAnswer, AgentsReport, RotateAgentRequest,
};

use super::problem::Problem;
use super::{Answer, Call, answer};
use crate::server::PolicyServer;

pub(super) async fn list(State(server): State<Arc<PolicyServer>>) -> Answer<AgentsReport> {
    answer(server.agents_report().await)
}

pub(super) async fn add(
    State(server): State<Arc<PolicyServer>>,
    Call(request): Call<AddAgentRequest>,
) -> Answer<AgentAnswer> {
    answer(server.add_agent(&request).await)
}

pub(super) async fn rotate(
    State(server): State<Arc<PolicyServer>>,
    name: Result<Path<String>, PathRejection>,
    Call(request): Call<RotateAgentRequest>,
) -> Answer<AgentAnswer> {
    let Path(name) = name.map_err(|_| Problem::BAD_REQUEST)?;
    answer(server.rotate_agent(&name, &request).await)
}

pub(super) async fn remove(
    State(server): State<Arc<PolicyServer>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(name) = name.map_err(|_| Problem::BAD_REQUEST)?;
    if server.remove_agent(&name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::NOT_FOUND)
    }
}
