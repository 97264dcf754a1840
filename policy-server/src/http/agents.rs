//! Agents administration over HTTP.

use ::http::StatusCode;
use axum::extract::State;
use policy_protocol::administration::{
    AddAgentRequest, AgentAnswer, AgentsReport, RotateAgentRequest,
};

use super::problem::Problem;
use super::{Answer, Call, Named, Server, answer, named, removed};

pub(super) async fn list(State(server): Server) -> Answer<AgentsReport> {
    answer(server.agents_report().await)
}

pub(super) async fn add(
    State(server): Server,
    Call(request): Call<AddAgentRequest>,
) -> Answer<AgentAnswer> {
    answer(server.add_agent(&request).await)
}

pub(super) async fn rotate(
    State(server): Server,
    name: Named<String>,
    Call(request): Call<RotateAgentRequest>,
) -> Answer<AgentAnswer> {
    answer(server.rotate_agent(&named(name)?, &request).await)
}

pub(super) async fn remove(
    State(server): Server,
    name: Named<String>,
) -> Result<StatusCode, Problem> {
    removed(server.remove_agent(&named(name)?).await?)
}
