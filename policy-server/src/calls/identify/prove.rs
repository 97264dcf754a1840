//! The second factor of a login: asking for it, and judging what came.

use std::sync::Arc;

use policy_client::PolicyError;
use policy_protocol::Reason;

use super::{Outcome, Typed, unregulated};
use crate::directory::User;
use crate::regulation::Ending;
use crate::second_factor::Proof;
use crate::server::{PolicyServer, failure};

impl Typed {
    /// Whether no proof came along. Forms send empty fields, too.
    pub(super) fn is_unproven(&self) -> bool {
        self.code
            .as_ref()
            .is_none_or(|code| code.expose().is_empty())
    }
}

impl PolicyServer {
    /// The user must send everything again, with a new proof if there is something to answer.
    pub(super) async fn once_more(
        &self,
        user: Arc<User>,
        typed: &Typed,
        reason: Reason,
    ) -> Result<Outcome, PolicyError> {
        let challenge = self.challenge(&user, typed).await?;
        Ok(Outcome::Challenged(user, reason, challenge))
    }

    /// What the next proof must answer, if one is asked for that answers something.
    pub(super) async fn challenge(
        &self,
        user: &User,
        typed: &Typed,
    ) -> Result<Option<String>, PolicyError> {
        match self.second_factors.of(typed.scheme) {
            Some(factor) => {
                let challenge = factor.begin(&user.identity, &typed.host).await;
                challenge.map_err(failure)
            }
            None => Ok(None),
        }
    }

    /// Whether the second factor is proven, if it is asked for; what is wrong with it if not.
    pub(super) async fn prove(
        &self,
        user: &User,
        typed: &Typed,
        spend: bool,
    ) -> Result<Result<(), &'static str>, PolicyError> {
        let Some(factor) = self.second_factors.of(typed.scheme) else {
            return Ok(Ok(()));
        };
        let Some(code) = &typed.code else {
            return Ok(Err("no code"));
        };
        // Beside the count of the name: a login with the password alone must not forgive guessed codes.
        let begun = self.regulation.begin_code(&user.identity).await;
        let Some(attempt) = begun.map_err(unregulated)? else {
            return Ok(Err("too many codes"));
        };
        let proof = factor
            .verify(&user.identity, &typed.host, code, spend)
            .await;
        let ending = match proof {
            Ok(Proof::Proven) => Ending::Right,
            Ok(Proof::Wrong | Proof::NotEnrolled) => Ending::Wrong,
            Err(_) => Ending::Withdrawn,
        };
        let ended = self.regulation.end(attempt, ending).await;
        ended.map_err(failure)?;
        Ok(match proof.map_err(failure)? {
            Proof::Proven => Ok(()),
            Proof::Wrong => Err("code"),
            Proof::NotEnrolled => Err("no second factor"),
        })
    }
}
