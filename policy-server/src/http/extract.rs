//! What handlers take from a request.

use std::time::Duration;

use ::http::StatusCode;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, Path, Request};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// How long a request body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON body, whatever its media type is said to be.
pub(super) struct Call<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Call<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state))
            .await
            .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT))?
            .map_err(|rejection| Problem::new(rejection.status()))?;
        // The parser's complaint could quote credentials.
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|_| Problem::BAD_REQUEST)
    }
}

/// What a path names, unless it names nothing that there can be.
pub(super) type Named<T> = Result<Path<T>, PathRejection>;

pub(super) fn named<T>(path: Named<T>) -> Result<T, Problem> {
    path.map(|Path(name)| name)
        .map_err(|_| Problem::BAD_REQUEST)
}
