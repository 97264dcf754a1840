//! Validate(): is this session alive?

use policy_client::PolicyError;
use policy_protocol::message::{ValidateAnswer, ValidateRequest};

use super::check::NotAlive;
use crate::audit::{AuditEvent, Record};
use crate::server::{PolicyServer, failure};

impl PolicyServer {
    /// Answers with a newly sealed spec under the same id.
    pub(super) async fn validate(
        &self,
        request: ValidateRequest,
    ) -> Result<ValidateAnswer, PolicyError> {
        let ValidateRequest {
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
                AuditEvent::ValidateReject,
                &resource.agent,
                &request.transaction_id,
            )
        }
        .on(resource, &realm.name);
        let alive = match self
            .check(ticket, *client_address, request.last_access)
            .await
        {
            Ok(alive) => alive,
            Err(NotAlive::Unknown(error)) => return Err(error),
            Err(NotAlive::No { reason, user }) => {
                Record {
                    reason,
                    user: user.as_deref().unwrap_or_default(),
                    ..record
                }
                .write(&self.audit)
                .await?;
                return Ok(ValidateAnswer::No { reason });
            }
        };
        let mut spec = alive.spec;
        // A login may have been dated a second ahead; time never runs backwards in a session.
        let used_at = if request.overlooked {
            alive.last_access
        } else {
            self.now()
        };
        spec.last_time = used_at.max(spec.last_time);
        if let Some(stored) = alive.stored_access
            && spec.last_time.since(stored).as_secs() >= spec.drift
        {
            self.uses.note(spec.id, spec.last_time);
        }
        let sealed = spec.seal(&self.keys.ticket_keys()).map_err(failure)?;
        Record {
            event: AuditEvent::ValidateAccept,
            user: &spec.universal_id,
            directory: &spec.directory_name,
            ..record
        }
        .write(&self.audit)
        .await?;
        Ok(ValidateAnswer::Yes {
            session: Box::new(spec.session(sealed, &alive.user, &self.limits)),
        })
    }
}
