//! Asking for credentials, and ending sessions.
//!
//! | below `login.path` | is |
//! |---|---|
//! | `login` | the form: [`form`] |
//! | `logout` | the end: [`logout`] |
//! | `resume` | the request that waited for the login: [`preserve`] |
//! | `jwks.json` | the keys that identity assertions are checked with |
//! | `style.css`, `logo` | what the [`pages`] look like |
//!
//! Basic and client certificates need no page: [`direct`].

pub mod challenge;
pub mod direct;
pub mod form;
pub mod logout;
pub mod pages;
pub mod policy_redirect;
pub mod preserve;
pub mod refusal;
mod remembered_name;
pub mod state;
pub mod targets;
pub mod unsent_logouts;

use std::sync::Arc;

use http::{Method, Response, StatusCode, header};
use policy_client::PolicyError;
use policy_protocol::message::{Credentials, LoginAnswer, LoginRequest, SessionTicket};
use policy_protocol::{Reason, ResourceContext, Timestamp};

use url::form_urlencoded;

use crate::access::{Denial, Visit, realm_context};
use crate::config::Realm;
use crate::http::body::{Body, RequestBody};
use crate::http::target::RequestTarget;
use crate::record::Record;
use crate::session::Sessions;
use crate::session::cache::CachedSession;
use crate::site::Site;
use crate::telemetry::Outcome;
use crate::telemetry::metrics::{PolicyAnswer, PolicyCall};

pub use challenge::{challenge, is_script};
pub use preserve::{Resumed, already_sent, give_up_if_decided, may_be_sent};
pub use refusal::refuse;

/// What the paths below `login.path` make of a request.
#[derive(Debug)]
pub enum Portal {
    /// Nothing: the request goes on.
    NotOurs(RequestBody),
    /// An answer of our own.
    Answered(Response<Body>),
    /// The request that waited for a login takes this one's place.
    Resumed(Resumed),
}

/// Answers what is asked below `login.path` and at the logout paths.
///
/// # Errors
/// If it is nothing that is there.
pub async fn portal(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    body: RequestBody,
) -> Result<Portal, Denial> {
    let settings = &visit.site.config.login;
    let resource = visit.target.resource();
    if settings.logout_paths.iter().any(|path| path == resource) {
        return logout::logout(sessions, visit).await.map(Portal::Answered);
    }
    let Some(below) = resource
        .strip_prefix(settings.path.as_str())
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        return Ok(Portal::NotOurs(body));
    };
    if !visit.site.realms.knows_host(visit.target.host()) {
        return Err(Denial::NotFound);
    }
    let response = match (below, visit.target.method()) {
        ("login", &Method::GET | &Method::HEAD) => form::show(sessions, visit),
        ("login", &Method::POST) => form::submit(sessions, visit, body).await,
        ("logout", &Method::GET | &Method::POST) => logout::logout(sessions, visit).await,
        ("resume", &Method::GET) => return preserve::resume(sessions, visit),
        ("jwks.json", &Method::GET) => jwks(sessions),
        (pages::STYLESHEET, &Method::GET) => Ok(asset(
            "text/css; charset=utf-8",
            visit.site.pages.stylesheet().clone(),
        )),
        (pages::LOGO, &Method::GET) => {
            let (picture, content_type) = visit.site.pages.logo();
            Ok(asset(
                content_type.to_str().unwrap_or("application/octet-stream"),
                picture.clone(),
            ))
        }
        ("login" | "logout" | "resume" | "jwks.json" | pages::STYLESHEET | pages::LOGO, _) => {
            Err(Denial::MethodNotAllowed)
        }
        _ => Err(Denial::NotFound),
    };
    response.map(Portal::Answered)
}

/// One call of Login(), free of the request that caused it: others may wait for its answer, too.
#[derive(Debug)]
pub(crate) struct LoginCall {
    request: LoginRequest,
    now: Timestamp,
}

impl LoginCall {
    pub(crate) fn new(
        visit: &Visit<'_>,
        realm: &Realm,
        resource: ResourceContext,
        credentials: Credentials,
        previous: Vec<SessionTicket>,
    ) -> Self {
        let request = LoginRequest {
            resource,
            realm: realm_context(realm),
            credentials,
            client_address: Some(visit.origin.address),
            previous,
            transaction_id: visit.transaction_id.as_str().to_owned(),
        };
        Self {
            request,
            now: visit.now,
        }
    }

    /// A session, or why there is none. A success ends the sessions that it replaces, here at once.
    ///
    /// # Errors
    /// If the policy server gives no answer.
    pub(crate) async fn run(
        self,
        sessions: &Sessions,
    ) -> Result<Result<Arc<CachedSession>, NotLoggedIn>, PolicyError> {
        let previous = self.request.previous.iter();
        let replaced: Vec<_> = previous.map(|ticket| ticket.session_id).collect();
        let realm = self.request.realm.name.clone();
        let generation = sessions.trust.generation();
        let answer = sessions.policy.login(self.request).await;
        let counted = match &answer {
            Ok(LoginAnswer::Yes { .. }) => PolicyAnswer::Yes,
            Ok(LoginAnswer::No { .. }) => PolicyAnswer::No,
            Ok(LoginAnswer::Challenge { .. }) => PolicyAnswer::Challenge,
            Err(_) => PolicyAnswer::Error,
        };
        sessions
            .metrics
            .policy_calls
            .count(PolicyCall::Login, counted);
        match answer? {
            LoginAnswer::Yes { session } => {
                for id in replaced {
                    sessions.cache.end(id, Reason::REVOKED_SESSION);
                }
                let adopted = sessions.cache.adopt(*session, generation, self.now);
                let adopted = adopted.inspect(|session| session.make_for(realm));
                Ok(adopted.map_err(NotLoggedIn::Refused))
            }
            LoginAnswer::No { reason } => Ok(Err(NotLoggedIn::Refused(reason))),
            LoginAnswer::Challenge { reason, challenge } => {
                Ok(Err(NotLoggedIn::Challenged { reason, challenge }))
            }
        }
    }
}

/// Why a login made no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotLoggedIn {
    /// The credentials do not do.
    Refused(Reason),
    /// They do, together with something more.
    Challenged {
        /// What: a proof, if it is [`Reason::TOKEN_CARD_CHALLENGE`], and a new password otherwise.
        reason: Reason,
        /// What the next proof must answer.
        challenge: Option<String>,
    },
}

/// From a plain listener to the same place over TLS.
///
/// # Errors
/// If no realm is on the host.
pub fn to_https(
    site: &Site,
    target: &RequestTarget,
    port: u16,
    record: &mut Record<'_>,
) -> Result<Response<Body>, Denial> {
    if !site.realms.knows_host(target.host()) {
        return Err(Denial::NotFound);
    }
    let port = if port == 443 {
        String::new()
    } else {
        format!(":{port}")
    };
    let mut response = see_other(&format!(
        "https://{}{port}{}",
        target.host(),
        target.path_and_query()
    ))?;
    // 308 keeps the method: nothing is lost but a round trip.
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    Ok(record.answered(Outcome::Redirected, response))
}

fn jwks(sessions: &Sessions) -> Result<Response<Body>, Denial> {
    let keys = sessions.keys.load()?;
    let mut response = Response::new(Body::text(keys.assertion.jwks().to_owned()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/jwk-set+json"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("public, max-age=300"),
    );
    Ok(response)
}

fn asset(content_type: &str, bytes: bytes::Bytes) -> Response<Body> {
    let mut response = Response::new(Body::text(bytes));
    let headers = response.headers_mut();
    headers.extend(
        header::HeaderValue::from_str(content_type).map(|value| (header::CONTENT_TYPE, value)),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("public, max-age=86400"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        header::HeaderValue::from_static("nosniff"),
    );
    response
}

/// A parameter of the query, decoded; the first of its name.
fn parameter(visit: &Visit<'_>, name: &str) -> Option<String> {
    let query = visit.target.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// A page of ours.
fn page(visit: &Visit<'_>, status: StatusCode, html: String) -> Response<Body> {
    let mut response = Response::new(Body::text(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(pages::PAGE_HEADERS);
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        visit.site.content_security_policy.clone(),
    );
    refusal::say_when_to_retry(&mut response);
    response
}

/// A redirect after which the browser asks with GET.
fn see_other(location: &str) -> Result<Response<Body>, Denial> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let location = header::HeaderValue::try_from(location).map_err(|_| Denial::Internal)?;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    Ok(response)
}
