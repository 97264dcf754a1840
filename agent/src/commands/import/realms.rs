//! From what was found to realms.

use std::collections::BTreeMap;

use agent::access::protection::covers;

use super::draft::{Draft, Kind, Route, Target};

/// One realm to write.
#[derive(Debug)]
pub(super) struct Realm {
    pub(super) host: Option<String>,
    pub(super) resource: String,
    pub(super) to: Target,
    /// Comments: the settings it comes from.
    pub(super) from: Vec<String>,
    /// Whether everybody may pass without a session.
    pub(super) open: bool,
    /// Paths that pass without a session, and what they come from.
    pub(super) ignore_paths: BTreeMap<String, Vec<String>>,
}

impl Realm {
    /// Unique: host and resource are.
    pub(super) fn name(&self) -> String {
        format!(
            "{}{}",
            self.host.as_deref().unwrap_or("any host"),
            self.resource
        )
    }

    fn new(route: &Route) -> Self {
        Self {
            host: route.host.clone(),
            resource: route.resource.clone(),
            to: route.to.clone(),
            from: vec![route.from.clone()],
            open: false,
            ignore_paths: BTreeMap::new(),
        }
    }
}

/// All realms. Lists what has no place in any of them.
pub(super) fn realms(draft: &mut Draft) -> Vec<Realm> {
    if draft.routes.is_empty() {
        draft.routes = without_rules(draft);
    }
    open_hosts(draft);
    own_hosts(draft);
    fit_cookie_domain(draft);
    let mut realms: Vec<Realm> = draft.routes.iter().map(Realm::new).collect();
    for realm in &mut realms {
        let source = draft.open_hosts.iter();
        let source = source.filter(|(host, _)| Some(host) == realm.host.as_ref());
        // Whatever the host, what is refused stays refused.
        if realm.to == Target::Closed {
            continue;
        }
        for (_, setting) in source {
            realm.open = true;
            realm.from.push(super::draft::origin(setting));
        }
        let here = draft
            .open
            .iter()
            .filter(|open| open.host.is_none() || open.host == realm.host);
        for open in here {
            if let Some(path) = inside(&open.path, &realm.resource) {
                let from = realm.ignore_paths.entry(path).or_default();
                if !from.contains(&open.from) {
                    from.push(open.from.clone());
                }
            }
        }
    }
    realms.sort_by(|one, other| (&one.host, &one.resource).cmp(&(&other.host, &other.resource)));
    realms
}

/// Without rules there is one application, which the source does not name.
fn without_rules(draft: &Draft) -> Vec<Route> {
    let on = |host: Option<&str>, from: &str| Route {
        host: host.map(str::to_owned),
        resource: "/".to_owned(),
        to: Target::Unnamed,
        from: from.to_owned(),
    };
    if draft.hosts.is_empty() {
        return vec![on(None, "everything is protected")];
    }
    let hosts = draft.hosts.iter();
    hosts.map(|(host, from)| on(Some(host), from)).collect()
}

/// Makes sure that each open host has a realm of its own, unless the source sends nothing there.
fn open_hosts(draft: &mut Draft) {
    let hosts = draft.open_hosts.clone();
    for (host, setting) in hosts {
        if !own_realm(draft, &host) {
            draft.taken -= 1;
            let reason = "no request for this host goes to an application: stays closed";
            draft.leave_part(Kind::Closed, &setting, &host, reason);
        }
    }
}

/// Makes sure that each host with open paths of its own has a realm of its own.
fn own_hosts(draft: &mut Draft) {
    let hosts: Vec<String> = draft
        .open
        .iter()
        .filter_map(|open| open.host.clone())
        .collect();
    for host in hosts {
        own_realm(draft, &host);
    }
}

/// Whether a host has a realm of its own, after it was given one where any host has one.
fn own_realm(draft: &mut Draft, host: &str) -> bool {
    let has = |route: &&Route| route.host.as_deref() == Some(host);
    if draft.routes.iter().any(|route| has(&route)) {
        return true;
    }
    let any = draft
        .routes
        .iter()
        .find(|route| route.host.is_none() && route.resource == "/" && route.to != Target::Closed);
    let Some(any) = any else { return false };
    let own = Route {
        host: Some(host.to_owned()),
        ..any.clone()
    };
    draft.routes.push(own);
    true
}

/// A cookie domain that does not cover every host would log users in for ever.
fn fit_cookie_domain(draft: &mut Draft) {
    let key = ("session", "cookie_domain");
    let Some(domain) = draft
        .values
        .get(&key)
        .and_then(|value| value.value.as_str())
    else {
        return;
    };
    let covered = |host: &str| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let outside = draft
        .routes
        .iter()
        .filter_map(|route| route.host.as_deref());
    if let Some(host) = outside.into_iter().find(|host| !covered(host)) {
        let reason = format!(
            "it does not cover the host {host}, whose users would log in for ever: each cookie belongs to one host"
        );
        if let Some(value) = draft.values.remove(&key) {
            draft.taken -= 1;
            draft.leave_at(Kind::Missing, &value.place, "the cookie domain", &reason);
        }
    }
}

/// The part of an open path that is in a realm.
fn inside(path: &str, resource: &str) -> Option<String> {
    let above = path.strip_suffix('/').filter(|above| !above.is_empty());
    let opened = above.unwrap_or(path);
    if covers(resource, opened) {
        Some(path.to_owned())
    } else if covers(opened, resource) {
        Some(resource.to_owned())
    } else {
        None
    }
}
