//! Active health checks: a server that does not answer well gets no requests until it does.

use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{Request, Version};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::balance::{Server, Servers};
use super::client::Client;
use crate::http::body::RequestBody;

/// Checks in the background, until dropped.
#[derive(Debug)]
pub(super) struct HealthChecks(JoinHandle<()>);

impl Drop for HealthChecks {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What to ask, and how.
#[derive(Debug)]
pub(super) struct Checker {
    pub(super) upstream: String,
    pub(super) path: PathAndQuery,
    pub(super) every: Duration,
    pub(super) timeout: Duration,
    pub(super) http2: bool,
    pub(super) client: Client,
}

impl Checker {
    /// Checks all servers at once, again and again, on the current runtime.
    pub(super) fn start(self, servers: Arc<Servers>) -> HealthChecks {
        HealthChecks(tokio::spawn(async move {
            let mut ticks = interval(self.every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let checks = servers.all().iter().map(|server| self.check(server));
                futures_util::future::join_all(checks).await;
            }
        }))
    }

    async fn check(&self, server: &Server) {
        let failing = !self.answers_well(server).await;
        if server.set_failing(failing) != failing {
            let (upstream, server) = (&self.upstream, server.name());
            if failing {
                tracing::warn!(
                    upstream,
                    server,
                    "the health check fails: no requests go to this server"
                );
            } else {
                tracing::info!(upstream, server, "the health check succeeds again");
            }
        }
    }

    async fn answers_well(&self, server: &Server) -> bool {
        let Ok(uri) = server.uri(self.path.clone()) else {
            return false;
        };
        let mut request = Request::new(RequestBody::empty());
        *request.uri_mut() = uri;
        if self.http2 {
            *request.version_mut() = Version::HTTP_2;
        } else {
            request.headers_mut().insert(HOST, server.host.clone());
        }
        match timeout(self.timeout, self.client.send(request)).await {
            Ok(Ok(response)) => {
                response.status().is_success() || response.status().is_redirection()
            }
            _ => false,
        }
    }
}
