//! Sessions administration over HTTP.

use std::collections::BTreeMap;

use ::http::StatusCode;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use policy_protocol::SessionId;
use policy_protocol::sessions::{PropertyChanges, SessionDetails, SessionList, SessionQuery};
use schemars::JsonSchema;
use serde::Deserialize;

use super::problem::Problem;
use super::{Answer, Call, Named, Server, named};
use crate::sessions::SessionError;

type Id = Named<SessionId>;

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Failed(error) => error.into(),
            SessionError::Unknown => Self::NOT_FOUND,
            SessionError::Over(_) => Self::new(StatusCode::CONFLICT),
            SessionError::PropertyNotAllowed => Self::new(StatusCode::FORBIDDEN),
            SessionError::PropertyTooLong | SessionError::InvalidCursor => Self::BAD_REQUEST,
        }
    }
}

pub(super) async fn list(
    State(server): Server,
    query: Result<Query<SessionQuery>, QueryRejection>,
) -> Answer<SessionList> {
    let Query(query) = query.map_err(|_| Problem::BAD_REQUEST)?;
    Ok(Json(server.sessions(query).await?))
}

pub(super) async fn show(State(server): Server, path: Id) -> Answer<SessionDetails> {
    let session = server.session(named(path)?).await?;
    session.map(Json).ok_or(Problem::NOT_FOUND)
}

pub(super) async fn reset_idle(State(server): Server, path: Id) -> Answer<SessionDetails> {
    Ok(Json(server.reset_idle(named(path)?).await?))
}

pub(super) async fn properties(
    State(server): Server,
    path: Id,
) -> Answer<BTreeMap<String, String>> {
    let session = server
        .session(named(path)?)
        .await?
        .ok_or(Problem::NOT_FOUND)?;
    Ok(Json(session.session.properties))
}

pub(super) async fn change_properties(
    State(server): Server,
    path: Id,
    Call(changes): Call<PropertyChanges>,
) -> Answer<BTreeMap<String, String>> {
    Ok(Json(server.set_properties(named(path)?, changes).await?))
}

pub(super) async fn revoke(State(server): Server, path: Id) -> Result<StatusCode, Problem> {
    server.revoke_session(named(path)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says that all sessions are meant. A filter, as for the list, is an error: it must not end everything.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeAllQuery {
    /// Must be `true`: nobody ends all sessions by leaving something out.
    all: bool,
}

pub(super) async fn revoke_all(
    State(server): Server,
    query: Result<Query<RevokeAllQuery>, QueryRejection>,
) -> Result<StatusCode, Problem> {
    let Ok(Query(RevokeAllQuery { all: true })) = query else {
        return Err(Problem::BAD_REQUEST);
    };
    server.revoke_all().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn revoke_user(
    State(server): Server,
    universal_id: Named<String>,
) -> Result<StatusCode, Problem> {
    server.revoke_user(&named(universal_id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
