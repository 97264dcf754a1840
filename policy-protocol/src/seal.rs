//! The envelope of every sealed token.
//!
//! ```text
//! offset  0  version      1 byte, always 1
//!         1  token type   1 byte, see TokenType
//!         2  key id       4 bytes, big endian
//!         6  nonce        24 bytes, random
//!        30  ciphertext   as long as the plaintext
//!       end  tag          16 bytes
//! ```
//!
//! The text form is URL-safe base64 without padding. The cipher is XChaCha20-Poly1305, whose nonce is
//! long enough to be random for any number of tokens. The clear part and the SSO zone are
//! authenticated: a token of one type or zone is garbage in another.
//!
//! Every failure to open is one and the same [`SealError`], so that nobody learns how far they got.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Bytes in a sealing key.
pub const KEY_LENGTH: usize = 32;
/// The only version of the envelope so far.
const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;
const CLEAR_LENGTH: usize = 1 + 1 + 4;
const HEAD_LENGTH: usize = CLEAR_LENGTH + NONCE_LENGTH;

/// The longest text that is looked at: a browser's limit for a cookie.
pub const MAX_SEALED_LENGTH: usize = 4096;

/// Names a key inside sealed tokens.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Encode, Decode,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
#[cbor(transparent)]
pub struct KeyId(#[n(0)] pub u32);

/// What a token is for. A token of one type never opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TokenType {
    /// The SMSESSION cookie.
    Session = 1,
    /// The session spec.
    SessionSpec = 2,
    /// What a login page remembers until the form comes back.
    LoginState = 3,
    /// A secret record in a policy server's store, under the master key.
    Record = 4,
    /// The user name that a login page is to fill in, under the static key.
    UserName = 5,
}

/// The token cannot be opened. Deliberately without detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token cannot be opened")]
pub struct SealError(());

/// A key ready for sealing and opening.
#[derive(Clone)]
pub struct SealingKey {
    id: KeyId,
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SealingKey").field(&self.id).finish()
    }
}

impl SealingKey {
    /// Prepares a key.
    pub fn new(id: KeyId, key: &[u8; KEY_LENGTH]) -> Self {
        Self {
            id,
            cipher: XChaCha20Poly1305::new(key.into()),
        }
    }

    /// The key's name.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Seals `plaintext` as a token of `token_type` in `zone`, as text.
    ///
    /// # Errors
    /// If there is no randomness to be had, or the text would exceed [`MAX_SEALED_LENGTH`].
    pub fn seal(
        &self,
        token_type: TokenType,
        zone: &str,
        plaintext: &[u8],
    ) -> Result<String, SealError> {
        let text = URL_SAFE_NO_PAD.encode(self.seal_bytes(token_type, zone, plaintext)?);
        if text.len() > MAX_SEALED_LENGTH {
            Err(SealError(()))
        } else {
            Ok(text)
        }
    }

    /// The same as bytes of any length, for what is kept and not carried around.
    ///
    /// # Errors
    /// If there is no randomness to be had.
    pub fn seal_bytes(
        &self,
        token_type: TokenType,
        zone: &str,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut token = Vec::with_capacity(HEAD_LENGTH + plaintext.len() + TAG_LENGTH);
        token.extend([VERSION, token_type as u8]);
        token.extend(self.id.0.to_be_bytes());
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce).map_err(|_| SealError(()))?;
        token.extend(nonce);
        token.extend(plaintext);
        let (head, body) = token.split_at_mut(HEAD_LENGTH);
        let tag = self
            .cipher
            .encrypt_inout_detached(
                &XNonce::from(nonce),
                &associated_data(head, zone),
                body.into(),
            )
            .map_err(|_| SealError(()))?;
        token.extend(tag);
        Ok(token)
    }
}

/// Opens a token of `token_type` in `zone` with the key that `find_key` returns for its key id, and
/// returns the plaintext.
///
/// Bounds come first, the key second, the seal last: garbage costs next to nothing.
///
/// # Errors
/// Always the same one, whatever is wrong.
pub fn open<'k>(
    text: &[u8],
    token_type: TokenType,
    zone: &str,
    find_key: impl FnOnce(KeyId) -> Option<&'k SealingKey>,
) -> Result<Vec<u8>, SealError> {
    if text.len() > MAX_SEALED_LENGTH {
        return Err(SealError(()));
    }
    let token = URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError(()))?;
    open_bytes(token, token_type, zone, find_key)
}

/// The same for what [`SealingKey::seal_bytes`] made.
///
/// # Errors
/// Always the same one, whatever is wrong.
pub fn open_bytes<'k>(
    mut token: Vec<u8>,
    token_type: TokenType,
    zone: &str,
    find_key: impl FnOnce(KeyId) -> Option<&'k SealingKey>,
) -> Result<Vec<u8>, SealError> {
    if token.len() < HEAD_LENGTH + TAG_LENGTH {
        return Err(SealError(()));
    }
    let key_id = key_id_of(&token, token_type).ok_or(SealError(()))?;
    let key = find_key(key_id).ok_or(SealError(()))?;
    let tag_start = token.len() - TAG_LENGTH;
    let tag = Tag::try_from(&token[tag_start..]).map_err(|_| SealError(()))?;
    token.truncate(tag_start);
    let (head, body) = token.split_at_mut(HEAD_LENGTH);
    let nonce = XNonce::try_from(&head[CLEAR_LENGTH..]).map_err(|_| SealError(()))?;
    key.cipher
        .decrypt_inout_detached(&nonce, &associated_data(head, zone), body.into(), &tag)
        .map_err(|_| SealError(()))?;
    token.drain(..HEAD_LENGTH);
    Ok(token)
}

/// The key that a token of `token_type` names. Nothing proves that it was ever sealed with it.
pub fn key_id(text: &[u8], token_type: TokenType) -> Option<KeyId> {
    if text.len() > MAX_SEALED_LENGTH {
        return None;
    }
    // The clear part ends where a group of four characters does.
    let clear = text.get(..CLEAR_LENGTH / 3 * 4)?;
    key_id_of(&URL_SAFE_NO_PAD.decode(clear).ok()?, token_type)
}

/// The same for what [`SealingKey::seal_bytes`] made.
pub fn key_id_of(token: &[u8], token_type: TokenType) -> Option<KeyId> {
    let [version, of_type, id @ ..] = token.first_chunk::<CLEAR_LENGTH>()?;
    let named = *version == VERSION && *of_type == token_type as u8;
    named.then(|| KeyId(u32::from_be_bytes(*id)))
}

/// The clear part followed by the zone. The clear part has a fixed length, so no two pairs collide.
fn associated_data(head: &[u8], zone: &str) -> Vec<u8> {
    [&head[..CLEAR_LENGTH], zone.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPES: [TokenType; 5] = [
        TokenType::Session,
        TokenType::SessionSpec,
        TokenType::LoginState,
        TokenType::Record,
        TokenType::UserName,
    ];

    fn key(id: u32) -> SealingKey {
        SealingKey::new(KeyId(id), &[u8::try_from(id).unwrap(); KEY_LENGTH])
    }

    fn open_with(
        text: &str,
        token_type: TokenType,
        zone: &str,
        key: &SealingKey,
    ) -> Result<Vec<u8>, SealError> {
        open(text.as_bytes(), token_type, zone, |id| {
            (id == key.id()).then_some(key)
        })
    }

    #[test]
    fn a_token_opens_only_as_its_own_type_and_in_its_own_zone() {
        let key = key(1);
        for own in TYPES {
            let sealed = key.seal(own, "SM", b"claims").unwrap();
            for token_type in TYPES {
                let opened = open_with(&sealed, token_type, "SM", &key);
                assert_eq!(opened.is_ok(), token_type == own);
            }
        }
        let sealed = key.seal(TokenType::Session, "SM", b"claims").unwrap();
        for zone in ["", "S", "SMX", "sm", "Z1"] {
            assert_eq!(
                open_with(&sealed, TokenType::Session, zone, &key),
                Err(SealError(()))
            );
        }
    }

    #[test]
    fn every_flipped_bit_truncation_and_extension_is_refused() {
        let key = key(1);
        let sealed = key
            .seal(TokenType::Session, "SM", b"claims of a user")
            .unwrap();
        let raw = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        let refused = |bytes: &[u8]| {
            let text = URL_SAFE_NO_PAD.encode(bytes);
            assert_eq!(
                open_with(&text, TokenType::Session, "SM", &key),
                Err(SealError(()))
            );
        };
        for index in 0..raw.len() {
            for bit in 0..8 {
                let mut changed = raw.clone();
                changed[index] ^= 1 << bit;
                refused(&changed);
            }
            refused(&raw[..index]);
        }
        refused(&[raw.as_slice(), &[0]].concat());
    }

    #[test]
    fn an_unknown_key_and_another_key_of_the_same_id_are_refused() {
        let sealed = key(1).seal(TokenType::Session, "SM", b"claims").unwrap();
        assert!(open(sealed.as_bytes(), TokenType::Session, "SM", |_| None).is_err());
        let impostor = SealingKey::new(KeyId(1), &[9; KEY_LENGTH]);
        assert!(open_with(&sealed, TokenType::Session, "SM", &impostor).is_err());
    }

    #[test]
    fn a_token_names_the_key_it_was_sealed_with() {
        let sealed = key(7).seal(TokenType::Session, "SM", b"claims").unwrap();
        assert_eq!(
            key_id(sealed.as_bytes(), TokenType::Session),
            Some(KeyId(7))
        );
        assert_eq!(key_id(sealed.as_bytes(), TokenType::LoginState), None);
        for garbage in ["", "AQEAAAA", "!!!!!!!!", "LOGGEDOFF"] {
            assert_eq!(key_id(garbage.as_bytes(), TokenType::Session), None);
        }
    }

    #[test]
    fn bytes_may_be_longer_than_a_cookie() {
        let plain = vec![5; MAX_SEALED_LENGTH];
        let key = key(1);
        let sealed = key
            .seal_bytes(TokenType::Record, "keys/keys", &plain)
            .unwrap();
        let find = |id| (id == key.id()).then_some(&key);
        let opened = open_bytes(sealed.clone(), TokenType::Record, "keys/keys", find);
        assert_eq!(opened, Ok(plain));
        assert!(open_bytes(sealed, TokenType::Record, "agent/keys", find).is_err());
    }

    #[test]
    fn an_overlong_text_is_refused_before_it_is_decoded() {
        let text = "!".repeat(MAX_SEALED_LENGTH + 1);
        assert!(
            open(text.as_bytes(), TokenType::Session, "SM", |_| panic!(
                "looked at"
            ))
            .is_err()
        );
        assert!(
            key(1)
                .seal(TokenType::Session, "SM", &[0; MAX_SEALED_LENGTH])
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(plaintext in proptest::collection::vec(any::<u8>(), 0..2000), zone in "[A-Z0-9]{0,8}") {
            let key = key(3);
            let sealed = key.seal(TokenType::Session, &zone, &plaintext).unwrap();
            prop_assert_eq!(open_with(&sealed, TokenType::Session, &zone, &key), Ok(plaintext));
        }

        #[test]
        fn arbitrary_text_never_opens_and_never_panics(text in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let key = key(1);
            prop_assert!(open(&text, TokenType::Session, "SM", |_| Some(&key)).is_err());
        }
    }
}
