//! Checks what `[policy_server]` says of other systems.

mod authaz;

use std::time::Duration;

use http::HeaderName;
use policy_client::am::{AmAgent, AmSettings, AuthIndex, AuthIndexKind, HAS_NOTIFICATIONS};
use policy_client::foreign::{ForeignKind, ForeignSettings};
use policy_client::vsphere::{VSphereSettings, WireForm};
use policy_protocol::{ProtectionLevel, Secret};

use super::files::Files;
use super::{names, policy_server};
use crate::config::file::File;
use crate::config::file::policy_server::{self as file, Kind};
use crate::config::report::Spot;
use crate::config::{Config, ForeignSessions, PolicyServerKind, defaults};

/// Reports settings of one kind that are given for another.
pub(super) fn strangers(file: &file::PolicyServer, kind: Kind, spot: &Spot<'_>) {
    const FOREIGN: &[Kind] = &[Kind::AuthAz, Kind::Am, Kind::VSphere];
    const AUTHAZ: &[Kind] = &[Kind::AuthAz];
    const AM: &[Kind] = &[Kind::Am];
    for (given, key, kinds) in [
        (file.agent_keys_file.is_some(), "agent_keys_file", FOREIGN),
        (file.cookie_name.is_some(), "cookie_name", FOREIGN),
        (file.header_name.is_some(), "header_name", FOREIGN),
        (file.foreign_level.is_some(), "foreign_level", FOREIGN),
        (file.protocol.is_some(), "protocol", AUTHAZ),
        (!file.apps.is_empty(), "apps", AUTHAZ),
        (file.user_name_field.is_some(), "user_name_field", AUTHAZ),
        (file.caller_user.is_some(), "caller_user", AUTHAZ),
        (
            file.caller_password_file.is_some(),
            "caller_password_file",
            AUTHAZ,
        ),
        (
            file.caller_challenge_cookie.is_some(),
            "caller_challenge_cookie",
            AUTHAZ,
        ),
        (file.realm.is_some(), "realm", AM),
        (file.am_login.is_some(), "am_login", AM),
        (file.am_agent_user.is_some(), "am_agent_user", AM),
        (file.am_agent_login.is_some(), "am_agent_login", AM),
        (
            file.am_agent_password_file.is_some(),
            "am_agent_password_file",
            AM,
        ),
        (file.application.is_some(), "application", AM),
        (file.notifications.is_some(), "notifications", AM),
        (file.wire_form.is_some(), "wire_form", &[Kind::VSphere]),
        (
            FOREIGN.contains(&kind) && file.agent_secret_file.is_some(),
            "agent_secret_file",
            &[Kind::Native],
        ),
    ] {
        if given && !kinds.contains(&kind) {
            spot.key(key)
                .problem("means nothing to this kind of policy server");
        }
    }
}

/// A policy server of another system, and what brings its sessions.
///
/// The second None means that a problem was reported.
pub(super) fn foreign(
    file: &file::PolicyServer,
    all: &File,
    timeout: Option<Duration>,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> (Option<PolicyServerKind>, Option<Option<ForeignSessions>>) {
    let link = link(file, timeout, files, spot);
    let (kind, server, cookie, header) = match file.kind {
        Some(Kind::AuthAz) => {
            let server = authaz::authaz(file, all, link, files, spot).map(PolicyServerKind::AuthAz);
            (ForeignKind::AuthAz, server, defaults::AUTHAZ_COOKIE, "")
        }
        Some(Kind::Am) => {
            let cookie = file.cookie_name.as_deref().unwrap_or(defaults::AM_COOKIE);
            let server = am(file, cookie, link, files, spot).map(PolicyServerKind::Am);
            (ForeignKind::Am, server, defaults::AM_COOKIE, cookie)
        }
        _ => {
            let server = link.map(|link| VSphereSettings {
                link,
                wire_form: match file.wire_form {
                    Some(file::WireForm::Api) | None => WireForm::Api,
                    Some(file::WireForm::Rest) => WireForm::Rest,
                    Some(file::WireForm::JsonRpc) => WireForm::JsonRpc,
                },
            });
            let name = defaults::VSPHERE_SESSION;
            let server = server.map(PolicyServerKind::VSphere);
            (ForeignKind::VSphere, server, name, name)
        }
    };
    let cookie = cookie_name(
        file.cookie_name.as_deref().unwrap_or(cookie),
        all,
        &spot.key("cookie_name"),
    );
    let header = header_name(
        file.header_name.as_deref().unwrap_or(header),
        &spot.key("header_name"),
    );
    let sessions = cookie.zip(header).map(|(cookie_name, header_name)| {
        Some(ForeignSessions {
            kind,
            cookie_name,
            header_name,
        })
    });
    (server, sessions)
}

/// Checks what other systems are asked about against the realms. Returns whether it is sound.
pub(super) fn check_against(config: &Config, root: &Spot<'_>) -> bool {
    warn_of_queries(config, root);
    match &config.policy_server.kind {
        PolicyServerKind::AuthAz(settings) => {
            let apps = root.key("policy_server").key("apps");
            authaz::has_app_for_every_host(&config.realms, settings, &apps)
        }
        _ => true,
    }
}

/// They are asked about an address without its query, because a decision here is kept for a path.
fn warn_of_queries(config: &Config, root: &Spot<'_>) {
    let warning = match &config.policy_server.kind {
        PolicyServerKind::Am(_) => {
            "AM is asked about addresses without their query: a policy that refuses some queries refuses none here"
        }
        PolicyServerKind::AuthAz(_) => {
            "AuthAz is asked about paths without their query: a policy that refuses some queries refuses none here"
        }
        _ => return,
    };
    for (index, realm) in config.realms.iter().enumerate() {
        if realm.authorize {
            let spot = root.key("realms").index(index).key("authorize");
            spot.warn(warning);
        }
    }
}

fn link(
    file: &file::PolicyServer,
    timeout: Option<Duration>,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<ForeignSettings> {
    let servers = policy_server::servers(file, names::base, spot);
    let ca_file = files.certificates(file.ca_file.as_ref(), &spot.key("ca_file"));
    let client_certificate = policy_server::client_certificate(file, files, spot);
    let keys = spot.key("agent_keys_file");
    let agent_keys_file = match &file.agent_keys_file {
        Some(path) => files.future(path, &keys).map(Some),
        None => {
            keys.warn("not set: sessions that are begun here end with the process");
            Some(None)
        }
    };
    let level = ProtectionLevel(file.foreign_level.unwrap_or_default());
    if level > ProtectionLevel::MAX {
        spot.key("foreign_level")
            .problem("must be between 0 and 1000");
        return None;
    }
    Some(ForeignSettings {
        servers: servers?,
        ca_file: ca_file?,
        client_certificate: client_certificate?,
        timeout: timeout?,
        agent_keys_file: agent_keys_file?,
        foreign_level: level,
    })
}

fn am(
    file: &file::PolicyServer,
    cookie: &str,
    link: Option<ForeignSettings>,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<AmSettings> {
    let agent = account(
        (&file.am_agent_user, "am_agent_user"),
        (&file.am_agent_password_file, "am_agent_password_file"),
        files,
        spot,
    );
    if file.am_agent_login.is_some() && file.am_agent_user.is_none() {
        spot.key("am_agent_login")
            .problem("means nothing without am_agent_user");
    }
    let login = auth_index(file.am_login.as_deref(), &spot.key("am_login"));
    let agent_login = auth_index(file.am_agent_login.as_deref(), &spot.key("am_agent_login"));
    let notifications = file.notifications.unwrap_or_default();
    if notifications && !HAS_NOTIFICATIONS {
        spot.key("notifications").problem_with_hint(
            "this binary was built without the feature am-notifications",
            "build it with `--features full`, or take the container",
        );
        return None;
    }
    if notifications && file.am_agent_user.is_none() {
        spot.key("notifications")
            .problem("need am_agent_user: AM tells them to nobody else");
    }
    if cookie.is_empty() {
        spot.key("cookie_name")
            .problem("must not be empty: AM is asked with a header of this name");
        return None;
    }
    let realm = file.realm.as_deref().unwrap_or(defaults::AM_REALM);
    if !realm.starts_with('/') {
        spot.key("realm")
            .problem_with_hint("must be a path", "such as / or /customers");
        return None;
    }
    let application = file.application.as_deref();
    Some(AmSettings {
        link: link?,
        cookie_name: cookie.to_owned(),
        realm: realm.to_owned(),
        login: login?,
        agent: match (agent?, agent_login?) {
            (Some((user, password)), login) => Some(AmAgent {
                user,
                password,
                login,
            }),
            (None, _) => None,
        },
        application: application.unwrap_or(defaults::AM_APPLICATION).to_owned(),
        notifications,
    })
}

/// How to log in to AM. The outer None means that a problem was reported.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn auth_index(text: Option<&str>, spot: &Spot<'_>) -> Option<Option<AuthIndex>> {
    let Some(text) = text else {
        return Some(None);
    };
    let (kind, name) = match text.split_once('=') {
        Some(("service", name)) if !name.is_empty() => (AuthIndexKind::Service, name),
        Some(("module", name)) if !name.is_empty() => (AuthIndexKind::Module, name),
        _ => {
            spot.problem_with_hint(
                "not a way to log in",
                "such as service=Login or module=Application",
            );
            return None;
        }
    };
    Some(Some(AuthIndex {
        kind,
        name: name.to_owned(),
    }))
}

/// A name and a password: both or neither. The outer None means that a problem was reported.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn account(
    (user, user_key): (&Option<String>, &'static str),
    (file, file_key): (&Option<std::path::PathBuf>, &'static str),
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<Option<(String, Secret<String>)>> {
    let password = file.as_ref();
    let password = password.map(|file| files.password(file, &spot.key(file_key)));
    match (user, password) {
        (None, None) => Some(None),
        (Some(user), Some(password)) => {
            let password = password?;
            if user.is_empty() || user.contains(char::is_control) || user.contains(':') {
                spot.key(user_key).problem("not a user name");
                return None;
            }
            Some(Some((user.clone(), password)))
        }
        (Some(_), None) => {
            spot.key(file_key)
                .problem(format!("missing: the password of {user_key}"));
            None
        }
        (None, Some(_)) => {
            spot.key(user_key)
                .problem(format!("missing: {file_key} is its password"));
            None
        }
    }
}

/// The outer None means that a problem was reported.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn cookie_name(name: &str, all: &File, spot: &Spot<'_>) -> Option<Option<String>> {
    if name.is_empty() {
        return Some(None);
    }
    if !names::is_token(name) {
        spot.problem("not a cookie name");
        return None;
    }
    let mut zones = [&all.session.zone]
        .into_iter()
        .chain(&all.session.trusted_zones);
    if zones.any(|zone| *name == format!("{zone}SESSION")) {
        spot.problem_with_hint(
            format!("{name} is the agent's own session cookie as well"),
            "give the agent's own another name with session.zone, such as \"DW\", or set cookie_name = \"\" if no \
             sessions are to be accepted that were begun there",
        );
        return None;
    }
    Some(Some(name.to_owned()))
}

/// The outer None means that a problem was reported.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn header_name(name: &str, spot: &Spot<'_>) -> Option<Option<HeaderName>> {
    if name.is_empty() {
        return Some(None);
    }
    match name.parse::<HeaderName>() {
        Ok(name) if name != http::header::COOKIE && name != http::header::AUTHORIZATION => {
            Some(Some(name))
        }
        _ => {
            spot.problem("not a header name that can bring a token");
            None
        }
    }
}
