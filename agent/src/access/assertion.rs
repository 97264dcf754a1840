//! The signed identity assertion: a JWT by which an application knows that it was us who wrote the
//! identity headers.

use std::time::Duration;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use policy_protocol::{Session, Timestamp};
use serde::Serialize;

/// The key cannot sign.
#[derive(Debug, thiserror::Error)]
#[error("the assertion key is not an ECDSA P-256 key in PKCS #8")]
pub struct InvalidKey(());

/// Signs assertions with the key that all agents of a policy server share.
pub struct Signer {
    key: EncodingKey,
    header: Header,
    jwks: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("key_id", &self.header.kid)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    nbf: u64,
    exp: u64,
    auth_time: u64,
    /// Which session; a hash, because the id itself is nobody else's business.
    sid: String,
    name: &'a str,
    groups: &'a [String],
    protection_level: u16,
    auth_type: &'static str,
}

impl Signer {
    /// A signer with an ECDSA P-256 key in PKCS #8 (DER).
    ///
    /// # Errors
    /// If that is not what it is.
    pub fn new(pkcs8: &[u8]) -> Result<Self, InvalidKey> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
            .map_err(|_| InvalidKey(()))?;
        // An uncompressed point: 4, x, y.
        let point = pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let digest = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            pair.public_key()
                .as_der()
                .map_err(|_| InvalidKey(()))?
                .as_ref(),
        );
        let key_id = URL_SAFE_NO_PAD.encode(&digest.as_ref()[..12]);
        let jwks = serde_json::json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key_id,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }]});
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(key_id);
        Ok(Self {
            key: EncodingKey::from_ec_der(pkcs8),
            header,
            jwks: jwks.to_string(),
        })
    }

    /// The public keys, as a JSON Web Key Set.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// An assertion of who `session` belongs to, for the application called `audience`.
    pub fn sign(
        &self,
        session: &Session,
        issuer: &str,
        audience: &str,
        lifetime: Duration,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, session.id.as_bytes());
        let claims = Claims {
            iss: issuer,
            sub: &session.identity.universal_id,
            aud: audience,
            iat: now.0,
            nbf: now.0,
            exp: now.plus(lifetime).0,
            auth_time: session.started.0,
            sid: URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]),
            name: &session.identity.user_name,
            groups: &session.identity.groups,
            protection_level: session.protection_level.0,
            auth_type: session.auth_scheme.auth_type(),
        };
        let token = jsonwebtoken::encode(&self.header, &claims, &self.key).ok()?;
        HeaderValue::try_from(token).ok()
    }
}
