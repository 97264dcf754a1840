//! The login form: shown, and taken back. Whoever must change their password gets a second one, which is
//! sent to the same place: its sealed state says whose password it changes.

mod fields;

use std::sync::Arc;

use http::{HeaderValue, Method, Response, StatusCode, header};
use policy_protocol::message::Credentials;
use policy_protocol::{AuthScheme, Reason};

use self::fields::Fields;
use super::pages::{LoginPage, Message, PasswordPage};
use super::state::{LoginState, browser_nonce, new_nonce};
use super::targets::Target;
use super::{LoginCall, NotLoggedIn, logout, page, parameter, remembered_name, see_other};
use crate::access::{Denial, Visit, authenticate};
use crate::config::Realm;
use crate::http::body::{Body, RequestBody};
use crate::http::target::{RequestTarget, parse_host};
use crate::session::Sessions;
use crate::session::cache::CachedSession;

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
    let message = Message::for_challenge(reason);
    // A step-up is for who is logged in, whatever name this browser remembers.
    let remembers = remembered_name::span(visit).is_some() && message != Some(Message::StepUp);
    let remembered = remembered_name::read(sessions, visit).filter(|_| remembers);
    render(
        sessions,
        visit,
        StatusCode::OK,
        &Form {
            target,
            waiting,
            user_name: remembered.as_deref().unwrap_or_default(),
            remember: remembers.then_some(remembered.is_some()),
            changing: false,
            challenge: None,
            message,
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
            remember: remembered_name::span(visit).map(|_| fields.remember),
            changing: false,
            challenge: None,
            message: Some(Message::FormExpired),
        };
        return render(sessions, visit, StatusCode::FORBIDDEN, &form);
    };
    let user_name = state.changing.as_deref().unwrap_or(&fields.user_name);
    let changing = state.changing.is_some();
    // The page for a new password has no box: what was chosen before it stands.
    let chosen = |before| if changing { before } else { fields.remember };
    let remember = state.remember.map(chosen);
    let challenged = |status, changing, message, challenge| {
        let form = Form {
            target: state.target.clone(),
            waiting: state.waiting.clone(),
            user_name,
            remember,
            changing,
            challenge,
            message: Some(message),
        };
        render(sessions, visit, status, &form)
    };
    let again = |status, changing, message| challenged(status, changing, message, None);
    if changing && !fields.confirms_new_password() {
        return again(StatusCode::FORBIDDEN, true, Message::PasswordsDiffer);
    }
    let waiting = state.waiting.as_deref();
    let destination = destination(sessions, visit, &state.target, waiting);
    let destination = destination.ok_or(Denial::NotFound)?;
    let longest_proof = destination.realm.scheme.longest_proof();
    let asks_code = longest_proof.is_some();
    let Some(credentials) = fields.credentials(user_name, changing, longest_proof) else {
        let message = Message::for_failed_login(Reason::NONE, asks_code);
        return again(StatusCode::FORBIDDEN, changing, message);
    };
    match log_in(sessions, visit, &destination, credentials).await {
        Ok(Ok(cookie)) => {
            let mut response = match &state.waiting {
                Some(id) => see_other(&format!("{}/resume?ID={id}", visit.site.config.login.path))?,
                None => see_other(&destination.target.location)?,
            };
            let remembered = remember.and_then(|remember| {
                let user_name = remember.then_some(user_name);
                remembered_name::write(visit, &keys.ring, user_name)
            });
            let cookies = [cookie].into_iter().chain(remembered);
            let headers = response.headers_mut();
            headers.extend(cookies.map(|cookie| (header::SET_COOKIE, cookie)));
            Ok(response)
        }
        Ok(Err(NotLoggedIn::Challenged { reason, challenge })) => {
            let changing = changing || reason != Reason::TOKEN_CARD_CHALLENGE;
            let message = Message::for_challenged_login(reason);
            challenged(StatusCode::FORBIDDEN, changing, message, challenge)
        }
        Ok(Err(NotLoggedIn::Refused(reason))) => {
            let message = Message::for_failed_login(reason, asks_code);
            again(StatusCode::FORBIDDEN, changing, message)
        }
        Err(Denial::PolicyUnavailable) => again(
            StatusCode::SERVICE_UNAVAILABLE,
            changing,
            Message::Unavailable,
        ),
        Err(denial) => Err(denial),
    }
}

/// Logs in. A success comes with the session's cookie.
async fn log_in(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    destination: &Destination,
    credentials: Credentials,
) -> Result<Result<HeaderValue, NotLoggedIn>, Denial> {
    let resource = visit.resource_context_of(&destination.wanted);
    let (previous, _) = authenticate::tickets(sessions, visit).await;
    let call = LoginCall::new(visit, &destination.realm, resource, credentials, previous);
    let session = match call.run(sessions).await {
        Ok(Ok(session)) => session,
        Ok(Err(why)) => return Ok(Err(why)),
        Err(_) => return Err(Denial::PolicyUnavailable),
    };
    let cookie = cookie_of(sessions, visit, &session);
    if cookie.is_err() {
        // Nobody could use it, and it would count as one of the user's. The answer is about the cookie either way.
        let _ = logout::end(sessions, visit, session.ticket()).await;
    }
    cookie.map(Ok)
}

fn cookie_of(
    sessions: &Sessions,
    visit: &Visit<'_>,
    session: &Arc<CachedSession>,
) -> Result<HeaderValue, Denial> {
    let keys = sessions.keys.load()?;
    let writer = visit.cookie_writer(&keys.ring, visit.bound_address());
    let cookie = sessions.issue_cookie(session, visit.now, writer);
    cookie.ok_or_else(|| {
        tracing::error!("a session does not fit into a cookie: the user's entry is too large");
        Denial::Internal
    })
}

/// Whether a form was sent from a page of this very origin. Browsers say so; programs that say nothing
/// have no cookies that somebody else could abuse.
pub(crate) fn is_same_origin(visit: &Visit<'_>) -> bool {
    let site = visit
        .headers
        .get("sec-fetch-site")
        .map(HeaderValue::as_bytes);
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

/// What a login is for.
struct Destination {
    /// Where it leads.
    target: Target,
    /// What the user gets to see there, or the request that waits.
    wanted: RequestTarget,
    /// The realm that it is for.
    realm: Arc<Realm>,
}

/// What a login for `target` is for. A request that waits decides how strong the login must be, not the page
/// that sent it.
fn destination(
    sessions: &Sessions,
    visit: &Visit<'_>,
    target: &str,
    waiting: Option<&str>,
) -> Option<Destination> {
    let target = resolve(visit, target).or_else(|| resolve(visit, DEFAULT_TARGET))?;
    let waiting = waiting.and_then(|id| sessions.preserved.target(id));
    let wanted = match waiting {
        Some(waiting) => waiting,
        None => wanted(&target)?,
    };
    Some(Destination {
        realm: realm_of(visit, &wanted)?,
        target,
        wanted,
    })
}

/// The realm that a login is for: that of what is wanted if it takes a form, else any on its host that does.
/// A password must never make a session for a realm that asks for a certificate.
fn realm_of(visit: &Visit<'_>, wanted: &RequestTarget) -> Option<Arc<Realm>> {
    match visit.site.realms.realm(wanted) {
        Ok(realm) if matches!(realm.scheme, AuthScheme::Form | AuthScheme::Totp) => {
            Some(Arc::clone(realm))
        }
        Ok(_) | Err(_) => visit.site.any_form_realm(wanted.host()).cloned(),
    }
}

struct Form<'a> {
    target: String,
    waiting: Option<String>,
    /// On the page for a login; in the sealed state for a new password.
    user_name: &'a str,
    /// Whether it is to be remembered; `None` if that is not asked.
    remember: Option<bool>,
    /// Whether a new password is asked for.
    changing: bool,
    /// What the proof of a second factor must answer.
    challenge: Option<String>,
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
        changing: form.changing.then(|| form.user_name.to_owned()),
        remember: form.remember,
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
    let state = sealed.map_err(|_| Denial::Internal)?;
    let destination = destination(sessions, visit, &form.target, form.waiting.as_deref());
    let realm = destination.map(|destination| destination.realm);
    let asks_code = realm.is_some_and(|realm| realm.scheme.longest_proof().is_some());
    let challenge = form.challenge.as_deref();
    let action = format!("{}/login", visit.site.config.login.path);
    let html = if form.changing {
        visit.site.pages.new_password(&PasswordPage {
            action: &action,
            state: &state,
            host: visit.target.host(),
            message: form.message,
            asks_code,
            challenge,
        })
    } else {
        visit.site.pages.login(&LoginPage {
            action: &action,
            state: &state,
            host: visit.target.host(),
            user_name: form.user_name,
            remember: form.remember,
            message: form.message,
            request_kept: form.waiting.is_some(),
            asks_code,
            challenge,
        })
    };
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
