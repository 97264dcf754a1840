//! Properties files of OpenAM, ForgeRock AM and PingAM agents.

mod hosts;
mod notenforced;
mod pattern;
mod table;

use agent::config::names;
use url::Url;

use super::draft::{Draft, Kind, origin};
use super::source::{Malformed, Setting};
use super::table::Settings;

/// What most names begin with.
const PREFIX: &str = "com.sun.identity.agents.config.";

/// What the other agent does where nothing is written, as far as it protects something.
const DEFAULTS: &[(&str, &str)] = &[("com.sun.identity.agents.config.sso.only", "false")];

/// Takes over or lists every setting.
///
/// # Errors
/// Settings that contradict each other.
pub(super) fn apply(settings: Vec<Setting>, draft: &mut Draft) -> Result<(), Vec<Malformed>> {
    let mut settings = Settings::new(settings, false);
    settings.complete(DEFAULTS);
    draft.hosts = hosts::of_agent(&settings);
    settings.apply(table::TABLE, &[], draft)?;
    notenforced::open(&settings, draft);
    Ok(())
}

/// The full name of a setting.
fn named(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn agent_name(_: &Settings, setting: &Setting, draft: &mut Draft) {
    if draft.values.contains_key(&("agent", "name")) {
        draft.leave(Kind::Nothing, setting, "the agent has a name already");
    } else {
        draft.set("agent", "name", setting.value.as_str(), setting);
    }
}

fn sso_only(_: &Settings, setting: &Setting, draft: &mut Draft) {
    let sso_only = matches!(
        setting.value.to_ascii_lowercase().as_str(),
        "true" | "on" | "1" | "yes"
    );
    draft.set("realms", "authorize", !sso_only, setting);
}

fn address_check(_: &Settings, setting: &Setting, draft: &mut Draft) {
    draft.set("session", "check_client_address", setting.is_on(), setting);
}

fn cookie_domain(all: &Settings, setting: &Setting, draft: &mut Draft) {
    let written = all.all(&setting.name).filter(|each| !each.value.is_empty());
    match names::cookie_domain(&setting.value) {
        Ok(domain) if written.count() == 1 => draft.set("session", "cookie_domain", domain, setting),
        _ => draft.leave(
            Kind::Missing,
            setting,
            "a session cookie has one domain, session.cookie_domain; without it, it belongs to one host",
        ),
    }
}

/// An address or a path of an application that logs out.
fn logout_url(all: &Settings, setting: &Setting, draft: &mut Draft) {
    let is_pattern = all.is_on("org.forgerock.agents.config.logout.regex.enable", false)
        || all.is_on(&named("agent.logout.url.regex.enable"), false);
    let path = match Url::parse(&setting.value) {
        Ok(url) if url.query().is_none() && url.fragment().is_none() => Some(url.path().to_owned()),
        Ok(_) => None,
        Err(_) => Some(setting.value.clone()),
    };
    match path.filter(|path| !is_pattern && names::resource(path).is_ok() && path != "/") {
        Some(path) => draft.add("login", "logout_paths", path, setting),
        None => draft.leave(
            Kind::Weaker,
            setting,
            "not a plain path, so it does not log out: list the path in login.logout_paths",
        ),
    }
}

fn logout_target(_: &Settings, setting: &Setting, draft: &mut Draft) {
    let value = setting.value.as_str();
    let graphic = value
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_path = value.starts_with('/') && !value.starts_with("//");
    let url = Url::parse(value).ok().filter(|url| {
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none()
    });
    match url {
        _ if graphic && is_path => draft.set("login", "logout_target", value, setting),
        Some(url) if graphic => {
            draft.add(
                "login",
                "allowed_targets",
                url.origin().ascii_serialization(),
                setting,
            );
            draft.set("login", "logout_target", url.as_str(), setting);
        }
        _ => draft.leave(
            Kind::Missing,
            setting,
            "neither a path nor an address with https: set login.logout_target",
        ),
    }
}

/// An attribute of the profile for the application, which is one of the directory here.
fn profile_attribute(all: &Settings, setting: &Setting, draft: &mut Draft) {
    let as_header = all
        .value(&named("profile.attribute.fetch.mode"))
        .is_some_and(|mode| mode.eq_ignore_ascii_case("HTTP_HEADER"));
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let attribute = setting
        .index
        .as_deref()
        .filter(|name| !name.is_empty() && name.bytes().all(is_name));
    for header in setting.value.split('|').map(str::trim) {
        match attribute.filter(|_| as_header && may_be_added(header, draft)) {
            Some(attribute) => {
                draft.taken += 1;
                let response = (header.to_owned(), attribute.to_owned(), origin(setting));
                draft.responses.push(response);
            }
            None => managed(setting, header, as_header, draft),
        }
    }
}

/// An attribute of the session or of a policy: the policy server's policies can set it.
fn other_attribute(all: &Settings, setting: &Setting, draft: &mut Draft) {
    let mode = setting.name.replace(".mapping", ".fetch.mode");
    let as_header = all
        .value(&mode)
        .is_some_and(|mode| mode.eq_ignore_ascii_case("HTTP_HEADER"));
    for header in setting.value.split('|').map(str::trim) {
        managed(setting, header, as_header, draft);
    }
}

/// Makes sure that no client can send a header that the application took from the agent.
fn managed(setting: &Setting, header: &str, as_header: bool, draft: &mut Draft) {
    if !as_header {
        let reason = "it was no header: set [[realms.responses]] if the application needs it";
        draft.leave_part(Kind::Missing, setting, header, reason);
    } else if may_be_added(header, draft) {
        draft.add(
            "identity",
            "managed_headers",
            header.to_ascii_lowercase(),
            setting,
        );
        let reason = "a client's copy is dropped; let a policy of the policy server set it, or [[realms.responses]]";
        draft.leave_part(Kind::Missing, setting, header, reason);
    } else {
        let reason =
            "this header cannot be set here, so a client's copy may pass: give it another name";
        draft.leave_part(Kind::Weaker, setting, header, reason);
    }
}

/// Whether a header can be one of ours beside those that are already.
fn may_be_added(header: &str, draft: &Draft) -> bool {
    let fold = |name: &str| {
        name.to_ascii_lowercase()
            .replace(|char: char| !char.is_ascii_alphanumeric(), "-")
    };
    let taken = draft.responses.iter().map(|(name, ..)| name.as_str());
    let managed = draft.values.get(&("identity", "managed_headers"));
    let managed = managed
        .and_then(|list| list.value.as_array())
        .into_iter()
        .flatten();
    let mut names = taken.chain(managed.filter_map(toml::Value::as_str));
    let same = |name: &str| name.eq_ignore_ascii_case(header);
    names::header(header).is_ok() && names.all(|name| fold(name) != fold(header) || same(name))
}
