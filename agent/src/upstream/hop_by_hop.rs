//! Headers that belong to one connection and are never passed on (RFC 9110, section 7.6.1).

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, COOKIE, EXPECT, FORWARDED, HOST, LOCATION, ORIGIN, SET_COOKIE, TE,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::headers::ManagedHeaders;

/// Their loss would change who gets in or what a message means. `Connection: authorization` must not
/// remove them.
static END_TO_END_CRITICAL: [HeaderName; 13] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    FORWARDED,
    HOST,
    LOCATION,
    ORIGIN,
    SET_COOKIE,
    WWW_AUTHENTICATE,
];

/// Whether a header belongs to one connection and is removed from every message, whatever `Connection`
/// says. `Trailer` does not: trailers pass.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// Whether a header passes although `Connection` names it.
pub(crate) fn is_end_to_end_critical(name: &HeaderName) -> bool {
    END_TO_END_CRITICAL.contains(name)
}

/// Removes what is between the client and us, `Expect` included: hyper has answered it by the time the
/// body is read.
///
/// `TE: trailers` says that trailers will be understood. They pass through here, so it is said again.
pub(super) fn strip_request(headers: &mut HeaderMap, managed: &ManagedHeaders, http2: bool) {
    let trailers = headers
        .get(TE)
        .is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    strip(headers, |name| managed.is_managed(name));
    headers.remove(EXPECT);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if !http2 {
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
    }
}

/// Removes what is between the upstream and us.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    strip(headers, |_| false);
}

fn strip(headers: &mut HeaderMap, is_ours: impl Fn(&HeaderName) -> bool) {
    // Allocates only for the rare header that is really named.
    let nominated: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .filter(|name| {
            headers.contains_key(name) && !is_end_to_end_critical(name) && !is_ours(name)
        })
        .collect();
    for name in nominated {
        headers.remove(name);
    }
    // Almost always there is none: one look at each name is cheaper than nine lookups.
    while let Some(name) = headers.keys().find(|name| is_hop_by_hop(name)).cloned() {
        headers.remove(name);
    }
}

/// Whether a comma-separated header has this token, in any case.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .any(|found| found.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|&(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    fn left(mut headers: HeaderMap) -> Vec<String> {
        strip_request(&mut headers, &ManagedHeaders::default(), false);
        let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_header_of_one_connection_is_removed() {
        let all = headers(&[
            ("accept", "*/*"),
            ("connection", "close"),
            ("expect", "100-continue"),
            ("http2-settings", "x"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "Basic x"),
            ("proxy-connection", "close"),
            ("te", "gzip"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
        ]);
        assert_eq!(left(all), ["accept"]);
    }

    #[test]
    fn connection_removes_what_it_names() {
        let named = headers(&[
            ("connection", "close, X-Private ,"),
            ("x-private", "1"),
            ("x-other", "2"),
        ]);
        assert_eq!(left(named), ["x-other"]);
    }

    #[test]
    fn connection_cannot_remove_what_matters_to_access() {
        for name in &END_TO_END_CRITICAL {
            let mut named = headers(&[]);
            named.insert(name, HeaderValue::from_static("1"));
            named.insert(
                CONNECTION,
                HeaderValue::from_bytes(name.as_str().as_bytes()).unwrap(),
            );
            assert_eq!(left(named), [name.as_str()]);
        }
    }

    #[test]
    fn te_is_kept_for_trailers_alone() {
        assert_eq!(left(headers(&[("te", "trailers")])), ["connection", "te"]);
        assert_eq!(left(headers(&[("te", "gzip, trailers")])), [""; 0]);
        let mut to_http2 = headers(&[("te", "trailers")]);
        strip_request(&mut to_http2, &ManagedHeaders::default(), true);
        assert_eq!(to_http2, headers(&[("te", "trailers")]));
    }
}
