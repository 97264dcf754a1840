//! Checks what `[policy_server]` says of AuthAz services.

use std::collections::BTreeMap;
use std::sync::Arc;

use policy_client::authaz::{
    ANY_HOST, AuthAzCaller, AuthAzProtocol, AuthAzSettings, UserNameField,
};
use policy_client::foreign::ForeignSettings;
use policy_protocol::AuthScheme;

use super::account;
use crate::config::Realm;
use crate::config::file::File;
use crate::config::file::policy_server as file;
use crate::config::file::realms::{Effect, Rule};
use crate::config::report::Spot;
use crate::config::validate::files::Files;
use crate::config::validate::names;

pub(super) fn authaz(
    file: &file::PolicyServer,
    all: &File,
    link: Option<ForeignSettings>,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<AuthAzSettings> {
    let caller = account(
        (&file.caller_user, "caller_user"),
        (&file.caller_password_file, "caller_password_file"),
        files,
        spot,
    );
    if file.caller_challenge_cookie.is_some() && file.caller_user.is_none() {
        spot.key("caller_challenge_cookie")
            .problem("means nothing without caller_user");
    }
    let denies = |rule: &Rule| {
        rule.effect == Effect::Deny && !(rule.groups.is_empty() && rule.attributes.is_empty())
    };
    let mut rules = all
        .realms
        .iter()
        .flat_map(|realm| realm.rules.iter().flatten());
    if rules.any(denies) {
        spot.key("kind").warn(
            "a rule refuses by groups or attributes, which are forgotten at a restart: their users may then pass",
        );
    }
    let apps = apps(&file.apps, &spot.key("apps"));
    Some(AuthAzSettings {
        link: link?,
        protocol: match file.protocol {
            Some(file::AuthAzProtocol::Rest) | None => AuthAzProtocol::Rest,
            Some(file::AuthAzProtocol::Soap) => AuthAzProtocol::Soap,
        },
        apps: apps?,
        user_name_field: match file.user_name_field {
            Some(file::UserNameField::UserName) | None => UserNameField::UserName,
            Some(file::UserNameField::Username) => UserNameField::Username,
        },
        caller: caller?.map(|(user, password)| AuthAzCaller {
            user,
            password,
            challenge_cookie: file.caller_challenge_cookie.unwrap_or_default(),
        }),
    })
}

/// The appId of each host, by the host's name in lower case.
fn apps(file: &BTreeMap<String, String>, spot: &Spot<'_>) -> Option<BTreeMap<String, String>> {
    if file.is_empty() {
        let hint = "such as { \"shop.example.com\" = \"shop\" }; \"*\" is for every host that is not named";
        spot.problem_with_hint("missing: the appId of each host", hint);
        return None;
    }
    let mut apps = BTreeMap::new();
    for (host, app) in file {
        let name = match host.as_str() {
            ANY_HOST => Ok(host.clone()),
            name => names::host(name),
        };
        let problem = match name {
            Ok(_) if app.is_empty() || app.contains('/') || matches!(app.as_str(), "." | "..") => {
                "an appId is one segment of a path, and not empty"
            }
            Ok(name) => match apps.insert(name, app.clone()) {
                None => continue,
                Some(_) => "this host (in whatever case) is listed before",
            },
            Err(what) => what,
        };
        spot.key(host).problem(problem);
    }
    (apps.len() == file.len()).then_some(apps)
}

/// Paths alone do not say which application is meant: without its appId, another one's policies would decide.
pub(super) fn has_app_for_every_host(
    realms: &[Arc<Realm>],
    settings: &AuthAzSettings,
    spot: &Spot<'_>,
) -> bool {
    let mut sound = true;
    for realm in realms
        .iter()
        .filter(|realm| realm.scheme != AuthScheme::None)
    {
        for host in &realm.hosts {
            if settings.app_of(host).is_none() {
                let realm = &realm.name;
                spot.problem(format!("no appId for the host {host} of the realm {realm}"));
                sound = false;
            }
        }
    }
    sound
}
