//! One-time codes of authenticator apps (TOTP, RFC 6238): SHA-1, six digits, thirty seconds, which is
//! what every app understands; and recovery codes in their place.
//!
//! A user's second factor is one record, named by a hash of directory and universal id, and sealed. The
//! step of the last code that was used, and which recovery codes are left, are in it, and are changed
//! by compare-and-swap: of two policy servers that are shown one code, one accepts it.

use std::future::ready;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::{Decode, Encode};
use policy_protocol::user_administration::{Enrolment, SecondFactorStatus};
use policy_protocol::{Clock, Identity, Secret, Timestamp};
use subtle::ConstantTimeEq as _;
use totp_rs::{Algorithm, Builder};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::recovery;
use super::{Answer, EnrolError, Proof, SecondFactor, SecondFactorError};
use crate::master_key::MasterKey;
use crate::store::{RecordChange, RecordKind, Store};

const DIGITS: u8 = 6;
/// Seconds that one code is for.
const STEP: u64 = 30;
/// Steps before and after this one whose codes are taken: clocks differ, and people type.
const SKEW: u16 = 1;
/// Bytes of a secret, as RFC 4226 recommends.
const SECRET_LENGTH: usize = 20;

/// Second factors by authenticator app.
pub(super) struct Totp {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    master_key: Arc<MasterKey>,
}

/// What the store holds of a user's second factor.
#[derive(Clone, Encode, Decode, Zeroize, ZeroizeOnDrop)]
#[cbor(array)]
struct State {
    #[cbor(n(0), with = "minicbor::bytes")]
    secret: [u8; SECRET_LENGTH],
    /// The step of the last code that was used.
    #[n(1)]
    last_step: u64,
    /// Recovery codes that are left.
    #[n(2)]
    recovery_codes: Vec<recovery::Hash>,
    #[n(3)]
    #[zeroize(skip)]
    enrolled: Timestamp,
}

impl State {
    fn totp(&self, user: &str, issuer: &str) -> totp_rs::Totp {
        // A colon would end the issuer in an app's address of it.
        let plain = |text: &str| text.replace(':', " ");
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS)
            .with_skew(SKEW)
            .with_step_duration(STEP)
            .with_secret(self.secret)
            .with_account_name(plain(user))
            .with_issuer(Some(plain(issuer)))
            .build_noncompliant()
    }

    /// What is left of it after this proof was used; `None` if it proves nothing.
    fn spend(&self, proof: &str, now: Timestamp) -> Option<Self> {
        let digits = Secret::new(proof.split_whitespace().collect::<String>());
        let mut left = self.clone();
        let step = self.totp("", "").check(digits.expose(), now.0);
        if let Some(step) = step.filter(|step| *step > self.last_step) {
            left.last_step = step;
            return Some(left);
        }
        let hash = recovery::hash(proof)?;
        let mut found = None;
        for (index, kept) in self.recovery_codes.iter().enumerate() {
            if kept.ct_eq(&hash).into() {
                found = Some(index);
            }
        }
        left.recovery_codes.remove(found?);
        Some(left)
    }
}

impl Totp {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        master_key: Arc<MasterKey>,
    ) -> Self {
        Self {
            store,
            clock,
            master_key,
        }
    }

    async fn give(&self, user: &Identity, issuer: &str) -> Result<Enrolment, EnrolError> {
        let mut secret = [0; SECRET_LENGTH];
        getrandom::fill(&mut secret).map_err(|_| SecondFactorError::NoRandomness)?;
        let codes = std::iter::repeat_with(recovery::generate);
        let recovery_codes = codes.take(recovery::COUNT).collect::<Result<Vec<_>, _>>()?;
        let hashes = recovery_codes
            .iter()
            .filter_map(|code| recovery::hash(code.expose()));
        let state = State {
            secret,
            last_step: 0,
            recovery_codes: hashes.collect(),
            enrolled: self.clock.now(),
        };
        secret.zeroize();
        if !self.write(&name_of(user), Some(&state), 0).await? {
            return Err(EnrolError::Enrolled);
        }
        let totp = state.totp(&user.user_name, issuer);
        let uri = totp.to_url().map_err(|_| SecondFactorError::Unreadable)?;
        Ok(Enrolment {
            uri: Secret::new(uri),
            secret: Secret::new(totp.secret().to_base32()),
            recovery_codes,
        })
    }

    async fn take_away(&self, user: &Identity) -> Result<bool, SecondFactorError> {
        let name = name_of(user);
        loop {
            let record = self.store.record(RecordKind::SecondFactor, &name).await?;
            let Some(record) = record else {
                return Ok(false);
            };
            if self.write(&name, None, record.version).await? {
                return Ok(true);
            }
        }
    }

    async fn read(&self, name: &str) -> Result<Option<(State, u64)>, SecondFactorError> {
        let kind = RecordKind::SecondFactor;
        let Some(record) = self.store.record(kind, name).await? else {
            return Ok(None);
        };
        let opened = self.master_key.open(kind, name, &record.value);
        let opened = opened.map_err(|_| SecondFactorError::Unreadable)?;
        let state = minicbor::decode(opened.plain.expose());
        let state = state.map_err(|_| SecondFactorError::Unreadable)?;
        Ok(Some((state, record.version)))
    }

    /// Writes it if the version is the expected one. Returns whether it was.
    async fn write(
        &self,
        name: &str,
        state: Option<&State>,
        expected: u64,
    ) -> Result<bool, SecondFactorError> {
        let kind = RecordKind::SecondFactor;
        let value = match state {
            Some(state) => {
                let plain = minicbor::to_vec(state);
                let plain = Secret::new(plain.map_err(|_| SecondFactorError::Unreadable)?);
                let sealed = self.master_key.seal(kind, name, plain.expose());
                Some(sealed.map_err(|_| SecondFactorError::NoRandomness)?)
            }
            None => None,
        };
        let change = RecordChange {
            kind,
            name: name.to_owned(),
            value,
            expected,
            expires: None,
            announce: None,
        };
        Ok(self.store.change_record(change).await?)
    }

    async fn judge(
        &self,
        user: &Identity,
        proof: &str,
        spend: bool,
    ) -> Result<Proof, SecondFactorError> {
        let name = name_of(user);
        loop {
            let Some((state, version)) = self.read(&name).await? else {
                return Ok(Proof::NotEnrolled);
            };
            let Some(left) = state.spend(proof, self.clock.now()) else {
                return Ok(Proof::Wrong);
            };
            // Somebody else may have used it meanwhile: then it is looked at anew.
            if !spend || self.write(&name, Some(&left), version).await? {
                return Ok(Proof::Proven);
            }
        }
    }
}

impl SecondFactor for Totp {
    fn enrol<'a>(
        &'a self,
        user: &'a Identity,
        issuer: &'a str,
    ) -> Answer<'a, Enrolment, EnrolError> {
        Box::pin(self.give(user, issuer))
    }

    fn remove<'a>(&'a self, user: &'a Identity) -> Answer<'a, bool> {
        Box::pin(self.take_away(user))
    }

    fn status<'a>(&'a self, user: &'a Identity) -> Answer<'a, Option<SecondFactorStatus>> {
        Box::pin(async {
            let state = self.read(&name_of(user)).await?;
            Ok(state.map(|(state, _)| SecondFactorStatus {
                enrolled: state.enrolled,
                recovery_codes: state.recovery_codes.len(),
            }))
        })
    }

    /// A code is typed unasked.
    fn begin<'a>(&'a self, _user: &'a Identity, _host: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(ready(Ok(None)))
    }

    /// A code is good on every host: whoever is shown one can use it anywhere.
    fn verify<'a>(
        &'a self,
        user: &'a Identity,
        _host: &'a str,
        proof: &'a Secret<String>,
        spend: bool,
    ) -> Answer<'a, Proof> {
        Box::pin(self.judge(user, proof.expose(), spend))
    }
}

/// The name of a user's record.
fn name_of(user: &Identity) -> String {
    let mut context = Context::new(&SHA256);
    for part in [&user.directory.oid, &user.universal_id] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(context.finish())
}

#[cfg(test)]
mod tests;
