//! What a login page remembers: sealed into the form, and tied to the browser that the form was shown in.
//!
//! The tie is a random cookie. Without it, an attacker could log a victim in as somebody else by sending
//! them a form of the attacker's own.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use minicbor::{Decode, Encode};
use policy_protocol::{AgentKeyRing, Timestamp, TokenType, seal};

use crate::http::cookies;
use crate::session::reissue::CookieJar;

/// How long a form may stay open before it must be shown again.
const MAX_AGE: Duration = Duration::from_secs(3600);
/// Characters of a browser nonce: 16 random bytes.
const NONCE_LENGTH: usize = 22;

/// What a login page remembers until the form comes back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LoginState {
    /// Where the login leads: the TARGET as it was asked for, checked again when it is used.
    #[n(0)]
    pub target: String,
    /// The browser's nonce.
    #[n(1)]
    pub nonce: String,
    /// When the form was shown.
    #[n(2)]
    pub shown: Timestamp,
    /// The request that waits for the login.
    #[n(3)]
    pub waiting: Option<String>,
    /// Who has given the right credentials and must choose a new password now, by the name they typed.
    #[n(4)]
    pub changing: Option<String>,
    /// Whether the user wanted to be remembered when the form was shown; `None` if it had no box for that.
    #[n(5)]
    pub remember: Option<bool>,
}

impl LoginState {
    /// Seals the state for a form.
    ///
    /// # Errors
    /// If it is too long.
    pub fn seal(&self, ring: &AgentKeyRing, zone: &str) -> Result<String, seal::SealError> {
        let plaintext = minicbor::to_vec(self).expect("writing to memory cannot fail");
        ring.current().seal(TokenType::LoginState, zone, &plaintext)
    }

    /// Opens the state that came back with a form, if it is of this browser and not too old.
    pub fn open(
        text: &str,
        ring: &AgentKeyRing,
        zone: &str,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Option<Self> {
        let plaintext = seal::open(text.as_bytes(), TokenType::LoginState, zone, |id| {
            ring.find(id)
        })
        .ok()?;
        let state: Self = minicbor::decode(&plaintext).ok()?;
        (Some(state.nonce.as_str()) == nonce && now.since(state.shown) < MAX_AGE).then_some(state)
    }
}

/// The nonce that this browser has.
pub fn browser_nonce<'h>(headers: &'h HeaderMap, jar: &CookieJar) -> Option<&'h str> {
    let nonce = std::str::from_utf8(cookies::first(headers, jar.login_name())?).ok()?;
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (nonce.len() == NONCE_LENGTH && nonce.bytes().all(valid)).then_some(nonce)
}

/// A nonce for a browser that has none. `None` without randomness.
pub fn new_nonce() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}
