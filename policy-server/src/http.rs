//! The calls over HTTP: JSON under `/policy/v1/`.

mod agents;
mod api;
pub(crate) mod credentials;
mod explain;
mod extract;
mod keys;
mod openapi;
mod problem;
mod sessions;
mod to_the_end;
mod users;

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use ::http::{HeaderValue, StatusCode, header};
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Extension, Query, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures_util::StreamExt;
use policy_client::{PolicyCalls, PolicyError};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest, LoginAnswer,
    LoginRequest, LogoutAnswer, LogoutRequest, ValidateAnswer, ValidateRequest,
};
use policy_protocol::session_service::{SessionServiceAnswer, SessionServiceRequest};
use policy_protocol::{Event, EventPosition};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use tokio::sync::watch;

use self::api::{Api, Caller, Output, Parts};
use self::extract::{Call, Named, named};
use self::problem::Problem;
pub(crate) use self::to_the_end::UnderWay;
use self::to_the_end::{Waiting, to_the_end};
use crate::server::{AgentHandle, PolicyServer};

/// The longest request body, in bytes: a login with the longest credentials fits many times.
const MAX_BODY: usize = 64 * 1024;

/// One JSON object on each line.
const NDJSON: &str = "application/x-ndjson";

impl PolicyServer {
    /// The calls for agents and administrators, without TLS: what [`crate::serve()`] serves.
    pub fn router(self: &Arc<Self>) -> Router {
        router(self, None, UnderWay::default())
    }
}

/// All routes, one line each, for everybody, for agents and for administrators.
fn routes() -> [Api; 4] {
    let for_anybody = Api::of(Caller::Anybody)
        .get("/live", live, "Says that the process answers.")
        .get(
            "/ready",
            ready,
            "Says whether the store answers; 503 if not.",
        )
        .get("/openapi.json", openapi_json, "This document.");
    let for_agents = Api::of(Caller::Agents)
        .post(
            "/is-protected",
            is_protected,
            "Does a policy cover this resource?",
        )
        .post(
            "/validate",
            validate,
            "Is this session alive? Returns it with a newly sealed spec.",
        )
        .post("/authorize", authorize, "May this session do this?")
        .get("/agent-keys", agent_keys, "The agent keys in force.")
        .get(
            "/events",
            events,
            "Events, one on each line, for ever: what was missed, a hello, then those that happen.",
        );
    let changes_for_agents = Api::of(Caller::Agents)
        .post("/login", login, "Exchanges credentials for a session.")
        .post("/logout", logout, "Ends a session everywhere.")
        .post(
            "/session-service",
            session_service,
            "What session services ask about a session, and by an administrator's about others.",
        );
    let for_administrators = Api::of(Caller::Administrators)
        .get(
            "/sessions",
            sessions::list,
            "Lists sessions, the newest first, in pages.",
        )
        .delete(
            "/sessions",
            sessions::revoke_all,
            "Ends all sessions of all users.",
        )
        .get(
            "/sessions/{id}",
            sessions::show,
            "Shows a session and what will become of it.",
        )
        .delete("/sessions/{id}", sessions::revoke, "Ends a session.")
        .post(
            "/sessions/{id}/reset-idle",
            sessions::reset_idle,
            "Counts as a use of a session. 409 if its time is over.",
        )
        .get(
            "/sessions/{id}/properties",
            sessions::properties,
            "What was noted about a session.",
        )
        .post(
            "/sessions/{id}/properties",
            sessions::change_properties,
            "Sets properties, or removes those that are null. 403 for a name that is not allowed.",
        )
        .delete(
            "/users/{universal_id}/sessions",
            sessions::revoke_user,
            "Ends all sessions of a user.",
        )
        .post(
            "/explain",
            explain::explain,
            "Explains what policies say of a user and a resource, rule by rule.",
        )
        .get(
            "/keys",
            keys::show,
            "Which keys there are, and which agents have which.",
        )
        .post("/keys/roll", keys::roll, "Rolls keys over.")
        .get(
            "/agents",
            agents::list,
            "Which agents may ask, and which are connected.",
        )
        .post("/agents", agents::add, "Registers an agent.")
        .delete("/agents/{name}", agents::remove, "Removes an agent.")
        .post(
            "/agents/{name}/rotate",
            agents::rotate,
            "Gives an agent a new secret or certificate.",
        )
        .get(
            "/users/{universal_id}",
            users::status,
            "How the logins of a user stand, by login name or universal id.",
        )
        .delete(
            "/users/{universal_id}/lockout",
            users::unlock,
            "Forgets the failed logins of a user.",
        )
        .post(
            "/users/{universal_id}/second-factor",
            users::enrol,
            "Gives a user a second factor. 409 if there is one.",
        )
        .delete(
            "/users/{universal_id}/second-factor",
            users::remove_second_factor,
            "Takes the second factor of a user away.",
        );
    [
        for_anybody,
        for_agents,
        changes_for_agents,
        for_administrators,
    ]
}

/// The OpenAPI document of all calls.
pub fn openapi() -> serde_json::Value {
    let operations: Vec<_> = routes()
        .into_iter()
        .flat_map(|api| api.operations)
        .collect();
    openapi::document(&operations)
}

/// Ends event streams when `stopping` turns true. `under_way` knows of the calls that change something.
pub(crate) fn router(
    server: &Arc<PolicyServer>,
    stopping: Option<watch::Receiver<bool>>,
    under_way: UnderWay,
) -> Router {
    let server = Arc::clone(server);
    let [
        for_anybody,
        for_agents,
        changes_for_agents,
        for_administrators,
    ] = routes().map(|api| api.router);
    // What is asked most often, and changes nothing but a last access, ends with its stream: that is what bounds it.
    let changes_for_agents =
        changes_for_agents.layer(from_fn_with_state(under_way.clone(), to_the_end));
    let for_agents = for_agents
        .merge(changes_for_agents)
        .layer(Extension(Stopping(stopping)))
        .layer(from_fn_with_state(Arc::clone(&server), credentials::agent));
    let for_administrators = for_administrators
        .layer(from_fn_with_state(under_way, to_the_end))
        .layer(from_fn_with_state(
            Arc::clone(&server),
            credentials::administrator,
        ));
    let calls = for_anybody.merge(for_agents).merge(for_administrators);
    Router::new()
        .nest("/policy/v1", calls)
        .fallback(async || Problem::NOT_FOUND)
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(server)
}

async fn live() -> &'static str {
    "live\n"
}

/// For anybody: it holds no more than the book does.
async fn openapi_json() -> OpenApiJson {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi().to_string().into());
    OpenApiJson(DOCUMENT.clone())
}

/// The document, written once for all who ask.
struct OpenApiJson(Bytes);

impl IntoResponse for OpenApiJson {
    fn into_response(self) -> Response {
        let media_type = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, media_type)], self.0).into_response()
    }
}

impl Output for OpenApiJson {
    fn describe(generator: &mut SchemaGenerator, parts: &mut Parts) {
        Json::<serde_json::Value>::describe(generator, parts);
    }
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

type Server = State<Arc<PolicyServer>>;

/// Says whether what was removed was there.
fn removed(was_there: bool) -> Result<StatusCode, Problem> {
    match was_there {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::NOT_FOUND),
    }
}

type Answer<T> = Result<Json<T>, Problem>;

fn answer<T>(outcome: Result<T, PolicyError>) -> Answer<T> {
    Ok(Json(outcome?))
}

/// Whether the store answers, by what is known without asking it.
async fn ready(State(server): Server) -> Result<&'static str, Problem> {
    if server.store_health.is_fresh() {
        Ok("ready\n")
    } else {
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE))
    }
}

/// A login may be sent to another policy server only if it is certain that this one did nothing. A session that nobody
/// waits for any more is ended: it would count for the user's quota until its time is over.
async fn login(
    Extension(agent): Extension<AgentHandle>,
    Extension(waiting): Extension<Waiting>,
    Call(request): Call<LoginRequest>,
) -> Answer<LoginAnswer> {
    let transaction_id = request.transaction_id.clone();
    let answer = agent.login(request).await;
    if let Ok(LoginAnswer::Yes { session }) = &answer
        && waiting.for_nobody()
    {
        let request = LogoutRequest {
            session: session.ticket(),
            transaction_id,
        };
        _ = agent.logout(request).await;
    }
    answer.map(Json).map_err(|error| match error {
        PolicyError::Unavailable => Problem::NOT_PROCESSED,
        error => Problem::from(error),
    })
}

/// Declares handlers that hand a call through.
macro_rules! handlers {
    ($($name:ident: $request:ident -> $answer:ident;)*) => {$(
        async fn $name(
            Extension(agent): Extension<AgentHandle>,
            Call(request): Call<$request>,
        ) -> Answer<$answer> {
            answer(agent.$name(request).await)
        }
    )*};
}

handlers! {
    is_protected: IsProtectedRequest -> IsProtectedAnswer;
    validate: ValidateRequest -> ValidateAnswer;
    authorize: AuthorizeRequest -> AuthorizeAnswer;
    logout: LogoutRequest -> LogoutAnswer;
    session_service: SessionServiceRequest -> SessionServiceAnswer;
}

async fn agent_keys(
    Extension(agent): Extension<AgentHandle>,
) -> Answer<policy_protocol::AgentKeySet> {
    answer(agent.agent_keys().await)
}

/// Where an agent stopped listening: both or neither.
#[derive(Deserialize, JsonSchema)]
struct EventsQuery {
    /// Which store: as in the last event's position.
    instance: Option<String>,
    /// The number of the last event that is known.
    sequence: Option<u64>,
}

/// Events as lines of JSON.
struct EventLines(Response);

impl IntoResponse for EventLines {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for EventLines {
    fn describe(generator: &mut SchemaGenerator, parts: &mut Parts) {
        parts.content = Some((NDJSON, generator.subschema_for::<Event>()));
    }
}

/// One event on each line, for ever.
async fn events(
    Extension(agent): Extension<AgentHandle>,
    Extension(stopping): Extension<Stopping>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<EventLines, Problem> {
    let Query(query) = query.map_err(|_| Problem::BAD_REQUEST)?;
    let position = query
        .instance
        .zip(query.sequence)
        .map(|(instance, sequence)| EventPosition { instance, sequence });
    let lines = agent.listen(position).await?;
    let lines = lines.map(|told| Ok::<_, Infallible>(told.line.clone()));
    let body = Body::from_stream(lines.take_until(Box::pin(stopping.wait())));
    let media_type = HeaderValue::from_static(NDJSON);
    Ok(EventLines(
        ([(header::CONTENT_TYPE, media_type)], body).into_response(),
    ))
}
