//! Checks `[listeners.services]`.

use ::http::HeaderName;
use policy_protocol::AuthScheme;

use super::files::Files;
use super::{names, saml};
use crate::access::protection::covers;
use crate::config::file::services as file;
use crate::config::report::Spot;
use crate::config::services::{Am, AmProperty, Authaz, Services, Vsphere};
use crate::config::{Config, PolicyServerKind};
use crate::services::vsphere;

/// The services of one listener.
pub(super) fn services(
    file: &file::Services,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<Services> {
    let authaz = file
        .authaz
        .as_ref()
        .map(|it| authaz(it, &spot.key("authaz")));
    let am = file.am.as_ref().map(|it| am(it, &spot.key("am")));
    let vsphere = file
        .vsphere
        .as_ref()
        .map(|it| vsphere(it, files, &spot.key("vsphere")));
    Some(Services {
        authaz: sound(authaz)?,
        am: sound(am)?,
        vsphere: sound(vsphere)?,
    })
}

/// Absent is sound; wrong is not.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn sound<T>(checked: Option<Option<T>>) -> Option<Option<T>> {
    match checked {
        None => Some(None),
        Some(checked) => checked.map(Some),
    }
}

fn authaz(file: &file::Authaz, spot: &Spot<'_>) -> Option<Authaz> {
    let path = path(&file.path, &spot.key("path"));
    let apps_spot = spot.key("apps");
    if file.apps.is_empty() {
        apps_spot.problem_with_hint("missing", "such as { billing = \"billing.example.com\" }");
        return None;
    }
    let apps: Vec<_> = file
        .apps
        .iter()
        .map(|(app, host)| {
            let host = names::host(host);
            let sound = host.and_then(|host| is_app(app).map(|()| host));
            match sound {
                Ok(host) => Some((app.clone(), host)),
                Err(what) => {
                    apps_spot.key(app).problem(what);
                    None
                }
            }
        })
        .collect();
    if file.require_session.is_none() && file.callers.is_empty() {
        spot.warn("whoever reaches this listener can try passwords and ask about sessions here; set `require_session` or `callers`");
    }
    Some(Authaz {
        path: path?,
        apps: apps.into_iter().collect::<Option<_>>()?,
        require_session: file.require_session.clone(),
        callers: file.callers.iter().map(|network| network.0).collect(),
    })
}

/// An appId is a segment of a path, written without encoding.
fn is_app(name: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if name.is_empty() || matches!(name, "." | "..") || !name.bytes().all(plain) {
        return Err("an appId has only letters, digits and `-._~`");
    }
    Ok(())
}

fn am(file: &file::Am, spot: &Spot<'_>) -> Option<Am> {
    let path = match file.path.as_str() {
        "/" => Some(String::new()),
        text => path(text, &spot.key("path")),
    };
    let realm = named(file.realm.as_ref(), &spot.key("realm"));
    let mut sound = true;
    for name in file.realms.keys() {
        let is_path = name.len() > 1 && names::resource(name).is_ok();
        if !is_path {
            let problem = "not the path of a realm below the top-level one, such as \"/alpha\"";
            spot.key("realms").key(name).problem(problem);
            sound = false;
        }
    }
    // It is a header's name, too, and must not take the place of one that has a meaning of its own.
    let taken = ["authorization", "cookie", "host", "content-type"];
    let is_taken = taken
        .iter()
        .any(|name| file.cookie_name.eq_ignore_ascii_case(name));
    if !names::is_token(&file.cookie_name)
        || file.cookie_name.parse::<HeaderName>().is_err()
        || is_taken
    {
        spot.key("cookie_name")
            .problem("not a name that a cookie and a header can have");
        sound = false;
    }
    let mut properties = Vec::new();
    for (index, name) in file.properties.iter().enumerate() {
        match AmProperty::ALL
            .into_iter()
            .find(|property| property.name() == name)
        {
            Some(property) => properties.push(property),
            None => {
                let spot = spot.key("properties").index(index);
                let known = AmProperty::ALL.map(AmProperty::name).join(", ");
                let hint = format!(
                    "one of {known}; others are for the policy server, as sessions.properties"
                );
                spot.problem_with_hint("no property of this name is known of every session", hint);
                sound = false;
            }
        }
    }
    let mut origins = Vec::new();
    for (index, text) in file.origins.iter().enumerate() {
        match page_origin(text) {
            Ok(origin) => origins.push(origin),
            Err(what) => {
                spot.key("origins").index(index).problem(what);
                sound = false;
            }
        }
    }
    Some(Am {
        path: path?,
        realm: realm?,
        realms: file.realms.clone(),
        cookie_name: file.cookie_name.clone(),
        properties,
        policy_evaluators: file.policy_evaluators.clone(),
        policy_sets: file.policy_sets.clone(),
        origins,
    })
    .filter(|_| sound)
}

/// An origin of pages, as browsers write it in the header `Origin`.
fn page_origin(text: &str) -> Result<String, &'static str> {
    let url = names::origin(text)?;
    if url.scheme() != "https" && !names::is_loopback(&url) {
        return Err("must be https: whoever is on the way could put a page of theirs there");
    }
    Ok(url.origin().ascii_serialization())
}

fn vsphere(file: &file::Vsphere, files: &Files<'_>, spot: &Spot<'_>) -> Option<Vsphere> {
    let path = match file.path.as_str() {
        "" | "/" => Some(String::new()),
        text => path(text, &spot.key("path")),
    };
    let realm = named(file.realm.as_ref(), &spot.key("realm"));
    let saml = file.saml.as_ref();
    let saml = sound(saml.map(|it| saml::saml(it, files, &spot.key("saml"))));
    Some(Vsphere {
        path: path?,
        realm: realm?,
        saml: saml?,
    })
}

fn path(text: &str, spot: &Spot<'_>) -> Option<String> {
    match names::resource(text) {
        Ok(path) if path != "/" => Some(path),
        Ok(_) => {
            spot.problem("would take every path from the applications");
            None
        }
        Err(what) => {
            spot.problem(what);
            None
        }
    }
}

fn named(realm: Option<&String>, spot: &Spot<'_>) -> Option<String> {
    if realm.is_none() {
        spot.problem("missing: the realm that logins are for");
    }
    realm.cloned()
}

fn check_authaz(config: &Config, authaz: &Authaz, spot: &Spot<'_>) -> bool {
    let mut sound = true;
    for (app, host) in &authaz.apps {
        let mut hosts = config.realms.iter().flat_map(|realm| &realm.hosts);
        if !hosts.any(|known| known == host || known == "*") {
            spot.key("apps")
                .key(app)
                .problem("no realm is on this host");
            sound = false;
        }
    }
    if let Some(name) = &authaz.require_session {
        let spot = spot.key("require_session");
        match config.realms.iter().find(|realm| realm.name == *name) {
            None => spot.problem("no realm has this name"),
            Some(realm) if realm.scheme == AuthScheme::None => {
                spot.problem("this realm lets everybody in");
            }
            Some(_) => return sound,
        }
        sound = false;
    }
    sound
}

/// Everything below a service's path is its own: no other may be there, nor the login pages.
fn check_paths(config: &Config, services: &Services, spot: &Spot<'_>) -> bool {
    let authaz = services
        .authaz
        .as_ref()
        .map(|it| ("authaz", it.path.as_str()));
    let am = services.am.as_ref().map(|it| ("am", it.claimed()));
    let vsphere = services.vsphere.as_ref().map(vsphere::paths);
    let fixed = vsphere.unwrap_or_default();
    let mut sound = true;
    for (name, path) in authaz.into_iter().chain(am) {
        let mut report = |what| {
            spot.key(name).key("path").problem(what);
            sound = false;
        };
        if covers(path, &config.login.path) {
            report("the login pages are below this path");
        }
        let others = authaz.into_iter().chain(am);
        let others = others
            .filter(|(other, _)| *other != name)
            .map(|(_, path)| path);
        if others
            .chain(fixed.iter().map(String::as_str))
            .any(|other| covers(path, other))
        {
            report("the path of another service is below this path");
        }
    }
    sound
}

/// What can be told only when all is known: a service needs a realm that takes passwords, and a policy server
/// that knows of its sessions.
pub(super) fn check_against(config: &Config, root: &Spot<'_>) -> bool {
    let mut sound = true;
    for (index, listener) in config.listeners.iter().enumerate() {
        let spot = root.key("listeners").index(index).key("services");
        let services = &listener.services;
        if services.is_empty() {
            continue;
        }
        if !matches!(
            config.policy_server.kind,
            PolicyServerKind::Embedded { .. } | PolicyServerKind::Native { .. }
        ) {
            spot.problem("session services need a policy server of kind embedded or native");
            sound = false;
        }
        sound &= check_paths(config, services, &spot);
        if let Some(authaz) = &services.authaz {
            sound &= check_authaz(config, authaz, &spot.key("authaz"));
        }
        let mut named = Vec::new();
        if let Some(am) = &services.am {
            let spot = spot.key("am");
            named.push((&am.realm, spot.key("realm")));
            let others = am.realms.iter();
            named.extend(others.map(|(path, realm)| (realm, spot.key("realms").key(path))));
        }
        if let Some(vsphere) = &services.vsphere {
            named.push((&vsphere.realm, spot.key("vsphere").key("realm")));
        }
        for (name, spot) in named {
            match config.realms.iter().find(|realm| realm.name == *name) {
                None => spot.problem("no realm has this name"),
                Some(realm) if !matches!(realm.scheme, AuthScheme::Form | AuthScheme::Basic) => {
                    spot.problem_with_hint(
                        "this realm takes no passwords",
                        "name one whose scheme is form or basic",
                    );
                }
                Some(_) => continue,
            }
            sound = false;
        }
    }
    sound
}
