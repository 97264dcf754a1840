//! Settings that mean the same for agents of several makers.

use agent::config::defaults::PRESERVE_BYTES;

use super::draft::{Draft, Kind};
use super::source::Setting;
use super::table::Settings;

/// Why files of logs are not set.
pub(super) const LOGS: &str =
    "logs go to standard error, and the platform keeps the files: see [log]";
/// Why files of pages are not set.
pub(super) const PAGES: &str = "the pages are templates: login.pages.template_dir";

/// Whether forms are kept over a login.
pub(super) fn preserve_posts(_: &Settings, setting: &Setting, draft: &mut Draft) {
    let bytes = if setting.is_on() { PRESERVE_BYTES } else { 0 };
    draft.set(
        "login",
        "preserve_size",
        i64::try_from(bytes).unwrap_or(0),
        setting,
    );
}

/// The attribute of cookies of the same name.
pub(super) fn same_site(_: &Settings, setting: &Setting, draft: &mut Draft) {
    let value = setting.value.to_ascii_lowercase();
    if matches!(value.as_str(), "lax" | "strict" | "none") {
        draft.set("session", "same_site", value, setting);
    } else {
        draft.leave(
            Kind::Nothing,
            setting,
            "session.same_site is `lax` unless it is set",
        );
    }
}
