//! What session services ask: a user about the own session, an administrator about those of others.

use std::collections::BTreeSet;

use policy_client::PolicyError;
use policy_protocol::Identity;
use policy_protocol::session_service::{
    SessionOperation, SessionServiceAnswer, SessionServiceRequest,
};
use policy_protocol::sessions::SessionQuery;

use crate::audit::{AuditEvent, Record};
use crate::server::PolicyServer;
use crate::sessions::SessionError;
use crate::store::MAX_PAGE;

impl PolicyServer {
    /// The right to administer is that of the session's user, as the directory knows them now.
    pub(super) async fn session_service(
        &self,
        request: SessionServiceRequest,
    ) -> Result<SessionServiceAnswer, PolicyError> {
        let shown = self
            .session_by_ticket(&request.session, request.client_address)
            .await?;
        let details = match shown {
            Ok(details) => details,
            Err(reason) => return Ok(SessionServiceAnswer::No { reason }),
        };
        let id = details.session.id;
        let identity = details.session.identity.clone();
        let administrator = self.administers(&identity);
        let act = |action, session, detail| Record {
            user: &identity.universal_id,
            directory: &identity.directory.name,
            host: &request.resource.server,
            resource: &request.resource.resource,
            action,
            client: Some(request.from),
            session,
            detail,
            ..Record::new(
                if administrator {
                    AuditEvent::AdminLogin
                } else {
                    AuditEvent::AdminReject
                },
                &request.resource.agent,
                &request.transaction_id,
            )
        };
        match request.operation {
            SessionOperation::Describe => Ok(SessionServiceAnswer::Session {
                details: Box::new(details),
                administrator,
            }),
            SessionOperation::SetProperties { changes } => answer(
                self.change_session_properties(id, changes)
                    .await
                    .map(|properties| SessionServiceAnswer::Properties { properties }),
            ),
            SessionOperation::List { query } => {
                act("list", None, query.user.as_deref().unwrap_or_default())
                    .write(&self.audit)
                    .await?;
                if !administrator {
                    return Ok(SessionServiceAnswer::Forbidden);
                }
                let list = self.list_sessions(query).await;
                answer(list.map(|list| SessionServiceAnswer::Sessions { list }))
            }
            SessionOperation::End { session_id } => {
                if administrator {
                    // It ends first: a full disk must not keep a session alive.
                    let until = self.longest_session_from(self.now());
                    self.end_session(session_id, until).await?;
                }
                act("revoke", Some(session_id), "")
                    .write(&self.audit)
                    .await?;
                Ok(done(administrator))
            }
            SessionOperation::EndUser { user } => {
                if administrator {
                    self.end_user(&user).await?;
                }
                act("revoke-user", None, &user).write(&self.audit).await?;
                Ok(done(administrator))
            }
        }
    }

    fn administers(&self, identity: &Identity) -> bool {
        let administrators = &self.sessions.administrators;
        administrators
            .iter()
            .any(|group| identity.groups.contains(group))
    }

    /// Ends the sessions of everybody who goes by this name, in whatever directory: whoever has no session
    /// has none to end.
    async fn end_user(&self, user: &str) -> Result<(), PolicyError> {
        let mut users = BTreeSet::from([user.to_owned()]);
        let mut after = None;
        loop {
            let query = SessionQuery {
                user: Some(user.to_owned()),
                limit: Some(MAX_PAGE),
                after,
                ..SessionQuery::default()
            };
            let page = match self.list_sessions(query).await {
                Ok(page) => page,
                Err(SessionError::Failed(error)) => return Err(error),
                Err(_) => return Err(PolicyError::Failure),
            };
            let found = page.sessions.into_iter();
            users.extend(found.map(|session| session.identity.universal_id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for universal_id in users {
            self.end_sessions_of(&universal_id).await?;
        }
        Ok(())
    }
}

const fn done(allowed: bool) -> SessionServiceAnswer {
    if allowed {
        SessionServiceAnswer::Done
    } else {
        SessionServiceAnswer::Forbidden
    }
}

fn answer(
    outcome: Result<SessionServiceAnswer, SessionError>,
) -> Result<SessionServiceAnswer, PolicyError> {
    match outcome {
        Ok(answer) => Ok(answer),
        Err(SessionError::Failed(error)) => Err(error),
        // It has ended since it was shown.
        Err(SessionError::Unknown) => Ok(SessionServiceAnswer::No {
            reason: policy_protocol::Reason::INVALID_SESSION,
        }),
        Err(SessionError::Over(reason)) => Ok(SessionServiceAnswer::No { reason }),
        Err(SessionError::PropertyNotAllowed) => Ok(SessionServiceAnswer::PropertyNotAllowed),
        Err(SessionError::PropertyTooLong) => Ok(SessionServiceAnswer::PropertyTooLong),
        Err(SessionError::InvalidCursor) => Ok(SessionServiceAnswer::InvalidCursor),
    }
}
