//! Agent configurations of SiteMinder web agents and Access Gateways (ACO), and SmHost.conf.

mod characters;
mod cookies;
mod open;
mod table;

use std::net::IpAddr;

use agent::config::defaults::{CACHE_BYTES, MAX_POLICY_TIMEOUT};
use agent::config::names;

use super::draft::{Draft, Kind};
use super::source::{Malformed, Setting};
use super::table::Settings;

/// Lists that an export may write as one value or as many settings of one name.
const LISTS: &[&str] = &[
    "AgentName",
    "AutoAuthorizeHttpMethods",
    "BadQueryChars",
    "BadUrlChars",
    "BadCSSChars",
    "BadFormChars",
    "IgnoreExt",
    "IgnoreHost",
    "IgnoreUrl",
    "LogoffUri",
    "OverlookSessionForMethods",
    "OverlookSessionForMethodUri",
    "OverlookSessionForUrls",
    "OverrideIgnoreExtFilter",
    "policyserver",
    "ProxyDefinition",
    "SSOTrustedZone",
    "ValidTargetDomain",
    "WebAppClientResponse",
];

/// What the classic agent does where nothing is written, as far as it protects something.
const DEFAULTS: &[(&str, &str)] = &[
    ("BadUrlChars", "//,./,/.,/*,*.,~,\\,%00-%1f,%7f"),
    ("CSSChecking", "yes"),
    ("EnableAuthorization", "yes"),
];

/// Takes over or lists every setting.
///
/// # Errors
/// Settings that contradict each other.
pub(super) fn apply(settings: Vec<Setting>, draft: &mut Draft) -> Result<(), Vec<Malformed>> {
    let mut settings = Settings::new(settings, true);
    settings.complete(DEFAULTS);
    settings.apply(table::TABLE, LISTS, draft)
}

fn default_agent_name(_: &Settings, setting: &Setting, draft: &mut Draft) {
    draft.set("agent", "name", setting.value.as_str(), setting);
}

/// `name,host`, of which an agent here has one for all hosts.
fn agent_name(all: &Settings, setting: &Setting, draft: &mut Draft) {
    let first = all.all(&setting.name).next() == Some(setting);
    match setting.parts().next() {
        Some(name) if first && all.value("DefaultAgentName").is_none() => {
            draft.set("agent", "name", name, setting);
        }
        Some(name) => {
            let reason = "one name for all hosts, which the policy server's policies must be for";
            draft.leave_part(Kind::Missing, setting, name, reason);
        }
        None => {}
    }
}

fn enable_authorization(_: &Settings, setting: &Setting, draft: &mut Draft) {
    draft.set("realms", "authorize", setting.is_on(), setting);
}

fn grace_period(_: &Settings, setting: &Setting, draft: &mut Draft) {
    if let Some(seconds) = number(setting, draft) {
        draft.set("session", "grace_period", format!("{seconds}s"), setting);
    }
}

fn request_timeout(_: &Settings, setting: &Setting, draft: &mut Draft) {
    let longest = MAX_POLICY_TIMEOUT.as_secs();
    if let Some(seconds) = number(setting, draft) {
        if seconds > longest {
            let reason = "policy_server.timeout is 30s at most: nobody waits longer for a page";
            draft.leave(Kind::Missing, setting, reason);
        }
        let seconds = seconds.clamp(1, longest);
        draft.set("policy_server", "timeout", format!("{seconds}s"), setting);
    }
}

/// From a number of sessions to memory.
fn session_cache(_: &Settings, setting: &Setting, draft: &mut Draft) {
    /// What one session takes.
    const BYTES: u64 = 3 << 10;
    match number(setting, draft).map(|sessions| sessions.saturating_mul(BYTES)) {
        Some(bytes) if bytes > CACHE_BYTES => {
            let mebibytes = bytes.div_ceil(1 << 20).min(1 << 20);
            draft.set("session", "cache_size", format!("{mebibytes}MiB"), setting);
        }
        Some(_) => draft.leave(
            Kind::Nothing,
            setting,
            "session.cache_size is in bytes, and its default holds more",
        ),
        None => {}
    }
}

fn no_post_data_limit(_: &Settings, setting: &Setting, draft: &mut Draft) {
    let (kind, reason) = if setting.is_on() {
        (
            Kind::Missing,
            "a limit always holds: login.preserve_size, at most 1MiB",
        )
    } else {
        (Kind::Nothing, "login.preserve_size is the limit")
    };
    draft.leave(kind, setting, reason);
}

fn legacy_variables(_: &Settings, setting: &Setting, draft: &mut Draft) {
    let style = if setting.is_on() {
        "underscore"
    } else {
        "hyphen"
    };
    draft.set("identity", "header_style", style, setting);
}

fn omit(setting: &Setting, draft: &mut Draft, names: &[&str]) {
    if !setting.is_on() {
        let reason = "these headers are sent, apart from the session spec: see identity.omit";
        return draft.leave(Kind::Nothing, setting, reason);
    }
    for name in [agent::config::defaults::OMITTED_HEADER]
        .iter()
        .chain(names)
    {
        draft.add("identity", "omit", *name, setting);
    }
}

fn no_directory_headers(_: &Settings, setting: &Setting, draft: &mut Draft) {
    let names = [
        "SM_AUTHDIROID",
        "SM_AUTHDIRNAME",
        "SM_AUTHDIRSERVER",
        "SM_AUTHDIRNAMESPACE",
    ];
    omit(setting, draft, &names);
}

fn no_session_headers(_: &Settings, setting: &Setting, draft: &mut Draft) {
    omit(setting, draft, &["SM_SERVERSESSIONID"]);
}

fn no_user_headers(_: &Settings, setting: &Setting, draft: &mut Draft) {
    omit(setting, draft, &["SM_USER", "SM_USERDN", "SM_USERGROUPS"]);
}

/// Proxies are believed only if what they say is what would be read here: a header that they pass on from
/// the client would be believed as well.
fn proxies(all: &Settings, setting: &Setting, draft: &mut Draft) {
    let reads_ours = all
        .value("CustomIpHeader")
        .is_some_and(|header| header.eq_ignore_ascii_case("X-Forwarded-For"));
    for part in setting.parts() {
        let reason = if !reads_ours {
            "CustomIpHeader is not X-Forwarded-For, the header that is read here: let the proxy write that one, \
             then list it in trusted_proxies"
        } else if part
            .parse::<IpAddr>()
            .is_ok_and(|address| !address.is_unspecified())
        {
            draft.add("", "trusted_proxies", part, setting);
            continue;
        } else {
            "not an address: list the networks of the proxies in trusted_proxies"
        };
        draft.leave_part(Kind::Missing, setting, part, reason);
    }
}

fn client_address_header(all: &Settings, setting: &Setting, draft: &mut Draft) {
    let ours = setting.value.eq_ignore_ascii_case("X-Forwarded-For");
    let named = all.value("ProxyDefinition").is_some();
    let (kind, reason) = if ours && named {
        (
            Kind::Nothing,
            "X-Forwarded-For is read, from trusted_proxies",
        )
    } else if ours {
        (
            Kind::Missing,
            "X-Forwarded-For is read, but only from trusted_proxies: list yours",
        )
    } else {
        (
            Kind::Missing,
            "X-Forwarded-For is read instead, from trusted_proxies",
        )
    };
    draft.leave(kind, setting, reason);
}

fn target_domains(_: &Settings, setting: &Setting, draft: &mut Draft) {
    for part in setting.parts() {
        let origin = format!("https://{}", part.to_ascii_lowercase());
        if names::host(part).is_ok() && names::origin(&origin).is_ok() {
            draft.add("login", "allowed_targets", origin, setting);
        } else {
            let reason = "only whole origins can be targets: list each in login.allowed_targets";
            draft.leave_part(Kind::Closed, setting, part, reason);
        }
    }
}

fn logout_paths(_: &Settings, setting: &Setting, draft: &mut Draft) {
    for part in setting.parts() {
        if names::resource(part).is_ok() {
            draft.add("login", "logout_paths", part, setting);
        } else {
            let reason =
                "not a plain path, so it does not log out: list the path in login.logout_paths";
            draft.leave_part(Kind::Weaker, setting, part, reason);
        }
    }
}

/// A whole number, or a line in the list.
fn number(setting: &Setting, draft: &mut Draft) -> Option<u64> {
    /// Ten years in seconds; no setting needs more.
    const MOST: u64 = 315_360_000;
    let number = setting.value.parse().ok().filter(|number| *number <= MOST);
    if number.is_none() {
        draft.leave(
            Kind::Missing,
            setting,
            "not a whole number that makes sense here",
        );
    }
    number
}
