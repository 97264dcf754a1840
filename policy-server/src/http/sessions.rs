//! Sessions administration over HTTP.

use std::sync::Arc;

use ::http::StatusCode;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use policy_protocol::SessionId;
use policy_protocol::message::SessionSummary;
use serde::Deserialize;

use super::Answer;
use super::problem::Problem;
use crate::server::PolicyServer;

const BAD_REQUEST: Problem = Problem(StatusCode::BAD_REQUEST);

/// Whose sessions to list: everybody's unless given.
#[derive(Deserialize)]
pub(super) struct ListQuery {
    user: Option<String>,
}

pub(super) async fn list(
    State(server): State<Arc<PolicyServer>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answer<Vec<SessionSummary>> {
    let Query(query) = query.map_err(|_| BAD_REQUEST)?;
    super::answer(server.sessions(query.user.as_deref()).await)
}

pub(super) async fn show(
    State(server): State<Arc<PolicyServer>>,
    id: Result<Path<SessionId>, PathRejection>,
) -> Answer<SessionSummary> {
    let Path(id) = id.map_err(|_| BAD_REQUEST)?;
    server
        .session(id)
        .await?
        .map(Json)
        .ok_or(Problem(StatusCode::NOT_FOUND))
}

pub(super) async fn revoke(
    State(server): State<Arc<PolicyServer>>,
    id: Result<Path<SessionId>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id.map_err(|_| BAD_REQUEST)?;
    server.revoke_session(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn revoke_user(
    State(server): State<Arc<PolicyServer>>,
    universal_id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(universal_id) = universal_id.map_err(|_| BAD_REQUEST)?;
    server.revoke_user(&universal_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
