//! Records of what administrators did, or did not get done.

use std::collections::BTreeMap;
use std::fmt::Display;

use policy_client::PolicyError;
use policy_protocol::SessionId;
use policy_protocol::administration::{AgentAnswer, RollAnswer};
use policy_protocol::sessions::SessionDetails;
use policy_protocol::user_administration::Enrolment;

use crate::audit::Record;
use crate::server::PolicyServer;

/// What came of an act.
pub(crate) trait Outcome {
    /// Why it was not done after all, although nothing failed.
    fn problem(&self) -> Option<&str> {
        None
    }
}

impl Outcome for () {}
impl Outcome for Enrolment {}
impl Outcome for SessionDetails {}
impl Outcome for BTreeMap<String, String> {}

/// Whether there was what was to be taken away.
impl Outcome for bool {
    fn problem(&self) -> Option<&str> {
        (!self).then_some("there was none")
    }
}

impl Outcome for AgentAnswer {
    fn problem(&self) -> Option<&str> {
        match self {
            Self::Yes { .. } => None,
            Self::No { problem } => Some(problem),
        }
    }
}

impl Outcome for RollAnswer {
    fn problem(&self) -> Option<&str> {
        match self {
            Self::Yes { .. } => None,
            Self::No { problem, .. } => Some(problem),
        }
    }
}

/// Why an act was not done, in words for the record.
fn not_done(outcome: &Result<impl Outcome, impl Display>) -> Option<String> {
    let problem = match outcome {
        Ok(outcome) => outcome.problem()?.to_owned(),
        Err(error) => error.to_string(),
    };
    Some(format!("not done: {problem}"))
}

impl PolicyServer {
    /// Does what gives somebody something: it is recorded before, and again if it was not done. `user` is whom or what
    /// it is about.
    pub(crate) async fn recorded_first<T: Outcome, E: From<PolicyError> + Display>(
        &self,
        action: &str,
        user: &str,
        session: Option<SessionId>,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let record = Record {
            user,
            session,
            ..Record::of_administrator(action)
        };
        record.write(&self.audit).await?;
        let outcome = act.await;
        if let Some(detail) = not_done(&outcome) {
            let detail = &detail;
            Record { detail, ..record }.write(&self.audit).await?;
        }
        outcome
    }

    /// Does what ends something or takes it away, and records what came of it.
    pub(crate) async fn recorded_after<T: Outcome>(
        &self,
        action: &str,
        user: &str,
        session: Option<SessionId>,
        act: impl Future<Output = Result<T, PolicyError>>,
    ) -> Result<T, PolicyError> {
        let outcome = act.await;
        let detail = not_done(&outcome).unwrap_or_default();
        Record {
            user,
            session,
            detail: &detail,
            ..Record::of_administrator(action)
        }
        .write(&self.audit)
        .await?;
        outcome
    }

    /// Records that an administrator looks at something.
    pub(crate) async fn record(
        &self,
        action: &str,
        user: &str,
        session: Option<SessionId>,
    ) -> Result<(), PolicyError> {
        let record = Record {
            user,
            session,
            ..Record::of_administrator(action)
        };
        record.write(&self.audit).await
    }
}
