//! What is printed at the end: a row for each fault.

use std::fmt;
use std::time::Duration;

use crate::checker::{Outcome, Seen, lateness};

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Default)]
struct Row {
    name: String,
    passed: usize,
    unavailable: usize,
    silent: usize,
    refused: usize,
    other: usize,
    no_login: usize,
    outage: Duration,
    late: Duration,
    recovery: Option<Duration>,
}

impl Report {
    /// What follows belongs to this.
    pub fn turn_to(&mut self, name: &str) {
        self.rows.push(Row {
            name: name.to_owned(),
            ..Row::default()
        });
    }

    /// Counts a request.
    pub fn count(&mut self, seen: &Seen) {
        let Some(row) = self.rows.last_mut() else {
            return;
        };
        match seen.outcome {
            Outcome::Passed(_) => row.passed += 1,
            Outcome::Unavailable => row.unavailable += 1,
            Outcome::Silence => row.silent += 1,
            Outcome::Login => row.refused += 1,
            Outcome::Other(_) => row.other += 1,
        }
        row.late = row.late.max(lateness(seen).unwrap_or_default());
    }

    /// A login failed.
    pub fn no_login(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            row.no_login += 1;
        }
    }

    /// How many requests were made meanwhile.
    pub fn requests(&self, name: &str) -> usize {
        let rows = self.rows.iter().filter(|row| row.name == name);
        rows.map(|row| row.passed + row.unavailable + row.silent + row.refused + row.other)
            .sum()
    }

    /// A good session got no answer from the application for so long.
    pub fn outage(&mut self, lasted: Duration) {
        let Some(row) = self.rows.last_mut() else {
            return;
        };
        row.outage = row.outage.max(lasted);
    }

    /// Everything worked again so long after the end of the fault.
    pub fn recovered(&mut self, after: Duration) {
        let Some(row) = self.rows.last_mut() else {
            return;
        };
        row.recovery = Some(after);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<46} {:>6} {:>6} {:>6} {:>7} {:>6} {:>8} {:>9} {:>9} {:>9}",
            "fault",
            "200",
            "503",
            "silent",
            "refused",
            "other",
            "no login",
            "outage",
            "revoked",
            "recovery"
        )?;
        let millis = |time: Duration| format!("{} ms", time.as_millis());
        for row in &self.rows {
            writeln!(
                f,
                "{:<46} {:>6} {:>6} {:>6} {:>7} {:>6} {:>8} {:>9} {:>9} {:>9}",
                row.name,
                row.passed,
                row.unavailable,
                row.silent,
                row.refused,
                row.other,
                row.no_login,
                millis(row.outage),
                millis(row.late),
                row.recovery.map_or_else(String::new, millis)
            )?;
        }
        writeln!(
            f,
            "outage: the longest that one good session got no answer of the application; revoked: the longest after the \
             acknowledged end of its session that a request was sent that passed; refused: ended sessions; no login: logins that failed"
        )
    }
}
