//! Lockouts and second factors over HTTP. Users are named by login name or universal id.

use std::sync::Arc;

use ::http::StatusCode;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use policy_protocol::user_administration::{EnrolRequest, Enrolment, UserStatus};

use super::problem::Problem;
use super::{Answer, Call};
use crate::server::PolicyServer;
use crate::users::NotEnrolled;

impl From<NotEnrolled> for Problem {
    fn from(error: NotEnrolled) -> Self {
        match error {
            NotEnrolled::UnknownUser => Self::NOT_FOUND,
            NotEnrolled::Already => Self(StatusCode::CONFLICT),
            NotEnrolled::Failed(error) => error.into(),
        }
    }
}

pub(super) async fn status(
    State(server): State<Arc<PolicyServer>>,
    name: Result<Path<String>, PathRejection>,
) -> Answer<UserStatus> {
    let Path(name) = name.map_err(|_| Problem::BAD_REQUEST)?;
    super::answer(server.user_status(&name).await)
}

pub(super) async fn unlock(
    State(server): State<Arc<PolicyServer>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(name) = name.map_err(|_| Problem::BAD_REQUEST)?;
    server.unlock_user(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn enrol(
    State(server): State<Arc<PolicyServer>>,
    name: Result<Path<String>, PathRejection>,
    Call(request): Call<EnrolRequest>,
) -> Answer<Enrolment> {
    let Path(name) = name.map_err(|_| Problem::BAD_REQUEST)?;
    let enrolled = server.enrol_second_factor(&name, &request.issuer);
    Ok(Json(enrolled.await?))
}

pub(super) async fn remove_second_factor(
    State(server): State<Arc<PolicyServer>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(name) = name.map_err(|_| Problem::BAD_REQUEST)?;
    if server.remove_second_factor(&name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::NOT_FOUND)
    }
}
