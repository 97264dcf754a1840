//! Sessions administration.

use policy_client::PolicyError;
use policy_protocol::SessionId;
use policy_protocol::message::SessionSummary;

use crate::audit::{AuditEvent, Record};
use crate::server::{PolicyServer, failure};
use crate::store::{MAX_PAGE, SessionFilter};

impl PolicyServer {
    /// Sessions, the newest first, at most [`MAX_PAGE`]; of one user only if `user` is a universal id or
    /// login name.
    ///
    /// # Errors
    /// If the store failed.
    pub async fn sessions(&self, user: Option<&str>) -> Result<Vec<SessionSummary>, PolicyError> {
        self.record("list", user.unwrap_or_default(), None).await?;
        let filter = SessionFilter {
            user: user.map(str::to_owned),
            ..SessionFilter::default()
        };
        let page = self.store.list(filter, None, MAX_PAGE, self.now()).await;
        page.map(|page| page.sessions).map_err(failure)
    }

    /// One session, if it is in the store.
    ///
    /// # Errors
    /// If the store failed.
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionSummary>, PolicyError> {
        self.record("show", "", Some(id)).await?;
        self.store.get(id, self.now()).await.map_err(failure)
    }

    /// Ends one session everywhere, persistent or not. Ids that no session has are remembered too:
    /// there is no telling.
    ///
    /// # Errors
    /// If the store failed; the session may then live on.
    pub async fn revoke_session(&self, id: SessionId) -> Result<(), PolicyError> {
        self.end_session(id, self.longest_session_from(self.now()))
            .await?;
        self.record("revoke", "", Some(id)).await
    }

    /// Ends every session of a user everywhere, persistent or not.
    ///
    /// # Errors
    /// If the store failed; sessions may then live on.
    pub async fn revoke_user(&self, universal_id: &str) -> Result<(), PolicyError> {
        self.end_sessions_of(universal_id).await?;
        self.record("revoke-user", universal_id, None).await
    }

    async fn record(
        &self,
        action: &str,
        user: &str,
        session: Option<SessionId>,
    ) -> Result<(), PolicyError> {
        let record = Record {
            action,
            user,
            session,
            ..Record::new(AuditEvent::AdminLogin, "", "")
        };
        record.write(&self.audit).await
    }
}
