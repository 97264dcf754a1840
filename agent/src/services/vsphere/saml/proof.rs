//! The proof in a header: a signature over the request, by the key that the assertion names.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_protocol::Timestamp;

use super::key::{Algorithm, PublicKey};
use super::{PROOF_WINDOW, Refused};
use crate::http::target::RequestTarget;

/// The longest nonce, in bytes.
const MAX_NONCE: usize = 128;

/// What the header says of a proof, as text.
#[derive(Debug)]
pub(super) struct Proof<'h> {
    pub(super) algorithm: &'h str,
    pub(super) signature: &'h str,
    pub(super) nonce: &'h str,
    pub(super) bodyhash: &'h str,
}

/// What is asked, as the client signed it.
#[derive(Debug)]
pub(super) struct Asked<'r> {
    pub(super) method: &'r str,
    pub(super) path: &'r str,
    pub(super) host: &'r str,
    pub(super) port: Option<u16>,
    pub(super) body: &'r [u8],
}

impl<'r> Asked<'r> {
    pub(super) fn of(target: &'r RequestTarget, body: &'r [u8]) -> Self {
        Self {
            method: target.method().as_str(),
            path: target.resource(),
            host: target.host(),
            port: target.port(),
            body,
        }
    }

    /// Clients sign the port of the address they were given. Where that has none they sign 80, even over TLS, and
    /// where it has the usual one they need not send it.
    fn ports(&self) -> Vec<u16> {
        self.port.map_or_else(|| vec![80, 443], |port| vec![port])
    }
}

impl Proof<'_> {
    /// The message that was signed, if one of the holders signed this request just now.
    pub(super) fn check(
        &self,
        asked: &Asked<'_>,
        holders: &[PublicKey],
        now: Timestamp,
    ) -> Result<Vec<u8>, Refused> {
        let algorithm = match self.algorithm {
            "RSA-SHA256" => Algorithm::RsaSha256,
            "RSA-SHA384" => Algorithm::RsaSha384,
            "RSA-SHA512" => Algorithm::RsaSha512,
            _ => return Err(Refused("the proof is of an algorithm that does not count")),
        };
        let made = self.nonce.split_once(':').map(|(made, _)| made.parse());
        let Some(Ok(made)) = made.filter(|_| self.nonce.len() <= MAX_NONCE) else {
            return Err(Refused("the nonce of the proof does not tell its time"));
        };
        if made_long_before_or_after(made, now) {
            return Err(Refused("the proof is too old or too new"));
        }
        let hash = digest(&SHA256, asked.body);
        if STANDARD.decode(self.bodyhash).ok().as_deref() != Some(hash.as_ref()) {
            return Err(Refused("the proof is about another body"));
        }
        let signature = STANDARD.decode(self.signature);
        let signature = signature.map_err(|_| Refused("the proof is not Base64"))?;
        let messages = asked.ports().into_iter().map(|port| {
            let Self { nonce, .. } = self;
            let Asked {
                method, path, host, ..
            } = asked;
            let mut message = format!("{nonce}\n{method}\n{path}\n{host}\n{port}\n").into_bytes();
            message.extend_from_slice(hash.as_ref());
            message.push(b'\n');
            message
        });
        let is_signed = |message: &Vec<u8>| {
            let mut holders = holders.iter();
            holders.any(|key| key.verifies(algorithm, message, &signature))
        };
        let mut signed = messages.filter(is_signed);
        signed
            .next()
            .ok_or(Refused("no holder of the assertion signed the request"))
    }
}

/// Whether a time in milliseconds is out of the window.
fn made_long_before_or_after(milliseconds: u64, now: Timestamp) -> bool {
    now.0.saturating_mul(1000).abs_diff(milliseconds) > PROOF_WINDOW * 1000
}
