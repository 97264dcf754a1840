//! What is learned about one request on its way, for the access log, the metrics and the audit.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, header};
use policy_protocol::{Reason, Timestamp};

use crate::access::{Denial, Facts, Grant};
use crate::config::Realm;
use crate::http::ConnectionInfo;
use crate::http::body::Body;
use crate::http::client_origin::ClientOrigin;
use crate::http::target::RequestTarget;
use crate::http::transaction::TransactionId;
use crate::login::is_script;
use crate::services::{self, Answered};
use crate::session::Sessions;
use crate::session::cache::CachedSession;
use crate::site::Site;
use crate::telemetry::audit::{self, AuditEvent};
use crate::telemetry::metrics::{RequestTimer, WorkerMetrics};
use crate::telemetry::{AccessLog, AccessRecord, AuditContext, Outcome};

/// Tells the client which request to name when it complains.
static TRANSACTION_HEADER: HeaderName = HeaderName::from_static("x-doorward-transaction-id");

/// See the module.
#[derive(Debug)]
pub struct Record<'m> {
    /// Where the client is, as far as trusted peers say.
    pub client: IpAddr,
    /// What becomes of the request.
    pub outcome: Outcome,
    /// Whether a script asks.
    pub from_script: bool,
    /// The request's id.
    pub transaction_id: TransactionId,
    now: Timestamp,
    worker: usize,
    metrics: &'m WorkerMetrics,
    timer: RequestTimer<'m>,
    host: Option<HeaderValue>,
    realm: Option<Arc<Realm>>,
    session: Option<Arc<CachedSession>>,
    /// What the access log shows instead of the path.
    logged_path: Option<String>,
}

impl<'m> Record<'m> {
    /// A request has come.
    pub fn new(sessions: &'m Sessions, conn: &ConnectionInfo, parts: &Parts) -> Self {
        let metrics = sessions.metrics.worker(conn.worker);
        Self {
            client: conn.peer.ip().to_canonical(),
            outcome: Outcome::Internal,
            from_script: is_script(&parts.headers),
            transaction_id: TransactionId::next(),
            now: sessions.now(),
            worker: conn.worker,
            metrics,
            timer: metrics.request(),
            host: parts.headers.get(header::HOST).cloned(),
            realm: None,
            session: None,
            logged_path: None,
        }
    }

    /// Shows nothing of a path in the log that may have a token in it, whatever becomes of the request.
    pub fn hide_tokens(&mut self, site: &Site, parts: &Parts) {
        self.logged_path = services::without_token(&site.config.listeners, parts.uri.path());
    }

    /// What is known once target and origin are read.
    pub fn facts<'r>(
        &self,
        site: &'r Site,
        conn: &'r ConnectionInfo,
        target: &'r RequestTarget,
        origin: &'r ClientOrigin,
    ) -> Facts<'r>
    where
        'm: 'r,
    {
        Facts {
            site,
            conn,
            target,
            origin,
            now: self.now,
            arrived: self.timer.started(),
            transaction_id: self.transaction_id.clone(),
            metrics: self.metrics,
            from_script: self.from_script,
            resumed: None,
        }
    }

    /// Who was let in, and where to.
    pub fn granted(&mut self, facts: &Facts<'_>, grant: &Grant) {
        self.realm = Some(Arc::clone(grant.realm()));
        self.session = grant
            .identity()
            .map(|identity| Arc::clone(&identity.session));
        self.audit(AuditEvent::Visit, facts, Reason::NONE);
    }

    /// Why not.
    pub fn denied(&mut self, facts: Option<&Facts<'_>>, denial: &Denial) {
        self.outcome = Outcome::from(denial);
        match denial {
            Denial::Challenge { realm, reason } => {
                self.realm = Some(Arc::clone(realm));
                if let Some(facts) = facts {
                    self.audit(AuditEvent::AuthChallenge, facts, *reason);
                }
            }
            Denial::Forbidden { realm, session, .. } | Denial::Elsewhere { realm, session, .. } => {
                self.realm = Some(Arc::clone(realm));
                self.session = Some(Arc::clone(session));
            }
            _ => {}
        }
    }

    /// Records what happens with ordinary requests, if that is wanted.
    fn audit(&self, event: AuditEvent, facts: &Facts<'_>, reason: Reason) {
        let Some(realm) = self
            .realm
            .as_ref()
            .filter(|_| audit::records_every_request())
        else {
            return;
        };
        let state = self.session.as_ref().map(|session| session.state());
        let user = state
            .as_ref()
            .map(|state| state.identity.user_name.as_str());
        audit::record(event, &audit_context(facts, realm, user), reason);
    }

    /// What became of the request.
    pub const fn answered(&mut self, outcome: Outcome, response: Response<Body>) -> Response<Body> {
        self.outcome = outcome;
        response
    }

    /// A session service answered.
    pub fn served(&mut self, answered: Answered) -> Response<Body> {
        self.logged_path = answered.logged_path.or_else(|| self.logged_path.take());
        self.answered(Outcome::Served, answered.response)
    }

    /// The response's head is ready.
    pub fn finish(
        self,
        log: Option<&AccessLog>,
        parts: &Parts,
        mut response: Response<Body>,
    ) -> Response<Body> {
        response.headers_mut().insert(
            TRANSACTION_HEADER.clone(),
            self.transaction_id.header().clone(),
        );
        let duration = self.timer.finish(self.outcome);
        if let Some(log) = log {
            let state = self.session.as_ref().map(|session| session.state());
            let host = parts
                .uri
                .host()
                .or_else(|| self.host.as_ref()?.to_str().ok());
            let line = AccessRecord {
                transaction_id: self.transaction_id.as_str(),
                client: self.client,
                method: parts.method.as_str(),
                host: host.unwrap_or_default(),
                path: self
                    .logged_path
                    .as_deref()
                    .unwrap_or_else(|| parts.uri.path()),
                version: parts.version,
                status: response.status().as_u16(),
                user: state
                    .as_ref()
                    .map(|state| state.identity.user_name.as_str()),
                realm: self.realm.as_ref().map(|realm| realm.name.as_str()),
                outcome: self.outcome,
                duration,
            };
            log.record(self.worker, &line);
        }
        response
    }
}

/// What an audit record says of a request.
pub fn audit_context<'v>(
    visit: &'v Facts<'v>,
    realm: &'v Realm,
    user: Option<&'v str>,
) -> AuditContext<'v> {
    AuditContext {
        transaction_id: visit.transaction_id.as_str(),
        client: visit.origin.address,
        user,
        realm: &realm.name,
        host: visit.target.host(),
        resource: visit.target.resource(),
        action: visit.target.method().as_str(),
    }
}
