//! IsProtected() and Authorize(): what policies say.

use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::Reason;
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest,
};

use super::check::NotAlive;
use crate::audit::{AuditEvent, Record};
use crate::policy::{Decision, decide, realm};
use crate::server::PolicyServer;

impl PolicyServer {
    /// Does a policy cover this resource?
    pub(super) fn is_protected(&self, request: &IsProtectedRequest) -> IsProtectedAnswer {
        match realm(&self.policies, &request.resource) {
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
            client_address,
            ..
        } = &request;
        let record = Record {
            client: *client_address,
            session: Some(ticket.session_id),
            ..Record::new(
                AuditEvent::AzReject,
                &resource.agent,
                &request.transaction_id,
            )
        }
        .on(resource, &realm.name);
        let no = async |reason, user: &str, ttl| {
            let record = Record {
                reason,
                user,
                ..record
            };
            record.write(&self.audit).await?;
            Ok(AuthorizeAnswer::No { ttl, reason })
        };
        let alive = match self.check(ticket, *client_address, self.now()).await {
            Ok(alive) => alive,
            Err(NotAlive::Unknown(error)) => return Err(error),
            Err(NotAlive::No { reason, user }) => {
                return no(reason, user.as_deref().unwrap_or_default(), Duration::ZERO).await;
            }
        };
        let user = alive.spec.universal_id.as_str();
        let record = Record {
            directory: &alive.spec.directory_name,
            ..record
        };
        if alive.spec.level < realm.protection_level {
            return no(Reason::AUTH_LEVEL_TOO_LOW, user, Duration::ZERO).await;
        }
        match decide(&self.policies, resource, &alive.user.identity) {
            Decision::Allow { ttl, responses } => {
                Record {
                    event: AuditEvent::AzAccept,
                    user,
                    ..record
                }
                .write(&self.audit)
                .await?;
                Ok(AuthorizeAnswer::Yes { ttl, responses })
            }
            Decision::Deny { ttl, policy } => {
                tracing::debug!(policy, "denied");
                no(Reason::NONE, user, ttl).await
            }
        }
    }
}
