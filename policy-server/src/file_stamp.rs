//! Whether a file has changed, as far as its metadata tells.

use std::path::Path;
use std::time::SystemTime;

/// When a file was written, and its length in bytes.
pub(crate) type FileStamp = (SystemTime, u64);

/// The stamp of a file; nothing if there is none to be had.
pub(crate) fn of(path: &Path) -> Option<FileStamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
