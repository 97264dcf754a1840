//! Asking for credentials: in the way that the realm, and whoever asks, understands.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use policy_protocol::{AuthScheme, Reason};
use url::form_urlencoded;

use super::preserve::{self, loses_its_body};
use super::refusal::problem;
use super::targets::MAX_TARGET_LENGTH;
use super::{form, page, policy_redirect, see_other};
use crate::access::{Denial, Visit};
use crate::config::Realm;
use crate::http::body::{Body, RequestBody};
use crate::session::Sessions;

/// What login forms of this kind have always been told: credentials by form, as a decimal bit mask.
const TYPE_FORM: &str = "33554433";

static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
static X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Asks for credentials, or leads elsewhere, if that is what a refusal calls for.
///
/// # Errors
/// Any other refusal, unchanged.
pub async fn challenge(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    denial: Denial,
    body: RequestBody,
) -> Result<Response<Body>, Denial> {
    let Denial::Challenge { realm, reason } = denial else {
        return policy_redirect::follow(visit, denial);
    };
    match realm.scheme {
        AuthScheme::Basic => Ok(basic(visit, &realm, reason)),
        // A certificate is asked for in the handshake; now it is too late.
        AuthScheme::Certificate => Ok(certificate(visit)),
        AuthScheme::Form | AuthScheme::Totp | AuthScheme::None
            if visit.from_script && !realm.redirect_scripts =>
        {
            Ok(problem(
                visit,
                StatusCode::UNAUTHORIZED,
                "login_required",
                Some(reason),
            ))
        }
        AuthScheme::Form | AuthScheme::Totp | AuthScheme::None => {
            redirect(sessions, visit, &realm, reason, body).await
        }
    }
}

fn basic(visit: &Visit<'_>, realm: &Realm, reason: Reason) -> Response<Body> {
    let mut response = problem(
        visit,
        StatusCode::UNAUTHORIZED,
        "login_required",
        Some(reason),
    );
    let challenge = basic_challenge(realm);
    let headers = response.headers_mut();
    headers.extend(challenge.map(|value| (header::WWW_AUTHENTICATE, value)));
    response
}

/// `WWW-Authenticate` of a realm that takes Basic credentials.
pub(crate) fn basic_challenge(realm: &Realm) -> Option<HeaderValue> {
    let quoted: String = realm
        .name
        .chars()
        .filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\') || *c == ' ')
        .collect();
    HeaderValue::try_from(format!("Basic realm=\"{quoted}\", charset=\"UTF-8\"")).ok()
}

fn certificate(visit: &Visit<'_>) -> Response<Body> {
    problem(
        visit,
        StatusCode::FORBIDDEN,
        "client_certificate_required",
        None,
    )
}

/// To the login page, with what it needs to know to lead back.
async fn redirect(
    sessions: &Sessions,
    visit: &Visit<'_>,
    realm: &Realm,
    reason: Reason,
    body: RequestBody,
) -> Result<Response<Body>, Denial> {
    if !loses_its_body(visit.target.method()) {
        let target = visit.target.path_and_query().as_str();
        return found(&login_address(visit, realm, reason, target, None));
    }
    let back = referring_page(visit);
    match preserve::keep(sessions, visit, body).await {
        Some((id, cookie)) => {
            let mut response = see_other(&login_address(visit, realm, reason, &back, Some(&id)))?;
            response
                .headers_mut()
                .extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
            Ok(response)
        }
        None => {
            let html = visit
                .site
                .pages
                .request_not_kept(&login_address(visit, realm, reason, &back, None));
            Ok(page(visit, StatusCode::FORBIDDEN, html))
        }
    }
}

/// The login page's address with the parameters that such pages have always been given.
fn login_address(
    visit: &Visit<'_>,
    realm: &Realm,
    reason: Reason,
    target: &str,
    waiting: Option<&str>,
) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("TYPE", TYPE_FORM)
        .append_pair("REALM", &realm.name)
        .append_pair("SMAUTHREASON", &reason.to_string())
        .append_pair("METHOD", visit.target.method().as_str());
    query.extend_pairs(waiting.map(|id| ("RESUME", id)));
    // A longer one would be refused when it comes back.
    let target = if target.len() > MAX_TARGET_LENGTH {
        visit.target.path()
    } else {
        target
    };
    query.append_pair("TARGET", target);
    format!("{}/login?{}", visit.site.config.login.path, query.finish())
}

/// The page that a form was sent from, if it is one that a login may lead to.
fn referring_page(visit: &Visit<'_>) -> String {
    let referer = visit
        .headers
        .get(header::REFERER)
        .and_then(|referer| referer.to_str().ok());
    referer
        .and_then(|referer| form::resolve(visit, referer))
        .map_or_else(|| String::from("/"), |target| target.location)
}

pub(super) fn found(location: &str) -> Result<Response<Body>, Denial> {
    let mut response = see_other(location)?;
    *response.status_mut() = StatusCode::FOUND;
    Ok(response)
}

/// Whether a script asks, which can do nothing with a page.
pub fn is_script(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let accept = text(&header::ACCEPT).unwrap_or_default();
    let wants_data = accept.contains("json")
        || text(&header::CONTENT_TYPE).is_some_and(|text| text.starts_with("application/grpc"));
    headers
        .get(&SEC_FETCH_MODE)
        .is_some_and(|mode| mode != "navigate")
        || text(&X_REQUESTED_WITH).is_some_and(|text| text.eq_ignore_ascii_case("XMLHttpRequest"))
        || wants_data && !accept.contains("text/html")
}
