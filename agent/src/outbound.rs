//! What the application is told, and what the browser is told with the application's answer.

use http::request::Parts;
use http::uri::Uri;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use policy_protocol::AuthScheme;

use crate::access::grant::GrantedIdentity;
use crate::access::{Facts, Grant};
use crate::http::body::{Body, RequestBody};
use crate::http::cookies;
use crate::site::Site;

/// Headers that every request gets: where it comes from, its id, and the seconds until its session ends.
const FORWARDING_HEADERS: usize = 7;

/// Keeps what only this user may see out of caches that several users share.
static PRIVATE: HeaderValue = HeaderValue::from_static("private");

/// The request as the application gets it: exactly the path that was decided on, identity and forwarding
/// headers of our own, and none of our cookies. Managed headers of the client are gone already.
///
/// Takes the headers out of `parts`; what stays is for the log.
pub fn prepare(
    facts: &Facts<'_>,
    parts: &mut Parts,
    body: RequestBody,
    grant: &Grant,
) -> Request<RequestBody> {
    let mut headers = std::mem::take(&mut parts.headers);
    let identity = grant
        .identity()
        .map_or(0, |identity| identity.ready.headers.len());
    headers.reserve(FORWARDING_HEADERS + identity);
    cookies::remove(&mut headers, |name| facts.site.keeps_cookie(name));
    if grant.realm().scheme == AuthScheme::Basic {
        // The password was for us.
        headers.remove(header::AUTHORIZATION);
    }
    facts
        .origin
        .write(facts.conn, &facts.target.authority(), &mut headers);
    if let Some(name) = &facts.site.identity.transaction_id {
        headers.insert(name.clone(), facts.transaction_id.header().clone());
    }
    if let Some(identity) = grant.identity() {
        write_identity(facts, identity, &mut headers);
    }
    let mut request = Request::new(body);
    *request.method_mut() = facts.target.method().clone();
    *request.version_mut() = parts.version;
    *request.uri_mut() = Uri::from(facts.target.path_and_query().clone());
    *request.headers_mut() = headers;
    // The upgrade of a WebSocket travels with the request.
    *request.extensions_mut() = std::mem::take(&mut parts.extensions);
    request
}

fn write_identity(facts: &Facts<'_>, identity: &GrantedIdentity, headers: &mut HeaderMap) {
    let decided = identity
        .decision_headers
        .iter()
        .flat_map(|headers| headers.iter());
    for (name, value) in identity.ready.headers.iter().chain(decided) {
        headers.insert(name.clone(), value.clone());
    }
    if let Some(name) = &facts.site.identity.time_to_expire {
        headers.insert(
            name.clone(),
            identity.session.time_to_expire(facts.now).into(),
        );
    }
}

/// The application's answer as the browser gets it.
pub fn finish(
    mut response: Response<Body>,
    site: &Site,
    grant: &Grant,
    set_cookie: Option<HeaderValue>,
) -> Response<Body> {
    let headers = response.headers_mut();
    if let Some(identity) = grant.identity() {
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, PRIVATE.clone());
        }
        let decided = identity
            .decision_cookies
            .iter()
            .flat_map(|cookies| cookies.iter());
        for cookie in identity.ready.cookies.iter().chain(decided) {
            headers.append(header::SET_COOKIE, cookie.clone());
        }
    }
    drop_our_cookies(headers, site);
    headers.extend(set_cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// An application has no business writing our cookies: what it sets under their names is dropped.
fn drop_our_cookies(headers: &mut HeaderMap, site: &Site) {
    let is_ours = |value: &HeaderValue| {
        let name = value
            .as_bytes()
            .split(|byte| matches!(byte, b'=' | b';'))
            .next()
            .unwrap_or_default();
        site.owns_cookie(name.trim_ascii())
    };
    if headers.get_all(header::SET_COOKIE).iter().any(is_ours) {
        let kept: Vec<_> = headers
            .get_all(header::SET_COOKIE)
            .iter()
            .filter(|value| !is_ours(value))
            .cloned()
            .collect();
        headers.remove(header::SET_COOKIE);
        headers.extend(kept.into_iter().map(|value| (header::SET_COOKIE, value)));
    }
}
