//! `[[directories]]`: where the users are.

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::ldap::{self, LdapSettings};
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
    /// Whether users may change their passwords: in the file, or at the LDAP server (RFC 3062).
    #[serde(default)]
    pub writable: bool,
    /// For `ldap`: servers in order, as `ldaps://host:636` or `ldap://host:389`. The first that answers
    /// is asked.
    #[schemars(with = "Vec<String>")]
    #[serde(default)]
    pub urls: Vec<Spanned<String>>,
    /// For `ldap`: whether to begin TLS on `ldap://` connections. `false` unless given.
    pub start_tls: Option<bool>,
    /// For `ldap`: whether passwords may go over `ldap://` without TLS. `false` unless given.
    pub allow_plaintext: Option<bool>,
    /// For `ldap`: certificates (PEM) of the authorities to trust; the system's if absent.
    pub ca_file: Option<String>,
    /// For `ldap`: whom to search as; nobody in particular if absent.
    #[schemars(with = "Option<String>")]
    pub bind_dn: Option<Spanned<String>>,
    /// For `ldap`: a file with the password of `bind_dn`.
    #[schemars(with = "Option<String>")]
    pub bind_password_file: Option<Spanned<String>>,
    /// For `ldap`: the entry below which the users are.
    pub base: Option<String>,
    /// For `ldap`: `subtree` unless given, or `one` for the entries directly below `base`.
    pub scope: Option<ScopeValue>,
    /// For `ldap`: which entry has the name `{name}`; `(uid={name})` unless given.
    #[schemars(with = "Option<String>")]
    pub user_filter: Option<Spanned<String>>,
    /// For `ldap`: which of those may not log in; none unless given.
    #[schemars(with = "Option<String>")]
    pub disabled_filter: Option<Spanned<String>>,
    /// For `ldap`: the attribute that names a user for ever; `entryUUID` unless given.
    #[schemars(with = "Option<String>")]
    pub universal_id_attribute: Option<Spanned<String>>,
    /// For `ldap`: the attribute with the login name; `uid` unless given.
    #[schemars(with = "Option<String>")]
    pub user_name_attribute: Option<Spanned<String>>,
    /// For `ldap`: attributes for policies and responses; none unless given.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub attributes: Vec<Spanned<String>>,
    /// For `ldap`: the attribute of users and groups with the groups they are in, such as `memberOf`.
    #[schemars(with = "Option<String>")]
    pub group_attribute: Option<Spanned<String>>,
    /// For `ldap`: which entries are groups of the entry `{dn}`, such as `(member={dn})`.
    #[schemars(with = "Option<String>")]
    pub group_filter: Option<Spanned<String>>,
    /// For `ldap`: the entry below which groups are; `base` unless given. Groups elsewhere do not count.
    pub group_base: Option<String>,
    /// For `ldap`: the attribute with a group's name, `cn` unless given; `dn` for its whole name.
    #[schemars(with = "Option<String>")]
    pub group_name_attribute: Option<Spanned<String>>,
    /// For `ldap`: how deep groups are followed: 1 for the user's own; 5 unless given, at most 20.
    #[schemars(with = "Option<u8>")]
    pub group_depth: Option<Spanned<u8>>,
    /// For `ldap`: which entry a client certificate belongs to, by `{subject}`, `{cn}`, `{email}` or
    /// `{fingerprint}` (SHA-256, hex). Without it nobody logs in by certificate.
    #[schemars(with = "Option<String>")]
    pub certificate_filter: Option<Spanned<String>>,
    /// For `ldap`: an attribute that must hold the very certificate, such as `userCertificate;binary`.
    #[schemars(with = "Option<String>")]
    pub certificate_attribute: Option<Spanned<String>>,
    /// For `ldap`: issuers of those certificates; any that the agent trusts unless given.
    #[serde(default)]
    pub certificate_issuers: Vec<String>,
    /// For `ldap`: an entry that is asked for its password in the place of users who do not exist, so that
    /// time does not tell. It should be like a user's, with the same password policy and no lockout.
    pub decoy_dn: Option<String>,
    /// For `ldap`: how long a server may take for an answer: `2s` unless given.
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Spanned<String>>,
    /// For `ldap`: connections at most, for searches and for logins each: 8 unless given.
    #[schemars(with = "Option<u16>")]
    pub connections: Option<Spanned<u16>>,
    /// For `ldap`: how long what was found of a user is taken for true: `60s` unless given, at most `10m`;
    /// `0s` to ask for every validation.
    #[schemars(with = "Option<String>")]
    pub cache: Option<Spanned<String>>,
}

/// What kind of directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DirectoryKindValue {
    /// A TOML file.
    File,
    /// LDAP.
    Ldap,
}

/// How far below an entry to search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScopeValue {
    /// At any depth.
    #[default]
    Subtree,
    /// Directly below.
    One,
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
    /// LDAP.
    Ldap(Box<LdapSettings>),
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
            DirectoryKindValue::Ldap => ldap::validate(checker, &key, &section),
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
    if !section.urls.is_empty() || section.base.is_some() {
        checker.report(&section.name, key, "a file has neither urls nor a base");
    }
    let Some(file) = &section.file else {
        let rule = "this kind of directory needs a file";
        checker.report(&section.name, &format!("{key}.file"), rule);
        return None;
    };
    Some(DirectoryKind::File(FileSettings {
        path: checker.base.join(file),
        writable: section.writable,
    }))
}
