//! The calls over HTTP: JSON under `/policy/v1/`.

pub(crate) mod credentials;
mod explain;
mod problem;
mod sessions;
mod users;

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderValue, StatusCode, header};
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Extension, FromRequest, Query, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router, middleware};
use futures_util::StreamExt;
use policy_client::{PolicyCalls, PolicyError};
use policy_protocol::EventPosition;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use self::problem::Problem;
use crate::server::{AgentHandle, PolicyServer};

/// The longest request body, in bytes: a login with the longest credentials fits many times.
const MAX_BODY: usize = 64 * 1024;
/// How long a request body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

impl PolicyServer {
    /// The calls for agents and administrators, without TLS: what [`crate::serve()`] serves.
    pub fn router(self: &Arc<Self>) -> Router {
        router(self, None)
    }
}

/// Ends event streams when `stopping` turns true.
pub(crate) fn router(
    server: &Arc<PolicyServer>,
    stopping: Option<watch::Receiver<bool>>,
) -> Router {
    let for_agents = Router::new()
        .route("/is-protected", post(is_protected))
        .route("/login", post(login))
        .route("/validate", post(validate))
        .route("/authorize", post(authorize))
        .route("/logout", post(logout))
        .route("/agent-keys", get(agent_keys))
        .route("/events", get(events))
        .layer(Extension(Stopping(stopping)))
        .layer(middleware::from_fn_with_state(
            Arc::clone(server),
            credentials::agent,
        ));
    let for_administrators = Router::new()
        .route("/sessions", get(sessions::list))
        .route(
            "/sessions/{id}",
            get(sessions::show).delete(sessions::revoke),
        )
        .route(
            "/users/{universal_id}/sessions",
            delete(sessions::revoke_user),
        )
        .route("/users/{universal_id}", get(users::status))
        .route("/users/{universal_id}/lockout", delete(users::unlock))
        .route(
            "/users/{universal_id}/second-factor",
            post(users::enrol).delete(users::remove_second_factor),
        )
        .route("/explain", post(explain::explain))
        .layer(middleware::from_fn_with_state(
            Arc::clone(server),
            credentials::administrator,
        ))
        .with_state(Arc::clone(server));
    let calls = for_agents
        .merge(for_administrators)
        .route("/live", get(async || "live\n"));
    Router::new()
        .nest("/policy/v1", calls)
        .fallback(async || Problem(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async || Problem(StatusCode::METHOD_NOT_ALLOWED))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

/// Whether the server is about to stop.
#[derive(Clone)]
struct Stopping(Option<watch::Receiver<bool>>);

impl Stopping {
    async fn wait(self) {
        match self.0 {
            // An error means that whoever would have said so is gone.
            Some(mut stopping) => _ = stopping.wait_for(|stopping| *stopping).await,
            None => std::future::pending().await,
        }
    }
}

/// A JSON body, whatever its media type is said to be.
struct Call<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Call<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state))
            .await
            .map_err(|_| Problem(StatusCode::REQUEST_TIMEOUT))?
            .map_err(|rejection| Problem(rejection.status()))?;
        // The parser's complaint could quote credentials.
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|_| Problem(StatusCode::BAD_REQUEST))
    }
}

type Answer<T> = Result<Json<T>, Problem>;

fn answer<T>(outcome: Result<T, PolicyError>) -> Answer<T> {
    Ok(Json(outcome?))
}

/// Declares handlers that hand a call through.
macro_rules! handlers {
    ($($name:ident: $request:ident -> $answer:ident;)*) => {$(
        async fn $name(
            Extension(agent): Extension<AgentHandle>,
            Call(request): Call<policy_protocol::message::$request>,
        ) -> Answer<policy_protocol::message::$answer> {
            answer(agent.$name(request).await)
        }
    )*};
}

handlers! {
    is_protected: IsProtectedRequest -> IsProtectedAnswer;
    login: LoginRequest -> LoginAnswer;
    validate: ValidateRequest -> ValidateAnswer;
    authorize: AuthorizeRequest -> AuthorizeAnswer;
    logout: LogoutRequest -> LogoutAnswer;
}

async fn agent_keys(
    Extension(agent): Extension<AgentHandle>,
) -> Answer<policy_protocol::AgentKeySet> {
    answer(agent.agent_keys().await)
}

/// Where an agent stopped listening: both or neither.
#[derive(Deserialize)]
struct EventsQuery {
    instance: Option<String>,
    sequence: Option<u64>,
}

/// One event on each line, for ever.
async fn events(
    Extension(agent): Extension<AgentHandle>,
    Extension(stopping): Extension<Stopping>,
    query: Result<Query<EventsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|_| Problem(StatusCode::BAD_REQUEST))?;
    let position = query
        .instance
        .zip(query.sequence)
        .map(|(instance, sequence)| EventPosition { instance, sequence });
    let lines = agent.events(position).await?.map(|event| {
        let mut line = serde_json::to_vec(&event?).map_err(|_| PolicyError::Protocol)?;
        line.push(b'\n');
        Ok::<_, PolicyError>(Bytes::from(line))
    });
    let body = Body::from_stream(lines.take_until(Box::pin(stopping.wait())));
    let media_type = HeaderValue::from_static("application/x-ndjson");
    Ok(([(header::CONTENT_TYPE, media_type)], body).into_response())
}
