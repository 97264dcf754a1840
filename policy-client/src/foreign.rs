//! What back ends of other systems share.
//!
//! | here | there |
//! |---|---|
//! | session spec | their token, as it is |
//! | session id | a digest of the token, or of the name that the session has there: `session_id` |
//! | agent keys | none: the agent's own, from a file: `key_file` |
//! | events | none: a stream that only says that it is alive: `quiet_events` |

mod credentials;
mod deadline;
mod key_file;
mod memory;
mod quiet_events;
mod session_id;
mod time;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all, ready};
use policy_protocol::message::{LogoutRequest, SessionTicket};
use policy_protocol::{
    AgentKeySet, AuthScheme, Clock, ProtectionLevel, Secret, Session, SessionId, SessionSpec,
    Timestamp,
};

pub(crate) use self::credentials::{basic, name_and_password};
use self::deadline::Deadline;
pub(crate) use self::deadline::clean_up;
pub(crate) use self::memory::Memory;
use self::session_id::how_begun;
pub(crate) use self::session_id::{Beginning, begun_here};
pub(crate) use self::time::moment;
use crate::settings::{ClientCertificate, ClientError, Dialect, ServerList, TransportSettings};
use crate::transport::Transport;
use crate::{EventStream, PolicyCalls, PolicyError};

/// Characters of another system's words in a line of the log.
const MAX_LOGGED: usize = 200;

/// Another system whose sessions are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ForeignKind {
    /// The authentication and authorization web services of an Access Gateway.
    AuthAz,
    /// AM, and what it was called before.
    Am,
    /// The session service of vSphere.
    VSphere,
}

/// What each of these back ends has to be told.
#[derive(Clone, Debug)]
pub struct ForeignSettings {
    /// The servers, which may have a path: what they offer is below it.
    pub servers: ServerList,
    /// Trust anchors (PEM); the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// What the agent shows at the TLS handshake, if the server asks.
    pub client_certificate: Option<ClientCertificate>,
    /// Deadline of each call, over all servers.
    pub timeout: Duration,
    /// Where the agent keys are kept; without a file they are new at each start.
    pub agent_keys_file: Option<PathBuf>,
    /// The level of sessions that were begun there, where the system itself says nothing of how.
    pub foreign_level: ProtectionLevel,
}

/// The ticket of a session that was begun there, for the token that a request brought. `None` if the token is
/// none: empty, too long, or of characters that tokens do not have.
pub fn ticket(kind: ForeignKind, token: &[u8]) -> Option<SessionTicket> {
    if token.len() > SessionSpec::MAX_LENGTH {
        let most = SessionSpec::MAX_LENGTH;
        // Anybody can send one with each request.
        tracing::debug!(
            length = token.len(),
            most,
            "a token is too long, and is not accepted"
        );
        return None;
    }
    let text = std::str::from_utf8(token).ok()?;
    // What a cookie's value may have: a token may be sent on in one.
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    let is_text = !text.is_empty() && text.bytes().all(plain);
    is_text.then(|| SessionTicket {
        session_id: session_id::begun_there(kind, text),
        session_spec: SessionSpec::new(text.to_owned()),
    })
}

/// What another system said, as far as a log may hold it.
pub(crate) fn for_log(text: &str) -> String {
    let plain = text.chars().filter(|one| !one.is_control());
    plain.take(MAX_LOGGED).collect()
}

/// A client's way to the servers of another system, and what the agent adds to it.
pub(crate) struct Link {
    pub(crate) transport: Transport,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    kind: ForeignKind,
    foreign_level: ProtectionLevel,
    keys: AgentKeySet,
}

impl Link {
    /// Prepares it; nothing is connected yet. `authorization` goes along with every request.
    pub(crate) fn new(
        kind: ForeignKind,
        settings: &ForeignSettings,
        authorization: Option<Secret<String>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            transport: Transport::new(&TransportSettings {
                servers: settings.servers.clone(),
                ca_file: settings.ca_file.clone(),
                client_certificate: settings.client_certificate.clone(),
                authorization,
                timeout: settings.timeout,
                dialect: Dialect::Foreign,
            })?,
            timeout: settings.timeout,
            clock,
            kind,
            foreign_level: settings.foreign_level,
            keys: key_file::open(settings.agent_keys_file.as_deref())?,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The deadline of a call that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(self.timeout)
    }

    /// The deadline of a call holds for all that it asks of the system.
    ///
    /// # Errors
    /// The call's own, or [`PolicyError::TimedOut`].
    pub(crate) async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, PolicyError>>,
    ) -> Result<T, PolicyError> {
        self.deadline().hold(call).await
    }

    /// The agent's own keys.
    pub(crate) fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>> {
        ready(Ok(self.keys.clone())).boxed()
    }

    /// Events that say nothing but that they come.
    pub(crate) fn quiet_events(&self) -> BoxFuture<'_, Result<EventStream, PolicyError>> {
        ready(Ok(quiet_events::stream(&self.keys.store))).boxed()
    }

    /// A token that the system has just handed out.
    ///
    /// # Errors
    /// If it cannot be a session spec; the log says so.
    pub(crate) fn spec(&self, token: &str) -> Result<SessionSpec, PolicyError> {
        match ticket(self.kind, token.as_bytes()) {
            Some(ticket) => Ok(ticket.session_spec),
            None => {
                tracing::error!("the server handed out a token that cannot be used");
                Err(PolicyError::Protocol)
            }
        }
    }

    /// Whether a session was begun with us, as its id tells.
    pub(crate) fn is_begun_here(id: SessionId) -> bool {
        how_begun(id).is_some()
    }

    /// How a session was authenticated, as its id tells.
    pub(crate) fn how_begun(&self, id: SessionId) -> (AuthScheme, ProtectionLevel) {
        // Begun there, most likely at a form; how strongly, the operator has to say.
        how_begun(id).unwrap_or((AuthScheme::Form, self.foreign_level))
    }
}

/// Ends the sessions that a login has replaced, all at once and after the login's deadline. That one could not be ended
/// does not undo the login: here it is over, and there it ends by its timeouts.
pub(crate) async fn end_replaced(
    calls: &impl PolicyCalls,
    new: &Session,
    replaced: Vec<SessionTicket>,
    transaction_id: &str,
) {
    // Some systems hand out the same token again to whoever is logged in already.
    let others = replaced
        .into_iter()
        .filter(|session| session.session_spec != new.spec);
    let ends = others.map(|session| {
        clean_up(calls.logout(LogoutRequest {
            session,
            transaction_id: transaction_id.to_owned(),
        }))
    });
    join_all(ends).await;
}

#[cfg(test)]
mod tests;
