//! Watches the configuration, and reads it again when it changes.
//!
//! Files are polled, not watched through inotify: a mounted ConfigMap or Secret changes by swapping a symlink
//! two folders up, editors replace files, and network file systems send no events at all. A look at a dozen
//! small files every two seconds sees all of these alike, at no noticeable cost.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::env::Environment;
use super::load::load_with_files;
use super::validate::read_file;
use super::{Config, Problems, defaults};

/// The most entries of a folder that are looked at: no set of templates is larger.
const MAX_FOLDER_ENTRIES: usize = 1000;

/// Watches the configuration at `path` and every file that it refers to. A change, once it has settled, and
/// each SIGHUP sends the configuration read anew, or what is wrong with it.
///
/// The task that watches ends when the receiver is dropped. Must be called in a tokio runtime.
pub fn watch(path: PathBuf, environment: Environment) -> mpsc::Receiver<Result<Config, Problems>> {
    watch_every(defaults::POLL_INTERVAL, path, environment)
}

fn watch_every(
    interval: Duration,
    path: PathBuf,
    environment: Environment,
) -> mpsc::Receiver<Result<Config, Problems>> {
    let (sender, receiver) = mpsc::channel(1);
    let mut hang_up = signal(SignalKind::hangup()).ok();
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::spawn(async move {
        let mut watch = Watch::new(path, environment);
        loop {
            let asked = tokio::select! {
                () = sender.closed() => return,
                Some(()) = async { hang_up.as_mut()?.recv().await } => true,
                _ = ticks.tick() => false,
            };
            // Reading files would hold up whatever else this thread does.
            let looked = tokio::task::spawn_blocking(move || {
                let outcome = watch.look(asked);
                (watch, outcome)
            });
            let Ok((watched, outcome)) = looked.await else {
                return;
            };
            watch = watched;
            if let Some(outcome) = outcome
                && sender.send(outcome).await.is_err()
            {
                return;
            }
        }
    });
    receiver
}

/// What was seen so far.
struct Watch {
    path: PathBuf,
    environment: Environment,
    /// The files that the configuration referred to when it was last read.
    files: BTreeSet<PathBuf>,
    /// The fingerprint of the configuration that was last read.
    known: Option<u64>,
    /// The fingerprint at the last look.
    last: Option<u64>,
}

impl Watch {
    const fn new(path: PathBuf, environment: Environment) -> Self {
        Self {
            path,
            environment,
            files: BTreeSet::new(),
            known: None,
            last: None,
        }
    }

    /// Reads the configuration if asked to, or if it has changed since it was last read and not since the last
    /// look: a certificate and its key are not written at the same instant.
    fn look(&mut self, asked: bool) -> Option<Result<Config, Problems>> {
        let first = self.known.is_none();
        if first {
            self.files = load_with_files(&self.path, &self.environment).1;
        }
        let seen = self.fingerprint();
        let settled = self.last.replace(seen) == Some(seen);
        if first && !asked {
            self.known = Some(seen);
            return None;
        }
        if !asked && (self.known == Some(seen) || !settled) {
            return None;
        }
        let (outcome, files) = load_with_files(&self.path, &self.environment);
        // A file with broken syntax names no files; those of before are then the best guess.
        if !files.is_empty() {
            self.files = files;
        }
        let now = self.fingerprint();
        self.known = Some(now);
        self.last = Some(now);
        Some(outcome)
    }

    /// A number that changes when any file does.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for path in std::iter::once(&self.path).chain(&self.files) {
            path.hash(&mut hasher);
            for file in content_files(path) {
                file.hash(&mut hasher);
                read_file(&file)
                    .map_err(|error| error.kind())
                    .hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

/// The file itself, or the entries of the folder.
fn content_files(path: &Path) -> Vec<PathBuf> {
    let Ok(folder) = std::fs::read_dir(path) else {
        return vec![path.to_owned()];
    };
    let mut entries: Vec<PathBuf> = folder
        .flatten()
        .take(MAX_FOLDER_ENTRIES)
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    entries
}

#[cfg(test)]
mod tests;
