//! `[sessions]`: how many sessions a user may have, and what may be noted about them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::directories::DirectoryConfig;
use super::validate::Checker;
use crate::store::{OnExcess, Quota};

/// Names of properties at most. With the longest values a session stays well below what a store takes.
const MAX_PROPERTIES: usize = 32;

/// How many sessions a user may have, and what may be noted about them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionsSection {
    /// Sessions of one user at a time: not limited unless given.
    #[schemars(with = "Option<u32>")]
    pub quota: Option<Spanned<u32>>,
    /// What happens at a login beyond the quota.
    #[serde(default)]
    pub on_excess: OnExcessValue,
    /// Names of the properties that sessions may have: none unless given, 32 at most.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub properties: Vec<Spanned<String>>,
    /// Groups whose members may list and end the sessions of others through session services. Nobody may unless
    /// given.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub administrators: Vec<Spanned<String>>,
    /// The directory that these groups are in. Needed where there are several: any of them may have a group of that name.
    #[schemars(with = "Option<String>")]
    pub administrators_directory: Option<Spanned<String>>,
}

/// What happens at a login beyond the quota.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExcessValue {
    /// The login is refused.
    #[default]
    Refuse,
    /// The user's oldest session ends.
    EndOldest,
    /// The user's session that would end first ends now.
    EndNextToExpire,
}

/// How many sessions a user may have, and what may be noted about them.
#[derive(Clone, Debug, Default)]
pub struct SessionsConfig {
    /// Sessions of one user at a time, if limited.
    pub quota: Option<Quota>,
    /// Names of the properties that sessions may have.
    pub properties: BTreeSet<String>,
    /// Groups whose members may administer the sessions of others.
    pub administrators: Vec<String>,
    /// The name of the directory that these groups are in, if there may be another.
    pub administrators_directory: Option<String>,
}

/// Checks the section.
pub(super) fn validate(
    checker: &mut Checker<'_>,
    section: &SessionsSection,
    directories: &[DirectoryConfig],
) -> SessionsConfig {
    if let Some(quota) = section.quota.as_ref().filter(|quota| *quota.get_ref() == 0) {
        checker.report(quota, "sessions.quota", "must be at least 1");
    }
    for name in &section.properties {
        let text = name.get_ref();
        if text.is_empty() || text.len() > 64 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let rule = "must be 1 to 64 visible ASCII characters";
            checker.report(name, "sessions.properties", rule);
        }
    }
    if let Some(one) = section.properties.get(MAX_PROPERTIES) {
        let rule = format!("there can be at most {MAX_PROPERTIES}");
        checker.report(one, "sessions.properties", &rule);
    }
    for group in &section.administrators {
        if group.get_ref().is_empty() {
            checker.report(group, "sessions.administrators", "must not be empty");
        }
    }
    let directory = section.administrators_directory.as_ref();
    if let Some(name) = directory
        && !directories.iter().any(|one| one.name == *name.get_ref())
    {
        checker.report(
            name,
            "sessions.administrators_directory",
            "no directory has this name",
        );
    }
    if let (Some(group), None) = (section.administrators.first(), directory)
        && directories.len() > 1
    {
        let rule = "there are several directories: name theirs, as administrators_directory";
        checker.report(group, "sessions.administrators", rule);
    }
    let on_excess = match section.on_excess {
        OnExcessValue::Refuse => OnExcess::Refuse,
        OnExcessValue::EndOldest => OnExcess::EndOldest,
        OnExcessValue::EndNextToExpire => OnExcess::EndNextToExpire,
    };
    let names = section.properties.iter().map(Spanned::get_ref);
    SessionsConfig {
        quota: section.quota.as_ref().map(|quota| Quota {
            sessions: *quota.get_ref(),
            on_excess,
        }),
        properties: names.cloned().collect(),
        administrators: section
            .administrators
            .iter()
            .map(|group| group.get_ref().clone())
            .collect(),
        administrators_directory: directory.map(|name| name.get_ref().clone()),
    }
}
