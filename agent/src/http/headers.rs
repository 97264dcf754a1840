//! Headers that only we may set (R1).

use std::collections::HashSet;

use http::{HeaderMap, HeaderName};

/// Names longer than this cannot be configured, so longer ones from a client are only compared by
/// prefix.
pub const MAX_MANAGED_NAME: usize = 64;

/// Prefixes of folded names that belong to us, whatever follows: everything the field calls `SM_…`, also
/// as a CGI program would see it, our own, and everything said about forwarding.
const MANAGED_PREFIXES: [&[u8]; 4] = [b"sm-", b"http-sm-", b"x-doorward-", b"x-forwarded-"];

/// Further folded names that would change what an application believes about the request's origin, target or
/// method, or, read as a CGI variable, the proxy it uses itself.
const MANAGED_NAMES: [&[u8]; 10] = [
    b"forwarded",
    b"x-real-ip",
    b"x-original-url",
    b"x-original-uri",
    b"x-original-host",
    b"x-rewrite-url",
    b"x-http-method",
    b"x-http-method-override",
    b"x-method-override",
    b"proxy",
];

/// The names that no client may set.
///
/// Applications behind CGI-like interfaces read `SM_USER`, `SM-USER` and `sm.user` as one variable, so
/// names are compared folded: lower case, and everything that is not a letter or digit is `-`.
#[derive(Debug)]
pub struct ManagedHeaders {
    folded: HashSet<Box<[u8]>, foldhash::fast::RandomState>,
    /// First folded bytes of all names and prefixes: most headers are done with after one look.
    first: [bool; 256],
}

impl Default for ManagedHeaders {
    /// The built-in names alone.
    fn default() -> Self {
        Self::new([])
    }
}

impl ManagedHeaders {
    /// The built-in names and those that the configuration adds.
    pub fn new<'a>(configured: impl IntoIterator<Item = &'a HeaderName>) -> Self {
        let configured = configured
            .into_iter()
            .map(|name| name.as_str().bytes().map(fold).collect());
        let folded: HashSet<Box<[u8]>, _> = MANAGED_NAMES
            .iter()
            .map(|name| Box::from(*name))
            .chain(configured)
            .collect();
        let mut first = [false; 256];
        for name in folded.iter().map(AsRef::as_ref).chain(MANAGED_PREFIXES) {
            first[usize::from(name[0])] = true;
        }
        Self { folded, first }
    }

    /// Whether a client's header of this name is dropped.
    pub fn is_managed(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        if !self.first[usize::from(fold(name[0]))] {
            return false;
        }
        let mut buffer = [0; MAX_MANAGED_NAME];
        let length = name.len().min(MAX_MANAGED_NAME);
        for (folded, byte) in buffer.iter_mut().zip(name) {
            *folded = fold(*byte);
        }
        let folded = &buffer[..length];
        MANAGED_PREFIXES
            .iter()
            .any(|prefix| folded.starts_with(prefix))
            || name.len() == length && self.folded.contains(folded)
    }

    /// Drops every client copy of a managed header.
    pub fn strip(&self, headers: &mut HeaderMap) {
        // Almost always there is none, and then nothing is allocated.
        let ours = headers.keys().filter(|name| self.is_managed(name));
        for name in ours.cloned().collect::<Vec<_>>() {
            headers.remove(name);
        }
    }
}

/// A header name as CGI-like interfaces compare it.
pub const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() {
        byte.to_ascii_lowercase()
    } else {
        b'-'
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TCHAR: &[u8] = b"!#$%&'*+-.^_`|~";

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_spelling_of_a_managed_name_is_recognised() {
        let custom = name("Remote-User");
        let managed = ManagedHeaders::new([&custom]);
        for separator in TCHAR.iter().map(|byte| char::from(*byte)) {
            for pattern in [
                "sm?user",
                "http?sm?user",
                "x?forwarded?for",
                "remote?user",
                "x?real?ip",
            ] {
                let spelled = pattern.replace('?', &separator.to_string());
                assert!(managed.is_managed(&name(&spelled)), "{spelled}");
            }
        }
        for method in [
            "X-HTTP-Method",
            "X-HTTP-Method-Override",
            "X_Method.Override",
        ] {
            assert!(managed.is_managed(&name(method)), "{method}");
        }
        for long in [
            format!("sm_{}", "x".repeat(200)),
            format!("x-doorward-{}", "y".repeat(90)),
        ] {
            assert!(managed.is_managed(&name(&long)), "{long}");
        }
        for other in [
            "accept",
            "cookie",
            "x-request-id",
            "smile",
            "host",
            "x-custom",
            "forwarded-for-x",
            "s",
        ] {
            assert!(!managed.is_managed(&name(other)), "{other}");
        }
    }

    #[test]
    fn stripping_removes_all_copies_and_nothing_else() {
        let managed = ManagedHeaders::default();
        let mut headers = HeaderMap::new();
        for (header, value) in [
            ("sm_user", "a"),
            ("sm-user", "b"),
            ("sm_user", "c"),
            ("accept", "*/*"),
        ] {
            headers.append(name(header), HeaderValue::from_static(value));
        }
        managed.strip(&mut headers);
        assert_eq!(headers.len(), 1);
        assert!(headers.contains_key("accept"));
    }
}
