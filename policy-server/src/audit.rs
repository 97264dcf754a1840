//! Audit: who was let in, or not, where and why, without loss.
//!
//! A record is written before the call that it is about is answered; if it cannot be, the call fails. So
//! whatever anybody was told stands in the audit. The names and numbers of events are the field's.
//!
//! Records never hold a secret, a whole session id, or the name that an unknown user typed, which may well
//! be a password.

mod line;
mod output;
mod writer;

use std::io;
use std::net::IpAddr;

use policy_client::PolicyError;
use policy_protocol::{Reason, ResourceContext, SessionId};

use crate::config::audit::AuditConfig;

use self::output::Output;
use self::writer::Writer;

/// What happened. AdminLogout (8) and Visit (13) do not happen here: administrators prove themselves at
/// each request, and visits are an agent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditEvent {
    /// A user logged in.
    AuthAccept = 1,
    /// A known user was not let in.
    AuthReject = 2,
    /// Somebody unknown tried to log in.
    AuthAttempt = 3,
    /// A known user must do more before they are let in.
    AuthChallenge = 4,
    /// A request was allowed.
    AzAccept = 5,
    /// A request was not allowed.
    AzReject = 6,
    /// An administrator did something.
    AdminLogin = 7,
    /// Somebody who is no administrator tried to.
    AdminReject = 9,
    /// A session was ended by its user, gave way to another one, or its user may not log in any more.
    AuthLogout = 10,
    /// A session was found alive.
    ValidateAccept = 11,
    /// A session was found dead, or was none.
    ValidateReject = 12,
}

/// One record. Empty texts are left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) event: AuditEvent,
    pub(crate) agent: &'a str,
    /// The universal id.
    pub(crate) user: &'a str,
    /// The name of the directory the user is in.
    pub(crate) directory: &'a str,
    pub(crate) realm: &'a str,
    /// The host that the request was for.
    pub(crate) host: &'a str,
    pub(crate) resource: &'a str,
    /// The HTTP method; for administrators, what they did.
    pub(crate) action: &'a str,
    pub(crate) client: Option<IpAddr>,
    pub(crate) session: Option<SessionId>,
    pub(crate) transaction_id: &'a str,
    pub(crate) reason: Reason,
    /// What the reason does not say, and who asked is not told.
    pub(crate) detail: &'a str,
}

impl<'a> Record<'a> {
    pub(crate) const fn new(event: AuditEvent, agent: &'a str, transaction_id: &'a str) -> Self {
        Self {
            event,
            agent,
            user: "",
            directory: "",
            realm: "",
            host: "",
            resource: "",
            action: "",
            client: None,
            session: None,
            transaction_id,
            reason: Reason::NONE,
            detail: "",
        }
    }

    /// What an administrator did.
    pub(crate) const fn of_administrator(action: &'a str) -> Self {
        Self {
            action,
            ..Self::new(AuditEvent::AdminLogin, "", "")
        }
    }

    pub(crate) fn on(self, resource: &'a ResourceContext, realm: &'a str) -> Self {
        Self {
            host: &resource.server,
            resource: &resource.resource,
            action: &resource.action,
            realm,
            ..self
        }
    }

    /// Writes the record; to be waited for before the answer goes out.
    ///
    /// # Errors
    /// If it is not known to be written. It is kept and tried again, as long as there is room.
    pub(crate) async fn write(&self, audit: &Audit) -> Result<(), PolicyError> {
        if audit.leave_out.contains(&self.event) {
            return Ok(());
        }
        let line = line::json(self, &audit.server);
        audit
            .writer
            .write(line)
            .await
            .map_err(|_| PolicyError::Failure)
    }
}

/// Where records go.
pub(crate) struct Audit {
    /// The name of this policy server.
    server: String,
    leave_out: Vec<AuditEvent>,
    writer: Writer,
}

impl Audit {
    /// Opens the file, if it is one, and starts to write.
    pub(crate) fn open(config: AuditConfig, server: String) -> io::Result<Self> {
        let output = match config.file {
            Some(path) => Output::file(path, config.sync)?,
            None => Output::standard()?,
        };
        Ok(Self {
            server,
            leave_out: config.leave_out,
            writer: Writer::start(output)?,
        })
    }
}

#[cfg(test)]
mod tests;
