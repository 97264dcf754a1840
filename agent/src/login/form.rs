//! The login form: shown, and taken back.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use policy_protocol::{AuthScheme, Reason};
use tokio::time::timeout;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::pages::{LoginPage, Message, PASSWORD_FIELD, STATE_FIELD, USER_FIELD};
use super::state::{LoginState, browser_nonce, new_nonce};
use super::targets::Target;
use super::{LoginCall, direct, page, parameter, see_other};
use crate::access::{Denial, Visit, authenticate};
use crate::config::Realm;
use crate::http::body::{Body, RequestBody};
use crate::http::target::{RequestTarget, parse_host};
use crate::session::Sessions;

/// The largest form that is read, in bytes: a sealed state, a name and a password, percent-encoded.
const MAX_FORM: usize = 32 * 1024;

/// How long a form may take to arrive.
const RECEIVED_WITHIN: Duration = Duration::from_secs(30);

/// Where the user goes who named no place, or none that is allowed.
const DEFAULT_TARGET: &str = "/";

/// `GET login`: the form.
///
/// # Errors
/// If there are no agent keys to seal its state with.
pub fn show(sessions: &Sessions, visit: &Visit<'_>) -> Result<Response<Body>, Denial> {
    let parameter = |name| parameter(visit, name);
    let asked = parameter("TARGET").unwrap_or_default();
    let target = resolve(visit, &asked).map_or_else(|| DEFAULT_TARGET.to_owned(), |_| asked);
    let reason = parameter("SMAUTHREASON")
        .and_then(|reason| reason.parse().ok())
        .map_or(Reason::NONE, Reason);
    let waiting = parameter("RESUME").filter(|id| sessions.preserved.target(id).is_some());
    render(
        sessions,
        visit,
        StatusCode::OK,
        &Form {
            target,
            waiting,
            user_name: "",
            message: Message::for_challenge(reason),
        },
    )
}

/// `POST login`: the form comes back.
///
/// # Errors
/// If the form is none, comes from another site, or the policy server gives no answer to seal with.
pub async fn submit(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    body: RequestBody,
) -> Result<Response<Body>, Denial> {
    if !is_same_origin(visit) {
        return Err(Denial::BadRequest(
            "the login form was sent from another site",
        ));
    }
    let fields = Fields::read(visit.headers, body).await?;
    // Before the login: a session without a cookie would be of no use to anybody.
    let keys = sessions.sealing_keys().await?;
    let nonce = browser_nonce(visit.headers, &visit.site.cookies);
    let state = LoginState::open(
        &fields.state,
        &keys.ring,
        visit.site.cookies.zone(),
        nonce,
        visit.now,
    );
    let Some(state) = state else {
        let form = Form {
            target: DEFAULT_TARGET.to_owned(),
            waiting: None,
            user_name: &fields.user_name,
            message: Some(Message::FormExpired),
        };
        return render(sessions, visit, StatusCode::FORBIDDEN, &form);
    };
    let again = |status, message| {
        let form = Form {
            target: state.target.clone(),
            waiting: state.waiting.clone(),
            user_name: &fields.user_name,
            message: Some(message),
        };
        render(sessions, visit, status, &form)
    };
    let Some(credentials) = direct::credentials(fields.user_name.trim(), &fields.password) else {
        return again(StatusCode::FORBIDDEN, Message::WrongCredentials);
    };
    let target = resolve(visit, &state.target)
        .or_else(|| resolve(visit, DEFAULT_TARGET))
        .ok_or(Denial::NotFound)?;
    // A request that waits decides how strong the login must be, not the page that sent it.
    let waiting = state.waiting.as_deref();
    let wanted = match waiting.and_then(|id| sessions.preserved.target(id)) {
        Some(waiting) => waiting,
        None => wanted(&target).ok_or(Denial::NotFound)?,
    };
    let realm = realm_of(visit, &wanted).ok_or(Denial::NotFound)?;
    let resource = visit.resource_context_of(&wanted);
    let previous = authenticate::tickets(sessions, visit)
        .await
        .unwrap_or_default();
    match LoginCall::new(visit, &realm, resource, credentials, previous)
        .run(sessions)
        .await
    {
        Ok(Ok(session)) => {
            let writer = visit.cookie_writer(&keys.ring, visit.bound_address());
            let Some(cookie) = sessions.issue_cookie(&session, visit.now, writer) else {
                tracing::error!(
                    "a session does not fit into a cookie: the user's entry is too large"
                );
                return Err(Denial::Internal);
            };
            let mut response = match &state.waiting {
                Some(id) => see_other(&format!("{}/resume?ID={id}", visit.site.config.login.path))?,
                None => see_other(&target.location)?,
            };
            response.headers_mut().append(header::SET_COOKIE, cookie);
            Ok(response)
        }
        Ok(Err(reason)) => again(StatusCode::FORBIDDEN, Message::for_failed_login(reason)),
        Err(_) => again(StatusCode::SERVICE_UNAVAILABLE, Message::Unavailable),
    }
}

/// Whether a form was sent from a page of this very origin. Browsers say so; programs that say nothing
/// have no cookies that somebody else could abuse.
pub(super) fn is_same_origin(visit: &Visit<'_>) -> bool {
    let site = visit
        .headers
        .get("sec-fetch-site")
        .map(header::HeaderValue::as_bytes);
    if !matches!(site, None | Some(b"same-origin" | b"none")) {
        return false;
    }
    let scheme = if visit.origin.https { "https" } else { "http" };
    let own = format!("{scheme}://{}", visit.target.authority());
    visit
        .headers
        .get(header::ORIGIN)
        .is_none_or(|origin| origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()))
}

pub(super) fn resolve(visit: &Visit<'_>, target: &str) -> Option<Target> {
    visit
        .site
        .allowed_targets
        .resolve(visit.origin.https, &visit.target.authority(), target)
}

/// What the user gets to see after a login for `target`.
fn wanted(target: &Target) -> Option<RequestTarget> {
    let (host, port) = parse_host(&target.host)?;
    let uri = target.path_and_query.parse().ok()?;
    RequestTarget::new(host, port, &uri, &Method::GET).ok()
}

/// The realm that a login is for: that of what is wanted if it takes a form, else any on its host that does.
/// A password must never make a session for a realm that asks for a certificate.
fn realm_of(visit: &Visit<'_>, wanted: &RequestTarget) -> Option<Arc<Realm>> {
    match visit.site.realms.realm(wanted) {
        Ok(realm) if realm.scheme == AuthScheme::Form => Some(Arc::clone(realm)),
        Ok(_) | Err(_) => visit.site.any_form_realm(wanted.host()).cloned(),
    }
}

struct Form<'a> {
    target: String,
    waiting: Option<String>,
    user_name: &'a str,
    message: Option<Message>,
}

fn render(
    sessions: &Sessions,
    visit: &Visit<'_>,
    status: StatusCode,
    form: &Form<'_>,
) -> Result<Response<Body>, Denial> {
    let keys = sessions.keys.load()?;
    let known = browser_nonce(visit.headers, &visit.site.cookies).map(str::to_owned);
    let is_new = known.is_none();
    let nonce = known.or_else(new_nonce).ok_or(Denial::Internal)?;
    let state = LoginState {
        target: form.target.clone(),
        nonce: nonce.clone(),
        shown: visit.now,
        waiting: form.waiting.clone(),
    };
    // A target that does not fit is forgotten rather than the login refused.
    let sealed = state
        .seal(&keys.ring, visit.site.cookies.zone())
        .or_else(|_| {
            LoginState {
                target: DEFAULT_TARGET.to_owned(),
                ..state
            }
            .seal(&keys.ring, visit.site.cookies.zone())
        });
    let html = visit.site.pages.login(&LoginPage {
        action: &format!("{}/login", visit.site.config.login.path),
        state: &sealed.map_err(|_| Denial::Internal)?,
        host: visit.target.host(),
        user_name: form.user_name,
        message: form.message,
        request_kept: form.waiting.is_some(),
    });
    let mut response = page(visit, status, html);
    if is_new {
        response.headers_mut().extend(
            visit
                .site
                .cookies
                .login(nonce)
                .map(|cookie| (header::SET_COOKIE, cookie)),
        );
    }
    Ok(response)
}

/// The fields of the form.
struct Fields {
    user_name: String,
    password: Zeroizing<String>,
    state: String,
}

impl Fields {
    async fn read(headers: &HeaderMap, body: RequestBody) -> Result<Self, Denial> {
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .map(header::HeaderValue::as_bytes)
            .unwrap_or_default();
        if !content_type.starts_with(b"application/x-www-form-urlencoded") {
            return Err(Denial::BadRequest("the login form is not URL-encoded"));
        }
        let received = timeout(RECEIVED_WITHIN, Limited::new(body, MAX_FORM).collect()).await;
        let received = received.map_err(|_| Denial::BadRequest("the login form did not arrive"))?;
        let collected = received.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                Denial::TooLarge
            } else {
                Denial::BadRequest("the login form broke off")
            }
        })?;
        let bytes = Zeroizing::new(collected.to_bytes().to_vec());
        let mut fields = Self {
            user_name: String::new(),
            password: Zeroizing::default(),
            state: String::new(),
        };
        for (name, value) in form_urlencoded::parse(&bytes) {
            match name.as_ref() {
                USER_FIELD => fields.user_name = value.into_owned(),
                PASSWORD_FIELD => fields.password = Zeroizing::new(value.into_owned()),
                STATE_FIELD => fields.state = value.into_owned(),
                _ => {}
            }
        }
        Ok(fields)
    }
}
