//! Collects problems and warnings, and finds the place of each.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::problem::{Location, Problem, Problems};
use super::tree::Origin;

/// What has been found so far in one configuration.
pub(super) struct Report<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    /// Where the value of each key was written.
    origins: HashMap<String, Origin>,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<String>>,
}

impl<'t> Report<'t> {
    /// An empty report on a file's text.
    pub(super) fn new(text: &'t str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            text,
            line_starts,
            origins: HashMap::new(),
            problems: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// Remembers where the value of `key` was written.
    pub(super) fn locate(&mut self, key: &str, origin: Origin) {
        self.origins.insert(key.to_owned(), origin);
    }

    /// Adds a problem.
    pub(super) fn add(
        &self,
        origin: Option<&Origin>,
        key: &str,
        what: impl Into<String>,
        hint: Option<String>,
    ) {
        let location = match origin {
            None => Location::File,
            Some(Origin::Offset(offset)) => self.place(*offset),
            Some(Origin::Variable(name)) => Location::Variable(Arc::clone(name)),
        };
        self.problems.borrow_mut().push(Problem {
            location,
            key: key.to_owned(),
            what: what.into(),
            hint,
        });
    }

    /// The line and column of a byte offset.
    pub(super) fn place(&self, offset: usize) -> Location {
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts[line - 1];
        let column = self
            .text
            .get(start..offset)
            .map_or(0, |before| before.chars().count())
            + 1;
        Location::Place { line, column }
    }

    /// The text of a line, counted from 1.
    pub(super) fn line(&self, line: usize) -> &'t str {
        self.text.lines().nth(line - 1).unwrap_or_default()
    }

    /// The file's text.
    pub(super) const fn text(&self) -> &'t str {
        self.text
    }

    /// What is wrong so far.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Whether anything is wrong so far.
    pub(super) fn has_problems(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    /// Whether `key` or something in it has a problem: what else is found about it may only follow from that.
    fn settled(&self, key: &str) -> bool {
        let inside = |other: &str| {
            other
                .strip_prefix(key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.problems
            .borrow()
            .iter()
            .any(|problem| inside(&problem.key))
    }

    /// The root of the configuration.
    pub(super) const fn root(&self) -> Spot<'_> {
        Spot {
            report: self,
            key: String::new(),
        }
    }

    /// Everything that is wrong; or the warnings, if nothing is.
    pub(super) fn finish(self, name: &str) -> Result<Vec<String>, Problems> {
        let problems = self.problems.into_inner();
        if problems.is_empty() {
            Ok(self.warnings.into_inner())
        } else {
            Err(Problems::new(name, problems))
        }
    }
}

/// A key of the configuration under check.
#[derive(Clone)]
pub(super) struct Spot<'r> {
    report: &'r Report<'r>,
    key: String,
}

impl Spot<'_> {
    /// The key `key` of this table.
    pub(super) fn key(&self, key: &str) -> Self {
        Self {
            report: self.report,
            key: join(&self.key, key),
        }
    }

    /// An element of this array.
    pub(super) fn index(&self, index: usize) -> Self {
        Self {
            report: self.report,
            key: format!("{}[{index}]", self.key),
        }
    }

    /// Something is wrong here.
    pub(super) fn problem(&self, what: impl Into<String>) {
        self.add(what.into(), None);
    }

    /// Something is wrong here, and this may help.
    pub(super) fn problem_with_hint(&self, what: impl Into<String>, hint: impl Into<String>) {
        self.add(what.into(), Some(hint.into()));
    }

    fn add(&self, what: String, hint: Option<String>) {
        if !self.report.settled(&self.key) {
            self.report.add(self.origin(), &self.key, what, hint);
        }
    }

    /// A safe default was opted out of here.
    pub(super) fn warn(&self, sentence: &str) {
        self.report
            .warnings
            .borrow_mut()
            .push(format!("{}: {sentence}", self.key));
    }

    /// Where the value was written; or, if it was not, the table that it would be in.
    fn origin(&self) -> Option<&Origin> {
        let mut key = self.key.as_str();
        loop {
            if let Some(origin) = self.report.origins.get(key) {
                return Some(origin);
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }
}

/// The path of `key` in the table at `table`.
pub(super) fn join(table: &str, key: &str) -> String {
    if table.is_empty() {
        key.to_owned()
    } else {
        format!("{table}.{key}")
    }
}
