//! The REST interface: a POST of XML or JSON for each operation, at a path of its own.

use http::{Response, StatusCode};

use super::fields::Fields;
use super::operation::Operation;
use super::reply::{Format, Reply};
use super::xml::{Element, Malformed};
use super::{Core, caller, operations};
use crate::config::services::Authaz;
use crate::http::body::{Body, ReadError, RequestBody};

/// The longest body of a call, in bytes: a token and a password of the longest kind, all of it references, fit.
pub(super) const MAX_CALL: usize = 64 * 1024;

/// What a path says.
#[derive(Debug, PartialEq, Eq)]
pub struct Rest {
    pub(super) operation: Operation,
    pub(super) app_id: Option<String>,
    /// The path of the resource, with the query.
    pub(super) resource: Option<String>,
}

impl Rest {
    /// Reads what is below the service's path: `[/AuthRestService]/operation[/appId[/resource]]`.
    pub(super) fn parse(below: &str, query: Option<&str>) -> Option<Self> {
        let below = below.strip_prefix("/AuthRestService").unwrap_or(below);
        let mut segments = below.strip_prefix('/')?.splitn(3, '/');
        let operation = Operation::of_path(segments.next()?)?;
        let filled = |text: &&str| !text.is_empty();
        let app_id = segments.next().filter(filled).map(str::to_owned);
        let path = segments.next().filter(filled);
        let resource = path.map(|path| match query {
            Some(query) => format!("/{path}?{query}"),
            None => format!("/{path}"),
        });
        Some(Self {
            operation,
            app_id,
            resource,
        })
    }
}

/// Answers a call.
pub(super) async fn answer(
    core: &Core<'_>,
    service: &Authaz,
    call: Rest,
    body: RequestBody,
) -> Response<Body> {
    let headers = core.visit.headers;
    let operation = call.operation;
    let (reply, more) = match caller::admit(core, service).await {
        Ok(more) => {
            let reply = match read(call, body, Format::sent(headers)).await {
                Ok(fields) => operations::perform(core, service, operation, fields).await,
                Err(status) => Reply::refused(operation, status),
            };
            (reply, more)
        }
        Err(refused) if refused.status == StatusCode::INTERNAL_SERVER_ERROR => {
            (Reply::unavailable(operation), refused.headers)
        }
        Err(refused) => (Reply::refused(operation, refused.status), refused.headers),
    };
    let mut response = reply.in_rest(Format::wanted(headers));
    response.headers_mut().extend(more);
    response
}

async fn read(call: Rest, body: RequestBody, format: Format) -> Result<Fields, StatusCode> {
    let body = body.read(MAX_CALL).await.map_err(status_of)?;
    let fields = match format {
        Format::Json => Fields::from_json(&body),
        Format::Xml => Element::read(&body).and_then(|root| from_xml(call.operation, root)),
    };
    fields
        .and_then(|fields| join(call, fields))
        .map_err(|Malformed| StatusCode::BAD_REQUEST)
}

/// What is wrong with a body that cannot be read.
pub(super) const fn status_of(error: ReadError) -> StatusCode {
    match error {
        ReadError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ReadError::Late => StatusCode::REQUEST_TIMEOUT,
        ReadError::Broken => StatusCode::BAD_REQUEST,
    }
}

fn from_xml(operation: Operation, root: Element) -> Result<Fields, Malformed> {
    let names: &[&str] = match operation {
        Operation::Login | Operation::Blogin => &["loginRequest", "bloginRequest"],
        Operation::Authorize => &["authorizationRequest"],
        // What a logout is called was never published.
        Operation::Logout if root.is_called("sessionToken") => {
            let wrapped = Element {
                namespace: None,
                name: String::new(),
                text: zeroize::Zeroizing::default(),
                children: vec![root],
                must_understand: Vec::new(),
            };
            return Fields::from_xml(&wrapped);
        }
        Operation::Logout => return Fields::from_xml(&root),
    };
    if !names.iter().any(|name| root.is_called(name)) {
        return Err(Malformed);
    }
    Fields::from_xml(&root)
}

/// Path and body together. Where both name a thing they must mean the same: one of them decides, and somebody may
/// have looked at the other.
fn join(call: Rest, fields: Fields) -> Result<Fields, Malformed> {
    if call.operation == Operation::Logout {
        return Ok(fields);
    }
    let app_id = one_of(call.app_id, fields.app_id, |text| text)?;
    let resource = one_of(call.resource, fields.resource, path_of)?;
    Ok(Fields {
        app_id,
        resource,
        ..fields
    })
}

fn one_of(
    path: Option<String>,
    body: Option<String>,
    compared: fn(&str) -> &str,
) -> Result<Option<String>, Malformed> {
    match (path, body) {
        (Some(path), Some(body)) if compared(&path) != compared(&body) => Err(Malformed),
        (path, body) => Ok(path.or(body)),
    }
}

/// What decisions depend on: not the query, nor whether the path begins with a slash.
fn path_of(resource: &str) -> &str {
    let path = resource.split('?').next().unwrap_or_default();
    path.strip_prefix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests;
