//! Hosts, resources, origins, tokens and header names.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use ::http::{HeaderName, Uri};
use url::Url;

use crate::access::identity::known_names as identity_headers;
use crate::config::report::Spot;
use crate::http::headers::{self, MAX_MANAGED_NAME};

/// The longest zone: with it a cookie's name stays far below every browser's limit.
pub(super) const MAX_ZONE_CHARS: usize = 32;

/// A host name or address in lower case, without a port.
///
/// # Errors
/// What is wrong with it.
pub fn host(text: &str) -> Result<String, &'static str> {
    let host = text.to_ascii_lowercase();
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner
            .strip_suffix(']')
            .and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return address
            .map(|address| format!("[{address}]"))
            .ok_or("not an IPv6 address in brackets");
    }
    if host.contains(':') {
        return Err("a host is written without a port");
    }
    if host.contains('*') {
        return Err("`*` stands for any host, but not for a part of one");
    }
    let is_label = |label: &str| {
        let ends = label.starts_with('-') || label.ends_with('-');
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && !ends && label.bytes().all(of_name)
    };
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err(
            "not a host name: labels of letters, digits and hyphens, joined by single dots",
        );
    }
    Ok(host)
}

/// A resource: the canonical path that requests are compared with.
///
/// # Errors
/// What is wrong with it.
pub fn resource(text: &str) -> Result<String, &'static str> {
    let segments = match text.strip_prefix('/') {
        Some("") => return Ok(text.to_owned()),
        Some(segments) => segments,
        None => return Err("a resource starts with `/`"),
    };
    if segments.ends_with('/') {
        return Err("a resource has no slash at its end: it covers whole segments anyway");
    }
    if segments.split('/').any(str::is_empty) {
        return Err("a resource has no empty segments");
    }
    if segments
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
    {
        return Err("a resource has no dot segments");
    }
    if segments.contains('*') {
        return Err("a resource is a prefix, not a pattern: leave out the `*`");
    }
    if segments.contains('%') {
        return Err("a resource is written decoded: requests are compared in their canonical form");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@/".contains(&byte);
    if !segments.bytes().all(plain) {
        return Err(
            "a resource has only characters that stand for themselves in a path, and no `;`, `?` or `#`",
        );
    }
    Ok(text.to_owned())
}

/// A path that passes without a session: a resource, or, with a slash at its end, what is below one.
///
/// # Errors
/// What is wrong with it.
pub fn ignored_path(text: &str) -> Result<&str, &'static str> {
    let resource = match text.strip_suffix('/') {
        Some("") | None => text,
        Some(above) => above,
    };
    self::resource(resource).map(|_| resource)
}

/// A domain that cookies can be set for, without the leading dot of old, which means nothing today.
///
/// # Errors
/// What is wrong with it.
pub fn cookie_domain(text: &str) -> Result<String, &'static str> {
    host(text.strip_prefix('.').unwrap_or(text))
        .ok()
        .filter(|domain| {
            domain.contains('.') && !domain.ends_with(|last: char| last.is_ascii_digit())
        })
        .ok_or("not a domain that cookies can be set for")
}

/// Whether `text` may be an SSO zone.
pub fn is_zone(text: &str) -> bool {
    is_token(text) && text.len() <= MAX_ZONE_CHARS
}

/// An http or https origin: scheme, host and port, and nothing else.
///
/// # Errors
/// What is wrong with it.
pub fn origin(text: &str) -> Result<Url, &'static str> {
    const EXPECTED: &str =
        "not an origin: write scheme, host and port, such as https://app.example.com:8443";
    let url = address(text, EXPECTED)?;
    // The parser takes hosts which no connection can be made to, such as `{}`.
    origin_uri(&url).ok_or(EXPECTED)?;
    if url.path() != "/" {
        Err("must not have a path")
    } else {
        Ok(url)
    }
}

/// An http or https origin and a path below it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn base(text: &str) -> Result<Url, &'static str> {
    const EXPECTED: &str =
        "not an address: write scheme, host, port and path, such as https://am.example.com/am";
    address(text, EXPECTED)
}

fn address(text: &str, expected: &'static str) -> Result<Url, &'static str> {
    // The parser forgives what browsers forgive; an operator's file need not.
    let strict = (text.starts_with("http://") || text.starts_with("https://"))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'?' | b'#'));
    let url = Url::parse(text).ok().filter(|_| strict).ok_or(expected)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    Ok(url)
}

/// Scheme and authority of an [`origin`].
pub(super) fn origin_uri(url: &Url) -> Option<Uri> {
    url.origin().ascii_serialization().parse().ok()
}

/// Whether an origin is on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether `text` is a token of RFC 9110, as cookie names are.
pub fn is_token(text: &str) -> bool {
    let special = b"!#$%&'*+-.^_`|~";
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || special.contains(&byte))
}

/// Headers that frame a message, steer a connection or route a request; and those that tell of the client.
const RESERVED: [&str; 15] = [
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A name as servers see it that do not tell `X-A` from `x_a` (R1).
fn fold(name: &str) -> String {
    name.bytes()
        .map(|byte| char::from(headers::fold(byte)))
        .collect()
}

/// A header that may be added to requests.
///
/// # Errors
/// What is wrong with it.
pub fn header(text: &str) -> Result<HeaderName, String> {
    let name = text
        .parse::<HeaderName>()
        .map_err(|_| "not a header name".to_owned())?;
    if name.as_str().len() > MAX_MANAGED_NAME {
        return Err(format!("longer than {MAX_MANAGED_NAME} characters"));
    }
    let folded = fold(name.as_str());
    if identity_headers().any(|identity| fold(identity) == folded) {
        return Err("an identity header has this name".to_owned());
    }
    if RESERVED.contains(&folded.as_str()) || folded.starts_with("x-forwarded-") {
        return Err(
            "this header belongs to the connection between agent and application".to_owned(),
        );
    }
    Ok(name)
}

/// The headers that this configuration adds to requests.
#[derive(Default)]
pub(super) struct HeaderNames {
    /// By folded name.
    seen: HashMap<String, HeaderName>,
}

impl HeaderNames {
    /// A header that may be added to requests.
    pub(super) fn add(&mut self, text: &str, spot: &Spot<'_>) -> Option<HeaderName> {
        let name = header(text).map_err(|what| spot.problem(what)).ok()?;
        let folded = fold(name.as_str());
        let first = self.seen.entry(folded).or_insert_with(|| name.clone());
        if *first != name {
            spot.problem_with_hint(
                format!("differs from the header `{first}` only in characters that servers do not tell apart"),
                "spell it the same everywhere, or choose another name",
            );
            return None;
        }
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_lower_case_names_or_addresses() {
        for (text, expected) in [
            ("App.Example.COM", "app.example.com"),
            ("localhost", "localhost"),
            ("10.0.0.1", "10.0.0.1"),
            ("[::0:1]", "[::1]"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(expected));
        }
        for text in [
            "",
            "a..b",
            ".a",
            "a.",
            "a:80",
            "*.a",
            "a b",
            "a/b",
            "-a",
            "é",
            "[::1",
            "[a]",
            &"a".repeat(64),
        ] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn resources_have_one_spelling() {
        for text in ["/", "/app", "/app/v1.2/~x", "/a:b@c"] {
            assert_eq!(resource(text).as_deref(), Ok(text));
        }
        for text in [
            "", "app", "//", "/app/", "/a//b", "/a/../b", "/.", "/a%20b", "/a;b", "/a?b", "/a#b",
            "/a/*", "/a b", "/é", "/a\\b",
        ] {
            assert!(resource(text).is_err(), "{text}");
        }
    }

    #[test]
    fn origins_are_scheme_host_and_port() {
        for text in ["http://a", "https://a.example:8443", "https://[::1]:1/"] {
            assert!(origin(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "a",
            "//a",
            "ftp://a",
            "http://u@a",
            "http://u:p@a",
            "http://a/b",
            "http://a?b",
            "http://a#",
            "http:\\\\a",
            " http://a",
            "http://{a}",
            "http://",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
