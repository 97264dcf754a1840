//! What is wrong with a configuration, told the way a compiler tells it.

use std::fmt;
use std::sync::Arc;

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// In the file as a whole.
    File,
    /// In the file, at a place counted from 1; the column counts characters.
    Place {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In an environment variable.
    Variable(Arc<str>),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub location: Location,
    /// The key, such as `realms[0].rules[1].methods`; empty if it concerns no key.
    pub key: String,
    /// What is wrong. Never repeats a value that could be a secret.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Everything that is wrong with one configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    name: String,
    list: Vec<Problem>,
}

impl Problems {
    /// The problems of the file called `name`.
    pub(super) fn new(name: &str, mut list: Vec<Problem>) -> Self {
        list.sort();
        list.dedup();
        Self {
            name: name.to_owned(),
            list,
        }
    }

    /// One problem that concerns the whole file called `name`.
    pub(super) fn of_file(name: &str, what: String) -> Self {
        let key = String::new();
        Self::new(
            name,
            vec![Problem {
                location: Location::File,
                key,
                what,
                hint: None,
            }],
        )
    }

    /// Each problem.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            match &problem.location {
                Location::File => write!(f, "{}", self.name)?,
                Location::Place { line, column } => write!(f, "{}:{line}:{column}", self.name)?,
                Location::Variable(variable) => write!(f, "{variable}")?,
            }
            if !problem.key.is_empty() {
                write!(f, ": {}", problem.key)?;
            }
            write!(f, ": {}", problem.what)?;
            if let Some(hint) = &problem.hint {
                write!(f, "\n    hint: {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
