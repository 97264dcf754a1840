//! Audit records: who was let in, or not, where and why. The event names are the field's.
//!
//! Records go to the `tracing` target `audit`. They never hold a secret, a whole session id, or the
//! name that an unknown user typed, which may well be a password.

use std::net::IpAddr;

use policy_protocol::{Reason, ResourceContext, SessionId};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditEvent {
    /// A user logged in.
    AuthAccept,
    /// A known user was not let in.
    AuthReject,
    /// Somebody unknown tried to log in.
    AuthAttempt,
    /// A known user must do more before they are let in.
    AuthChallenge,
    /// A session was ended by its user.
    AuthLogout,
    /// A session was found alive.
    ValidateAccept,
    /// A session was found dead, or was none.
    ValidateReject,
    /// A request was allowed.
    AzAccept,
    /// A request was not allowed.
    AzReject,
    /// An administrator did something.
    AdminLogin,
    /// Somebody who is no administrator tried to.
    AdminReject,
}

/// One record. Empty texts are left empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) event: AuditEvent,
    pub(crate) agent: &'a str,
    /// The universal id.
    pub(crate) user: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) action: &'a str,
    pub(crate) client: Option<IpAddr>,
    pub(crate) session: Option<SessionId>,
    pub(crate) transaction_id: &'a str,
    pub(crate) reason: Reason,
}

impl<'a> Record<'a> {
    pub(crate) const fn new(event: AuditEvent, agent: &'a str, transaction_id: &'a str) -> Self {
        let (user, realm, resource, action) = ("", "", "", "");
        let (client, session, reason) = (None, None, Reason::NONE);
        Self {
            event,
            agent,
            user,
            realm,
            resource,
            action,
            client,
            session,
            transaction_id,
            reason,
        }
    }

    pub(crate) fn on(self, resource: &'a ResourceContext, realm: &'a str) -> Self {
        Self {
            resource: &resource.resource,
            action: &resource.action,
            realm,
            ..self
        }
    }

    pub(crate) fn write(&self) {
        tracing::info!(
            target: "audit",
            event = ?self.event,
            agent = self.agent,
            user = self.user,
            realm = self.realm,
            resource = self.resource,
            action = self.action,
            client = self.client.map(tracing::field::display),
            session = self.session.map(tracing::field::debug),
            transaction_id = self.transaction_id,
            reason = self.reason.name(),
        );
    }
}
