//! The files to import, and where in them something was said.

use std::cmp::Ordering;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::rc::Rc;

use agent::config::defaults::MAX_FILE_BYTES;

/// A file to import, whole.
pub(super) struct Source {
    /// What messages call it.
    pub(super) name: Rc<str>,
    /// Its text, without a byte order mark.
    pub(super) text: String,
}

/// Where something was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a file.
    Line {
        /// The file's name.
        file: Rc<str>,
        /// The line, counted from 1.
        line: usize,
    },
    /// Nowhere: what the other agent does when nothing is said.
    Default,
}

/// One setting of another maker's agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// Its name, without an index.
    pub(super) name: String,
    /// What stands in brackets behind the name: an index, a method and an index, or a key.
    pub(super) index: Option<String>,
    /// Its value, without quotation marks.
    pub(super) value: String,
    /// Where it was said.
    pub(super) place: Place,
}

/// What makes a file unreadable, and where.
#[derive(Debug)]
pub(super) struct Malformed {
    /// Where, or the file's name where no line is to blame.
    pub(super) place: String,
    /// Why.
    pub(super) what: String,
}

impl Source {
    /// The file at `path`, which messages call by its last name.
    ///
    /// # Errors
    /// If it cannot be read, is larger than a configuration ever is, or is not UTF-8.
    pub(super) fn read(path: &Path) -> Result<Self, Malformed> {
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = name.to_string_lossy().into_owned();
        let content = content(path).map_err(|error| Malformed {
            place: name.clone(),
            what: format!("cannot be read: {error}"),
        })?;
        Self::from_bytes(&name, content)
    }

    /// A file's content.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub(super) fn from_bytes(name: &str, content: Vec<u8>) -> Result<Self, Malformed> {
        let text = String::from_utf8(content).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
            Malformed {
                place: format!("{name}:{line}"),
                what: "not UTF-8".to_owned(),
            }
        })?;
        Ok(Self {
            name: name.into(),
            text: match text.strip_prefix('\u{feff}') {
                Some(rest) => rest.to_owned(),
                None => text,
            },
        })
    }

    /// A line of this file, counted from 1.
    pub(super) fn at(&self, line: usize) -> Place {
        Place::Line {
            file: Rc::clone(&self.name),
            line,
        }
    }

    /// What is wrong with a line.
    pub(super) fn malformed(&self, line: usize, what: impl Into<String>) -> Malformed {
        Malformed {
            place: self.at(line).to_string(),
            what: what.into(),
        }
    }
}

/// The content of a regular file of sane size: a pipe would be waited for, a device never ends.
fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other("larger than 4 MiB"));
    }
    Ok(content)
}

impl Setting {
    /// Name and index, as the file has them.
    pub(super) fn full_name(&self) -> String {
        match &self.index {
            Some(index) => format!("{}[{index}]", self.name),
            None => self.name.clone(),
        }
    }

    /// Whether the value says yes. What is not a clear no counts as yes: it may restrict something.
    pub(super) fn is_on(&self) -> bool {
        let value = self.value.to_ascii_lowercase();
        !matches!(value.as_str(), "" | "no" | "false" | "off" | "0" | "none")
    }

    /// The parts of a list, without empty ones.
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        let parts = self.value.split(',').map(str::trim);
        parts.filter(|part| !part.is_empty())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{file}:{line}"),
            Self::Default => f.write_str("not written, so its default"),
        }
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |place: &Self| match place {
            Self::Line { file, line } => (0, Rc::clone(file), *line),
            Self::Default => (1, "".into(), 0),
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
