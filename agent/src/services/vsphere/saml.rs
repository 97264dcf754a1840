//! SAML assertions as credentials: bearer, or with a proof that the client holds a key.
//!
//! `AssertionVerifier` is the seam; `assertion` and `signature` are the verifier there is. What a client sent is
//! read once, by one parser, and only nodes below the one that the signature covers are looked at.
//! `proof` and `message` are the two ways to show a key, `replay` keeps them from being shown twice.

mod assertion;
pub mod key;
mod message;
mod proof;
pub mod replay;
mod signature;
mod token;

use policy_protocol::Timestamp;
use policy_protocol::message::Credentials;
use tokio::sync::Semaphore;

use self::assertion::SignedXml;
use self::key::PublicKey;
use super::rpc::Security;
use crate::config::services::Saml;
use crate::services::core::Core;

/// The longest assertion that is read, in bytes, and what a packed one may become: a dozen times the usual size.
pub(super) const MAX_ASSERTION: usize = 128 * 1024;
/// How old or new a proof may be, in seconds, and so how long it is remembered twice over.
const PROOF_WINDOW: u64 = 300;
/// As many assertions are verified at a time: strangers may send them, and other work has the processors, too.
static VERIFYING: Semaphore = Semaphore::const_new(4);

/// Why an assertion or its proof does not count: for the log of whoever sets this up, never for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str);

/// What a verified assertion says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assertion {
    /// Whom it is about.
    pub(super) name_id: String,
    /// Who issued it.
    pub(super) issuer: String,
    /// When it is over.
    pub(super) not_on_or_after: Timestamp,
    /// Whether whoever has it may use it.
    pub(super) bearer: bool,
    /// The keys of those who may use it otherwise.
    pub(super) holders: Vec<PublicKey>,
}

/// Tells whether an assertion is of the issuer that is believed, and for now and here.
pub(super) trait AssertionVerifier {
    /// What it says.
    ///
    /// # Errors
    /// Why it does not count.
    fn verify(&self, xml: &[u8], now: Timestamp) -> Result<Assertion, Refused>;
}

/// What `Authorization: SIGN …` presents. Nothing if it does not count.
pub(super) async fn from_header(
    core: &Core<'_>,
    settings: Option<&Saml>,
    value: &[u8],
    body: &[u8],
) -> Option<Credentials> {
    logged(read_header(core, settings?, value, body).await)
}

async fn read_header(
    core: &Core<'_>,
    settings: &Saml,
    value: &[u8],
    body: &[u8],
) -> Result<Credentials, Refused> {
    let sign = token::Sign::parse(value)?;
    let now = core.visit.now;
    let assertion = verified(settings, sign.assertion()?, now).await?;
    let held = match &sign.proof {
        None => None,
        Some(proof) => {
            let asked = proof::Asked::of(core.visit.target, body);
            Some(proof.check(&asked, &assertion.holders, now)?)
        }
    };
    admit(core, assertion, held.as_deref())
}

/// What the security context of a message presents. Nothing if it does not count.
pub(super) async fn from_message(
    core: &Core<'_>,
    settings: Option<&Saml>,
    security: &Security,
    body: &[u8],
) -> Option<Credentials> {
    logged(read_message(core, settings?, security, body).await)
}

async fn read_message(
    core: &Core<'_>,
    settings: &Saml,
    security: &Security,
    body: &[u8],
) -> Result<Credentials, Refused> {
    let now = core.visit.now;
    let (xml, with_proof) = message::assertion_in(security)?;
    let assertion = verified(settings, xml.as_bytes().to_vec(), now).await?;
    let held = if with_proof {
        Some(message::check(security, body, &assertion.holders, now)?)
    } else {
        None
    };
    admit(core, assertion, held.as_deref())
}

/// Verifies an assertion where it keeps no worker from its other requests, however long it takes.
async fn verified(settings: &Saml, xml: Vec<u8>, now: Timestamp) -> Result<Assertion, Refused> {
    const FAILED: Refused = Refused("the assertion could not be verified");
    let place = VERIFYING.acquire().await.map_err(|_| FAILED)?;
    let settings = settings.clone();
    let verifying = tokio::task::spawn_blocking(move || {
        // Held to the end, even if the client has gone meanwhile.
        let _place = place;
        SignedXml(&settings).verify(&xml, now)
    });
    verifying.await.map_err(|_| FAILED)?
}

/// Bearer assertions may be used until they are over; a proof only once.
fn admit(
    core: &Core<'_>,
    assertion: Assertion,
    held: Option<&[u8]>,
) -> Result<Credentials, Refused> {
    match held {
        Some(message) if !core.replays().is_first(message, core.visit.now) => {
            return Err(Refused(
                "the proof was used before, or too many are remembered",
            ));
        }
        None if !assertion.bearer => return Err(Refused("a proof is needed and not there")),
        _ => {}
    }
    Ok(Credentials::Assertion {
        name_id: assertion.name_id,
        issuer: assertion.issuer,
        not_on_or_after: assertion.not_on_or_after,
    })
}

fn logged(read: Result<Credentials, Refused>) -> Option<Credentials> {
    read.inspect_err(|Refused(why)| tracing::debug!(why, "a SAML assertion was refused"))
        .ok()
}

#[cfg(test)]
mod tests;
