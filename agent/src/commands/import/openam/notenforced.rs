//! Lists of what is not enforced.

use std::collections::BTreeSet;

use super::super::draft::{Draft, Kind};
use super::super::source::Setting;
use super::super::table::{AS_HERE, Settings};
use super::named;
use super::pattern::{Pattern, path_for};

/// Names of the settings that turn all patterns into regular expressions.
const REGEX: &[&str] = &[
    "com.forgerock.agents.notenforced.url.regex.enable",
    "com.sun.identity.agents.config.notenforced.regex.enable",
    "com.sun.identity.agents.config.notenforced.url.regex.enable",
];

/// Lists a pattern that cannot be taken over; the others wait for [`open`], which sees them all.
pub(super) fn url(all: &Settings, setting: &Setting, draft: &mut Draft) {
    match readable(all, setting) {
        Ok(_) => draft.deferred += 1,
        Err(why) => stays_closed(setting, why, draft),
    }
}

fn stays_closed(setting: &Setting, why: &str, draft: &mut Draft) {
    let reason = format!("{why}: stays protected; write what is meant in ignore_paths of a realm");
    draft.leave_part(Kind::Closed, setting, &setting.value, &reason);
}

fn readable(all: &Settings, setting: &Setting) -> Result<Pattern, &'static str> {
    if all.is_on(&named("notenforced.url.invert"), false) {
        return Err("the list is inverted");
    }
    if REGEX.iter().any(|name| all.is_on(name, false)) {
        return Err("a regular expression");
    }
    let index = setting.index.as_deref().unwrap_or_default();
    if !index.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("for some methods only, and ignore_paths are for all");
    }
    Pattern::read(&setting.value)
}

/// Opens what all patterns together open at least.
pub(super) fn open(all: &Settings, draft: &mut Draft) {
    let name = named("notenforced.url");
    let patterns: Vec<(&Setting, Pattern)> = all
        .all(&name)
        .filter(|setting| !setting.value.is_empty())
        .filter_map(|setting| Some((setting, readable(all, setting).ok()?)))
        .collect();
    let named_hosts = patterns
        .iter()
        .filter_map(|(_, pattern)| pattern.host.as_deref());
    let hosts: BTreeSet<Option<&str>> = named_hosts.map(Some).chain([None]).collect();
    for (setting, pattern) in &patterns {
        let mut opened = false;
        for host in hosts.iter().copied() {
            let is_for = |each: &Pattern| each.host.is_none() || each.host.as_deref() == host;
            if !is_for(pattern) {
                continue;
            }
            let here: Vec<&Pattern> = patterns
                .iter()
                .map(|(_, each)| each)
                .filter(|each| is_for(each))
                .collect();
            if let Some(path) = path_for(pattern, &here) {
                opened = true;
                draft.open(host, &path, setting);
            }
        }
        if !opened {
            let why = "here a path is open with any query and together with what is below it, so it takes `…*` \
                       and `…*?*` to open it";
            stays_closed(setting, why, draft);
        } else if pattern.cuts_a_segment() {
            let reason =
                "taken over in whole segments: what goes on without a slash stays protected";
            draft.leave_part(Kind::Closed, setting, &setting.value, reason);
        }
    }
}

/// The list names what is enforced instead.
pub(super) fn invert(_: &Settings, setting: &Setting, draft: &mut Draft) {
    let (kind, reason) = if setting.is_on() {
        (
            Kind::Closed,
            "everything is protected: for a part of a site, give the realm of `/` scheme = \"none\" and write \
             realms for what is protected",
        )
    } else {
        (Kind::Nothing, AS_HERE)
    };
    draft.leave(kind, setting, reason);
}
