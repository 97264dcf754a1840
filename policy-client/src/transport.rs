//! HTTPS to policy servers, and to other systems' services. The only module that knows the HTTP client.

mod address;
mod exchange;
mod reply;
mod source;

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use policy_protocol::Secret;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use self::address::{address, base};
pub(crate) use self::exchange::{Answer, Exchange};
use self::reply::{chain, decode, failure, success, unavailable};
use self::source::{Source, is_well};
use crate::limits::{CONNECT_TIMEOUT, KEEP_ALIVE, POOL_IDLE, PROBE_TIMEOUT};
use crate::retry::{Call, Caller, Failure, Repeat};
use crate::servers::Servers;
use crate::settings::{ClientError, Dialect, TransportSettings};
use crate::{PolicyError, tls};

/// Names this client to the policy server for as long as it exists: a random value.
const INSTANCE: HeaderName = HeaderName::from_static("doorward-agent-instance");
/// Random bytes in that name: as many as in a session id.
const INSTANCE_LENGTH: usize = 20;
/// There is no such server.
const NONE: usize = usize::MAX;

/// Sends calls to policy servers.
pub(crate) struct Transport {
    client: Client,
    dialect: Dialect,
    /// By the same index as in `caller.servers`.
    bases: Vec<Url>,
    caller: Caller,
    /// The server that the last stream came from, or [`NONE`].
    streaming: AtomicUsize,
}

/// What is to be sent.
struct Outgoing<'a> {
    method: Method,
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    body: Option<Secret<Vec<u8>>>,
}

impl<'a> Outgoing<'a> {
    const fn get(path: &'a [&'a str], query: &'a [(&'a str, &'a str)]) -> Self {
        Self {
            method: Method::GET,
            path,
            query,
            body: None,
        }
    }
}

impl Transport {
    pub(crate) fn new(settings: &TransportSettings) -> Result<Self, ClientError> {
        let urls = settings.servers.clusters.iter().flatten();
        let bases = urls.map(|url| base(url)).collect::<Result<Vec<_>, _>>()?;
        if bases.is_empty() {
            return Err(ClientError::NoUrl);
        }
        let tls = tls::config(
            settings.ca_file.as_deref(),
            settings.client_certificate.as_ref(),
        )?;
        // Shorter than a turn, so that it is known that nothing was processed.
        let turns = u32::try_from(bases.len() + 1).unwrap_or(u32::MAX);
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers(settings)?)
            .connect_timeout(CONNECT_TIMEOUT.min(settings.timeout / turns))
            .pool_idle_timeout(POOL_IDLE)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE)
            .http2_keep_alive_while_idle(true)
            .build()
            .map_err(setup)?;
        Ok(Self {
            client,
            dialect: settings.dialect,
            bases,
            caller: Caller::new(Servers::new(&settings.servers), settings.timeout),
            streaming: AtomicUsize::new(NONE),
        })
    }

    /// Whether the first server says that it is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        let asked = is_well(self.client.clone(), self.dialect, self.bases[0].clone());
        let answer = tokio::time::timeout(PROBE_TIMEOUT, asked).await;
        answer.unwrap_or(false)
    }

    /// POSTs what does the same if it is done twice, and reads the answer.
    pub(crate) async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &[&str],
        request: &Q,
    ) -> Result<A, PolicyError> {
        self.send(Repeat::Freely, path, request).await
    }

    /// POSTs what must be done once at most, and reads the answer.
    pub(crate) async fn post<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &[&str],
        request: &Q,
    ) -> Result<A, PolicyError> {
        self.send(Repeat::IfNotProcessed, path, request).await
    }

    async fn send<Q: Serialize, A: DeserializeOwned>(
        &self,
        repeat: Repeat,
        path: &[&str],
        request: &Q,
    ) -> Result<A, PolicyError> {
        // Credentials may be inside: the text is wiped, as far as it is ours to wipe.
        let body = serde_json::to_vec(request).map_err(|_| PolicyError::Protocol)?;
        let outgoing = &Outgoing {
            method: Method::POST,
            path,
            query: &[],
            body: Some(Secret::new(body)),
        };
        self.make(Call::new(repeat), move |server| async move {
            decode(success(self.ask_one(server, outgoing).await?)?).await
        })
        .await
    }

    /// GETs an answer; `None` if the server knows no such thing.
    pub(crate) async fn get<A: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Option<A>, PolicyError> {
        let outgoing = &Outgoing::get(path, query);
        // What a stream has announced, the server that it comes from knows for certain.
        let streaming = self.streaming.load(Ordering::Relaxed);
        let call = Call {
            preferred: (streaming != NONE).then_some(streaming),
            ..Call::new(Repeat::Freely)
        };
        self.make(call, move |server| async move {
            let response = self.ask_one(server, outgoing).await?;
            if response.status() == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            decode(success(response)?).await.map(Some)
        })
        .await
    }

    /// DELETEs something.
    pub(crate) async fn delete(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<(), PolicyError> {
        let outgoing = &Outgoing {
            method: Method::DELETE,
            ..Outgoing::get(path, query)
        };
        self.make(Call::new(Repeat::Freely), move |server| async move {
            success(self.ask_one(server, outgoing).await?).map(drop)
        })
        .await
    }

    /// GETs an answer that goes on for ever; when its server was asked, and where it is. The deadline holds for its head only.
    pub(crate) async fn stream(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<
        (
            impl Stream<Item = Result<Bytes, PolicyError>> + Send + use<>,
            Instant,
            Source,
        ),
        PolicyError,
    > {
        let outgoing = &Outgoing::get(path, query);
        let head = move |server| async move {
            let asked = Instant::now();
            let response = success(self.ask_one(server, outgoing).await?)?;
            Ok((response, asked, self.source(server)))
        };
        let (response, asked, source) = self.make(Call::new(Repeat::Freely), head).await?;
        self.streaming.store(source.server, Ordering::Relaxed);
        let chunks = response.bytes_stream();
        let chunks = chunks.map(|chunk| chunk.map_err(|_| PolicyError::NoConnection));
        Ok((chunks, asked, source))
    }

    async fn make<T, F>(&self, call: Call, attempt: impl Fn(usize) -> F) -> Result<T, PolicyError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let lost = |server| self.source(server).probe();
        self.caller.make(call, attempt, lost).await
    }

    /// Where the servers are that can be used at the moment, in the order in which they are to be tried.
    #[cfg(feature = "am-notifications")]
    pub(crate) fn usable(&self) -> Vec<Url> {
        let turns = self.caller.servers.turns();
        turns
            .into_iter()
            .map(|turn| self.bases[turn].clone())
            .collect()
    }

    fn source(&self, server: usize) -> Source {
        Source {
            client: self.client.clone(),
            dialect: self.dialect,
            base: self.bases[server].clone(),
            servers: Arc::clone(&self.caller.servers),
            server,
        }
    }

    /// Sends a request to one policy server, and waits for the head of an answer that is one.
    async fn ask_one(&self, server: usize, outgoing: &Outgoing<'_>) -> Result<Response, Failure> {
        let base = &self.bases[server];
        let url = address(base, outgoing.path, outgoing.query);
        let mut request = self.client.request(outgoing.method.clone(), url);
        if let Some(body) = &outgoing.body {
            request = request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(body.expose().clone());
        }
        well(base, sent(base, request).await?).await
    }
}

/// Waits for the head of an answer.
async fn sent(base: &Url, request: RequestBuilder) -> Result<Response, Failure> {
    request.send().await.map_err(|error| {
        tracing::warn!(server = %base, error = %chain(&error), "call failed");
        failure(&error)
    })
}

/// An answer that is one.
async fn well(base: &Url, response: Response) -> Result<Response, Failure> {
    let status = response.status();
    // 501 is about what was asked: no other server would do it, and this one is well.
    if !status.is_server_error() || status == StatusCode::NOT_IMPLEMENTED {
        return Ok(response);
    }
    let failed = failed(base, status);
    Err(match status {
        StatusCode::SERVICE_UNAVAILABLE => unavailable(response).await,
        _ => failed,
    })
}

fn failed(base: &Url, status: StatusCode) -> Failure {
    tracing::warn!(server = %base, status = status.as_u16(), "the policy server failed");
    Failure::Failed
}

/// What goes along with every request.
fn headers(settings: &TransportSettings) -> Result<HeaderMap, ClientError> {
    let mut headers = HeaderMap::new();
    if settings.dialect == Dialect::Native {
        let mut instance = [0; INSTANCE_LENGTH];
        getrandom::fill(&mut instance).map_err(setup)?;
        let instance = HeaderValue::from_str(&URL_SAFE_NO_PAD.encode(instance)).map_err(setup)?;
        headers.insert(INSTANCE, instance);
    }
    if let Some(authorization) = &settings.authorization {
        let mut value = HeaderValue::from_str(authorization.expose()).map_err(setup)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

fn setup(error: impl Display) -> ClientError {
    ClientError::Setup(error.to_string())
}
