//! Lockouts and second factors over HTTP. Users are named by login name or universal id.

use ::http::StatusCode;
use axum::Json;
use axum::extract::State;
use policy_protocol::user_administration::{EnrolRequest, Enrolment, UserStatus};

use super::problem::Problem;
use super::{Answer, Call, Named, Server, answer, named, removed};
use crate::users::NotEnrolled;

impl From<NotEnrolled> for Problem {
    fn from(error: NotEnrolled) -> Self {
        match error {
            NotEnrolled::UnknownUser => Self::NOT_FOUND,
            NotEnrolled::Already => Self::new(StatusCode::CONFLICT),
            NotEnrolled::Failed(error) => error.into(),
        }
    }
}

pub(super) async fn status(State(server): Server, name: Named<String>) -> Answer<UserStatus> {
    answer(server.user_status(&named(name)?).await)
}

pub(super) async fn unlock(
    State(server): Server,
    name: Named<String>,
) -> Result<StatusCode, Problem> {
    server.unlock_user(&named(name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn enrol(
    State(server): Server,
    name: Named<String>,
    Call(request): Call<EnrolRequest>,
) -> Answer<Enrolment> {
    let name = named(name)?;
    let enrolled = server.enrol_second_factor(&name, &request.issuer);
    Ok(Json(enrolled.await?))
}

pub(super) async fn remove_second_factor(
    State(server): Server,
    name: Named<String>,
) -> Result<StatusCode, Problem> {
    removed(server.remove_second_factor(&named(name)?).await?)
}
