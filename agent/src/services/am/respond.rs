//! Responses: the headers that all have, and the body as text.

use std::hash::{BuildHasher as _, Hasher as _};

use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::error::Refusal;
use super::json::{Json, object};
use super::version::Version;
use crate::http::body::Body;
use crate::services::respond;

/// Nothing here is for an old cache, a frame or a page of another site.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::PRAGMA, HeaderValue::from_static("no-cache")),
    (header::EXPIRES, HeaderValue::from_static("0")),
    (
        header::X_FRAME_OPTIONS,
        HeaderValue::from_static("SAMEORIGIN"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none';frame-ancestors 'none';sandbox"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Said to clients that do not say which version they speak.
const WARNING: HeaderValue =
    HeaderValue::from_static("100 CREST \"Accept-API-Version should be included in the request.\"");

/// What a call is answered with.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) body: Json,
    pub(super) cookies: Vec<HeaderValue>,
    /// What is read has a revision, which goes along as `ETag`.
    pub(super) revision: Option<String>,
}

impl From<Json> for Reply {
    fn from(body: Json) -> Self {
        Self {
            body,
            cookies: Vec::new(),
            revision: None,
        }
    }
}

impl Reply {
    /// Something that was read: with its id and a revision that changes with what it says. Clients see only the
    /// members that they ask for.
    pub(super) fn resource(id: &str, members: Json, fields: &[&str]) -> Self {
        let text = serde_json::to_string(&members).unwrap_or_default();
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        hasher.write(text.as_bytes());
        // As long as the ones that clients have seen.
        let revision = (hasher.finish() as u32).to_string();
        let mut whole = vec![
            ("_id".into(), Json::from(id)),
            ("_rev".into(), Json::from(revision.as_str())),
        ];
        if let Json::Object(members) = members {
            whole.extend(members);
        }
        Self {
            revision: Some(revision),
            ..Json::Object(whole).only(fields).into()
        }
    }
}

/// What is known of a response before there is one.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// For people to read.
    pub(super) pretty: bool,
    /// The version that serves the call.
    pub(super) version: Option<Version>,
    /// Whether the client did not say which version it speaks.
    pub(super) warn: bool,
    /// Errors as they were in the first version of `authenticate`.
    pub(super) short_errors: bool,
}

/// The response.
pub(super) fn response(outcome: Result<Reply, Refusal>, shape: &Shape) -> Response<Body> {
    let (status, reply) = match outcome {
        Ok(reply) => (StatusCode::OK, reply),
        Err(refusal) if shape.short_errors => {
            let body = object! { "errorMessage": refusal.message() };
            (refusal.status, body.into())
        }
        Err(refusal) => (refusal.status, refusal.body().into()),
    };
    let text = if shape.pretty {
        serde_json::to_vec_pretty(&reply.body)
    } else {
        serde_json::to_vec(&reply.body)
    };
    // Writing texts to memory does not fail.
    let text = text.unwrap_or_default();
    let mut response = respond::content(status, "application/json;charset=UTF-8", text);
    let headers = response.headers_mut();
    headers.extend(HEADERS);
    if shape.warn {
        headers.insert(header::WARNING, WARNING);
    }
    // Whoever is not let in is not told what would have served them.
    if let Some(version) = shape.version.filter(|_| status != StatusCode::UNAUTHORIZED) {
        let value = HeaderValue::try_from(format!("resource={version}"));
        headers.extend(value.map(|value| (HeaderName::from_static("content-api-version"), value)));
    }
    if let Some(revision) = reply.revision {
        let value = HeaderValue::try_from(format!("\"{revision}\""));
        headers.extend(value.map(|value| (header::ETAG, value)));
    }
    for cookie in reply.cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}
