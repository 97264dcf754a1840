//! What a request is for: one host, one canonical path, one action (R2).
//!
//! A path that two systems could read in two ways is refused, because one of them decides and another
//! one serves. What remains is brought into one form, and exactly that form is matched and forwarded.

use std::borrow::Cow;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri, header};

use crate::access::Denial;
use crate::http::ConnectionInfo;

/// The longest host name (RFC 1035).
const MAX_HOST_LENGTH: usize = 253;

/// The target of one request.
#[derive(Clone, Debug)]
pub struct RequestTarget {
    /// Lower case, without a port.
    host: String,
    /// The port that the client named, if any.
    port: Option<u16>,
    /// What is forwarded: canonical path, and the query untouched.
    path_and_query: PathAndQuery,
    /// What is matched, where it differs from the forwarded path: percent-decoded, without `;`
    /// parameters.
    resource: Option<String>,
    method: Method,
}

impl RequestTarget {
    /// Reads the target of a request.
    ///
    /// # Errors
    /// [`Denial::BadRequest`] if host or path have two readings or none, and [`Denial::Misdirected`]
    /// if the host is not the one that TLS was established for.
    pub fn parse(conn: &ConnectionInfo, parts: &Parts) -> Result<Self, Denial> {
        let (host, port) = single_host(&parts.uri, &parts.headers)?;
        if conn.require_matching_host
            && conn.server_name.as_deref().is_some_and(|name| name != host)
        {
            return Err(Denial::Misdirected);
        }
        Self::new(host, port, &parts.uri, &parts.method)
    }

    /// The target of `uri` on a host that is known to be well-formed.
    ///
    /// # Errors
    /// [`Denial::BadRequest`] if the path has two readings or none.
    pub fn new(
        host: String,
        port: Option<u16>,
        uri: &Uri,
        method: &Method,
    ) -> Result<Self, Denial> {
        if matches!(*method, Method::CONNECT | Method::TRACE) {
            return Err(Denial::MethodNotAllowed);
        }
        if method
            .as_str()
            .bytes()
            .any(|byte| byte.is_ascii_lowercase())
        {
            return Err(Denial::BadRequest(
                "a method in lower case has two readings",
            ));
        }
        let original = uri
            .path_and_query()
            .ok_or(Denial::BadRequest("the target has no path"))?;
        let canonical = CanonicalPath::parse(original.path())?;
        let path_and_query = match canonical.path {
            Cow::Borrowed(_) => original.clone(),
            Cow::Owned(path) => match original.query() {
                Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
                None => PathAndQuery::try_from(path),
            }
            .map_err(|_| Denial::BadRequest("the target is not valid"))?,
        };
        let resource = canonical.resource;
        Ok(Self {
            host,
            port,
            path_and_query,
            resource,
            method: method.clone(),
        })
    }

    /// A copy that does not hold on to the buffer that the request came in.
    pub fn detached(&self) -> Self {
        let copy = self.path_and_query.as_str().to_owned();
        Self {
            path_and_query: copy.try_into().expect("a copy of what is valid is valid"),
            ..self.clone()
        }
    }

    /// The host, lower case, without a port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host with the port that the client named, as it belongs into an origin.
    pub fn authority(&self) -> Cow<'_, str> {
        match self.port {
            Some(port) => Cow::Owned(format!("{}:{port}", self.host)),
            None => Cow::Borrowed(&self.host),
        }
    }

    /// The port that the client named, if any.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The canonical path, as it is forwarded.
    pub fn path(&self) -> &str {
        self.path_and_query.path()
    }

    /// The query, untouched.
    pub fn query(&self) -> Option<&str> {
        self.path_and_query.query()
    }

    /// Canonical path and query, as they are forwarded.
    pub const fn path_and_query(&self) -> &PathAndQuery {
        &self.path_and_query
    }

    /// The resource that decisions are made about: the path, decoded and without `;` parameters.
    pub fn resource(&self) -> &str {
        self.resource.as_deref().unwrap_or_else(|| self.path())
    }

    /// The action.
    pub const fn method(&self) -> &Method {
        &self.method
    }
}

/// The one host that URI and headers agree on.
fn single_host(uri: &Uri, headers: &HeaderMap) -> Result<(String, Option<u16>), Denial> {
    let mut named = headers.get_all(header::HOST).iter();
    let from_header = named.next();
    if named.next().is_some() {
        return Err(Denial::BadRequest("more than one Host"));
    }
    let from_header = from_header
        .map(|value| {
            value
                .to_str()
                .map_err(|_| Denial::BadRequest("the Host is not valid"))
        })
        .transpose()?;
    let host = match (uri.authority(), from_header) {
        (Some(authority), Some(host)) if !authority.as_str().eq_ignore_ascii_case(host) => {
            return Err(Denial::BadRequest("two different hosts"));
        }
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host,
        (None, None) => return Err(Denial::BadRequest("no Host")),
    };
    parse_host(host).ok_or(Denial::BadRequest("the Host is not valid"))
}

/// Host and port of an authority without user information.
pub(crate) fn parse_host(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            // An address has many spellings; one of them is compared.
            let address: std::net::Ipv6Addr = address.parse().ok()?;
            (format!("[{address}]"), after)
        }
        None => {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            (valid_name(host)?, port)
        }
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
        None if port.is_empty() => None,
        Some(_) | None => return None,
    };
    Some((host, port))
}

/// A host name in lower case. One that ends in a dot names the same host by another spelling.
fn valid_name(host: &str) -> Option<String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_valid = !host.is_empty()
        && host.len() <= MAX_HOST_LENGTH
        && host.bytes().all(valid)
        && !host.ends_with('.');
    is_valid.then(|| host.to_ascii_lowercase())
}

/// The resource of a path that is part of a target; `None` if it has two readings or none.
pub fn resource_of(path: &str) -> Option<Cow<'_, str>> {
    let canonical = CanonicalPath::parse(path).ok()?;
    Some(canonical.resource.map_or(Cow::Borrowed(path), Cow::Owned))
}

/// A path with one reading.
struct CanonicalPath<'a> {
    /// As it is forwarded.
    path: Cow<'a, str>,
    /// As it is matched, where that differs.
    resource: Option<String>,
}

impl<'a> CanonicalPath<'a> {
    fn parse(raw: &'a str) -> Result<Self, Denial> {
        if !raw.starts_with('/') {
            return Err(Denial::BadRequest("the target is not a path"));
        }
        if raw
            .bytes()
            .any(|byte| matches!(byte, b'\\' | b'#') || !byte.is_ascii_graphic())
        {
            return Err(Denial::BadRequest(
                "the path has a character that does not belong there",
            ));
        }
        let (path, decoded) = if raw.contains('%') {
            decode(raw)?
        } else {
            (Cow::Borrowed(raw), None)
        };
        let plain = decoded.as_deref().unwrap_or(raw);
        check_segments(plain)?;
        let resource = if plain.contains(';') {
            Some(without_parameters(plain))
        } else {
            decoded
        };
        Ok(Self { path, resource })
    }
}

/// Brings percent-encoding into one form: what need not be encoded is decoded, the rest is upper case.
/// Returns the canonical path and the fully decoded one.
fn decode(raw: &str) -> Result<(Cow<'_, str>, Option<String>), Denial> {
    let mut canonical = String::with_capacity(raw.len());
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            canonical.push(char::from(byte));
            decoded.push(byte);
            continue;
        }
        let byte = match (
            rest.next().and_then(hex_digit),
            rest.next().and_then(hex_digit),
        ) {
            (Some(high), Some(low)) => high << 4 | low,
            _ => return Err(Denial::BadRequest("a percent sign without two hex digits")),
        };
        match byte {
            b'/' | b'\\' | b'%' | 0..=0x1f | 0x7f => {
                return Err(Denial::BadRequest("an encoded character with two readings"));
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                canonical.push(char::from(byte))
            }
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                canonical.extend([
                    '%',
                    char::from(HEX[usize::from(byte >> 4)]),
                    char::from(HEX[usize::from(byte & 15)]),
                ]);
            }
        }
        decoded.push(byte);
    }
    let decoded = String::from_utf8(decoded)
        .map_err(|_| Denial::BadRequest("the path is not valid UTF-8"))?;
    Ok((Cow::Owned(canonical), Some(decoded)))
}

fn hex_digit(byte: &u8) -> Option<u8> {
    char::from(*byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Refuses dot segments, also behind `;` parameters, and empty segments other than a last one.
fn check_segments(decoded: &str) -> Result<(), Denial> {
    let mut segments = decoded[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let name = segment.split(';').next().unwrap_or_default();
        if name == "." || name == ".." {
            return Err(Denial::BadRequest("a dot segment"));
        }
        if name.is_empty() && (segments.peek().is_some() || !segment.is_empty()) {
            return Err(Denial::BadRequest("an empty path segment"));
        }
    }
    Ok(())
}

/// Some servers take `;name=value` off each segment before they look for the resource; so do we, for
/// deciding only.
fn without_parameters(decoded: &str) -> String {
    let names = decoded
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or_default());
    names.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests;
