//! A well-behaved client: HTTP/1.1 or HTTP/2 over TLS, cookies kept, redirects not followed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Mutex;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use tower::util::BoxCloneSyncService;

use crate::eventually::within;

/// A request body of whatever kind.
pub type AnyBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;
type Resolver = BoxCloneSyncService<Name, std::iter::Once<SocketAddr>, Infallible>;

/// Which HTTP a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// Both, for tests that must hold over either.
    pub const BOTH: [Self; 2] = [Self::Http1, Self::Http2];
}

/// A client of one address, whatever host it asks for.
#[derive(Debug)]
pub struct Client {
    inner: legacy::Client<HttpsConnector<HttpConnector<Resolver>>, AnyBody>,
    base: String,
    jar: Mutex<BTreeMap<String, String>>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers, if there were any.
    pub trailers: Option<HeaderMap>,
}

impl Answer {
    /// A header as text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a printable header"))
    }

    /// `Location`.
    pub fn location(&self) -> &str {
        self.header("location")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not that.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The `Set-Cookie` of a cookie, whole.
    pub fn set_cookie(&self, name: &str) -> Option<&str> {
        let values = self
            .headers
            .get_all(header::SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        values
            .into_iter()
            .find(|value| value.split('=').next() == Some(name))
    }

    /// The hidden fields of the form in the body.
    pub fn hidden_fields(&self) -> Vec<(String, String)> {
        let page = self.text();
        let inputs = page
            .split("<input")
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap_or_default());
        let hidden = inputs.filter(|input| attribute(input, "type").as_deref() == Some("hidden"));
        hidden
            .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)))
            .collect()
    }
}

/// The value of an attribute of an HTML tag, as far as our own templates need it.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag
        .split_once(&format!(" {name}=\""))?
        .1
        .split('"')
        .next()?;
    let decoded = value
        .replace("&quot;", "\"")
        .replace("&#x2f;", "/")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    Some(decoded.replace("&amp;", "&"))
}

/// An empty body.
pub fn empty() -> AnyBody {
    full("")
}

/// A body that is known.
pub fn full(body: impl Into<Bytes>) -> AnyBody {
    Full::new(body.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Any body.
pub fn boxed<B>(body: B) -> AnyBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    body.map_err(Into::into).boxed_unsync()
}

impl Client {
    /// A client of `address` that asks for `https://host` (or `http://host` without `tls`).
    /// `host` is a name; it need not resolve.
    pub fn new(
        address: SocketAddr,
        host: &str,
        protocol: Protocol,
        tls: Option<ClientConfig>,
    ) -> Self {
        let resolver =
            tower::service_fn(move |_: Name| async move { Ok(std::iter::once(address)) });
        let mut tcp = HttpConnector::new_with_resolver(BoxCloneSyncService::new(resolver));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let tls = tls.unwrap_or_else(|| crate::Pki::default().client_config(&[], None));
        let builder = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http();
        let connector = match protocol {
            Protocol::Http1 => builder.enable_http1().wrap_connector(tcp),
            Protocol::Http2 => builder.enable_http2().wrap_connector(tcp),
        };
        let inner = legacy::Client::builder(TokioExecutor::new())
            .http2_only(protocol == Protocol::Http2)
            .build(connector);
        Self {
            inner,
            base: format!("{scheme}://{host}"),
            jar: Mutex::default(),
        }
    }

    /// Scheme and host.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A cookie's value.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.lock().unwrap().get(name).cloned()
    }

    /// Plants a cookie.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar.lock().unwrap().insert(name.into(), value.into());
    }

    /// Forgets all cookies.
    pub fn forget_cookies(&self) {
        self.jar.lock().unwrap().clear();
    }

    /// A request for a path (or an absolute address) of this client's host.
    pub fn request(&self, method: Method, target: &str) -> http::request::Builder {
        let uri: Uri = if target.starts_with('/') {
            format!("{}{target}", self.base)
        } else {
            target.into()
        }
        .parse()
        .unwrap_or_else(|error| panic!("{target}: {error}"));
        Request::builder().method(method).uri(uri)
    }

    /// GET, as a browser asks for a page.
    pub async fn get(&self, target: &str) -> Answer {
        self.send(
            self.request(Method::GET, target)
                .header("accept", "text/html")
                .body(empty())
                .unwrap(),
        )
        .await
    }

    /// POST of a form.
    pub async fn post_form(&self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self
            .request(Method::POST, target)
            .header("accept", "text/html")
            .header("origin", &self.base)
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(full(body)).unwrap()).await
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, request: Request<AnyBody>) -> Answer {
        within("an answer", async {
            let (parts, body) = self.start(request).await.into_parts();
            let collected = body.collect().await.expect("a whole body");
            let trailers = collected.trailers().cloned();
            Answer {
                status: parts.status,
                headers: parts.headers,
                body: collected.to_bytes(),
                trailers,
            }
        })
        .await
    }

    /// Sends a request and returns as soon as the head of the answer is there.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn start(&self, request: Request<AnyBody>) -> Response<Incoming> {
        self.try_start(request).await.expect("an answer")
    }

    /// Sends a request and returns as soon as the head of the answer is there.
    ///
    /// # Errors
    /// If the connection or the exchange fails.
    pub async fn try_start(
        &self,
        mut request: Request<AnyBody>,
    ) -> Result<Response<Incoming>, legacy::Error> {
        let cookies: Vec<String> = self
            .jar
            .lock()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() && !request.headers().contains_key(header::COOKIE) {
            request
                .headers_mut()
                .insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        let response = self.inner.request(request).await?;
        self.keep_cookies(response.headers());
        Ok(response)
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        let mut jar = self.jar.lock().unwrap();
        for value in headers.get_all(header::SET_COOKIE) {
            let text = value.to_str().expect("a printable cookie");
            let (name, rest) = text.split_once('=').expect("name=value");
            let value = rest.split(';').next().unwrap_or_default();
            if text.to_ascii_lowercase().contains("max-age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.into(), value.into());
            }
        }
    }

    /// The login page that stands before `target`.
    ///
    /// # Panics
    /// If there is none.
    pub async fn login_page(&self, target: &str) -> Answer {
        let challenge = self.get(target).await;
        assert_eq!(
            challenge.status,
            StatusCode::FOUND,
            "{target} does not ask for a login: {}",
            challenge.text()
        );
        let page = self.get(challenge.location()).await;
        assert!(
            !page.hidden_fields().is_empty(),
            "no form at {}: {}",
            challenge.location(),
            page.text()
        );
        page
    }

    /// Sends the form of a login page.
    pub async fn fill_login(&self, page: &Answer, user: &str, password: &str) -> Answer {
        self.fill_form(page, &[("USER", user), ("PASSWORD", password)])
            .await
    }

    /// Sends the form of any page of the login, with what is hidden in it.
    pub async fn fill_form(&self, page: &Answer, typed: &[(&str, &str)]) -> Answer {
        let hidden = page.hidden_fields();
        let mut fields = typed.to_vec();
        fields.extend(
            hidden
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        self.post_form("/doorward/login", &fields).await
    }

    /// Goes through the login form that stands before `target`; returns the answer to the form.
    ///
    /// # Panics
    /// If `target` does not lead to a login form.
    pub async fn submit_login(&self, target: &str, user: &str, password: &str) -> Answer {
        let page = self.login_page(target).await;
        self.fill_login(&page, user, password).await
    }

    /// Logs in and returns the SMSESSION cookie.
    ///
    /// # Panics
    /// If the login does not succeed.
    pub async fn login(&self, target: &str, user: &str, password: &str) -> String {
        let answer = self.submit_login(target, user, password).await;
        assert_eq!(
            answer.status,
            StatusCode::SEE_OTHER,
            "{user} cannot log in: {}",
            answer.text()
        );
        self.cookie("SMSESSION").expect("a session cookie")
    }
}
