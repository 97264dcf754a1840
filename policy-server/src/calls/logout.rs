//! Logout(): ends a session everywhere.

use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::message::{LogoutAnswer, LogoutRequest};
use policy_protocol::{SessionId, Timestamp};

use crate::audit::{AuditEvent, Record};
use crate::config::Limits;
use crate::server::{CLOCK_SKEW, PolicyServer, failure};
use crate::spec::Spec;
use crate::store::Ending;

/// The end of all sessions of a user covers what is dated this far ahead of it: sessions that began before it,
/// at policy servers whose clocks are fast. A login within this time of it is dated after that.
const AHEAD: Duration = Duration::from_secs(5);

impl PolicyServer {
    /// Any session of ours is dead afterwards, also one that was dead before.
    pub(super) async fn logout(
        &self,
        agent: &str,
        request: LogoutRequest,
    ) -> Result<LogoutAnswer, PolicyError> {
        let ticket = &request.session;
        let keys = self.ticket_keys_for(std::slice::from_ref(ticket)).await?;
        let spec = match Spec::open(ticket, &keys) {
            Ok(spec) => spec,
            Err(reason) => return Ok(LogoutAnswer::No { reason }),
        };
        self.end_session_of_spec(&spec).await?;
        self.check_store(&keys)?;
        Record {
            user: &spec.universal_id,
            directory: &spec.directory_name,
            realm: &spec.auth_context,
            session: Some(spec.id),
            ..Record::new(AuditEvent::AuthLogout, agent, &request.transaction_id)
        }
        .write(&self.audit)
        .await?;
        Ok(LogoutAnswer::Yes)
    }

    /// Ends the session of a spec; nothing is to be done if its time is over anyway.
    pub(super) async fn end_session_of_spec(&self, spec: &Spec) -> Result<(), PolicyError> {
        match self.ending(spec) {
            Some(ending) => self.end_session(ending.id, ending.keep_until).await,
            None => Ok(()),
        }
    }

    /// What ends the session of a spec, unless its time is over anyway.
    pub(super) fn ending(&self, spec: &Spec) -> Option<Ending> {
        let keep_until = spec.expires().plus(CLOCK_SKEW);
        (keep_until > self.now()).then_some(Ending {
            id: spec.id,
            keep_until,
        })
    }

    /// Records that a session is dead, and agents learn of it by the feed.
    pub(crate) async fn end_session(
        &self,
        id: SessionId,
        keep_until: Timestamp,
    ) -> Result<(), PolicyError> {
        let ending = Ending { id, keep_until };
        self.store.revoke_session(ending).await.map_err(failure)?;
        Ok(())
    }

    /// Records that all sessions of a user are dead; agents learn of it by the feed.
    pub(crate) async fn end_sessions_of(&self, universal_id: &str) -> Result<(), PolicyError> {
        let through = self.all_begun_by(universal_id).await?;
        let keep_until = self.longest_session_from(through);
        self.store
            .revoke_user(universal_id, through, keep_until)
            .await
            .map_err(failure)
    }

    /// When every session of a user that there is has begun, by the clock of any policy server.
    ///
    /// One that began after the last such end is dated after it, even if that is yet to come.
    pub(crate) async fn all_begun_by(&self, universal_id: &str) -> Result<Timestamp, PolicyError> {
        let before = self.store.revoked_through(universal_id).await;
        let before = before.map_err(failure)?;
        let now = self.now();
        // No session is dated further ahead than clocks may differ.
        let latest = now.plus(CLOCK_SKEW - Duration::from_secs(1));
        let dated_after = before.map(|before| before.plus(Duration::from_secs(1)).min(latest));
        Ok(now.plus(AHEAD).max(dated_after.unwrap_or_default()))
    }

    /// When no session that exists `now` can be alive any more, whatever the limits were at its login
    /// and will be.
    pub(crate) fn longest_session_from(&self, now: Timestamp) -> Timestamp {
        // Sessions may have been dated ahead by as much as clocks may differ.
        let margin: Duration = 2 * CLOCK_SKEW;
        let longest = Limits::LONGEST.max(self.limits.max_timeout);
        now.plus(longest).plus(margin)
    }
}
