//! What is learned about one request on its way, for the access log, the metrics and the audit.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, Response};
use policy_protocol::Timestamp;

use crate::access::{Grant, Visit};
use crate::config::Realm;
use crate::http::ConnectionInfo;
use crate::http::body::Body;
use crate::http::headers::ClientOrigin;
use crate::http::transaction::TransactionId;
use crate::session::cache::CachedSession;
use crate::telemetry::metrics::RequestTimer;
use crate::telemetry::{AccessLog, AccessRecord, AuditContext, Outcome};

/// Tells the client which request to name when it complains.
static TRANSACTION_HEADER: HeaderName = HeaderName::from_static("x-doorward-transaction-id");

/// See the module.
#[derive(Debug)]
pub struct Record<'m> {
    /// The request's id.
    pub transaction_id: TransactionId,
    /// When it came.
    pub now: Timestamp,
    timer: RequestTimer<'m>,
    client: IpAddr,
    realm: Option<Arc<Realm>>,
    session: Option<Arc<CachedSession>>,
    outcome: Outcome,
}

impl<'m> Record<'m> {
    /// A request has come.
    pub fn new(conn: &ConnectionInfo, timer: RequestTimer<'m>, now: Timestamp) -> Self {
        Self {
            transaction_id: TransactionId::next(),
            now,
            timer,
            client: conn.peer.ip().to_canonical(),
            realm: None,
            session: None,
            outcome: Outcome::Internal,
        }
    }

    /// Where the client is, as far as trusted peers say.
    pub const fn located(&mut self, origin: &ClientOrigin) {
        self.client = origin.address;
    }

    /// Who was let in, and where to.
    pub fn granted(&mut self, grant: &Grant) {
        self.realm = Some(Arc::clone(grant.realm()));
        self.session = grant.identity().map(|identity| Arc::clone(&identity.session));
    }

    /// Where credentials were asked for.
    pub fn challenged(&mut self, realm: &Arc<Realm>) {
        self.realm = Some(Arc::clone(realm));
    }

    /// What becomes of the request.
    pub const fn outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// The response's head is ready.
    pub fn finish(
        self,
        log: Option<&AccessLog>,
        conn: &ConnectionInfo,
        parts: &Parts,
        mut response: Response<Body>,
    ) -> Response<Body> {
        response.headers_mut().insert(TRANSACTION_HEADER.clone(), self.transaction_id.header().clone());
        let duration = self.timer.finish(self.outcome);
        if let Some(log) = log {
            let state = self.session.as_ref().map(|session| session.state());
            let host = parts.uri.host().or_else(|| parts.headers.get(http::header::HOST)?.to_str().ok());
            log.record(conn.worker, &AccessRecord {
                transaction_id: self.transaction_id.as_str(),
                client: self.client,
                method: parts.method.as_str(),
                host: host.unwrap_or_default(),
                path: parts.uri.path(),
                version: parts.version,
                status: response.status().as_u16(),
                user: state.as_ref().map(|state| state.identity.user_name.as_str()),
                realm: self.realm.as_ref().map(|realm| realm.name.as_str()),
                outcome: self.outcome,
                duration,
            });
        }
        response
    }
}

/// What an audit record says of a request.
pub fn audit_context<'v>(visit: &Visit<'v>, realm: &'v Realm, user: Option<&'v str>) -> AuditContext<'v> {
    AuditContext {
        transaction_id: visit.transaction_id,
        client: visit.origin.address,
        user,
        realm: &realm.name,
        host: visit.target.host(),
        resource: visit.target.resource(),
        action: visit.target.method().as_str(),
    }
}
