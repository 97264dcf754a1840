//! A second factor that answers challenges, as WebAuthn would. A challenge is kept in the store, for one user and
//! one host and a short time, and whoever accepts an answer takes it out: so any policy server may ask,
//! and any other accept, once.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use policy_protocol::user_administration::{Enrolment, SecondFactorStatus};
use policy_protocol::{Clock, Identity, Secret, Timestamp, hex};

use crate::master_key::MasterKey;
use crate::second_factor::{
    Answer, EnrolError, Proof, SecondFactor, SecondFactorError, SecondFactors,
};
use crate::store::{RecordChange, RecordKind, Store};

const KIND: RecordKind = RecordKind::SecondFactor;
/// How long there is to answer.
pub(super) const TIME: Duration = Duration::from_secs(60);

/// What the user's device says to a challenge that it was shown by a page of `host`.
pub(super) fn answer(secret: &str, challenge: &str, host: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex::encode(hmac::sign(&key, format!("{challenge}@{host}").as_bytes()))
}

pub(super) struct Answering {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    master_key: Arc<MasterKey>,
}

/// In the place of one-time codes.
pub(super) fn in_place_of_codes(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    master_key: Arc<MasterKey>,
) -> SecondFactors {
    SecondFactors {
        totp: Box::new(Answering {
            store,
            clock,
            master_key,
        }),
    }
}

fn device(user: &Identity) -> String {
    format!("device/{}", user.universal_id)
}

fn asked(user: &Identity) -> String {
    format!("asked/{}", user.universal_id)
}

fn random() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    hex::encode(bytes)
}

impl Answering {
    async fn read(&self, name: &str) -> Result<Option<(String, u64)>, SecondFactorError> {
        let Some(record) = self.store.record(KIND, name).await? else {
            return Ok(None);
        };
        let opened = self.master_key.open(KIND, name, &record.value).unwrap();
        let text = String::from_utf8(opened.plain.expose().clone()).unwrap();
        Ok(Some((text, record.version)))
    }

    async fn write(
        &self,
        name: String,
        text: Option<&str>,
        expected: u64,
        expires: Option<Timestamp>,
    ) -> Result<bool, SecondFactorError> {
        let seal = |text: &str| self.master_key.seal(KIND, &name, text.as_bytes()).unwrap();
        let change = RecordChange {
            kind: KIND,
            value: text.map(seal),
            expected,
            expires,
            announce: None,
            name,
        };
        Ok(self.store.change_record(change).await?)
    }

    async fn ask(&self, user: &Identity, host: &str) -> Result<Option<String>, SecondFactorError> {
        if self.read(&device(user)).await?.is_none() {
            return Ok(None);
        }
        let until = self.clock.now().plus(TIME);
        let challenge = random();
        let text = format!("{challenge} {host} {}", until.0);
        loop {
            let version = self.read(&asked(user)).await?.map_or(0, |(_, it)| it);
            let written = self.write(asked(user), Some(&text), version, Some(until));
            if written.await? {
                return Ok(Some(challenge));
            }
        }
    }

    async fn judge(
        &self,
        user: &Identity,
        host: &str,
        proof: &str,
        spend: bool,
    ) -> Result<Proof, SecondFactorError> {
        let Some((secret, _)) = self.read(&device(user)).await? else {
            return Ok(Proof::NotEnrolled);
        };
        let Some((text, version)) = self.read(&asked(user)).await? else {
            return Ok(Proof::Wrong);
        };
        let parts: Vec<_> = text.split(' ').collect();
        let until = Timestamp(parts[2].parse().unwrap());
        if parts[1] != host || until <= self.clock.now() || proof != answer(&secret, parts[0], host)
        {
            return Ok(Proof::Wrong);
        }
        if spend && !self.write(asked(user), None, version, None).await? {
            return Ok(Proof::Wrong);
        }
        Ok(Proof::Proven)
    }
}

impl SecondFactor for Answering {
    fn enrol<'a>(&'a self, user: &'a Identity, _: &'a str) -> Answer<'a, Enrolment, EnrolError> {
        Box::pin(async {
            let secret = random();
            if !self.write(device(user), Some(&secret), 0, None).await? {
                return Err(EnrolError::Enrolled);
            }
            Ok(Enrolment {
                uri: Secret::new(String::new()),
                secret: Secret::new(secret),
                recovery_codes: Vec::new(),
            })
        })
    }

    fn remove<'a>(&'a self, user: &'a Identity) -> Answer<'a, bool> {
        Box::pin(async {
            match self.read(&device(user)).await? {
                Some((_, version)) => self.write(device(user), None, version, None).await,
                None => Ok(false),
            }
        })
    }

    fn status<'a>(&'a self, _: &'a Identity) -> Answer<'a, Option<SecondFactorStatus>> {
        Box::pin(ready(Ok(None)))
    }

    fn begin<'a>(&'a self, user: &'a Identity, host: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(self.ask(user, host))
    }

    fn verify<'a>(
        &'a self,
        user: &'a Identity,
        host: &'a str,
        proof: &'a Secret<String>,
        spend: bool,
    ) -> Answer<'a, Proof> {
        Box::pin(self.judge(user, host, proof.expose(), spend))
    }
}
