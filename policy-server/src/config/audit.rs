//! `[audit]`: where audit records go.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::validate::Checker;
use crate::audit::AuditEvent;

/// Where audit records go: to standard output unless a file is given.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditSection {
    /// A file for one policy server, one JSON object on each line. It may be moved or removed at any time;
    /// it is then made anew.
    pub file: Option<String>,
    /// Whether a record is on the disk, not only with the system, before its call is answered.
    #[serde(default)]
    pub sync: bool,
    /// Events that are not recorded. Only what lets a session go on can be left out.
    #[serde(default)]
    pub leave_out: Vec<LeftOut>,
}

/// What can be left out.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum LeftOut {
    /// A session was found alive.
    ValidateAccept,
    /// A request was allowed.
    AzAccept,
}

/// Where audit records go.
#[derive(Clone, Debug, Default)]
pub struct AuditConfig {
    /// The file; standard output if absent.
    pub file: Option<PathBuf>,
    /// Whether every record is synchronised to the disk.
    pub sync: bool,
    pub(crate) leave_out: Vec<AuditEvent>,
}

/// Checks the section.
pub(super) fn validate(checker: &mut Checker<'_>, section: AuditSection) -> AuditConfig {
    if section.sync && section.file.is_none() {
        checker.report_unplaced(
            "audit.sync",
            "standard output cannot be synchronised: set file",
        );
    }
    let events = section.leave_out.iter().map(|event| match event {
        LeftOut::ValidateAccept => AuditEvent::ValidateAccept,
        LeftOut::AzAccept => AuditEvent::AzAccept,
    });
    AuditConfig {
        file: section.file.map(|file| checker.base.join(file)),
        sync: section.sync,
        leave_out: events.collect(),
    }
}
