//! What passed without a session. Only what a configuration here can say is opened, and never more.

use agent::config::names;

use super::super::draft::{Draft, Kind, origin};
use super::super::source::Setting;
use super::super::table::Settings;

/// Extensions of the classic agents' own forms and certificate pages, which nothing here answers to.
const COLLECTORS: &[&str] = &[".fcc", ".scc", ".sfcc", ".ccc", ".ntc"];

/// An address that begins with one of these passed, whatever followed.
pub(super) fn urls(_: &Settings, setting: &Setting, draft: &mut Draft) {
    for part in setting.parts() {
        if names::ignored_path(part).is_err() {
            let reason =
                "not a plain path: stays protected; write what is meant in ignore_paths of a realm";
            draft.leave_part(Kind::Closed, setting, part, reason);
            continue;
        }
        draft.open(None, part, setting);
        if !part.ends_with('/') {
            let reason =
                "taken over in whole segments: what goes on without a slash stays protected";
            draft.leave_part(Kind::Closed, setting, part, reason);
        }
    }
}

/// An extension passed whatever the path was, unless two settings forbade it, which no setting here can.
pub(super) fn extensions(all: &Settings, setting: &Setting, draft: &mut Draft) {
    let exceptions = all.value("OverrideIgnoreExtFilter").is_some();
    if exceptions || all.is_on("SecureApps", false) {
        let reason = "OverrideIgnoreExtFilter or SecureApps make exceptions that cannot be made here: stays \
                      protected; write what is safe in ignore_extensions of a realm";
        return draft.leave(Kind::Closed, setting, reason);
    }
    for part in setting.parts() {
        let letters = part.strip_prefix('.').unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if COLLECTORS.contains(&part.to_ascii_lowercase().as_str()) {
            let reason = "the login page has its own path, login.path";
            draft.leave_part(Kind::Nothing, setting, part, reason);
        } else if letters.is_empty() || !letters.bytes().all(is_plain) {
            let reason = "not an extension of a dot and letters: stays protected";
            draft.leave_part(Kind::Closed, setting, part, reason);
        } else {
            draft.taken += 1;
            draft.extensions.push((part.to_owned(), origin(setting)));
        }
    }
}

/// Everything passed on these hosts.
pub(super) fn hosts(_: &Settings, setting: &Setting, draft: &mut Draft) {
    for part in setting.parts() {
        match names::host(part) {
            Ok(host) => {
                draft.taken += 1;
                draft.open_hosts.push((host, setting.clone()));
            }
            Err(_) => {
                let reason = "not the name of one host on all its ports: stays protected; write a realm with \
                              scheme = \"none\"";
                draft.leave_part(Kind::Closed, setting, part, reason);
            }
        }
    }
}
