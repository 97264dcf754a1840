//! Ends the sessions of a user: all, or those of some realms.

use std::collections::BTreeSet;

use policy_client::PolicyError;
use policy_protocol::sessions::SessionQuery;
use policy_protocol::{Identity, SessionId};

use crate::server::PolicyServer;
use crate::sessions::SessionError;
use crate::store::MAX_PAGE;

/// Which realms' sessions are meant.
#[derive(Debug)]
pub(super) struct Realms {
    /// Those of this realm, if there is one.
    pub(super) only: Option<String>,
    /// None of these.
    pub(super) except: Vec<String>,
}

impl Realms {
    const fn are_all(&self) -> bool {
        self.only.is_none() && self.except.is_empty()
    }
}

/// A session, and whose it is.
#[derive(Debug)]
struct Owned {
    id: SessionId,
    universal_id: String,
    directory: String,
}

impl PolicyServer {
    /// Ends the sessions of everybody who goes by this name: of the user whom a directory knows by it, and of
    /// whoever logged in under it to one of these realms.
    pub(super) async fn end_user(&self, name: &str, realms: &Realms) -> Result<(), PolicyError> {
        let known = self.user(name).await;
        let found = self.sessions_of_user(name, realms).await?.into_iter();
        let mut users: BTreeSet<_> = found.map(|session| session.universal_id).collect();
        users.insert(name.to_owned());
        if let Ok(Some(user)) = &known {
            users.insert(user.identity.universal_id.clone());
        }
        for universal_id in users {
            if realms.are_all() {
                self.end_sessions_of(&universal_id).await?;
                continue;
            }
            for session in self.sessions_of_user(&universal_id, realms).await? {
                self.end_listed(session.id).await?;
            }
        }
        // Who it is, in whatever spelling, only the directory can tell.
        known.map(|_| ())
    }

    /// Ends the sessions that this very user has in these realms.
    pub(super) async fn end_sessions_of_caller(
        &self,
        caller: &Identity,
        realms: &Realms,
    ) -> Result<(), PolicyError> {
        for session in self.sessions_of_user(&caller.universal_id, realms).await? {
            let own = session.universal_id == caller.universal_id
                && session.directory == caller.directory.oid;
            if own {
                self.end_listed(session.id).await?;
            }
        }
        Ok(())
    }

    async fn end_listed(&self, id: SessionId) -> Result<(), PolicyError> {
        let until = self.longest_session_from(self.now());
        self.end_session(id, until).await
    }

    /// The sessions under this login name or universal id.
    async fn sessions_of_user(
        &self,
        user: &str,
        realms: &Realms,
    ) -> Result<Vec<Owned>, PolicyError> {
        let mut found = Vec::new();
        let mut query = SessionQuery {
            user: Some(user.to_owned()),
            realm: realms.only.clone(),
            limit: Some(MAX_PAGE),
            ..SessionQuery::default()
        };
        loop {
            let page = self.list_sessions(query.clone(), realms.except.clone());
            let page = match page.await {
                Ok(page) => page,
                Err(SessionError::Failed(error)) => return Err(error),
                Err(_) => return Err(PolicyError::Failure),
            };
            found.extend(page.sessions.into_iter().map(|session| Owned {
                id: session.id,
                universal_id: session.identity.universal_id,
                directory: session.identity.directory.oid,
            }));
            if page.next.is_none() {
                return Ok(found);
            }
            query.after = page.next;
        }
    }
}
