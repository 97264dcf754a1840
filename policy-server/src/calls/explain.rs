//! Why Authorize() decides as it does, for administrators.

use policy_client::PolicyError;
use policy_protocol::Identity;
use policy_protocol::explain::{ExplainAnswer, ExplainRequest};

use crate::audit::Record;
use crate::policy::Question;
use crate::server::{PolicyServer, failure};

impl PolicyServer {
    /// What policies say of a user and a resource, rule by rule. Sessions are not looked at.
    ///
    /// # Errors
    /// If the user directory failed.
    pub async fn explain(&self, request: &ExplainRequest) -> Result<ExplainAnswer, PolicyError> {
        Record {
            user: &request.user,
            host: &request.resource.server,
            resource: &request.resource.resource,
            ..Record::of_administrator("explain")
        }
        .write(&self.audit)
        .await?;
        let Some(identity) = self.explained_user(request).await? else {
            return Ok(ExplainAnswer::UnknownUser);
        };
        let question = Question {
            identity: &identity,
            resource: &request.resource,
            from: request.from,
            at: request.at.unwrap_or_else(|| self.now()),
        };
        Ok(self.policies.current().explain(&question))
    }

    async fn explained_user(
        &self,
        request: &ExplainRequest,
    ) -> Result<Option<Identity>, PolicyError> {
        if let Some(identity) = &request.identity {
            return Ok(Some(Identity::clone(identity)));
        }
        let directory = request.directory.as_deref();
        let found = self.directories.find_any(&request.user, directory).await;
        Ok(found.map_err(failure)?.map(|user| user.identity.clone()))
    }
}
