//! Is a session alive? What Validate and Authorize have in common.

use std::net::IpAddr;
use std::sync::Arc;

use policy_client::PolicyError;
use policy_protocol::message::SessionTicket;
use policy_protocol::{Reason, Timestamp};

use crate::config::Limits;
use crate::directory::User;
use crate::server::{CLOCK_SKEW, PolicyServer, failure};
use crate::spec::Spec;
use crate::store::StoreError;
use crate::ticket_keys::TicketKeys;

/// A session that is alive.
pub(crate) struct Alive {
    /// Its state, with the timeouts that it got at login.
    pub(crate) spec: Spec,
    /// Its user, as the directory knows them now.
    pub(crate) user: Arc<User>,
    /// When it was last used, by all that is known.
    pub(crate) last_access: Timestamp,
    /// When the store last recorded a use, if the session is in the store.
    pub(crate) stored_access: Option<Timestamp>,
}

/// Why a session is not known to be alive.
pub(crate) enum NotAlive {
    /// It is dead, or none of ours.
    No {
        /// Why.
        reason: Reason,
        /// Whose it was, if it was ours.
        user: Option<String>,
    },
    /// That cannot be told.
    Unknown(PolicyError),
}

impl From<PolicyError> for NotAlive {
    fn from(error: PolicyError) -> Self {
        Self::Unknown(error)
    }
}

impl PolicyServer {
    /// Checks a session that was last used at `last_access` and is now used from `client_address`
    /// (`None` if the agent does not bind sessions to addresses).
    pub(crate) async fn check(
        &self,
        ticket: &SessionTicket,
        client_address: Option<IpAddr>,
        last_access: Timestamp,
    ) -> Result<Alive, NotAlive> {
        let keys = self.ticket_keys_for(std::slice::from_ref(ticket)).await?;
        let spec =
            Spec::open(ticket, &keys).map_err(|reason| NotAlive::No { reason, user: None })?;
        let no = |reason| NotAlive::No {
            reason,
            user: Some(spec.universal_id.clone()),
        };

        let bound_to = spec
            .address()
            .filter(|bound| client_address.is_some_and(|address| address.to_canonical() != *bound));
        if bound_to.is_some() {
            return Err(no(Reason::INVALID_SESSION_IP));
        }
        // Before the store is asked: what is written meanwhile is in the one or in the other.
        let noted = self.uses.noted(spec.id);
        let standing = self
            .store
            .standing(spec.id, &spec.universal_id, spec.start_time)
            .await;
        let standing = match standing {
            Ok(standing) if self.is_store_of(&keys) => standing,
            // What another store knew is lost with it. This is an answer, and not an outage, for which
            // agents might let the session live on.
            Ok(_) | Err(StoreError::Replaced) => return Err(no(Reason::INVALID_SESSION)),
            Err(error) => return Err(failure(error).into()),
        };
        if standing.revoked || (spec.persistent && standing.last_access.is_none()) {
            return Err(no(Reason::REVOKED_SESSION));
        }
        let now = self.now();
        let stored = standing.last_access.max(noted);
        let stored = stored.unwrap_or_default();
        // An agent cannot have seen a use that is still to come.
        let last_access = last_access.min(now).max(stored).max(spec.last_time);
        check_times(&spec, &self.limits, last_access, now).map_err(no)?;
        let Some(directory) = self.directories.by_oid(&spec.directory_oid) else {
            return Err(no(Reason::INVALID_SESSION));
        };
        match directory.find(&spec.universal_id).await.map_err(failure)? {
            Some(user) if !user.disabled => Ok(Alive {
                spec,
                user,
                last_access,
                stored_access: standing.last_access,
            }),
            _ => Err(no(Reason::USER_DISABLED)),
        }
    }
}

impl PolicyServer {
    /// Session ticket keys, with those of the tickets if there are such.
    pub(super) async fn ticket_keys_for(
        &self,
        tickets: &[SessionTicket],
    ) -> Result<Arc<TicketKeys>, PolicyError> {
        self.keys.ticket_keys_for(tickets).await.map_err(failure)
    }

    /// Fails if the store is no longer the one that these keys are from: what it said was not about
    /// sessions that they open.
    pub(super) fn check_store(&self, keys: &TicketKeys) -> Result<(), PolicyError> {
        if self.is_store_of(keys) {
            Ok(())
        } else {
            Err(failure(StoreError::Replaced))
        }
    }

    fn is_store_of(&self, keys: &TicketKeys) -> bool {
        keys.store() == self.store.identity()
    }
}

fn check_times(
    spec: &Spec,
    limits: &Limits,
    last_access: Timestamp,
    now: Timestamp,
) -> Result<(), Reason> {
    let latest = now.plus(CLOCK_SKEW);
    if spec.start_time > latest || spec.last_time > latest {
        return Err(Reason::INVALID_SESSION);
    }
    if now.since(spec.start_time) >= spec.max_timeout(limits) {
        return Err(Reason::EXPIRED_SESSION);
    }
    let idle_timeout = spec.idle_timeout(limits);
    if !idle_timeout.is_zero() && now.since(last_access) >= idle_timeout {
        return Err(Reason::IDLE_SESSION);
    }
    Ok(())
}
