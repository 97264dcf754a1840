//! HTTPS to a list of policy servers. The only file that knows the HTTP client.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use policy_protocol::Secret;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::PolicyError;

/// The longest answer that is read, in bytes. A full session listing is the longest there is.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// A server that could not be connected to is passed over for this long, while others are left.
const PASS_OVER: Duration = Duration::from_secs(1);
/// Idle connections are closed before common firewalls forget them.
const POOL_IDLE: Duration = Duration::from_secs(60);
/// How often an HTTP/2 connection in use is checked for life.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No address was given.
    #[error("no policy server address given")]
    NoUrl,
    /// An address is unusable.
    #[error("policy server address {url:?}: {problem}")]
    Url {
        /// The address.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Trust anchors could not be read.
    #[error("trust anchors {from}: {problem}")]
    TrustAnchors {
        /// Where they were looked for.
        from: String,
        /// What is wrong.
        problem: String,
    },
    /// The secret cannot stand in an HTTP header, or the HTTP client could not be set up.
    #[error("policy server client: {0}")]
    Setup(String),
}

/// What every client of a policy server has to be told.
pub(crate) struct TransportSettings {
    /// In order of preference.
    pub(crate) urls: Vec<String>,
    /// Trust anchors (PEM); the system's if absent.
    pub(crate) ca_file: Option<PathBuf>,
    /// The value of the `Authorization` header.
    pub(crate) authorization: Secret<String>,
    /// Deadline of each call, over all servers.
    pub(crate) timeout: Duration,
}

/// One policy server.
struct Server {
    base: Url,
    /// Milliseconds after [`Transport::origin`] until which this server is passed over.
    passed_over_until: AtomicU64,
}

/// Sends calls to the first server that can be connected to.
pub(crate) struct Transport {
    client: Client,
    servers: Vec<Server>,
    timeout: Duration,
    origin: Instant,
}

impl Transport {
    pub(crate) fn new(settings: &TransportSettings) -> Result<Self, ClientError> {
        let servers = settings
            .urls
            .iter()
            .map(|url| server(url))
            .collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(ClientError::NoUrl);
        }
        // Short enough that every server gets its turn within the deadline.
        let turns = u32::try_from(servers.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let mut authorization =
            HeaderValue::from_str(settings.authorization.expose()).map_err(setup)?;
        authorization.set_sensitive(true);
        let client = Client::builder()
            .tls_backend_preconfigured(tls(settings.ca_file.as_deref())?)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, authorization)]))
            .connect_timeout(settings.timeout / turns)
            .pool_idle_timeout(POOL_IDLE)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE)
            .build()
            .map_err(setup)?;
        Ok(Self {
            client,
            servers,
            timeout: settings.timeout,
            origin: Instant::now(),
        })
    }

    /// POSTs `request` and reads the answer.
    pub(crate) async fn post<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &[&str],
        request: &Q,
    ) -> Result<A, PolicyError> {
        // Credentials may be inside: the text is wiped, as far as it is ours to wipe.
        let body = Secret::new(serde_json::to_vec(request).map_err(|_| PolicyError::Protocol)?);
        self.within_deadline(async {
            let response = self.send(&Method::POST, path, &[], Some(&body)).await?;
            decode(success(response)?).await
        })
        .await
    }

    /// GETs an answer; `None` if the server knows no such thing.
    pub(crate) async fn get<A: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Option<A>, PolicyError> {
        self.within_deadline(async {
            let response = self.send(&Method::GET, path, query, None).await?;
            if response.status() == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            decode(success(response)?).await.map(Some)
        })
        .await
    }

    /// DELETEs something.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<(), PolicyError> {
        self.within_deadline(async {
            success(self.send(&Method::DELETE, path, &[], None).await?).map(drop)
        })
        .await
    }

    /// GETs an answer that goes on for ever. The deadline holds for its head only.
    pub(crate) async fn stream(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<impl Stream<Item = Result<Bytes, PolicyError>> + Send + use<>, PolicyError> {
        let response = self
            .within_deadline(async { success(self.send(&Method::GET, path, query, None).await?) })
            .await?;
        Ok(response
            .bytes_stream()
            .map(|chunk| chunk.map_err(|error| classify(&error))))
    }

    async fn within_deadline<T>(
        &self,
        call: impl Future<Output = Result<T, PolicyError>>,
    ) -> Result<T, PolicyError> {
        tokio::time::timeout(self.timeout, call)
            .await
            .unwrap_or(Err(PolicyError::TimedOut))
    }

    /// Sends to each server in turn until one can be connected to.
    async fn send(
        &self,
        method: &Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Secret<Vec<u8>>>,
    ) -> Result<Response, PolicyError> {
        for server in self.in_turn() {
            let url = address(&server.base, path, query);
            let mut request = self.client.request(method.clone(), url);
            if let Some(body) = body {
                request = request
                    .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                    .body(body.expose().clone());
            }
            match request.send().await {
                Ok(response) => return Ok(response),
                Err(error) if error.is_connect() => {
                    let until = self.origin.elapsed() + PASS_OVER;
                    let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
                    server.passed_over_until.store(until, Ordering::Relaxed);
                    tracing::warn!(server = %server.base, error = %chain(&error), "cannot connect");
                }
                Err(error) => {
                    tracing::warn!(server = %server.base, error = %chain(&error), "call failed");
                    return Err(classify(&error));
                }
            }
        }
        Err(PolicyError::NoConnection)
    }

    /// The servers in order of preference; those that failed just now come last, but do come: with
    /// nothing else left, trying is better than giving up.
    fn in_turn(&self) -> impl Iterator<Item = &Server> {
        let now = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (failed, usable): (Vec<_>, Vec<_>) = self
            .servers
            .iter()
            .partition(|server| server.passed_over_until.load(Ordering::Relaxed) > now);
        usable.into_iter().chain(failed)
    }
}

fn server(url: &str) -> Result<Server, ClientError> {
    let refused = |problem: String| ClientError::Url {
        url: url.to_owned(),
        problem,
    };
    let base = Url::parse(url).map_err(|error| refused(error.to_string()))?;
    if base.scheme() != "https" || base.host().is_none() {
        return Err(refused(String::from("must be an https address")));
    }
    if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
        return Err(refused(String::from(
            "must hold neither user, password nor query",
        )));
    }
    Ok(Server {
        base,
        passed_over_until: AtomicU64::new(0),
    })
}

/// `base` + `policy/v1` + `path`, every segment escaped.
fn address(base: &Url, path: &[&str], query: &[(&str, &str)]) -> Url {
    let mut url = base.clone();
    url.path_segments_mut()
        .expect("an https address has segments")
        .pop_if_empty()
        .extend(["policy", "v1"])
        .extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(setup)?
        .with_root_certificates(trust_anchors(ca_file)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn trust_anchors(ca_file: Option<&Path>) -> Result<RootCertStore, ClientError> {
    let from = ca_file.map_or_else(
        || String::from("of the system"),
        |file| file.display().to_string(),
    );
    let refused = |problem: String| ClientError::TrustAnchors {
        from: from.clone(),
        problem,
    };
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(file) => {
            let certificates =
                CertificateDer::pem_file_iter(file).map_err(|error| refused(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| refused(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| refused(error.to_string()))?;
            }
        }
        // System stores hold the odd certificate that does not parse; the others count.
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    if roots.is_empty() {
        Err(refused(String::from("none found")))
    } else {
        Ok(roots)
    }
}

fn setup(error: impl Display) -> ClientError {
    ClientError::Setup(error.to_string())
}

fn success(response: Response) -> Result<Response, PolicyError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    tracing::warn!(server = %response.url().authority(), status = status.as_u16(), "call refused");
    Err(PolicyError::Failure)
}

async fn decode<A: DeserializeOwned>(mut response: Response) -> Result<A, PolicyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(PolicyError::Protocol);
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(Secret::new(body).expose()).map_err(|_| PolicyError::Protocol)
}

fn classify(error: &reqwest::Error) -> PolicyError {
    if error.is_timeout() {
        PolicyError::TimedOut
    } else {
        PolicyError::NoConnection
    }
}

/// An error with its causes, without the address it was for.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
