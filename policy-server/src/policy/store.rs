//! The policies file as last read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::PolicySet;
use crate::config::Problems;
use crate::file_stamp::{self, FileStamp};

/// The policies in force, read again when their file changes.
pub(crate) struct PolicyStore {
    path: Option<PathBuf>,
    /// The user directories that policies may name.
    directories: Vec<String>,
    loaded: RwLock<Loaded>,
}

struct Loaded {
    policies: Arc<PolicySet>,
    /// Time of the last change and length: enough to see an edit. None if there is no file.
    stamp: Option<FileStamp>,
}

impl PolicyStore {
    /// Reads the file; without one, nothing is allowed.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn open(path: Option<&Path>, directories: Vec<String>) -> Result<Self, Problems> {
        // The stamp first: an edit after it is seen the next time.
        let stamp = path.and_then(file_stamp::of);
        let policies = match path {
            Some(path) => PolicySet::load(path, &directories)?,
            None => PolicySet::default(),
        };
        Ok(Self {
            path: path.map(Path::to_owned),
            directories,
            loaded: RwLock::new(Loaded {
                policies: Arc::new(policies),
                stamp,
            }),
        })
    }

    /// The policies in force.
    pub(crate) fn current(&self) -> Arc<PolicySet> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&loaded.policies)
    }

    /// Reads the file again if it has changed. Returns whether the policies are others now; they are in
    /// force when this returns.
    ///
    /// # Errors
    /// Everything that is wrong with the file, once; what was read before stays in force.
    pub(crate) fn refresh(&self) -> Result<bool, Problems> {
        let Some(path) = &self.path else {
            return Ok(false);
        };
        let stamp = file_stamp::of(path);
        let seen = self
            .loaded
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .stamp;
        if seen == stamp {
            return Ok(false);
        }
        let read = PolicySet::load(path, &self.directories);
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        // Also after a failure: one mistake is reported once.
        loaded.stamp = stamp;
        let new = read?;
        if *loaded.policies == new {
            return Ok(false);
        }
        loaded.policies = Arc::new(new);
        tracing::info!(file = %path.display(), "policies file read again");
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
