//! IsProtected() and Authorize(): what policies say.

use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::Reason;
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest,
};

use super::check::NotAlive;
use crate::audit::{AuditEvent, Record};
use crate::policy::{Decision, Question};
use crate::server::PolicyServer;

impl PolicyServer {
    /// Does a policy cover this resource?
    pub(super) fn is_protected(&self, request: &IsProtectedRequest) -> IsProtectedAnswer {
        match self.policies.current().realm(&request.resource) {
            Some(realm) => IsProtectedAnswer::Yes {
                realm: realm.to_owned(),
            },
            None => IsProtectedAnswer::No,
        }
    }

    /// May this session do this?
    ///
    /// The idle timeout is not looked at: the agent has just found the session in use, and the spec
    /// it holds may be as old as its validation period.
    pub(super) async fn authorize(
        &self,
        request: AuthorizeRequest,
    ) -> Result<AuthorizeAnswer, PolicyError> {
        let AuthorizeRequest {
            session: ticket,
            resource,
            realm,
            from,
            client_address,
            ..
        } = &request;
        let record = Record {
            client: Some(*from),
            session: Some(ticket.session_id),
            ..Record::new(
                AuditEvent::AzReject,
                &resource.agent,
                &request.transaction_id,
            )
        }
        .on(resource, &realm.name);
        let no = async |record: Record<'_>, ttl, redirect| {
            record.write(&self.audit).await?;
            let reason = record.reason;
            Ok(AuthorizeAnswer::No {
                ttl,
                reason,
                redirect,
            })
        };
        let alive = match self.check(ticket, *client_address, self.now()).await {
            Ok(alive) => alive,
            Err(NotAlive::Unknown(error)) => return Err(error),
            Err(NotAlive::No { reason, user }) => {
                let user = user.as_deref().unwrap_or_default();
                let record = Record {
                    user,
                    reason,
                    ..record
                };
                return no(record, Duration::ZERO, None).await;
            }
        };
        let record = Record {
            user: &alive.spec.universal_id,
            directory: &alive.spec.directory_name,
            ..record
        };
        if alive.spec.level < realm.protection_level {
            let reason = Reason::AUTH_LEVEL_TOO_LOW;
            return no(Record { reason, ..record }, Duration::ZERO, None).await;
        }
        let question = Question {
            identity: &alive.user.identity,
            resource,
            from: *from,
            at: self.now(),
        };
        match self.policies.current().decide(&question) {
            Decision::Allow {
                ttl,
                responses,
                redirect,
            } => {
                Record {
                    event: AuditEvent::AzAccept,
                    ..record
                }
                .write(&self.audit)
                .await?;
                Ok(AuthorizeAnswer::Yes {
                    ttl,
                    responses,
                    redirect,
                })
            }
            Decision::Deny {
                ttl,
                policy,
                redirect,
            } => {
                tracing::debug!(policy, "denied");
                no(record, ttl, redirect).await
            }
        }
    }
}
