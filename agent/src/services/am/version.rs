//! `Accept-API-Version`: which version of the API a client speaks.

use std::fmt;

use http::{HeaderMap, HeaderValue};

use super::error::{Refusal, repeated};

const HEADER: &str = "accept-api-version";
/// The protocol that holds unless another is asked for.
const PROTOCOL: Version = Version(2, 1);

/// A version of a resource or of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Version {
    /// `2.1`, or `2` for `2.0`.
    fn read(text: &str) -> Option<Self> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| plain)
        };
        match text.split_once('.') {
            Some((major, minor)) => Some(Self(number(major)?, number(minor)?)),
            None => Some(Self(number(text)?, 0)),
        }
    }
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) protocol: Version,
    pub(super) resource: Option<Version>,
    /// Whether the client says anything at all.
    pub(super) said: bool,
}

impl Asked {
    /// # Errors
    /// If the header cannot be read, or asks for a protocol that there is not.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        // One that says nothing is as good as none.
        let said = |line: &&HeaderValue| !line.as_bytes().trim_ascii().is_empty();
        let mut lines = headers.get_all(HEADER).iter().filter(said);
        let Some(line) = lines.next() else {
            return Ok(Self {
                protocol: PROTOCOL,
                resource: None,
                said: false,
            });
        };
        let text = line.to_str().unwrap_or_default();
        let parsed = lines.next().is_none().then(|| parse(text)).flatten();
        let asked = parsed.ok_or_else(|| {
            let message = format!("Version string is in an invalid format: {}", repeated(text));
            Refusal::bad_request(message)
        })?;
        let Version(major, minor) = asked.protocol;
        if !(1..=PROTOCOL.0).contains(&major) {
            let message = format!("Unsupported major version: {}", asked.protocol);
            return Err(Refusal::bad_request(message));
        }
        if minor > if major == 1 { 0 } else { PROTOCOL.1 } {
            let message = format!("Unsupported minor version: {}", asked.protocol);
            return Err(Refusal::bad_request(message));
        }
        Ok(asked)
    }

    /// The version that serves the request: the one of the same major version, if it is no older; the newest, if
    /// none is asked for. `served` has one for each major version, the newest last.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn among(&self, served: &[Version]) -> Result<Version, Refusal> {
        let fits = |served: &&Version| match self.resource {
            Some(asked) => served.0 == asked.0 && served.1 >= asked.1,
            None => true,
        };
        served.iter().rfind(fits).copied().ok_or_else(|| {
            let asked = self.resource.unwrap_or(PROTOCOL);
            Refusal::new(
                http::StatusCode::NOT_FOUND,
                format!(
                    "Accept-API-Version: Requested version \"{asked}\" does not match any routes."
                ),
            )
        })
    }
}

/// `protocol=1.0,resource=2.1`, in any order, each once, either left out.
fn parse(text: &str) -> Option<Asked> {
    let (mut protocol, mut resource) = (None, None);
    for part in text.split(',') {
        let (name, value) = part.split_once('=')?;
        let place = match name.trim() {
            "protocol" => &mut protocol,
            "resource" => &mut resource,
            _ => return None,
        };
        if place.replace(Version::read(value.trim())?).is_some() {
            return None;
        }
    }
    Some(Asked {
        protocol: protocol.unwrap_or(PROTOCOL),
        resource,
        said: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVED: [Version; 3] = [Version(1, 2), Version(2, 1), Version(4, 0)];

    fn asked(value: &str) -> Result<Asked, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, value.parse().unwrap());
        Asked::read(&headers)
    }

    #[test]
    fn the_parts_come_in_any_order_and_either_may_be_missing() {
        for (text, protocol, resource) in [
            (
                "protocol=1.0,resource=2.1",
                Version(1, 0),
                Some(Version(2, 1)),
            ),
            (
                "resource=2.0, protocol=1.0",
                Version(1, 0),
                Some(Version(2, 0)),
            ),
            ("resource=1.1", PROTOCOL, Some(Version(1, 1))),
            ("resource=3", PROTOCOL, Some(Version(3, 0))),
            (" protocol = 2.0 ", Version(2, 0), None),
        ] {
            let asked = asked(text).unwrap();
            assert_eq!(
                (asked.protocol, asked.resource),
                (protocol, resource),
                "{text}"
            );
        }
        let nothing = Asked::read(&HeaderMap::new()).unwrap();
        assert!(!nothing.said);
        for text in ["", " "] {
            assert_eq!(asked(text).unwrap(), nothing);
        }
    }

    #[test]
    fn what_cannot_be_read_is_a_bad_request() {
        for text in [
            "2.1",
            "resource",
            "resource=",
            "resource=x",
            "resource=1.",
            "resource=.1",
            "resource=1.2.3",
            "resource=-1.0",
            "resource=+1",
            "resource=1.0,resource=1.0",
            "resource=1.0,",
            "other=1.0",
            "resource=99999999999.0",
        ] {
            let refusal = asked(text).unwrap_err();
            assert_eq!(refusal.status, 400, "{text}");
            assert!(
                refusal
                    .message()
                    .starts_with("Version string is in an invalid format:")
            );
        }
        for (text, message) in [
            ("protocol=3.0", "Unsupported major version: 3.0"),
            ("protocol=0.1", "Unsupported major version: 0.1"),
            ("protocol=2.2", "Unsupported minor version: 2.2"),
            ("protocol=1.1", "Unsupported minor version: 1.1"),
        ] {
            assert_eq!(asked(text).unwrap_err(), Refusal::bad_request(message));
        }
    }

    #[test]
    fn a_version_is_served_by_its_own_major_version_and_no_older_one() {
        for (text, served) in [
            ("resource=1.0", Version(1, 2)),
            ("resource=1.2", Version(1, 2)),
            ("resource=2.1", Version(2, 1)),
            ("resource=4.0", Version(4, 0)),
            ("protocol=1.0", Version(4, 0)),
        ] {
            assert_eq!(asked(text).unwrap().among(&SERVED), Ok(served), "{text}");
        }
        for text in [
            "resource=1.3",
            "resource=3.0",
            "resource=999.0",
            "resource=0.0",
        ] {
            assert_eq!(
                asked(text).unwrap().among(&SERVED).unwrap_err().status,
                404,
                "{text}"
            );
        }
        assert_eq!(
            asked("resource=999.0")
                .unwrap()
                .among(&SERVED)
                .unwrap_err()
                .message(),
            "Accept-API-Version: Requested version \"999.0\" does not match any routes."
        );
    }
}
