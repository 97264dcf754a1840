//! What becomes of a response, and of none.

use policy_protocol::Secret;
use reqwest::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::PolicyError;
use crate::limits::{MAX_ANSWER, MAX_PROBLEM};
use crate::retry::Failure;

/// Refusals end here: no other server would decide otherwise.
pub(super) fn success(response: Response) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    tracing::warn!(server = %response.url().authority(), status = status.as_u16(), "call refused");
    Err(Failure::Refused(PolicyError::Failure))
}

pub(super) async fn decode<A: DeserializeOwned>(response: Response) -> Result<A, Failure> {
    let body = Secret::new(read(response, MAX_ANSWER).await?);
    serde_json::from_slice(body.expose()).map_err(|_| Failure::Refused(PolicyError::Protocol))
}

/// What a server that is unavailable says of it (RFC 9457).
pub(super) async fn unavailable(response: Response) -> Failure {
    #[derive(Deserialize)]
    struct Problem {
        r#type: String,
    }
    let body = read(response, MAX_PROBLEM).await.unwrap_or_default();
    let problem: Option<Problem> = serde_json::from_slice(&body).ok();
    let kind = problem.as_ref();
    match kind.and_then(|problem| problem.r#type.rsplit([':', '/']).next()) {
        // All servers have the same store. If this one were put out for it, and then the others, nobody would be
        // left to say who is in.
        Some("no-room") => Failure::Refused(PolicyError::NoRoom),
        kind => Failure::Unavailable {
            not_processed: kind == Some("not-processed"),
        },
    }
}

pub(super) async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > most {
            return Err(Failure::Refused(PolicyError::Protocol));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

pub(super) fn failure(error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        Failure::NotConnected
    } else if error.is_timeout() {
        Failure::TimedOut
    } else {
        Failure::Broken
    }
}

/// An error with its causes, without the address it was for.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
