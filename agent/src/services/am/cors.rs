//! Pages of other origins that may use the service from a browser: those that are listed, and no others.
//!
//! By the Fetch standard, section "CORS protocol". A listed origin may do what a page of this origin may: it is
//! believed to mean the calls that its users' browsers send with their cookies.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::access::Visit;
use crate::config::services::Am;
use crate::http::body::Body;
use crate::login::form::is_same_origin;

/// What clients send and a browser asks about before; the header with the token comes on top.
const REQUEST_HEADERS: &str = "accept-api-version, authorization, content-type, if-match, if-none-match, \
     x-forgerock-transactionid, x-nosession, x-openam-password, x-openam-username, x-password, \
     x-requested-platform, x-requested-with, x-username";
/// What a page may read beside the headers that it always may.
const RESPONSE_HEADERS: HeaderValue =
    HeaderValue::from_static("content-api-version, etag, warning, www-authenticate");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// How long browsers need not ask again, in seconds: as soon as that an origin that is listed no more is refused
/// by browsers, too. It is refused here at once.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Whether a browser sent this because a page of ours or of a listed origin wanted it. Programs that are no
/// browsers have no cookies that somebody else could abuse.
pub(super) fn is_meant(service: &Am, visit: &Visit<'_>) -> bool {
    is_same_origin(visit) || listed(service, visit.headers).is_some()
}

/// The answer to a browser's question whether a page of a listed origin may make a call.
pub(super) fn preflight(service: &Am, visit: &Visit<'_>) -> Option<Response<Body>> {
    let asks = *visit.target.method() == Method::OPTIONS
        && (visit.headers).contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !asks || listed(service, visit.headers).is_none() {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let mut request_headers = REQUEST_HEADERS.to_owned();
    // Writing to a string does not fail; the name is a header's, which the configuration has seen to.
    let _ = write!(request_headers, ", {}", service.cookie_name);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    if let Ok(names) = HeaderValue::try_from(request_headers) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    Some(response)
}

/// Lets a page of a listed origin read a response.
pub(super) fn allow(service: &Am, request: &HeaderMap, headers: &mut HeaderMap) {
    if service.origins.is_empty() {
        return;
    }
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let Some(origin) = listed(service, request) else {
        return;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    let truth = HeaderValue::from_static("true");
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, truth);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
}

/// The origin of the page that sends this, if it is the only one and listed.
fn listed<'h>(service: &Am, headers: &'h HeaderMap) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(header::ORIGIN).iter();
    let origin = values.next().filter(|_| values.next().is_none())?;
    let mut listed = service.origins.iter();
    listed
        .any(|listed| listed.as_bytes() == origin.as_bytes())
        .then_some(origin)
}
