//! The life of one request. Start reading here.
//!
//! Every early exit is a [`Denial`]. The only way to an upstream is to hold a
//! [`Grant`](crate::access::Grant), and only [`access`] makes one.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use http::request::Parts;
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;

use crate::access::authorize::authorize;
use crate::access::authenticate::authenticate;
use crate::access::protection::Protection;
use crate::access::{self, Denial, Grant, Visit};
use crate::http::ConnectionInfo;
use crate::http::body::{Body, RequestBody};
use crate::http::headers::ClientOrigin;
use crate::http::target::RequestTarget;
use crate::http::transaction::TransactionId;
use crate::login::Portal;
use crate::outcome::Outcome;
use crate::session::Sessions;
use crate::site::Site;
use crate::{login, outbound};

/// Everything that requests share.
#[derive(Debug)]
pub struct Pipeline {
    site: ArcSwap<Site>,
    sessions: Arc<Sessions>,
}

impl Pipeline {
    /// A pipeline over a configuration and what is known of sessions.
    pub fn new(site: Site, sessions: Arc<Sessions>) -> Self {
        Self { site: ArcSwap::from_pointee(site), sessions }
    }

    /// The configuration in force.
    pub fn site(&self) -> Arc<Site> {
        self.site.load_full()
    }

    /// Puts another configuration in force. Requests in progress keep theirs.
    pub fn replace_site(&self, site: Site) {
        self.site.store(Arc::new(site));
    }

    /// What is known of sessions.
    pub const fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Answers one request. Never fails: a refusal is a response, too.
    pub async fn respond(&self, conn: &ConnectionInfo, request: Request<Incoming>) -> Response<Body> {
        let site = self.site.load_full();
        let mut outcome = Outcome::new(conn, &request, Instant::now(), self.sessions.now());
        let (mut parts, body) = request.into_parts();
        let limits = &site.config.limits;
        let body = RequestBody::incoming(body, limits.body_bytes, limits.head_timeout, &site.managed);
        let result = self.handle(&site, conn, &mut parts, body, &mut outcome).await;
        let response = result.unwrap_or_else(|denial| login::refuse(&site, &parts, &denial, &mut outcome));
        outcome.finish(&self.sessions.metrics, site.config.log.access_log, conn, &parts, response)
    }

    /// The story itself. If swapping two steps could change who gets in, they stand here.
    async fn handle(
        &self,
        site: &Site,
        conn: &ConnectionInfo,
        parts: &mut Parts,
        mut body: RequestBody,
        outcome: &mut Outcome,
    ) -> Result<Response<Body>, Denial> {
        let mut target = RequestTarget::parse(conn, parts)?;
        let origin = ClientOrigin::read(conn, &parts.headers, &site.config.trusted_proxies);
        outcome.learned(&origin);
        site.managed.strip(&mut parts.headers);
        if let Some(redirect) = login::to_https(conn, &target) {
            return redirect;
        }
        match login::portal(&self.sessions, &self.visit(site, conn, &target, &origin, parts, outcome), body).await? {
            Portal::NotOurs(untouched) => body = untouched,
            Portal::Answered(response) => return Ok(response),
            Portal::Resumed(request) => {
                target = request.target;
                parts.method = target.method().clone();
                request.restore(&mut parts.headers);
                body = request.body;
            }
        }
        let grant = {
            let visit = self.visit(site, conn, &target, &origin, parts, outcome);
            match self.admit(&visit).await {
                Ok(admitted) => admitted,
                Err(Denial::Challenge { realm, reason }) => {
                    return login::challenge(&self.sessions, &visit, &realm, reason, body).await;
                }
                Err(denial) => return Err(denial),
            }
        };
        let Passed { grant, set_cookie } = grant;
        outcome.granted(&grant);
        let request = outbound::prepare(site, conn, &origin, &target, parts, body, &grant, outcome);
        let response = site.upstreams.forward(&grant, request, conn.worker).await?;
        Ok(outbound::finish(response, &grant, set_cookie))
    }

    /// Protection, authentication, authorization.
    async fn admit(&self, visit: &Visit<'_>) -> Result<Passed, Denial> {
        match visit.site.realms.find(visit.target)? {
            Protection::Open(realm) => Ok(Passed { grant: access::open(realm), set_cookie: None }),
            Protection::Protected(realm) => {
                let admitted = authenticate(&self.sessions, visit, &realm).await?;
                let grant = authorize(&self.sessions, visit, &realm, &admitted).await?;
                Ok(Passed { grant, set_cookie: admitted.set_cookie })
            }
        }
    }
}
