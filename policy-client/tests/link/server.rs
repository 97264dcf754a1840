//! Policy servers that do as they are told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use policy_client::native::{NativeClient, NativeSettings};
use policy_client::{Balance, PolicyCalls as _, PolicyError, ServerList};
use policy_protocol::message::SessionTicket;
use policy_protocol::{Secret, SessionId, SessionSpec};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::foreign::{login, logout};

/// Deadline of each call, over all servers.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// What a server does with calls. Probes are answered by [`Does::Answers`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Answers every call.
    Answers,
    /// Answers with this status, and a problem of this type.
    Fails(u16, &'static str),
    /// Answers probes, and fails calls with this status.
    OnlyProbes(u16),
    /// Takes calls and says nothing.
    Waits,
    /// Accepts connections and says nothing, not even TLS.
    Accepts,
}

/// One request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) instance: Option<String>,
    /// The certificates that the client showed.
    pub(crate) certificates: usize,
}

/// One policy server, and what has arrived there.
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<State>,
    running: Mutex<Option<AbortHandle>>,
}

struct State {
    does: Mutex<Does>,
    /// Whether it has heard of the readiness call.
    knows_ready: Mutex<bool>,
    seen: Mutex<Vec<Seen>>,
    /// What event streams say, line by line, before they fall silent.
    events: Mutex<Vec<String>>,
}

/// Certificates for servers and agents.
pub(crate) struct Pki {
    pub(crate) folder: TempDir,
}

impl Pki {
    pub(crate) fn get() -> &'static Self {
        static PKI: OnceLock<Pki> = OnceLock::new();
        PKI.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
            for (name, usage) in [
                ("localhost", ExtendedKeyUsagePurpose::ServerAuth),
                ("agent", ExtendedKeyUsagePurpose::ClientAuth),
            ] {
                let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
                params.extended_key_usages = vec![usage];
                let key = KeyPair::generate().unwrap();
                let certificate = params.signed_by(&key, &ca).unwrap();
                let file = |end: &str| folder.path().join(format!("{name}.{end}"));
                std::fs::write(file("pem"), certificate.pem()).unwrap();
                std::fs::write(file("key"), key.serialize_pem()).unwrap();
            }
            Self { folder }
        })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap())
            .unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = verifier.allow_unauthenticated().build().unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_file(self.file("localhost.pem")).unwrap()],
                PrivateKeyDer::from_pem_file(self.file("localhost.key")).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Server {
    /// One that answers.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(State {
                does: Mutex::new(Does::Answers),
                knows_ready: Mutex::new(true),
                seen: Mutex::default(),
                events: Mutex::default(),
            }),
            running: Mutex::default(),
        };
        server.serve(listener);
        server
    }

    /// Ends every connection; new ones are refused.
    pub(crate) fn stop(&self) {
        self.running.lock().unwrap().take().unwrap().abort();
    }

    /// Listens again where it listened before.
    pub(crate) async fn start_again(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let listener = loop {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            // Whoever was stopped may not have let go yet.
            match socket.bind(self.address) {
                Ok(()) => break socket.listen(1024).unwrap(),
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            tokio::task::yield_now().await;
        };
        self.serve(listener);
    }

    fn serve(&self, listener: TcpListener) {
        let state = Arc::clone(&self.state);
        let task = tokio::spawn(async move {
            let acceptor = Pki::get().acceptor();
            // Connections end with the server.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(connection(Arc::clone(&state), acceptor.clone(), stream));
            }
        });
        *self.running.lock().unwrap() = Some(task.abort_handle());
    }

    pub(crate) fn does(&self, does: Does) {
        *self.state.does.lock().unwrap() = does;
    }

    /// As servers did before there was a readiness call.
    pub(crate) fn forget_ready(&self) {
        *self.state.knows_ready.lock().unwrap() = false;
    }

    /// What event streams say before they fall silent.
    pub(crate) fn tells(&self, lines: &[&str]) {
        *self.state.events.lock().unwrap() = lines.iter().map(|line| format!("{line}\n")).collect();
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// How many requests of a kind have arrived.
    pub(crate) fn count(&self, call: &str) -> usize {
        let path = format!("/policy/v1/{call}");
        self.seen().iter().filter(|seen| seen.path == path).count()
    }
}

async fn connection(state: Arc<State>, acceptor: TlsAcceptor, stream: TcpStream) {
    if *state.does.lock().unwrap() == Does::Accepts {
        return std::future::pending().await;
    }
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let certificates = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
    let service = service_fn(move |request| answer(Arc::clone(&state), request, certificates));
    _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

type Body = BoxBody<Bytes, Infallible>;

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
    certificates: usize,
) -> Result<Response<Body>, Infallible> {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let path = request.uri().path().to_owned();
    state.seen.lock().unwrap().push(Seen {
        path: path.clone(),
        authorization: header("authorization"),
        instance: header("doorward-agent-instance"),
        certificates,
    });
    let call = path.strip_prefix("/policy/v1/").unwrap();
    let does = *state.does.lock().unwrap();
    let (status, body) = match (does, call) {
        (_, "ready") if !*state.knows_ready.lock().unwrap() => (404, String::new()),
        (Does::Answers | Does::OnlyProbes(_), "ready" | "live") => (200, String::new()),
        (Does::Answers, "events") => return Ok(Response::new(events(&state))),
        (Does::Answers, "logout") => (200, String::from(r#"{"answer":"yes"}"#)),
        (Does::Answers, "login") => (200, String::from(r#"{"answer":"no","reason":1}"#)),
        (Does::Answers, _) => (404, String::new()),
        (Does::OnlyProbes(status), _) => (status, String::new()),
        (Does::Fails(status, kind), _) => (
            status,
            format!(r#"{{"type":"{kind}","title":"no","status":{status}}}"#),
        ),
        (Does::Waits | Does::Accepts, _) => std::future::pending().await,
    };
    let mut response = Response::new(Full::from(body).boxed());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}

fn events(state: &State) -> Body {
    let lines = state.events.lock().unwrap().clone();
    let lines = lines
        .into_iter()
        .map(|line| Ok(Frame::data(Bytes::from(line))));
    let lines = futures_util::stream::iter(lines).chain(futures_util::stream::pending());
    BodyExt::boxed(StreamBody::new(lines))
}

/// An agent's settings for some servers, in order.
pub(crate) fn settings(servers: &[&Server]) -> NativeSettings {
    NativeSettings {
        servers: ServerList::in_order(servers.iter().map(|server| server.url()).collect()),
        ca_file: Some(Pki::get().file("ca.pem")),
        agent_name: String::from("agent"),
        agent_secret: Some(Secret::new(String::from("secret"))),
        client_certificate: None,
        timeout: TIMEOUT,
    }
}

/// An agent of some servers, in order.
pub(crate) fn client(servers: &[&Server]) -> NativeClient {
    NativeClient::new(&settings(servers)).unwrap()
}

/// An agent of some clusters.
pub(crate) fn clustered(
    clusters: &[&[&Server]],
    balance: Balance,
    failover_threshold: u8,
) -> NativeClient {
    let urls = |servers: &&[&Server]| servers.iter().map(|server| server.url()).collect();
    NativeClient::new(&NativeSettings {
        servers: ServerList {
            clusters: clusters.iter().map(urls).collect(),
            balance,
            failover_threshold,
        },
        ..settings(&[])
    })
    .unwrap()
}

fn ticket() -> SessionTicket {
    SessionTicket {
        session_id: SessionId::from_bytes([1; 20]),
        session_spec: SessionSpec::new(String::from("spec")),
    }
}

/// A call that may be repeated.
pub(crate) async fn ask(client: &NativeClient) -> Result<(), PolicyError> {
    client.logout(logout(ticket())).await.map(drop)
}

/// A call that may not.
pub(crate) async fn log_in(client: &NativeClient) -> Result<(), PolicyError> {
    client.login(login("alice", "password")).await.map(drop)
}

/// Polls until something is so.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
