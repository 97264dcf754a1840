//! The master key: seals what is secret in the store. It is never in the store itself.
//!
//! Whoever reads the store, or a copy of it, learns no key and no second factor; whoever writes to it
//! can neither make up such a record nor put one in the place of another, because kind and name of the
//! record are bound into the seal.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_protocol::seal::{self, KEY_LENGTH};
use policy_protocol::{KeyId, SealError, SealingKey, Secret, SessionId, TokenType};

use crate::config::keys::MasterKeys;
use crate::store::RecordKind;

/// Where the key is that is made if none is given, in the state folder.
pub(crate) const FILE_NAME: &str = "master-key";

/// Seals and opens records.
pub(crate) struct MasterKey {
    current: SealingKey,
    /// Opens only.
    previous: Option<SealingKey>,
}

/// A record, opened.
pub(crate) struct Opened {
    pub(crate) plain: Secret<Vec<u8>>,
    /// Whether it should be written anew, because it was sealed with the previous master key.
    pub(crate) is_stale: bool,
}

/// Why a record could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenRecordError {
    #[error("sealed with another master key than the one that is configured")]
    OtherKey,
    #[error("not what was sealed: the store was changed by somebody else")]
    Broken,
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MasterKeyError {
    #[error("{path}: {error}")]
    File { path: String, error: io::Error },
    #[error("{path} must hold base64 of 32 bytes: make one with `doorward keys generate-master`")]
    Malformed { path: String },
    #[error(
        "there is no master key: the keys in the store are sealed with one that was in {path}. Put it \
         back, or name its place in keys.master_key_file"
    )]
    Missing { path: String },
    #[error("there is no randomness to be had")]
    NoRandomness,
}

impl MasterKey {
    pub(crate) fn new(keys: &MasterKeys) -> Self {
        let prepare = |key: &Secret<[u8; KEY_LENGTH]>| {
            let key = key.expose();
            SealingKey::new(key_id(b"doorward master key", key), key)
        };
        Self {
            current: prepare(&keys.current),
            previous: keys.previous.as_ref().map(prepare),
        }
    }

    /// Seals the value of a record for its place.
    pub(crate) fn seal(
        &self,
        kind: RecordKind,
        name: &str,
        plain: &[u8],
    ) -> Result<Secret<Vec<u8>>, SealError> {
        self.current
            .seal_bytes(TokenType::Record, &place(kind, name), plain)
            .map(Secret::new)
    }

    /// Opens the value of the record that is in this place.
    pub(crate) fn open(
        &self,
        kind: RecordKind,
        name: &str,
        sealed: &Secret<Vec<u8>>,
    ) -> Result<Opened, OpenRecordError> {
        let sealed = sealed.expose();
        let id = seal::key_id_of(sealed, TokenType::Record).ok_or(OpenRecordError::Broken)?;
        let key = std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|key| key.id() == id)
            .ok_or(OpenRecordError::OtherKey)?;
        let place = place(kind, name);
        let plain = seal::open_bytes(sealed.clone(), TokenType::Record, &place, |_| Some(key))
            .map_err(|_| OpenRecordError::Broken)?;
        Ok(Opened {
            plain: Secret::new(plain),
            is_stale: id != self.current.id(),
        })
    }
}

/// What is bound into the seal. No kind's name has a slash.
fn place(kind: RecordKind, name: &str) -> String {
    format!("{}/{name}", kind.name())
}

/// A key's name, derived from the key: equal keys have equal names. `what` keeps the names of different
/// kinds of keys apart. Four bytes of a hash tell nothing of 32 random ones.
pub(crate) fn key_id(what: &[u8], key: &[u8; KEY_LENGTH]) -> KeyId {
    let input = Secret::new([what, key.as_slice()].concat());
    let hash = digest(&SHA256, input.expose());
    let mut id = [0; 4];
    id.copy_from_slice(&hash.as_ref()[..4]);
    KeyId(u32::from_be_bytes(id))
}

/// 32 random bytes, as files hold them.
///
/// # Errors
/// If the operating system has no randomness to give.
pub fn generate() -> Result<Secret<String>, getrandom::Error> {
    let mut key = [0; KEY_LENGTH];
    getrandom::fill(&mut key)?;
    let key = Secret::new(key);
    Ok(Secret::new(STANDARD.encode(key.expose())))
}

/// Reads base64 of 32 bytes.
pub(crate) fn parse(text: &str) -> Option<Secret<[u8; KEY_LENGTH]>> {
    let bytes = Secret::new(STANDARD.decode(text.trim()).ok()?);
    let key: &[u8; KEY_LENGTH] = bytes.expose().as_slice().try_into().ok()?;
    Some(Secret::new(*key))
}

/// The master key of the state folder. It is made if it is absent and `may_make` says that nothing was
/// sealed with it. Blocks.
pub(crate) fn of_state_dir(
    state_dir: &Path,
    may_make: bool,
) -> Result<Secret<[u8; KEY_LENGTH]>, MasterKeyError> {
    let path = state_dir.join(FILE_NAME);
    let named = path.display().to_string();
    let failed = |error| MasterKeyError::File {
        path: named.clone(),
        error,
    };
    if may_make {
        let key = generate().map_err(|_| MasterKeyError::NoRandomness)?;
        // Whole or not at all: under another name first, which nobody else chooses.
        let unique = SessionId::random().map_err(|_| MasterKeyError::NoRandomness)?;
        let new = state_dir.join(format!("{FILE_NAME}.{unique}.new"));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| {
                writeln!(file, "{}", key.expose())?;
                file.sync_all()
            });
        // Fails if there is one already, which then counts.
        let linked = written.and_then(|()| match std::fs::hard_link(&new, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
        _ = std::fs::remove_file(&new);
        linked.map_err(failed)?;
    }
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(MasterKeyError::Missing { path: named });
        }
        Err(error) => return Err(failed(error)),
    };
    parse(text.expose()).ok_or(MasterKeyError::Malformed { path: named })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn master(current: u8, previous: Option<u8>) -> MasterKey {
        let key = |byte| Secret::new([byte; KEY_LENGTH]);
        MasterKey::new(&MasterKeys {
            current: key(current),
            previous: previous.map(key),
        })
    }

    #[test]
    fn a_record_opens_in_its_own_place_only() {
        let master = master(1, None);
        let sealed = master.seal(RecordKind::Keys, "a", b"secret").unwrap();
        let opened = master.open(RecordKind::Keys, "a", &sealed).unwrap();
        assert_eq!(opened.plain.expose(), b"secret");
        assert!(!opened.is_stale);
        for (kind, name) in [(RecordKind::Keys, "b"), (RecordKind::Agent, "a")] {
            assert_eq!(
                master.open(kind, name, &sealed).err(),
                Some(OpenRecordError::Broken)
            );
        }
        let cut = Secret::new(sealed.expose()[..5].to_vec());
        let cut = master.open(RecordKind::Keys, "a", &cut);
        assert_eq!(cut.err(), Some(OpenRecordError::Broken));
    }

    #[test]
    fn the_previous_master_key_opens_and_does_not_seal() {
        let sealed = master(1, None).seal(RecordKind::Keys, "a", b"x").unwrap();
        let both = master(2, Some(1));
        assert!(both.open(RecordKind::Keys, "a", &sealed).unwrap().is_stale);
        let anew = both.seal(RecordKind::Keys, "a", b"x").unwrap();
        let only = master(2, None);
        assert!(!only.open(RecordKind::Keys, "a", &anew).unwrap().is_stale);
        assert_eq!(
            only.open(RecordKind::Keys, "a", &sealed).err(),
            Some(OpenRecordError::OtherKey)
        );
    }

    #[test]
    fn the_state_folder_gets_one_key_that_only_its_owner_reads() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            of_state_dir(dir.path(), false),
            Err(MasterKeyError::Missing { .. })
        ));
        let made = of_state_dir(dir.path(), true).unwrap();
        assert!(of_state_dir(dir.path(), true).unwrap() == made);
        assert!(of_state_dir(dir.path(), false).unwrap() == made);
        let entries: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(entries.len(), 1);
        let mode = std::fs::metadata(dir.path().join(FILE_NAME)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        std::fs::write(dir.path().join(FILE_NAME), "not a key").unwrap();
        assert!(matches!(
            of_state_dir(dir.path(), true),
            Err(MasterKeyError::Malformed { .. })
        ));
    }
}
