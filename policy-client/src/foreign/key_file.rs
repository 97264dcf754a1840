//! Agent keys that an agent keeps itself, because the system it asks has none.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use policy_protocol::{AgentKey, AgentKeySet, KeyId, Secret, SessionId};

use crate::settings::ClientError;

/// The longest file that is read, in bytes. One has about a thousand.
const MAX_FILE: u64 = 64 * 1024;

/// The keys in `file`, which is made if it is not there; without a file new ones.
pub(super) fn open(file: Option<&Path>) -> Result<AgentKeySet, ClientError> {
    let Some(file) = file else {
        tracing::warn!(
            "policy_server.agent_keys_file is not set: sessions that are begun here end with this process"
        );
        return random().ok_or_else(|| ClientError::Setup(String::from("no randomness")));
    };
    let problem = |problem: String| ClientError::AgentKeys {
        file: file.to_owned(),
        problem,
    };
    match read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let set = random().ok_or_else(|| problem(String::from("no randomness")))?;
            // What is there counts, whoever wrote it: another agent may have been faster.
            write(file, &set).and_then(|()| read(file))
        }
        outcome => outcome,
    }
    .map_err(|error| problem(error.to_string()))
}

fn read(path: &Path) -> io::Result<AgentKeySet> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::other(
            "others than its owner may read or write it: chmod 600",
        ));
    }
    let mut content = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut content)?;
    let content = Secret::new(content);
    // What serde says of a mistake may repeat a part of a key.
    serde_json::from_slice(content.expose())
        .map_err(|_| io::Error::other("does not hold agent keys"))
}

/// Whole or not at all: under a name of its own first, which is then linked, unless there is a file meanwhile.
fn write(path: &Path, set: &AgentKeySet) -> io::Result<()> {
    let content = Secret::new(serde_json::to_vec(set)?);
    // Nobody else's: agents in containers all have the same process id.
    let unique = SessionId::random().map_err(|_| io::Error::other("no randomness"))?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{unique}"));
    let beside = Path::new(&name);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(beside)?;
    let linked = (|| {
        file.write_all(content.expose())?;
        file.sync_all()?;
        match std::fs::hard_link(beside, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    })();
    _ = std::fs::remove_file(beside);
    linked
}

/// New keys. There is no rollover: whoever wants new ones removes the file, and restarts all agents of it.
fn random() -> Option<AgentKeySet> {
    let assertion_key =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .ok()?;
    let mut first = [0; 4];
    getrandom::fill(&mut first).ok()?;
    let first = u32::from_be_bytes(first);
    let key = |offset: u32| AgentKey::random(KeyId(first.wrapping_add(offset))).ok();
    Some(AgentKeySet {
        store: SessionId::random().ok()?.to_string(),
        version: 1,
        current: key(0)?,
        next: key(1)?,
        previous: Vec::new(),
        static_key: key(2)?,
        assertion_key: Secret::new(assertion_key.as_ref().to_vec()),
    })
}
