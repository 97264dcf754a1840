//! Forwarding to the protected applications.
//!
//! `forward` is the way of one request, `client` the pooled connections, `balance` the choice of a
//! server, `health` what is known of it, `hop_by_hop` what is not passed on, `upgrade` WebSockets.

mod balance;
mod client;
mod forward;
mod health;
pub(crate) mod hop_by_hop;
pub(crate) mod tls;
mod upgrade;

use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{Request, Response};

use crate::access::{Denial, Grant};
use crate::config;
use crate::http::body::{Body, RequestBody};
use crate::http::headers::ManagedHeaders;
use balance::Servers;
use client::Client;
use health::{Checker, HealthChecks};
pub use tls::UpstreamError;

/// Everything that can be forwarded to, for one configuration.
#[derive(Debug)]
pub struct Upstreams {
    /// In the order of [`config::Config::upstreams`].
    all: Vec<Arc<Upstream>>,
    managed: Arc<ManagedHeaders>,
}

/// One application.
#[derive(Debug)]
struct Upstream {
    settings: Arc<config::Upstream>,
    servers: Arc<Servers>,
    /// One for each worker.
    clients: Vec<Client>,
    _health_checks: Option<HealthChecks>,
}

impl Upstreams {
    /// Prepares all upstreams. One that `previous` has with the same settings keeps its connections and
    /// what is known of its servers. Opens no connection, but starts health checks, so it must be called
    /// on a runtime that lives as long as the result.
    ///
    /// `managed` are the headers that are ours: `Connection` cannot remove them, and trailers cannot
    /// bring them.
    ///
    /// # Errors
    /// Where an https server could not be verified.
    pub fn build(
        configs: &[Arc<config::Upstream>],
        managed: Arc<ManagedHeaders>,
        workers: usize,
        previous: Option<&Self>,
    ) -> Result<Self, UpstreamError> {
        let kept = |settings: &Arc<config::Upstream>| {
            let previous = previous?.all.iter();
            previous
                .filter(|old| old.clients.len() == workers)
                .find(|old| old.settings == *settings)
        };
        let all = configs
            .iter()
            .map(|settings| match kept(settings) {
                Some(upstream) => Ok(Arc::clone(upstream)),
                None => Upstream::build(settings, workers).map(Arc::new),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { all, managed })
    }

    /// Forwards a request that was granted, on the given worker.
    ///
    /// The path and query of its address are sent as they are. Headers of one connection are removed
    /// here; identity and forwarding headers must be there already.
    ///
    /// # Errors
    /// When there is no response to pass on: the upstream cannot be reached or is too slow, or the
    /// client's body is too large or breaks off.
    pub async fn forward(
        &self,
        grant: &Grant,
        request: Request<RequestBody>,
        worker: usize,
    ) -> Result<Response<Body>, Denial> {
        let upstream = self
            .all
            .get(grant.realm().upstream)
            .ok_or(Denial::Internal)?;
        let session = grant.identity().map(|identity| &identity.session);
        upstream
            .forward(request, &self.managed, session, worker)
            .await
    }
}

impl Upstream {
    fn build(settings: &Arc<config::Upstream>, workers: usize) -> Result<Self, UpstreamError> {
        let name = || settings.name.clone();
        let tls = tls::client_config(settings)?;
        let servers = Servers::new(&settings.servers, settings.balance)
            .ok_or_else(|| UpstreamError::Servers { upstream: name() })?;
        let servers = Arc::new(servers);
        let health_checks = match &settings.health {
            Some(check) => {
                let path = PathAndQuery::try_from(check.path.as_str())
                    .map_err(|_| UpstreamError::HealthPath { upstream: name() })?;
                let (every, timeout) = (check.interval, check.timeout);
                let (http2, client) = (settings.http2, Client::new(settings, &tls));
                let checker = Checker {
                    upstream: name(),
                    path,
                    every,
                    timeout,
                    http2,
                    client,
                };
                Some(checker.start(Arc::clone(&servers)))
            }
            None => None,
        };
        Ok(Self {
            settings: Arc::clone(settings),
            servers,
            clients: (0..workers).map(|_| Client::new(settings, &tls)).collect(),
            _health_checks: health_checks,
        })
    }
}

#[cfg(test)]
mod tests;
