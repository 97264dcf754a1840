//! Files that the configuration refers to. Messages name the key, never what was written there: somebody
//! will write a secret where its file's name belongs.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use policy_protocol::Secret;

use crate::config::defaults;
use crate::config::report::Spot;

/// Finds files relative to the configuration file, and remembers which: they are what is watched.
pub(in crate::config) struct Files<'b> {
    base: &'b Path,
    asked: RefCell<BTreeSet<PathBuf>>,
}

impl<'b> Files<'b> {
    /// Relative paths start at `base`.
    pub(in crate::config) const fn new(base: &'b Path) -> Self {
        let asked = RefCell::new(BTreeSet::new());
        Self { base, asked }
    }

    /// Every file and folder that was asked for, whether it was found or not.
    pub(in crate::config) fn into_asked(self) -> BTreeSet<PathBuf> {
        self.asked.into_inner()
    }

    fn path(&self, path: &Path) -> PathBuf {
        let path = self.base.join(path);
        self.asked.borrow_mut().insert(path.clone());
        path
    }

    /// A file that can be read.
    pub(super) fn readable(&self, path: &Path, spot: &Spot<'_>) -> Option<PathBuf> {
        let path = self.path(path);
        reported(read(&path), spot).map(|_| path)
    }

    /// A PEM file with a block whose label ends in `label`, such as `PRIVATE KEY`.
    pub(super) fn pem(&self, path: &Path, label: &str, spot: &Spot<'_>) -> Option<PathBuf> {
        let path = self.path(path);
        let content = Secret::new(reported(read(&path), spot)?);
        let text = String::from_utf8_lossy(content.expose());
        let is_block = |line: &str| {
            line.starts_with("-----BEGIN ") && line.ends_with(&format!("{label}-----"))
        };
        if !text.lines().any(|line| is_block(line.trim_end())) {
            spot.problem(format!("the file has no PEM block \"{label}\""));
            return None;
        }
        Some(path)
    }

    /// A PEM file with certificates, if one is named.
    ///
    /// The outer None means that a problem was reported.
    #[expect(clippy::option_option, reason = "absent and wrong are two things")]
    pub(super) fn certificates(
        &self,
        path: Option<&PathBuf>,
        spot: &Spot<'_>,
    ) -> Option<Option<PathBuf>> {
        path.map(|path| self.pem(path, "CERTIFICATE", spot))
            .map_or(Some(None), |found| found.map(Some))
    }

    /// The secret in a file, without the line break at its end.
    pub(super) fn secret(&self, path: &Path, spot: &Spot<'_>) -> Option<Secret<String>> {
        let secret = self.text(path, spot)?;
        if secret.expose().chars().count() >= defaults::MIN_SECRET_CHARS {
            return Some(secret);
        }
        let least = defaults::MIN_SECRET_CHARS;
        spot.problem(format!(
            "the secret in the file has fewer than {least} characters"
        ));
        None
    }

    /// A password that somebody else has chosen, without the line break at the file's end.
    pub(super) fn password(&self, path: &Path, spot: &Spot<'_>) -> Option<Secret<String>> {
        let password = self.text(path, spot)?;
        if password.expose().is_empty() {
            spot.problem("the file is empty");
            return None;
        }
        Some(password)
    }

    /// A file to be, in a folder that is there.
    pub(super) fn future(&self, path: &Path, spot: &Spot<'_>) -> Option<PathBuf> {
        let path = self.path(path);
        // The folder itself is not watched: anything may be in it.
        let folder = match path.parent() {
            // A bare name is in the working folder, which has no name of its own.
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) => folder,
            None => &path,
        };
        reported(std::fs::read_dir(folder).map(drop), spot).map(|()| path)
    }

    fn text(&self, path: &Path, spot: &Spot<'_>) -> Option<Secret<String>> {
        let content = Secret::new(reported(read(&self.path(path)), spot)?);
        let text =
            std::str::from_utf8(content.expose()).map(|text| text.trim_end_matches(['\n', '\r']));
        if text.is_err() {
            spot.problem("the file is not text");
        }
        text.ok().map(|text| Secret::new(text.to_owned()))
    }

    /// A folder that can be listed.
    pub(super) fn folder(&self, path: &Path, spot: &Spot<'_>) -> Option<PathBuf> {
        let path = self.path(path);
        reported(std::fs::read_dir(&path).map(drop), spot).map(|()| path)
    }
}

fn reported<T>(outcome: io::Result<T>, spot: &Spot<'_>) -> Option<T> {
    outcome
        .map_err(|error| {
            spot.problem_with_hint(
                format!("cannot be read: {error}"),
                "relative paths start at the folder of the configuration file",
            );
        })
        .ok()
}

/// The content of a regular file of sane size.
pub(in crate::config) fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe or a device would be waited for, or would never end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?
        .take(defaults::MAX_FILE_BYTES + 1)
        .read_to_end(&mut content)?;
    if content.len() as u64 > defaults::MAX_FILE_BYTES {
        return Err(io::Error::other("larger than 4 MiB"));
    }
    Ok(content)
}
