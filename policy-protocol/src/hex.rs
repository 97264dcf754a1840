//! Bytes as hexadecimal digits (RFC 4648, section 8).

use std::fmt::Write as _;

/// Lower-case digits.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let text = String::with_capacity(2 * bytes.len());
    bytes.iter().fold(text, |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Digits in any case; nothing if it is not that, or there is an odd number of them.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |character: &u8| char::from(*character).to_digit(16)?.try_into().ok();
    let digits: Vec<u8> = text.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| Some(pair[0] << 4 | pair.get(1)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(encode([0, 0x0f, 0xa0, 0xff]), "000fa0ff");
        assert_eq!(decode("000Fa0fF"), Some(vec![0, 0x0f, 0xa0, 0xff]));
        assert_eq!(decode(""), Some(Vec::new()));
        for bad in ["0", "000", "0g", "+1", "é1", " 1", "1:2"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
