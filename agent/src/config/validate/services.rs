//! Checks `[listeners.services]`.

use policy_protocol::AuthScheme;

use super::files::Files;
use super::{names, saml};
use crate::config::file::services as file;
use crate::config::report::Spot;
use crate::config::services::{Am, Authaz, Services, Vsphere};
use crate::config::{Config, PolicyServerKind};

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
        .map(|(app, host)| match names::host(host) {
            Ok(host) => Some((app.clone(), host)),
            Err(what) => {
                apps_spot.key(app).problem(what);
                None
            }
        })
        .collect();
    Some(Authaz {
        path: path?,
        apps: apps.into_iter().collect::<Option<_>>()?,
    })
}

fn am(file: &file::Am, spot: &Spot<'_>) -> Option<Am> {
    let path = path(&file.path, &spot.key("path"));
    let realm = named(file.realm.as_ref(), &spot.key("realm"));
    Some(Am {
        path: path?,
        realm: realm?,
    })
}

fn vsphere(file: &file::Vsphere, files: &Files<'_>, spot: &Spot<'_>) -> Option<Vsphere> {
    let realm = named(file.realm.as_ref(), &spot.key("realm"));
    let saml = file.saml.as_ref();
    let saml = sound(saml.map(|it| saml::saml(it, files, &spot.key("saml"))));
    Some(Vsphere {
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
        let am = services.am.as_ref().map(|am| (&am.realm, "am"));
        let vsphere = services.vsphere.as_ref().map(|it| (&it.realm, "vsphere"));
        for (name, service) in am.into_iter().chain(vsphere) {
            let spot = spot.key(service).key("realm");
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
