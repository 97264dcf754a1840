//! Cookies, zones, client addresses, and requests that do not keep a session alive.

use agent::config::names;
use agent::config::units::MethodName;

use super::super::draft::{Draft, Kind, origin};
use super::super::source::Setting;
use super::super::table::Settings;

pub(super) fn domain(_: &Settings, setting: &Setting, draft: &mut Draft) {
    match names::cookie_domain(&setting.value) {
        Ok(domain) => draft.set("session", "cookie_domain", domain, setting),
        Err(_) => draft.leave(
            Kind::Nothing,
            setting,
            "not a domain; without one, a cookie belongs to one host",
        ),
    }
}

pub(super) fn zone(_: &Settings, setting: &Setting, draft: &mut Draft) {
    if names::is_zone(&setting.value) {
        draft.set("session", "zone", setting.value.as_str(), setting);
    } else {
        let reason = "not a zone that cookie names can begin with: set session.zone";
        draft.leave(Kind::Missing, setting, reason);
    }
}

pub(super) fn trusted_zones(all: &Settings, setting: &Setting, draft: &mut Draft) {
    let own = all.value("SSOZoneName").filter(|zone| names::is_zone(zone));
    let own = own.unwrap_or(agent::config::defaults::ZONE);
    for zone in setting.parts() {
        if zone == own {
            let reason = "the own zone is always trusted";
            draft.leave_part(Kind::Nothing, setting, zone, reason);
        } else if names::is_zone(zone) {
            draft.add("session", "trusted_zones", zone, setting);
        } else {
            let reason = "not a zone that cookie names can begin with";
            draft.leave_part(Kind::Closed, setting, zone, reason);
        }
    }
}

/// PersistentIPCheck was for cookies that outlive the browser only, so it matters where all cookies did.
pub(super) fn address_check(all: &Settings, setting: &Setting, draft: &mut Draft) {
    let of_persistent = setting.name.eq_ignore_ascii_case("PersistentIPCheck");
    if setting.is_on() && (!of_persistent || all.is_on("PersistentCookies", false)) {
        draft.set("session", "check_client_address", true, setting);
    } else {
        let reason =
            "session.check_client_address is off unless it is set, and no cookie is persistent";
        draft.leave(Kind::Nothing, setting, reason);
    }
}

pub(super) fn persistent_cookies(all: &Settings, setting: &Setting, draft: &mut Draft) {
    if setting.is_on() && all.is_on("PersistentIPCheck", true) {
        // These cookies had their addresses checked; the sessions here take their place.
        draft.set("session", "check_client_address", true, setting);
    }
    draft.leave(
        if setting.is_on() {
            Kind::Missing
        } else {
            Kind::Nothing
        },
        setting,
        "cookies end with the browser",
    );
}

pub(super) fn overlook_methods(all: &Settings, setting: &Setting, draft: &mut Draft) {
    for method in setting.parts() {
        overlook(all, Some(method), "/", method, setting, draft);
    }
}

pub(super) fn overlook_urls(all: &Settings, setting: &Setting, draft: &mut Draft) {
    for path in setting.parts() {
        overlook(all, None, path, path, setting, draft);
    }
}

/// `GET,/path`, one or more of them.
pub(super) fn overlook_method_and_url(all: &Settings, setting: &Setting, draft: &mut Draft) {
    let parts: Vec<&str> = setting.parts().collect();
    let is_path = |part: &str| part.starts_with('/');
    let in_pairs = parts
        .chunks(2)
        .all(|pair| matches!(pair, [method, path] if !is_path(method) && is_path(path)));
    if !in_pairs {
        let reason = "not pairs of a method and a path: write [[session.overlook]]";
        return draft.leave(Kind::Weaker, setting, reason);
    }
    for pair in parts.chunks_exact(2) {
        let shown = format!("{},{}", pair[0], pair[1]);
        overlook(all, Some(pair[0]), pair[1], &shown, setting, draft);
    }
}

fn overlook(
    all: &Settings,
    method: Option<&str>,
    path: &str,
    shown: &str,
    setting: &Setting,
    draft: &mut Draft,
) {
    let method = method.map(str::parse::<MethodName>).transpose();
    let is_pattern = all.is_on("OverlookSessionAsPattern", false) && path != "/";
    match method {
        Ok(method) if !is_pattern && names::resource(path).is_ok() => {
            draft.taken += 1;
            let methods = method.iter().map(ToString::to_string).collect();
            draft
                .overlook
                .push((methods, path.to_owned(), origin(setting)));
        }
        _ => {
            let reason = "not a method and a plain path, so such requests keep sessions alive: write \
                          [[session.overlook]]";
            draft.leave_part(Kind::Weaker, setting, shown, reason);
        }
    }
}
