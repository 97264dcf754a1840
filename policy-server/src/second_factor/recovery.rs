//! Recovery codes: for who has lost the telephone.

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use policy_protocol::Secret;

use super::SecondFactorError;

/// Codes that a user gets.
pub(super) const COUNT: usize = 10;
/// Characters of a code: 50 bits, which nobody guesses within the limits of login regulation, nor from
/// a hash without the master key.
const LENGTH: usize = 10;
/// Crockford's base 32: without letters that look like others.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What is kept of a code.
pub(super) type Hash = [u8; SHA256_OUTPUT_LEN];

/// A new code, in two groups.
///
/// # Errors
/// If the operating system has no randomness to give.
pub(super) fn generate() -> Result<Secret<String>, SecondFactorError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|_| SecondFactorError::NoRandomness)?;
    // 256 is a multiple of 32: every character is as likely as every other.
    let character = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
    let (first, second) = bytes.split_at(LENGTH / 2);
    let code = first.iter().map(character).chain(['-']);
    Ok(Secret::new(
        code.chain(second.iter().map(character)).collect(),
    ))
}

/// The hash of what may be a code, however it is typed; nothing if it cannot be one.
pub(super) fn hash(typed: &str) -> Option<Hash> {
    let characters = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let code = characters.map(|character| match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    let code = Secret::new(code.collect::<String>());
    let is_code =
        code.expose().len() == LENGTH && code.expose().bytes().all(|byte| ALPHABET.contains(&byte));
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, code.expose().as_bytes()).as_ref());
    is_code.then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_one_code_however_it_is_typed() {
        let code = generate().unwrap();
        assert_eq!(code.expose().len(), LENGTH + 1);
        let kept = hash(code.expose()).unwrap();
        let typed = code.expose().to_lowercase().replace('-', " ");
        let typed = typed.replace('0', "o").replace('1', "l");
        assert_eq!(hash(&format!(" {typed} ")), Some(kept));
        assert_ne!(hash(generate().unwrap().expose()), Some(kept));
        for other in ["", "123456", "ABCDE-FGHJ", "ABCDE-FGHJKM", "ABCDE-FGHJU"] {
            assert_eq!(hash(other), None, "{other}");
        }
    }
}
