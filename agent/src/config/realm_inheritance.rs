//! Nested realms: a realm inherits every key it does not set from the nearest realm around it.

use std::cmp::Ordering;

use policy_protocol::AuthScheme;

use super::defaults;
use super::file::realms::Realm;
use crate::access::protection::covers;

/// Each realm with every inheritable key set, in the order given. Only `upstream` may still be missing.
///
/// The nearest realm around another is, among those that cover its hosts, the one with the longest resource;
/// of two such, the one that names the hosts rather than `*`.
pub fn inherit(realms: &[Realm]) -> Vec<Realm> {
    let mut shortest_first: Vec<usize> = (0..realms.len()).collect();
    shortest_first.sort_by_key(|&index| resource(&realms[index]).len());
    let mut complete: Vec<Option<Realm>> = vec![None; realms.len()];
    for index in shortest_first {
        let realm = &realms[index];
        let around = realms
            .iter()
            .zip(&complete)
            .filter(|(outer, _)| encloses(outer, realm));
        let nearest =
            around.max_by_key(|(outer, _)| (resource(outer).len(), !names_any_host(outer)));
        let parent = nearest
            .and_then(|(_, parent)| parent.clone())
            .unwrap_or_else(Realm::outermost);
        complete[index] = Some(completed(realm, parent));
    }
    complete.into_iter().flatten().collect()
}

/// The hosts of a realm as written; any host if none are.
pub(super) fn hosts(realm: &Realm) -> impl Iterator<Item = String> {
    let written = realm
        .hosts
        .as_deref()
        .map(|hosts| hosts.iter().map(|host| host.to_ascii_lowercase()));
    let any = written.is_none().then(|| defaults::REALM_HOST.to_owned());
    written.into_iter().flatten().chain(any)
}

fn encloses(outer: &Realm, inner: &Realm) -> bool {
    let longer = resource(inner).len() > resource(outer).len();
    let outer_hosts: Vec<String> = hosts(outer).collect();
    let same_hosts = names_any_host(outer) || hosts(inner).all(|host| outer_hosts.contains(&host));
    longer && !resource(outer).is_empty() && same_hosts && covers(resource(outer), resource(inner))
}

fn names_any_host(realm: &Realm) -> bool {
    hosts(realm).any(|host| host == defaults::REALM_HOST)
}

fn resource(realm: &Realm) -> &str {
    realm.resource.as_deref().unwrap_or_default()
}

/// The level of a realm that says none. A scheme of its own that asks for more lifts it above those that ask for
/// less; one that asks for less than the realm around must not make sessions that open that one.
fn inherited_level(own: Option<AuthScheme>, parent: &Realm) -> Option<u16> {
    let inherited = parent.protection_level;
    let (Some(own), Some(around)) = (own, parent.scheme) else {
        return inherited;
    };
    let level = least_level(own);
    match level.cmp(&least_level(around)) {
        Ordering::Greater => inherited.max(Some(level)),
        Ordering::Equal => inherited,
        Ordering::Less => Some(level),
    }
}

/// What a session is worth that was made in this way.
const fn least_level(scheme: AuthScheme) -> u16 {
    match scheme {
        AuthScheme::None | AuthScheme::Form | AuthScheme::Basic => defaults::PROTECTION_LEVEL,
        AuthScheme::Totp => defaults::TOTP_PROTECTION_LEVEL,
        AuthScheme::Certificate => defaults::CERTIFICATE_PROTECTION_LEVEL,
    }
}

fn completed(realm: &Realm, parent: Realm) -> Realm {
    let own = realm.clone();
    let scheme = own.scheme.or(parent.scheme);
    // An open realm has no user, so what a protected parent says of its users means nothing here.
    let parent = if scheme == Some(AuthScheme::None) && parent.scheme != scheme {
        without_users(parent)
    } else {
        parent
    };
    let max_timeout = own.max_timeout.or(parent.max_timeout);
    let inherited_level = inherited_level(own.scheme, &parent);
    Realm {
        name: own.name,
        hosts: own.hosts.or_else(|| Realm::outermost().hosts),
        resource: own.resource,
        upstream: own.upstream.or(parent.upstream),
        scheme,
        protection_level: own.protection_level.or(inherited_level),
        // A shorter max_timeout of its own shortens what it inherits. An Option orders None first.
        idle_timeout: own
            .idle_timeout
            .or_else(|| parent.idle_timeout.min(max_timeout)),
        max_timeout,
        validation_period: own
            .validation_period
            .or_else(|| parent.validation_period.min(max_timeout)),
        persistent: own.persistent.or(parent.persistent),
        methods: own.methods.or(parent.methods),
        authorize: own.authorize.or(parent.authorize),
        ignore_paths: own.ignore_paths.or(parent.ignore_paths),
        ignore_extensions: own.ignore_extensions.or(parent.ignore_extensions),
        redirect_scripts: own.redirect_scripts.or(parent.redirect_scripts),
        rules: own.rules.or(parent.rules),
        responses: own.responses.or(parent.responses),
    }
}

fn without_users(parent: Realm) -> Realm {
    let Realm {
        persistent,
        authorize,
        rules,
        responses,
        ..
    } = Realm::outermost();
    Realm {
        persistent,
        authorize,
        rules,
        responses,
        ..parent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::realms::Rule;

    fn realm(resource: &str) -> Realm {
        Realm {
            resource: Some(resource.to_owned()),
            ..Realm::default()
        }
    }

    fn on(host: &str, resource: &str) -> Realm {
        Realm {
            hosts: Some(vec![host.to_owned()]),
            ..realm(resource)
        }
    }

    #[test]
    fn resources_cover_whole_segments() {
        for (outer, inner, expected) in [
            ("/", "/", true),
            ("/", "/a", true),
            ("/a", "/a", true),
            ("/a", "/a/b", true),
            ("/a", "/ab", false),
            ("/a/b", "/a", false),
        ] {
            assert_eq!(covers(outer, inner), expected, "{outer} {inner}");
        }
    }

    #[test]
    fn every_unset_key_comes_from_the_nearest_realm_around() {
        let top = Realm {
            upstream: Some("top".into()),
            protection_level: Some(7),
            ..realm("/")
        };
        let middle = Realm {
            protection_level: Some(9),
            rules: Some(vec![Rule::default()]),
            ..realm("/a")
        };
        let all = inherit(&[realm("/a/b"), middle, top, realm("/ab")]);
        assert_eq!(all[0].upstream.as_deref(), Some("top"));
        assert_eq!(all[0].protection_level, Some(9));
        assert_eq!(all[0].rules.as_ref().map(Vec::len), Some(1));
        assert_eq!(all[3].protection_level, Some(7));
        assert_eq!(all[3].rules.as_ref().map(Vec::len), Some(0));
    }

    #[test]
    fn a_realm_that_asks_for_more_is_above_those_that_ask_for_less() {
        let with = |scheme, level, resource| Realm {
            scheme: Some(scheme),
            protection_level: level,
            ..realm(resource)
        };
        let all = inherit(&[
            with(AuthScheme::Form, Some(7), "/"),
            with(AuthScheme::Totp, None, "/vault"),
            realm("/vault/inner"),
            with(AuthScheme::Totp, None, "/vault/same"),
            with(AuthScheme::Basic, None, "/vault/api"),
            with(AuthScheme::Totp, Some(40), "/safe"),
            with(AuthScheme::Form, Some(30), "/strong"),
            with(AuthScheme::Totp, None, "/strong/er"),
            with(AuthScheme::Certificate, None, "/cert"),
            realm("/cert/inner"),
            with(AuthScheme::Totp, None, "/cert/code"),
            with(AuthScheme::Form, None, "/cert/page"),
            with(AuthScheme::Certificate, None, "/vault/cert"),
            with(AuthScheme::Certificate, None, "/safe/cert"),
        ]);
        let levels: Vec<_> = all.iter().map(|realm| realm.protection_level).collect();
        assert_eq!(
            levels,
            [7, 15, 15, 15, 5, 40, 30, 30, 20, 20, 15, 5, 20, 40].map(Some)
        );
    }

    #[test]
    fn lists_that_are_set_to_nothing_stay_empty() {
        let top = Realm {
            rules: Some(vec![Rule::default()]),
            ..realm("/")
        };
        let all = inherit(&[
            top,
            Realm {
                rules: Some(Vec::new()),
                ..realm("/a")
            },
        ]);
        assert_eq!(all[1].rules.as_ref().map(Vec::len), Some(0));
    }

    #[test]
    fn another_host_is_not_around_and_a_named_host_is_nearer_than_any() {
        let level = |level, realm| Realm {
            protection_level: Some(level),
            ..realm
        };
        let all = inherit(&[
            level(1, on("*", "/")),
            level(2, on("a", "/")),
            on("a", "/x"),
            on("b", "/x"),
            on("*", "/x"),
        ]);
        let levels: Vec<_> = all
            .iter()
            .map(|realm| realm.protection_level.unwrap())
            .collect();
        assert_eq!(levels, [1, 2, 2, 1, 1]);
    }

    #[test]
    fn a_shorter_max_timeout_shortens_what_is_inherited() {
        let minutes = |n| {
            Some(crate::config::units::TimeSpan(
                std::time::Duration::from_mins(n),
            ))
        };
        let all = inherit(&[Realm {
            max_timeout: minutes(3),
            ..realm("/")
        }]);
        assert_eq!(
            (all[0].idle_timeout, all[0].validation_period),
            (minutes(3), minutes(3))
        );
    }

    #[test]
    fn an_open_realm_inherits_nothing_about_users() {
        let top = Realm {
            authorize: Some(true),
            rules: Some(vec![Rule::default()]),
            ..realm("/")
        };
        let all = inherit(&[
            top,
            Realm {
                scheme: Some(AuthScheme::None),
                ..realm("/a")
            },
        ]);
        assert_eq!(
            (all[1].authorize, all[1].rules.as_ref().map(Vec::len)),
            (Some(false), Some(0))
        );
    }
}
