//! Where records are written: a file that may be moved away at any time, or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// An open file, and where it came from.
pub(super) struct Output {
    file: File,
    /// `None` for standard output.
    path: Option<PathBuf>,
    /// Whether what is written is to be on the disk as well.
    sync: bool,
}

impl Output {
    /// Opens a file, or makes it, for nobody else to read.
    pub(super) fn file(path: PathBuf, sync: bool) -> io::Result<Self> {
        let file = open(&path)?;
        let sync = sync && file.metadata()?.is_file();
        Ok(Self {
            file,
            path: Some(path),
            sync,
        })
    }

    pub(super) fn standard() -> io::Result<Self> {
        Ok(Self {
            file: File::from(io::stdout().as_fd().try_clone_to_owned()?),
            path: None,
            sync: false,
        })
    }

    /// Writes whole lines. `written` says how many bytes of them are in the file already, and is kept
    /// true, so that after an error the rest can be written later.
    pub(super) fn write(&mut self, lines: &[u8], written: &mut usize) -> io::Result<()> {
        self.reopen_if_moved(lines, written)?;
        // Keeps lines of the access log, if it is the same stream, from beginning inside of ours.
        let _lock = self.path.is_none().then(|| io::stdout().lock());
        while *written < lines.len() {
            match self.file.write(&lines[*written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => *written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.sync
            && let Err(error) = self.file.sync_data()
        {
            // What the kernel could not write it may have dropped: rather twice than not at all.
            *written = 0;
            return Err(error);
        }
        if self.path.is_some() && self.file.metadata()?.nlink() == 0 {
            // Removed between the check and the writing. Not moved: then it is all there.
            *written = 0;
            return Err(io::ErrorKind::StaleNetworkFileHandle.into());
        }
        Ok(())
    }

    /// Whoever rotates logs moves or removes the file and tells nobody.
    fn reopen_if_moved(&mut self, lines: &[u8], written: &mut usize) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let ours = self.file.metadata()?;
        let moved = match std::fs::metadata(path) {
            Ok(there) => (there.dev(), there.ino()) != (ours.dev(), ours.ino()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(error),
        };
        if moved {
            self.file = open(path)?;
            // A line that was begun in the file before is written as a whole in this one.
            let begun = lines[..*written].iter().rposition(|byte| *byte == b'\n');
            *written = begun.map_or(0, |end| end + 1);
        }
        Ok(())
    }
}

/// Opens for appending. A line that was cut off, by a crash or a full disk, is ended first.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}
