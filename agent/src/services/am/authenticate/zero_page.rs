//! Name and password in headers. What is no ASCII comes as encoded words (RFC 2047), or as it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use zeroize::Zeroizing;

/// Name and password, if both are there and can be read.
pub(super) fn read(headers: &HeaderMap) -> Option<(String, Zeroizing<String>)> {
    let text = |name| {
        let value = std::str::from_utf8(headers.get(name)?.as_bytes()).ok()?;
        // A password may look like an encoded word without being one.
        Some(decode(value).unwrap_or_else(|| value.to_owned()))
    };
    let user_name = text("x-openam-username").filter(|name| !name.is_empty())?;
    Some((user_name, Zeroizing::new(text("x-openam-password")?)))
}

/// A sequence of encoded words.
fn decode(text: &str) -> Option<String> {
    let mut decoded = String::new();
    for word in text.split_ascii_whitespace() {
        decoded.push_str(&decode_word(word)?);
    }
    Some(decoded)
}

/// `=?charset?B?…?=` or `=?charset?Q?…?=`
fn decode_word(word: &str) -> Option<String> {
    let inner = word.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.splitn(3, '?');
    let (charset, encoding, text) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(text).ok()?,
        "Q" | "q" => quoted(text)?,
        _ => return None,
    };
    // A language may follow the charset (RFC 2231).
    let charset = charset.split('*').next().unwrap_or_default();
    if charset.eq_ignore_ascii_case("iso-8859-1") {
        return Some(bytes.iter().map(|byte| char::from(*byte)).collect());
    }
    let known = charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii");
    String::from_utf8(bytes).ok().filter(|_| known)
}

fn quoted(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(user_name: &[u8], password: &[u8]) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert("x-openam-username", user_name.try_into().unwrap());
        headers.insert("x-openam-password", password.try_into().unwrap());
        read(&headers).map(|(name, password)| (name, password.to_string()))
    }

    #[test]
    fn encoded_words_are_decoded_and_the_rest_is_taken_as_it_is() {
        for (sent, meant) in [
            ("demo", "demo"),
            ("a b  c", "a b  c"),
            ("jürgen", "jürgen"),
            ("=?UTF-8?B?asO8cmdlbg==?=", "jürgen"),
            ("=?utf-8?q?j=C3=BCrgen_x?=", "jürgen x"),
            ("=?ISO-8859-1?Q?j=FCrgen?=", "jürgen"),
            ("=?UTF-8*de?B?asO8?= =?UTF-8?B?cmdlbg==?=", "jürgen"),
            ("=?UTF-8?B?%%%?=", "=?UTF-8?B?%%%?="),
            ("=?UTF-8?Q?=C3?=", "=?UTF-8?Q?=C3?="),
            ("=?UTF-8?Q?=C?=", "=?UTF-8?Q?=C?="),
            ("=?koi8-r?B?asO8?=", "=?koi8-r?B?asO8?="),
            ("=?x?=", "=?x?="),
        ] {
            let read = both(sent.as_bytes(), sent.as_bytes());
            assert_eq!(read, Some((meant.into(), meant.into())), "{sent}");
        }
    }

    #[test]
    fn both_must_be_there() {
        assert_eq!(both(b"", b"pw"), None);
        assert_eq!(both(b"\xff", b"pw"), None);
        assert!(read(&HeaderMap::new()).is_none());
    }
}
