//! The id of one request, in every log, in the response and towards the application.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::HeaderValue;

/// Random for each process, so that ids of different agents do not collide.
static PREFIX: LazyLock<u64> = LazyLock::new(|| {
    let mut bytes = [0; 8];
    // Ids are names, not secrets: without randomness they merely stop being unique across processes.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
});
static NEXT: AtomicU64 = AtomicU64::new(1);

/// 16 hex digits of the process, a hyphen, and 12 hex digits that count its requests.
#[derive(Clone, Debug)]
pub struct TransactionId(HeaderValue);

impl TransactionId {
    const LENGTH: usize = 29;

    /// The next id.
    pub fn next() -> Self {
        let mut text = [b'-'; Self::LENGTH];
        write_hex(&mut text[..16], *PREFIX);
        write_hex(&mut text[17..], NEXT.fetch_add(1, Ordering::Relaxed));
        let value = HeaderValue::from_maybe_shared(Bytes::copy_from_slice(&text));
        Self(value.expect("hex digits and a hyphen are a header value"))
    }

    /// As a header.
    pub const fn header(&self) -> &HeaderValue {
        &self.0
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.0
            .to_str()
            .expect("hex digits and a hyphen are visible ASCII")
    }
}

/// Writes the lowest digits of `value`, as many as there is room for.
fn write_hex(room: &mut [u8], value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (place, digit) in room.iter_mut().rev().enumerate() {
        *digit = DIGITS[(value >> (4 * place) & 15) as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_have_their_form() {
        let (one, two) = (TransactionId::next(), TransactionId::next());
        assert_ne!(one.as_str(), two.as_str());
        assert_eq!(one.as_str().len(), TransactionId::LENGTH);
        assert_eq!(one.as_str()[..17], two.as_str()[..17]);
        assert!(
            one.as_str()
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        );
    }
}
