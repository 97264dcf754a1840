//! A server of another system, over HTTPS: each test says what it answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::{Leaf, Pki};

type Answers = Arc<dyn Fn(&Request<String>) -> Response<String> + Send + Sync>;

/// The server. It stops when it is dropped.
pub struct ForeignServer {
    address: SocketAddr,
    leaf: Leaf,
    answers: Answers,
    received: Arc<Mutex<Vec<String>>>,
    running: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for ForeignServer {
    fn drop(&mut self) {
        if let Some(running) = self.running.lock().unwrap().take() {
            running.abort();
        }
    }
}

impl ForeignServer {
    /// One that answers, and that those who trust `pki` trust.
    pub async fn start(
        pki: &Pki,
        answers: impl Fn(&Request<String>) -> Response<String> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            leaf: pki.server(&["localhost"]),
            answers: Arc::new(answers),
            received: Arc::default(),
            running: Mutex::default(),
        };
        server.serve(listener);
        server
    }

    /// Its address, as agents are configured with it.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Method and target of each request that has arrived.
    pub fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    /// Ends every connection; new ones are refused.
    pub async fn stop(&self) {
        let running = self.running.lock().unwrap().take();
        if let Some(running) = running {
            running.abort();
            _ = running.await;
        }
    }

    /// Listens again where it listened before.
    pub fn start_again(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let listener = loop {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            // Whoever was stopped may not have let go yet.
            match socket.bind(self.address) {
                Ok(()) => break socket.listen(1024).unwrap(),
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        };
        self.serve(listener);
    }

    fn serve(&self, listener: TcpListener) {
        let acceptor = TlsAcceptor::from(self.leaf.server_config());
        let (answers, received) = (Arc::clone(&self.answers), Arc::clone(&self.received));
        let task = tokio::spawn(async move {
            // Connections end with the server.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                let (answers, received) = (Arc::clone(&answers), Arc::clone(&received));
                connections.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let service = service_fn(move |request| {
                        answer(Arc::clone(&answers), Arc::clone(&received), request)
                    });
                    _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        *self.running.lock().unwrap() = Some(task);
    }
}

async fn answer(
    answers: Answers,
    received: Arc<Mutex<Vec<String>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    let line = format!("{} {}", parts.method, parts.uri);
    received.lock().unwrap().push(line);
    Ok(answers(&Request::from_parts(parts, body)).map(Full::from))
}
