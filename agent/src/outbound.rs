//! What the application is told, and what the browser is told with the application's answer.

use http::request::Parts;
use http::uri::Uri;
use http::{HeaderMap, HeaderValue, Request, Response, header};

use crate::access::grant::GrantedIdentity;
use crate::access::{Facts, Grant};
use crate::http::body::{Body, RequestBody};
use crate::http::cookies;
use crate::site::Site;

/// Headers that every request gets: where it comes from, its id, and the seconds until its session ends.
const FORWARDING_HEADERS: usize = 7;

/// Keeps what only this user may see out of caches that several users share, and out of what the Back
/// button brings back after a logout: Chromium keeps a merely private page alive, cookies or not.
static PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");

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
    for name in facts.site.kept_headers() {
        headers.remove(name);
    }
    drop_password(facts, &mut headers);
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

/// A password that was meant for us is none of an application's business, not even of one in another realm.
fn drop_password(facts: &Facts<'_>, headers: &mut HeaderMap) {
    let is_basic = |value: &HeaderValue| {
        value
            .as_bytes()
            .get(..6)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
    };
    if headers.get(header::AUTHORIZATION).is_some_and(is_basic)
        && facts.site.realms.takes_basic(facts.target.host())
    {
        headers.remove(header::AUTHORIZATION);
    }
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
    drop_our_cookies(headers, site);
    let Some(identity) = grant.identity() else {
        return response;
    };
    let decided = identity
        .decision_cookies
        .iter()
        .flat_map(|cookies| cookies.iter());
    let mut writes_cookie = false;
    for cookie in identity
        .ready
        .cookies
        .iter()
        .chain(decided)
        .cloned()
        .chain(set_cookie)
    {
        headers.append(header::SET_COOKIE, cookie);
        writes_cookie = true;
    }
    // What an application says of caching stands, but nobody else must ever get this user's cookie.
    if !headers.contains_key(header::CACHE_CONTROL) || writes_cookie && may_be_shared(headers) {
        headers.insert(header::CACHE_CONTROL, PRIVATE.clone());
    }
    response
}

/// Whether a cache that several users share might keep the answer: it may unless it is told not to.
fn may_be_shared(headers: &HeaderMap) -> bool {
    let mut directives = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    !directives.any(|directive| {
        directive.eq_ignore_ascii_case(b"private") || directive.eq_ignore_ascii_case(b"no-store")
    })
}

/// An application has no business writing our cookies: what it sets under their names is dropped.
fn drop_our_cookies(headers: &mut HeaderMap, site: &Site) {
    let is_ours = |value: &HeaderValue| {
        // A cookie without a name is sent back as its value alone: `=SMSESSION=x` is our cookie, too.
        let unnamed = |byte: &u8| matches!(byte, b'=' | b' ' | b'\t');
        let text = value.as_bytes();
        let text = &text[text.iter().take_while(|byte| unnamed(byte)).count()..];
        let name = text
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
