//! Recovery codes: for who has lost the telephone.

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use policy_protocol::Secret;

use super::SecondFactorError;

/// Codes that a user gets.
pub(super) const COUNT: usize = 10;
/// Digits of a code, because they are typed where one-time codes are, on telephones with digits only: 40
/// bits, which nobody guesses within the limits of login regulation. Whoever opens the record has the
/// secret of the one-time codes as well.
const LENGTH: usize = 12;

/// What is kept of a code.
pub(super) type Hash = [u8; SHA256_OUTPUT_LEN];

/// A new code, in groups of four.
///
/// # Errors
/// If the operating system has no randomness to give.
pub(super) fn generate() -> Result<Secret<String>, SecondFactorError> {
    let mut code = String::with_capacity(LENGTH + 2);
    let mut digits = 0;
    while digits < LENGTH {
        let mut byte = [0];
        getrandom::fill(&mut byte).map_err(|_| SecondFactorError::NoRandomness)?;
        // 250 is the greatest multiple of ten: every digit is as likely as every other.
        if byte[0] >= 250 {
            continue;
        }
        if digits > 0 && digits % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(b'0' + byte[0] % 10));
        digits += 1;
    }
    Ok(Secret::new(code))
}

/// The hash of what may be a code, however it is grouped; nothing if it cannot be one.
pub(super) fn hash(typed: &str) -> Option<Hash> {
    let characters = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let code = Secret::new(characters.collect::<String>());
    let code = code.expose().as_bytes();
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, code).as_ref());
    (code.len() == LENGTH && code.iter().all(u8::is_ascii_digit)).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_one_code_however_it_is_typed() {
        let code = generate().unwrap();
        assert_eq!(code.expose().len(), LENGTH + 2, "{}", code.expose());
        let kept = hash(code.expose()).unwrap();
        assert_eq!(hash(&code.expose().replace('-', "")), Some(kept));
        let typed = code.expose().replace('-', "  ");
        assert_eq!(hash(&format!(" {typed} ")), Some(kept));
        assert_ne!(hash(generate().unwrap().expose()), Some(kept));
        for other in [
            "",
            "123456",
            "1234-5678-901",
            "1234-5678-901x",
            "1234567890123",
        ] {
            assert_eq!(hash(other), None, "{other}");
        }
    }
}
