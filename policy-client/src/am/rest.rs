//! Requests to AM's REST interface, below one realm.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use policy_protocol::Secret;

use super::reply::Reply;
use crate::PolicyError;
use crate::foreign::Link;
use crate::retry::Repeat;
use crate::transport::Exchange;

const ACCEPT_API_VERSION: HeaderName = HeaderName::from_static("accept-api-version");

/// The way to one realm.
pub(super) struct Rest {
    pub(super) link: Link,
    /// Segments of the path, such as `json`, `realms`, `root`.
    realm: Vec<String>,
    /// The header that brings the token of whoever asks; a cookie of the same name would do as well.
    pub(super) token_header: HeaderName,
}

/// One request.
pub(super) struct Ask<'a> {
    pub(super) repeat: Repeat,
    /// Below the realm.
    pub(super) path: &'a [&'a str],
    /// Escaped.
    pub(super) query: Option<String>,
    pub(super) version: &'static str,
    /// Whose session asks.
    pub(super) token: Option<&'a str>,
    pub(super) headers: HeaderMap,
    /// What is POSTed; without it the request is a GET.
    pub(super) body: Option<Secret<Vec<u8>>>,
}

impl Rest {
    /// The way to `realm`, such as `/` or `/customers`.
    pub(super) fn new(link: Link, realm: &str, token_header: HeaderName) -> Self {
        let below = realm.split('/').filter(|name| !name.is_empty());
        let below = below.flat_map(|name| ["realms", name]);
        let realm = ["json", "realms", "root"].into_iter().chain(below);
        Self {
            link,
            realm: realm.map(str::to_owned).collect(),
            token_header,
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// If the answer is not AM's own.
    pub(super) async fn send(&self, ask: Ask<'_>) -> Result<Reply, PolicyError> {
        let mut headers = ask.headers;
        // AM refuses a POST without this header: no other site's page can make a browser send it.
        headers.insert(ACCEPT_API_VERSION, HeaderValue::from_static(ask.version));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = ask.token {
            headers.insert(&self.token_header, secret_header(token)?);
        }
        let method = match &ask.body {
            Some(_) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Method::POST
            }
            None => Method::GET,
        };
        let realm = self.realm.iter().map(String::as_str);
        let path: Vec<&str> = realm.chain(ask.path.iter().copied()).collect();
        let exchange = Exchange {
            repeat: ask.repeat,
            method,
            path: &path,
            query: ask.query.as_deref(),
            headers,
            body: ask.body,
        };
        let answer = self.link.transport.exchange(&exchange).await?;
        Reply::read(answer.status.as_u16(), answer.body)
    }
}

/// A value that no log shows.
///
/// # Errors
/// If it cannot stand in a header.
pub(super) fn secret_header(text: &str) -> Result<HeaderValue, PolicyError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| PolicyError::Protocol)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The body of a request that has nothing to say. Some versions want one.
pub(super) fn nothing() -> Secret<Vec<u8>> {
    Secret::new(b"{}".to_vec())
}
