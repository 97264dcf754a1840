//! `[[directories]]`: where the users are.

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::validate::Checker;

/// Directory names stand in every session spec, whose length is bounded. In bytes.
const MAX_NAME_LENGTH: usize = 64;
/// What sessions call the directory of `users_file`. The path may change with the machine, and sessions
/// go on.
const SHORT_FORM_OID: &str = "file";

/// A directory of users.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectorySection {
    /// Its name. Sessions carry it: those of a directory that gets another name are over.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// What kind it is.
    pub kind: DirectoryKindValue,
    /// For `file`: the file with the users.
    pub file: Option<String>,
    /// For `file`: whether users may change their passwords, which rewrites the file. `false` unless given.
    #[schemars(with = "Option<bool>")]
    pub writable: Option<Spanned<bool>>,
}

/// What kind of directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DirectoryKindValue {
    /// A TOML file.
    File,
}

/// A directory of users.
#[derive(Clone, Debug)]
pub struct DirectoryConfig {
    /// What sessions call it.
    pub oid: String,
    /// Its name.
    pub name: String,
    /// What kind it is.
    pub kind: DirectoryKind,
}

/// What kind of directory, and how it is reached.
#[derive(Clone, Debug)]
pub enum DirectoryKind {
    /// A TOML file.
    File(FileSettings),
}

/// A TOML file of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// The file.
    pub path: PathBuf,
    /// Whether users may change their passwords.
    pub writable: bool,
}

/// Checks the sections; `users_file` is the short form of a directory before them.
pub(super) fn validate(
    checker: &mut Checker<'_>,
    users_file: Option<String>,
    sections: Vec<DirectorySection>,
) -> Vec<DirectoryConfig> {
    if users_file.is_none() && sections.is_empty() {
        let rule = "there are no users: give users_file or [[directories]]";
        checker.report_unplaced("users_file", rule);
    }
    let mut oids = BTreeSet::new();
    let mut directories = Vec::new();
    directories.extend(users_file.map(|file| {
        oids.insert(String::from(SHORT_FORM_OID));
        short_form(checker.base.join(file))
    }));
    for section in sections {
        let key = format!("directories.{}", section.name.get_ref().escape_debug());
        let name = section.name.get_ref();
        let printable = name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if name.is_empty() || name.len() > MAX_NAME_LENGTH || !printable {
            let rule = format!("must be 1 to {MAX_NAME_LENGTH} printable ASCII characters");
            checker.report(&section.name, &key, &rule);
        }
        if !oids.insert(name.clone()) {
            let rule = "there is another directory of this name (that of users_file is \"file\")";
            checker.report(&section.name, &key, rule);
        }
        let kind = match section.kind {
            DirectoryKindValue::File => file(checker, &key, &section),
        };
        directories.extend(kind.map(|kind| DirectoryConfig {
            oid: name.clone(),
            name: name.clone(),
            kind,
        }));
    }
    directories
}

fn short_form(path: PathBuf) -> DirectoryConfig {
    let stem = path.file_stem().unwrap_or_default();
    DirectoryConfig {
        oid: String::from(SHORT_FORM_OID),
        name: stem.to_string_lossy().into_owned(),
        kind: DirectoryKind::File(FileSettings {
            path,
            writable: false,
        }),
    }
}

fn file(checker: &mut Checker<'_>, key: &str, section: &DirectorySection) -> Option<DirectoryKind> {
    let Some(file) = &section.file else {
        checker.report(
            &section.name,
            &format!("{key}.file"),
            "this kind of directory needs a file",
        );
        return None;
    };
    Some(DirectoryKind::File(FileSettings {
        path: checker.base.join(file),
        writable: section
            .writable
            .as_ref()
            .is_some_and(|writable| *writable.get_ref()),
    }))
}
