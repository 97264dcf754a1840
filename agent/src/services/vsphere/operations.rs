//! What create, get and delete do, whatever form they came in.

use std::sync::Arc;

use policy_protocol::message::Credentials;
use policy_protocol::{Reason, Timestamp};
use serde_json::{Value, json};

use crate::config::services::Vsphere;
use crate::services::core::{Core, Unavailable};
use crate::session::cache::CachedSession;

/// An operation of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Exchanges credentials for a session.
    Create,
    /// Tells of the session that is shown, and counts as a use of it.
    Get,
    /// Ends the session that is shown.
    Delete,
}

/// What came of an operation.
#[derive(Debug)]
pub(super) enum Done {
    /// A session has begun; its id.
    Created(String),
    /// What there is to tell of one.
    Info(Info),
    /// It has ended.
    Deleted,
}

/// Why nothing came of it. The names are those of the standard errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Whatever is wrong with the credentials or the session: the same answer for all.
    Unauthenticated,
    /// It cannot be told.
    ServiceUnavailable,
    /// There is no such operation.
    NoSuchOperation,
    /// The same, as to the method of HTTP.
    NoSuchMethod,
    /// The body did not arrive whole, or is none that can be read.
    InvalidRequest,
}

impl From<Unavailable> for Fault {
    fn from(_: Unavailable) -> Self {
        Self::ServiceUnavailable
    }
}

/// `com.vmware.cis.session.info`.
#[derive(Debug)]
pub(super) struct Info {
    user: String,
    created: Timestamp,
    last_accessed: Timestamp,
}

impl Info {
    fn of(session: &Arc<CachedSession>) -> Self {
        let state = session.state();
        Self {
            user: state.identity.user_name.clone(),
            created: state.started,
            last_accessed: session.last_access(),
        }
    }

    /// Its fields: as all forms have them.
    pub(super) fn fields(&self) -> Value {
        json!({
            "user": self.user,
            "created_time": date_time(self.created),
            "last_accessed_time": date_time(self.last_accessed),
        })
    }
}

/// RFC 3339 in UTC, with the milliseconds that clients look for: whole seconds are kept.
pub(super) fn date_time(at: Timestamp) -> String {
    let seconds = i64::try_from(at.0).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    format!("{at:.3}")
}

/// Begins a session. One that the client has already goes on: it may be another user's.
pub(super) async fn create(
    core: &Core<'_>,
    service: &Vsphere,
    credentials: Option<Credentials>,
) -> Result<Done, Fault> {
    let credentials = credentials.ok_or(Fault::Unauthenticated)?;
    let realm = core
        .realm(&service.realm)
        .ok_or(Fault::ServiceUnavailable)?;
    match core.log_in(realm, core.visit.target, credentials).await? {
        Ok(begun) => Ok(Done::Created(begun.token)),
        // As many as there may be: that is not about the credentials.
        Err(no) if no.reason == Reason::SET_PERSISTENT_SESSION_FAILED => {
            Err(Fault::ServiceUnavailable)
        }
        Err(_) => Err(Fault::Unauthenticated),
    }
}

/// Tells of a session, or ends it.
pub(super) async fn get_or_delete(
    core: &Core<'_>,
    service: &Vsphere,
    id: Option<&[u8]>,
    delete: bool,
) -> Result<Done, Fault> {
    let id = id.ok_or(Fault::Unauthenticated)?;
    if delete {
        return end(core, id).await;
    }
    let shown = alive(core.open(id).await?)?;
    let realm = core
        .realm(&service.realm)
        .ok_or(Fault::ServiceUnavailable)?;
    let session = alive(core.use_session(&shown, realm).await?)?;
    Ok(Done::Info(Info::of(&session)))
}

/// Nobody ends what has ended before: the policy server is asked, because it alone knows. But whatever it says, nothing that
/// was to end lives on.
async fn end(core: &Core<'_>, id: &[u8]) -> Result<Done, Fault> {
    let shown = alive(core.open_to_end(id).await?)?;
    let to_end = core.to_end(&shown);
    let known = match core.open(id).await? {
        Ok(shown) => core.describe(&shown).await.map(|it| it.map(|_| ())),
        Err(reason) => Ok(Err(reason)),
    };
    // From here on it is carried out whoever waits.
    to_end.decided();
    core.end(shown).await?;
    alive(known?)?;
    Ok(Done::Deleted)
}

/// Why a session is over is none of the client's business.
fn alive<T>(answer: Result<T, Reason>) -> Result<T, Fault> {
    answer.map_err(|_| Fault::Unauthenticated)
}
