//! What session services ask: a user about the own session, an administrator about those of others.

mod user_sessions;

use policy_client::PolicyError;
use policy_protocol::Identity;
use policy_protocol::session_service::{
    SessionOperation, SessionServiceAnswer, SessionServiceRequest,
};

use self::user_sessions::Realms;
use crate::audit::{AuditEvent, Record};
use crate::server::PolicyServer;
use crate::sessions::SessionError;

impl PolicyServer {
    /// The right to administer is that of the session's user, as the directory knows them now.
    pub(super) async fn session_service(
        &self,
        request: SessionServiceRequest,
    ) -> Result<SessionServiceAnswer, PolicyError> {
        let shown = self
            .session_by_ticket(
                &request.session,
                request.client_address,
                request.last_access,
            )
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
                property_names: self.sessions.properties.clone(),
            }),
            SessionOperation::SetProperties { changes } => answer(
                self.change_session_properties(id, changes)
                    .await
                    .map(|properties| SessionServiceAnswer::Properties { properties }),
            ),
            SessionOperation::List {
                query,
                except_realms,
            } => {
                act("list", None, query.user.as_deref().unwrap_or_default())
                    .write(&self.audit)
                    .await?;
                if !administrator {
                    return Ok(SessionServiceAnswer::Forbidden);
                }
                let list = self.list_sessions(query, except_realms).await;
                answer(list.map(|list| SessionServiceAnswer::Sessions { list }))
            }
            SessionOperation::End { session_id } => {
                // It ends first: a full disk must not keep a session alive. What failed is recorded, too: some of it
                // may have been done.
                let ended = if administrator {
                    let until = self.longest_session_from(self.now());
                    self.end_session(session_id, until).await
                } else {
                    Ok(())
                };
                act("revoke", Some(session_id), "")
                    .write(&self.audit)
                    .await?;
                ended.map(|()| done(administrator))
            }
            SessionOperation::EndUser {
                user,
                realm,
                except_realms,
            } => {
                let realms = Realms {
                    only: realm,
                    except: except_realms,
                };
                // An administrator's login name may be another's in another directory, and both may be meant: also where
                // it is the universal id as well.
                let named = user == identity.user_name;
                let own = if administrator {
                    user == identity.universal_id && !named
                } else {
                    user == identity.universal_id || named
                };
                let ended = if own {
                    self.end_sessions_of_caller(&identity, &realms).await
                } else if administrator {
                    self.end_user(&user, &realms).await
                } else {
                    Ok(())
                };
                let record = act("revoke-user", None, &user);
                let event = if own {
                    AuditEvent::AuthLogout
                } else {
                    record.event
                };
                Record { event, ..record }.write(&self.audit).await?;
                ended.map(|()| done(administrator || own))
            }
        }
    }

    fn administers(&self, identity: &Identity) -> bool {
        let directory = &self.sessions.administrators_directory;
        let administrators = &self.sessions.administrators;
        directory
            .as_ref()
            .is_none_or(|name| *name == identity.directory.name)
            && administrators
                .iter()
                .any(|group| identity.groups.contains(group))
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
