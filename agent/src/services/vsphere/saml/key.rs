//! Public keys of certificates, and the algorithms they verify with.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey as Parsed;

/// The shortest RSA key, in bits.
const MIN_RSA: usize = 2048;

/// A key that signatures are verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
}

/// How something is signed. SHA-1 is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA (PKCS #1 v1.5) with SHA-256.
    RsaSha256,
    /// RSA (PKCS #1 v1.5) with SHA-384.
    RsaSha384,
    /// RSA (PKCS #1 v1.5) with SHA-512.
    RsaSha512,
    /// ECDSA over P-256 with SHA-256; r and s one after the other.
    EcdsaSha256,
    /// ECDSA over P-384 with SHA-384; r and s one after the other.
    EcdsaSha384,
}

impl PublicKey {
    /// The key of a certificate (DER). Nothing if it is of no kind that is verified with. Neither its times nor who
    /// issued it are looked at: it stands for its key.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        let info = certificate.public_key();
        let kind = match info.parsed().ok()? {
            Parsed::RSA(key) if key.key_size() >= MIN_RSA => Kind::Rsa,
            Parsed::EC(point) if point.key_size() == 256 => Kind::P256,
            Parsed::EC(point) if point.key_size() == 384 => Kind::P384,
            _ => return None,
        };
        rest.is_empty().then(|| Self {
            kind,
            bytes: info.subject_public_key.data.to_vec(),
        })
    }

    /// Whether this key signed the message in this way.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let with: &'static dyn VerificationAlgorithm = match (self.kind, algorithm) {
            (Kind::Rsa, Algorithm::RsaSha256) => &RSA_PKCS1_2048_8192_SHA256,
            (Kind::Rsa, Algorithm::RsaSha384) => &RSA_PKCS1_2048_8192_SHA384,
            (Kind::Rsa, Algorithm::RsaSha512) => &RSA_PKCS1_2048_8192_SHA512,
            (Kind::P256, Algorithm::EcdsaSha256) => &ECDSA_P256_SHA256_FIXED,
            (Kind::P384, Algorithm::EcdsaSha384) => &ECDSA_P384_SHA384_FIXED,
            _ => return false,
        };
        let key = UnparsedPublicKey::new(with, &self.bytes);
        key.verify(message, signature).is_ok()
    }
}
