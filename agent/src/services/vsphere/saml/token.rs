//! `Authorization: SIGN token="…", …`: an assertion, packed with gzip and in Base64, and perhaps a proof.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;

use super::proof::Proof;
use super::{MAX_ASSERTION, Refused};

/// The longest header that is looked at, in bytes.
const MAX_HEADER: usize = 64 * 1024;

/// The parameters of the header.
#[derive(Debug, Default)]
pub(super) struct Sign<'h> {
    token: &'h str,
    /// What shows that the client holds a key.
    pub(super) proof: Option<Proof<'h>>,
}

impl<'h> Sign<'h> {
    pub(super) fn parse(value: &'h [u8]) -> Result<Self, Refused> {
        let text = std::str::from_utf8(value).ok();
        let text = text.filter(|text| text.len() <= MAX_HEADER);
        let text = text.ok_or(Refused("the header is too long"))?;
        let is_sign = text
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("SIGN "));
        if !is_sign {
            return Err(Refused("the header is of another scheme"));
        }
        let [
            mut token,
            mut algorithm,
            mut signature,
            mut nonce,
            mut bodyhash,
        ] = [None; 5];
        for parameter in Parameters(&text[5..]) {
            let (name, value) = parameter?;
            let place = match name {
                "token" => &mut token,
                "signature_alg" => &mut algorithm,
                "signature" => &mut signature,
                "nonce" => &mut nonce,
                "bodyhash" => &mut bodyhash,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(Refused("a parameter of the header is there twice"));
            }
        }
        let proof = match (algorithm, signature, nonce, bodyhash) {
            (None, None, None, None) => None,
            (Some(algorithm), Some(signature), Some(nonce), Some(bodyhash)) => Some(Proof {
                algorithm,
                signature,
                nonce,
                bodyhash,
            }),
            _ => return Err(Refused("the proof is not complete")),
        };
        let token = token.ok_or(Refused("the header has no token"))?;
        Ok(Self { token, proof })
    }

    /// The assertion, unpacked: no further than its greatest length, whatever it claims to be.
    pub(super) fn assertion(&self) -> Result<Vec<u8>, Refused> {
        let packed = STANDARD.decode(self.token);
        let packed = packed.map_err(|_| Refused("the token is not Base64"))?;
        let mut xml = Vec::new();
        let most = MAX_ASSERTION as u64 + 1;
        let unpacked = GzDecoder::new(packed.as_slice())
            .take(most)
            .read_to_end(&mut xml);
        unpacked.map_err(|_| Refused("the token is not packed with gzip"))?;
        Ok(xml)
    }
}

/// `name="value"`, with commas between.
struct Parameters<'h>(&'h str);

impl<'h> Iterator for Parameters<'h> {
    type Item = Result<(&'h str, &'h str), Refused>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return None;
        }
        let parsed = rest.split_once("=\"").and_then(|(name, rest)| {
            let (value, rest) = rest.split_once('"')?;
            self.0 = rest;
            Some((name, value))
        });
        if parsed.is_none() {
            self.0 = "";
        }
        Some(parsed.ok_or(Refused("the header has something that is no parameter")))
    }
}
