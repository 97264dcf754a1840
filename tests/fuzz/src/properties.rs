//! What holds of every input, whatever it is. Each function panics if it does not.

use std::path::Path;

use agent::config::env::Environment;
use agent::http::framing::Framing;
use agent::http::headers::ManagedHeaders;
use agent::http::target::RequestTarget;
use agent::session::cookie::SessionClaims;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use policy_protocol::{AgentKeyRing, AgentKeySet, KeyId, Secret, TokenType};

fn ring() -> AgentKeyRing {
    let key = |id: u8| policy_protocol::AgentKey {
        id: KeyId(id.into()),
        key: Secret::new([id; 32]),
    };
    AgentKeyRing::new(&AgentKeySet {
        store: String::new(),
        version: 1,
        current: key(1),
        next: key(2),
        previous: vec![key(3)],
        static_key: key(4),
        assertion_key: Secret::new(Vec::new()),
    })
}

/// Nobody without a key makes a cookie; and what is sealed but is no session does not open either.
pub fn cookie(input: &[u8]) {
    let ring = ring();
    assert!(
        SessionClaims::open(input, &ring, "SM").is_err(),
        "a cookie was forged"
    );
    for token_type in [
        TokenType::Session,
        TokenType::LoginState,
        TokenType::UserName,
    ] {
        if let Ok(sealed) = ring.current().seal(token_type, "SM", input) {
            let opened = SessionClaims::open(sealed.as_bytes(), &ring, "SM");
            assert!(opened.is_err() || token_type == TokenType::Session);
            assert!(SessionClaims::open(sealed.as_bytes(), &ring, "ZZ").is_err());
        }
    }
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(header::COOKIE, value);
        }
    }
    for (name, value) in agent::http::cookies::all(&headers) {
        assert!(!name.contains(&b';') && !value.contains(&b';'));
    }
    agent::http::cookies::remove(&mut headers, |name| name == b"SMSESSION");
    assert!(agent::http::cookies::all(&headers).all(|(name, _)| name != b"SMSESSION"));
}

/// A path that is let through is canonical: reading it again changes nothing, and no reader finds more
/// in it than was decided on.
pub fn target(input: &[u8]) {
    let Ok(uri) = Uri::try_from(input) else {
        return;
    };
    let read = |uri: &Uri| RequestTarget::new(String::from("app.test"), None, uri, &Method::GET);
    let Ok(first) = read(&uri) else { return };
    let path = first.path();
    // As it goes out: displayed, a target without a path gets its slash.
    let forwarded = first.path_and_query().to_string();
    let again = Uri::try_from(forwarded).expect("what is forwarded is a URI");
    let second = read(&again).expect("what is forwarded is sound");
    assert_eq!(
        (second.path(), second.query()),
        (first.path(), first.query())
    );
    assert_eq!(second.resource(), first.resource());
    assert_eq!(uri.query(), first.query(), "the query is untouched");
    assert!(path.starts_with('/') && first.resource().starts_with('/'));
    assert!(
        path.bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\'),
        "{path:?}"
    );
    let lower = path.to_ascii_lowercase();
    for two_readings in ["%2f", "%5c", "%25", "%00", "%2e", "//", "/./", "/../"] {
        assert!(!lower.contains(two_readings), "{two_readings} in {path:?}");
    }
    for segment in first.resource().split('/') {
        assert!(segment != "." && segment != "..", "{path:?}");
    }
}

/// No header that an application might take for one of ours survives, however it is spelled.
pub fn headers(input: &[u8]) {
    let configured = HeaderName::from_static("x-department");
    let managed = ManagedHeaders::new([&configured]);
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts
            .next()
            .and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts
            .next()
            .and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let before = headers.len();
    managed.strip(&mut headers);
    assert!(headers.len() <= before);
    for name in headers.keys() {
        let folded: String = name
            .as_str()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .collect();
        let is_ours = folded.starts_with("sm-") || folded.starts_with("x-forwarded-");
        assert!(
            !is_ours && folded != "forwarded" && folded != "x-department",
            "{name} survived"
        );
    }
}

/// The verdict does not depend on how the network cut the bytes into pieces.
pub fn framing(input: &[u8]) {
    const LIMIT: usize = 4096;
    let whole = Framing::new(LIMIT)
        .inspect(input)
        .map_err(|violation| violation.error);
    for size in [1, 3, 7] {
        let mut framing = Framing::new(LIMIT);
        let pieces = input
            .chunks(size)
            .try_for_each(|piece| framing.inspect(piece))
            .map_err(|violation| violation.error);
        assert_eq!(pieces, whole, "in pieces of {size}");
    }
    if let Err(violation) = Framing::new(LIMIT).inspect(input) {
        assert!(violation.sound <= input.len());
        assert!(
            Framing::new(LIMIT)
                .inspect(&input[..violation.sound])
                .is_ok(),
            "what is called sound is"
        );
    }
}

/// Any text is a configuration or a list of problems.
pub fn configuration(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let loaded = agent::config::load_text(
        &text,
        "fuzz.toml",
        Path::new("/nonexistent"),
        &Environment::default(),
    );
    if let Err(problems) = loaded {
        assert!(problems.iter().next().is_some(), "refused without a reason");
        assert!(!problems.to_string().is_empty());
    }
}
