//! Sessions as by the REST API of AM: one file for each thing of it.
//!
//! `paths` finds out what is asked and `version` in which version of the API; `ask` is a call with all that;
//! `caller` says by whose session it is made. Every refusal is a `Refusal`.

mod ask;
mod authenticate;
mod caller;
mod cors;
mod error;
mod json;
mod listing;
mod paths;
mod policies;
mod properties;
mod query;
mod realm_config;
mod respond;
mod serverinfo;
mod sessions;
mod users;
mod version;

use http::request::Parts;
use http::{Method, Response, StatusCode, Uri};
use zeroize::Zeroizing;

use self::ask::Ask;
use self::error::Refusal;
use self::json::Sent;
use self::paths::{Endpoint, Place};
use self::query::Query;
use self::respond::{Reply, Shape};
use self::version::{Asked, Version};
use super::core::Core;
use super::{Answered, MAX_BODY};
use crate::access::protection::covers;
use crate::access::{Facts, Visit};
use crate::config::services::Am;
use crate::http::body::{Body, ReadError, RequestBody};
use crate::http::target::RequestTarget;

/// What is asked.
#[derive(Debug)]
pub struct Call(Place);

/// Whether a request is for this service.
pub fn route(service: &Am, visit: &Visit<'_>) -> Option<Call> {
    let resource = visit.target.resource();
    if !covers(service.claimed(), resource) {
        return None;
    }
    let below = resource.strip_prefix(service.path.as_str())?;
    Some(Call(paths::read(below)))
}

/// The refusal of a request whose target cannot be read, if it was to be one for this service.
pub fn refuse(service: &Am, parts: &Parts, status: StatusCode) -> Option<Response<Body>> {
    if !covers(service.claimed(), parts.uri.path()) {
        return None;
    }
    let text = status.canonical_reason().unwrap_or_default();
    let mut response = respond::response(Err(Refusal::new(status, text)), &Shape::default());
    cors::allow(service, &parts.headers, response.headers_mut());
    Some(response)
}

/// Answers a call.
pub async fn answer(core: &Core<'_>, service: &Am, call: Call, body: RequestBody) -> Answered {
    // No token of a path comes into the log, nor into anybody's records.
    let without_token = call
        .0
        .has_token
        .then(|| format!("{}/json/sessions/-", service.path));
    let mut shape = Shape::default();
    let mut response = match cors::preflight(service, core.visit) {
        Some(response) => response,
        None => {
            let outcome = outcome(
                core,
                service,
                call.0,
                body,
                without_token.as_deref(),
                &mut shape,
            )
            .await;
            respond::response(outcome, &shape)
        }
    };
    cors::allow(service, core.visit.headers, response.headers_mut());
    Answered {
        response,
        logged_path: without_token,
    }
}

/// What comes of a call. Records of it show `shown_path` where its own holds a token.
async fn outcome(
    core: &Core<'_>,
    service: &Am,
    place: Place,
    body: RequestBody,
    shown_path: Option<&str>,
    shape: &mut Shape,
) -> Result<Reply, Refusal> {
    let Some(path) = shown_path else {
        return respond_to(core, service, place, body, shape).await;
    };
    let target = target_of(core.visit, path).ok_or_else(|| Refusal::bad_request("Bad Request"))?;
    let facts = Facts {
        target: &target,
        ..core.visit.facts().clone()
    };
    let visit = facts.with(core.visit.headers);
    respond_to(&core.for_visit(&visit), service, place, body, shape).await
}

/// The call's target with another path and the same query.
fn target_of(visit: &Visit<'_>, path: &str) -> Option<RequestTarget> {
    let target = visit.target;
    let uri: Uri = match target.query() {
        Some(query) => format!("{path}?{query}").parse().ok()?,
        None => path.parse().ok()?,
    };
    RequestTarget::new(
        target.host().to_owned(),
        target.port(),
        &uri,
        target.method(),
    )
    .ok()
}

async fn respond_to(
    core: &Core<'_>,
    service: &Am,
    place: Place,
    body: RequestBody,
    shape: &mut Shape,
) -> Result<Reply, Refusal> {
    let query = Query::read(core.visit.target.query());
    shape.pretty = query.is_true("_prettyPrint")?;
    if let Endpoint::Unknown(name) = &place.endpoint {
        return Err(Refusal::no_resource(name));
    }
    let asked = Asked::read(core.visit.headers)?;
    shape.warn = !asked.said;
    let version = asked.among(served(&place.endpoint))?;
    shape.version = Some(version);
    shape.short_errors = place.endpoint == Endpoint::Authenticate && version.0 == 1;
    let realm_name = match query.one("realm")? {
        Some(name) => paths::realm(name),
        None => place.realm,
    };
    let realm = service
        .agent_realm(&realm_name)
        .and_then(|name| core.realm(name));
    let Some(realm) = realm else {
        let message = format!("Invalid realm, {}", error::repeated(&realm_name));
        return Err(Refusal::bad_request(message));
    };
    let method = core.visit.target.method().clone();
    let body = if method == Method::GET {
        Sent::NOTHING
    } else {
        read(core.visit, body).await?
    };
    let ask = Ask {
        core,
        service,
        realm,
        realm_name,
        method,
        query,
        asked,
        version,
        body,
    };
    match place.endpoint {
        Endpoint::Authenticate => authenticate::answer(&ask).await,
        Endpoint::Sessions(token) => {
            let token = token.map(Zeroizing::new);
            sessions::answer(&ask, token.as_ref().map(|token| token.as_str())).await
        }
        Endpoint::ServerInfo(id) => serverinfo::answer(&ask, id.as_deref()).await,
        Endpoint::Users(id) => users::answer(&ask, id.as_deref()).await,
        Endpoint::SessionService => realm_config::answer(&ask).await,
        Endpoint::Policies => policies::answer(&ask).await,
        Endpoint::Unknown(name) => Err(Refusal::no_resource(&name)),
    }
}

/// The versions of each endpoint, the newest last.
const fn served(endpoint: &Endpoint) -> &'static [Version] {
    match endpoint {
        Endpoint::Authenticate => &[Version(1, 2), Version(2, 1)],
        Endpoint::Sessions(_) => &[
            Version(1, 2),
            Version(2, 1),
            Version(3, 1),
            Version(4, 0),
            Version(5, 1),
        ],
        Endpoint::ServerInfo(_) => &[Version(1, 1)],
        Endpoint::Users(_) => &[Version(1, 2), Version(2, 1), Version(3, 0)],
        Endpoint::Policies => &[Version(1, 0), Version(2, 1)],
        Endpoint::SessionService | Endpoint::Unknown(_) => &[Version(1, 0)],
    }
}

/// The body: nothing, or JSON.
async fn read(visit: &Visit<'_>, body: RequestBody) -> Result<Sent, Refusal> {
    let bytes = body.read(MAX_BODY).await.map_err(|error| match error {
        ReadError::TooLarge => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The content of the request is too large",
        ),
        ReadError::Late => Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "The content of the request did not arrive in time",
        ),
        ReadError::Broken => Refusal::bad_request("The content of the request broke off"),
    })?;
    if bytes.trim_ascii().is_empty() {
        return Ok(Sent::NOTHING);
    }
    // Clients say anything of a body that is empty, but what is there must not be a form.
    let kind = visit.headers.get(http::header::CONTENT_TYPE);
    let kind = kind.map(|kind| {
        kind.as_bytes()
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
    });
    if kind.is_some_and(|kind| !kind.trim_ascii().eq_ignore_ascii_case(b"application/json")) {
        return Err(Refusal::media_type());
    }
    let sent = Sent::read(&bytes).filter(|sent| sent.object().is_some());
    sent.ok_or_else(|| {
        Refusal::bad_request(
            "The request could not be processed because the provided content is not a valid JSON object",
        )
    })
}

#[cfg(test)]
mod tests;
