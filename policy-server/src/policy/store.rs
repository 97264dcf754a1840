//! The policies file as last read, and whether agents have been told.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};

use super::PolicySet;
use crate::config::{Problem, Problems};

/// The file in the state folder that says of which policies agents were told last: SHA-256 of their text.
const TOLD: &str = "policies-told";

/// The policies in force, read again when their file changes.
pub(crate) struct PolicyStore {
    path: Option<PathBuf>,
    /// The user directories that policies may name.
    directories: Vec<String>,
    told: PathBuf,
    loaded: RwLock<Loaded>,
}

struct Loaded {
    policies: Arc<PolicySet>,
    digest: Vec<u8>,
    /// Time of the last change and length: enough to see an edit. None if there is no file.
    stamp: Option<(SystemTime, u64)>,
    /// Whether agents may remember decisions by other policies.
    untold: bool,
}

impl PolicyStore {
    /// Reads the file; without one, nothing is allowed.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn open(
        path: Option<&Path>,
        directories: Vec<String>,
        state_dir: &Path,
    ) -> Result<Self, Problems> {
        // The stamp first: an edit after it is seen the next time.
        let stamp = path.and_then(stamp);
        let (policies, digest) = match path {
            Some(path) => load(path, &directories)?,
            None => Default::default(),
        };
        // Agents that come back after a restart have missed nothing, unless the file was changed meanwhile.
        // A server that does not know must tell them; without a file, now and before, nothing changed.
        let told = state_dir.join(TOLD);
        let untold = match std::fs::read(&told) {
            Ok(told) => told != digest,
            Err(_) => path.is_some(),
        };
        Ok(Self {
            path: path.map(Path::to_owned),
            directories,
            told,
            loaded: RwLock::new(Loaded {
                policies: Arc::new(policies),
                digest,
                stamp,
                untold,
            }),
        })
    }

    /// The policies in force.
    pub(crate) fn current(&self) -> Arc<PolicySet> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&loaded.policies)
    }

    /// Reads the file again if it has changed. Returns whether agents must be told, which holds until they
    /// [are](Self::told); what they must be told of is in force when this returns.
    ///
    /// # Errors
    /// Everything that is wrong with the file, once; what was read before stays in force.
    pub(crate) fn refresh(&self) -> Result<bool, Problems> {
        let stamp = self.path.as_deref().and_then(stamp);
        {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            if loaded.stamp == stamp {
                return Ok(loaded.untold);
            }
        }
        let Some(path) = &self.path else {
            return Ok(false);
        };
        let read = load(path, &self.directories);
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        // Also after a failure: one mistake is reported once.
        loaded.stamp = stamp;
        let (policies, digest) = read?;
        loaded.digest = digest;
        if *loaded.policies != policies {
            loaded.policies = Arc::new(policies);
            loaded.untold = true;
            tracing::info!(file = %path.display(), "policies file read again");
        }
        Ok(loaded.untold)
    }

    /// Agents have been told.
    pub(crate) fn told(&self) {
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        loaded.untold = false;
        // Whoever cannot write this tells them once too often.
        if let Err(error) = std::fs::write(&self.told, &loaded.digest) {
            tracing::debug!(%error, file = %self.told.display(), "cannot write");
        }
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// The policies, and the digest of their text.
pub(super) fn load(path: &Path, directories: &[String]) -> Result<(PolicySet, Vec<u8>), Problems> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problems::one(Problem::unplaced(&file, "", &error.to_string())))?;
    let policies = super::read::read(&text, &file, directories)?;
    Ok((policies, digest(&SHA256, text.as_bytes()).as_ref().to_vec()))
}

#[cfg(test)]
mod tests;
