//! What commands print, and files for what is told only once.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _, stdout};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use policy_protocol::Secret;

/// Prints a line. A reader that goes away, such as `head`, has seen enough.
pub(super) fn say(text: impl Display) {
    if let Err(error) = writeln!(stdout(), "{text}")
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        eprintln!("doorward: standard output: {error}");
    }
}

/// Where something goes that is told only once: a new file that only its owner can read, or standard output.
///
/// It is made before the call that is answered with it, so that nothing gets lost; a file that nothing was
/// written into is removed.
pub(super) struct SecretOutput {
    file: Option<(PathBuf, File)>,
    written: bool,
}

impl SecretOutput {
    /// Makes the file, if one is named.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, String> {
        let open = |path: &Path| {
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(path);
            file.map(|file| (path.to_owned(), file))
                .map_err(|error| format!("{}: {error}", path.display()))
        };
        Ok(Self {
            file: path.map(open).transpose()?,
            written: false,
        })
    }

    /// Whether it goes to a file.
    pub(super) const fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// Writes it.
    pub(super) fn write(mut self, text: &Secret<String>) -> io::Result<()> {
        let text = text.expose().as_bytes();
        match &mut self.file {
            Some((_, file)) => file.write_all(text)?,
            None => stdout().write_all(text)?,
        }
        self.written = true;
        Ok(())
    }
}

impl Drop for SecretOutput {
    fn drop(&mut self) {
        if let (Some((path, _)), false) = (&self.file, self.written) {
            _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_goes_into_a_new_file_of_its_owner_or_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        drop(SecretOutput::open(Some(&path)).unwrap());
        assert!(!path.exists(), "nothing was written");
        let output = SecretOutput::open(Some(&path)).unwrap();
        output.write(&Secret::new(String::from("told\n"))).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "told\n");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(SecretOutput::open(Some(&path)).is_err(), "it is there");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "told\n");
    }
}
