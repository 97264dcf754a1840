//! The life of one request. Start reading here.
//!
//! Every early exit is a [`Denial`]. The only way to an upstream is to hold a [`Grant`], and only
//! [`access`] makes one.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;

use crate::access::protection::Protection;
use crate::access::{self, Denial, Grant, Visit};
use crate::config::defaults::MAX_HEADER_FIELDS;
use crate::http::ConnectionInfo;
use crate::http::body::{Body, RequestBody};
use crate::http::client_origin::ClientOrigin;
use crate::http::target::RequestTarget;
use crate::login::{self, Portal};
use crate::outbound;
use crate::record::Record;
use crate::services::{self, Served};
use crate::session::Sessions;
use crate::site::Site;
use crate::telemetry::{AccessLog, Outcome};

/// Everything that requests share.
#[derive(Debug)]
pub struct Pipeline {
    site: ArcSwap<Site>,
    sessions: Arc<Sessions>,
    access_log: Option<AccessLog>,
}

impl Pipeline {
    /// A pipeline over a configuration and what is known of sessions.
    pub fn new(site: Site, sessions: Arc<Sessions>, access_log: Option<AccessLog>) -> Self {
        Self {
            site: ArcSwap::from_pointee(site),
            sessions,
            access_log,
        }
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

    /// Writes what the access log still holds.
    pub fn flush_access_log(&self) {
        self.access_log.iter().for_each(AccessLog::flush);
    }

    /// Lines that the access log had to drop.
    pub fn access_log_dropped(&self) -> u64 {
        self.access_log.as_ref().map_or(0, AccessLog::dropped)
    }

    /// Answers one request. Never fails: a refusal is a response, too.
    pub async fn respond(
        &self,
        conn: &ConnectionInfo,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let site = self.site.load_full();
        let (mut parts, body) = request.into_parts();
        let mut record = Record::new(&self.sessions, conn, &parts);
        record.hide_tokens(&site, &parts);
        let response = match self
            .handle(&site, conn, &mut parts, body, &mut record)
            .await
        {
            Ok(response) => response,
            Err(denial) => {
                record.denied(None, &denial);
                services::refuse(conn, &parts, &denial)
                    .unwrap_or_else(|| login::refuse(&site, &record, &denial))
            }
        };
        record.finish(self.access_log.as_ref(), &parts, response)
    }

    /// The story itself. If swapping two steps could change who gets in, they stand here.
    async fn handle(
        &self,
        site: &Site,
        conn: &ConnectionInfo,
        parts: &mut Parts,
        body: Incoming,
        record: &mut Record<'_>,
    ) -> Result<Response<Body>, Denial> {
        if parts.headers.len() > MAX_HEADER_FIELDS {
            return Err(Denial::TooManyHeaders);
        }
        let target = RequestTarget::parse(conn, parts)?;
        let origin = ClientOrigin::read(conn, &parts.headers, &site.config.trusted_proxies)?;
        record.client = origin.address;
        site.managed.strip(&mut parts.headers);
        if let Some(port) = conn.redirect_to_https {
            return login::to_https(site, &target, port, record);
        }
        let mut facts = record.facts(site, conn, &target, &origin);
        let body = RequestBody::streamed(body, site.config.limits.body_bytes);
        let body = match services::answer(&self.sessions, &facts.with(&parts.headers), body).await {
            Served::NotOurs(body) => body,
            Served::Answered(answered) => return Ok(record.served(answered)),
        };
        let resumed;
        let body = match login::portal(&self.sessions, &facts.with(&parts.headers), body).await? {
            Portal::NotOurs(body) => body,
            Portal::Answered(response) => return Ok(record.answered(Outcome::Served, response)),
            Portal::Resumed(waited_for_login) => {
                resumed = waited_for_login;
                facts.resume(&resumed);
                resumed.restore(&mut parts.headers)
            }
        };
        let visit = facts.with(&parts.headers);
        let (grant, set_cookie) = match self.admit(&visit).await {
            Ok(passed) => passed,
            Err(denial) => {
                record.denied(Some(&facts), &denial);
                login::give_up_if_decided(&self.sessions, &facts, &denial);
                return login::challenge(&self.sessions, &visit, denial, body).await;
            }
        };
        if !login::may_be_sent(&self.sessions, &facts) {
            return Ok(record.answered(Outcome::Served, login::already_sent(&visit)));
        }
        record.granted(&facts, &grant);
        let request = outbound::prepare(&facts, parts, body, &grant);
        let response = site.upstreams.forward(&grant, request, conn.worker).await?;
        let response = outbound::finish(response, site, &grant, set_cookie);
        Ok(record.answered(Outcome::Forwarded, response))
    }

    /// Protection, authentication, authorization: a grant, and the cookie that is due with the answer.
    async fn admit(&self, visit: &Visit<'_>) -> Result<(Grant, Option<HeaderValue>), Denial> {
        match visit.site.realms.find(visit.target)? {
            Protection::Open(open) => Ok((open.grant(), None)),
            Protection::Protected(realm) => {
                let (admitted, grant) = access::admit(&self.sessions, visit, &realm).await?;
                Ok((grant, admitted.set_cookie))
            }
        }
    }
}
