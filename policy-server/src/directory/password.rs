//! Password hashes: Argon2id in PHC string format.
//!
//! <https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md>

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use policy_protocol::Secret;
use tokio::sync::Semaphore;

use super::DirectoryError;

/// Logins that may wait for a processor. At a tenth of a second each, more would only time out.
const MAX_WAITING: usize = 64;
/// The most memory a stored hash may ask for, in KiB: a quarter of a GiB for each processor.
const MAX_MEMORY: u32 = 256 * 1024;
/// The most passes a stored hash may ask for.
const MAX_PASSES: u32 = 32;

/// What one check of a password costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
}

impl PasswordCost {
    /// 19 MiB and two passes: what OWASP recommends as the least.
    /// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>
    pub const STANDARD: Self = Self {
        memory: 19 * 1024,
        passes: 2,
    };
    /// Next to nothing: for tests and demonstrations only.
    pub const LIGHT: Self = Self {
        memory: 64,
        passes: 1,
    };
}

/// Why a password was not hashed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the password cannot be hashed: the cost is out of range or there is no randomness")]
pub struct HashError(());

/// Hashes a password for a users file, at the standard cost.
///
/// # Errors
/// If the operating system has no randomness to give.
pub fn hash_password(password: &str) -> Result<String, HashError> {
    hash_password_at(password, PasswordCost::STANDARD)
}

/// Hashes a password for a users file.
///
/// # Errors
/// If the cost is out of range or the operating system has no randomness to give.
pub fn hash_password_at(password: &str, cost: PasswordCost) -> Result<String, HashError> {
    let params = Params::new(cost.memory, cost.passes, 1, None).map_err(|_| HashError(()))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash = argon2
        .hash_password(password.as_bytes())
        .map_err(|_| HashError(()))?;
    Ok(hash.to_string())
}

/// A stored hash that may be checked.
#[derive(Clone, Debug)]
pub(crate) struct StoredHash {
    hash: PasswordHash,
    cost: PasswordCost,
}

impl StoredHash {
    /// Reads a hash.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let hash =
            PasswordHash::new(text).map_err(|_| "this is not a hash in PHC string format")?;
        if hash.algorithm != Algorithm::Argon2id.ident()
            || hash.hash.is_none()
            || hash.salt.is_none()
        {
            return Err("must be a complete Argon2id hash");
        }
        let params =
            Params::try_from(&hash).map_err(|_| "the parameters of this hash are invalid")?;
        if params.m_cost() > MAX_MEMORY || params.t_cost() > MAX_PASSES || params.p_cost() > 16 {
            return Err("this hash costs too much: 256 MiB, 32 passes and 16 lanes are the most");
        }
        let cost = PasswordCost {
            memory: params.m_cost(),
            passes: params.t_cost(),
        };
        Ok(Self { hash, cost })
    }

    /// The hash as it is stored.
    pub(crate) fn text(&self) -> String {
        self.hash.to_string()
    }

    /// What a check costs.
    pub(crate) const fn cost(&self) -> PasswordCost {
        self.cost
    }

    fn is_of(&self, password: &str) -> bool {
        Argon2::default()
            .verify_password(password.as_bytes(), &self.hash)
            .is_ok()
    }
}

/// Checks passwords, as many at a time as there are processors, with a bounded queue before them.
pub(crate) struct PasswordChecker {
    /// One for each check that runs or waits.
    pub(super) admission: Arc<Semaphore>,
    /// One for each check that runs.
    processors: Arc<Semaphore>,
}

impl PasswordChecker {
    pub(crate) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            admission: Arc::new(Semaphore::new(processors + MAX_WAITING)),
            processors: Arc::new(Semaphore::new(processors)),
        }
    }

    /// Is `hash` of `password`?
    ///
    /// # Errors
    /// `Busy` if the queue is full.
    pub(crate) async fn check(
        &self,
        hash: Arc<StoredHash>,
        password: Secret<String>,
    ) -> Result<bool, DirectoryError> {
        let admitted = Arc::clone(&self.admission)
            .try_acquire_owned()
            .map_err(|_| DirectoryError::Busy)?;
        let processor = Arc::clone(&self.processors)
            .acquire_owned()
            .await
            .map_err(|_| DirectoryError::Failure)?;
        // The permits go along: a caller that gives up does not make room for another check.
        tokio::task::spawn_blocking(move || {
            let _permits = (admitted, processor);
            hash.is_of(password.expose())
        })
        .await
        .map_err(|_| DirectoryError::Failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_its_password_only_and_salted() {
        let text = hash_password_at("correct horse", PasswordCost::LIGHT).unwrap();
        let hash = StoredHash::parse(&text).unwrap();
        assert!(text.starts_with("$argon2id$"));
        assert!(hash.is_of("correct horse"));
        assert!(!hash.is_of("correct horse "));
        assert_ne!(
            text,
            hash_password_at("correct horse", PasswordCost::LIGHT).unwrap()
        );
        assert_eq!(hash.cost(), PasswordCost::LIGHT);
    }

    #[test]
    fn other_algorithms_and_absurd_costs_are_refused() {
        let light = hash_password_at("x", PasswordCost::LIGHT).unwrap();
        for text in [
            String::from("secret"),
            String::from("$argon2id$v=19$m=64,t=1,p=1"),
            light.replace("argon2id", "argon2i"),
            light.replace("m=64", "m=4000000000"),
            light.replace("t=1", "t=1000"),
        ] {
            assert!(StoredHash::parse(&text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn checks_beyond_the_queue_are_refused_at_once() {
        let checker = PasswordChecker::new();
        let hash = hash_password_at("x", PasswordCost::LIGHT).unwrap();
        let hash = Arc::new(StoredHash::parse(&hash).unwrap());
        let held = checker.admission.available_permits();
        let _held = checker
            .admission
            .acquire_many(u32::try_from(held).unwrap())
            .await
            .unwrap();
        let answer = checker.check(hash, Secret::new(String::from("x"))).await;
        assert_eq!(answer, Err(DirectoryError::Busy));
    }
}
