//! Every spelling of a path.
//!
//! | below `json` | realm |
//! |---|---|
//! | `sessions` | `/` |
//! | `realms/root/sessions`, `realms/root/realms/a/realms/b/sessions` | `/`, `/a/b` |
//! | `a/b/sessions` | `/a/b` |
//!
//! A last slash changes nothing. `?realm=` counts for more than the path.

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Authenticate,
    /// All sessions, or the one of a token.
    Sessions(Option<String>),
    ServerInfo(Option<String>),
    /// All users, or one.
    Users(Option<String>),
    /// The settings for sessions.
    SessionService,
    Policies,
    /// Nothing that there is: what was asked for.
    Unknown(String),
}

/// A path, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    /// The realm that the path names.
    pub(super) realm: String,
    /// Whether something follows `sessions`: a token, most likely.
    pub(super) has_token: bool,
}

/// Reads what follows the context of the deployment.
pub(super) fn read(below: &str) -> Place {
    let below = below.strip_suffix('/').unwrap_or(below);
    let segments: Vec<&str> = below.split('/').skip(1).collect();
    let after_sessions = segments
        .iter()
        .skip_while(|segment| **segment != "sessions");
    let has_token = after_sessions.count() > 1;
    let place = |endpoint, realm| Place {
        endpoint,
        realm,
        has_token,
    };
    let ["json", rest @ ..] = segments.as_slice() else {
        return place(unknown(&segments), top());
    };
    if let ["realms", "root", rest @ ..] = rest {
        let (realm, rest) = nested(rest);
        return place(endpoint(rest).unwrap_or_else(|| unknown(rest)), realm);
    }
    for at in 0..rest.len() {
        if let Some(endpoint) = endpoint(&rest[at..]) {
            return place(endpoint, format!("/{}", rest[..at].join("/")));
        }
    }
    place(unknown(rest), top())
}

/// The path of a realm however it is written: `/` or `/a/b`.
pub(super) fn realm(name: &str) -> String {
    let segments = name.split('/').filter(|segment| !segment.is_empty());
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}

fn top() -> String {
    "/".to_owned()
}

fn unknown(segments: &[&str]) -> Endpoint {
    Endpoint::Unknown(segments.join("/"))
}

/// `realms/a/realms/b/…`
fn nested<'s, 'p>(mut rest: &'s [&'p str]) -> (String, &'s [&'p str]) {
    let mut names = Vec::new();
    while let ["realms", name, after @ ..] = rest {
        names.push(*name);
        rest = after;
    }
    (format!("/{}", names.join("/")), rest)
}

fn endpoint(segments: &[&str]) -> Option<Endpoint> {
    let owned = |text: &str| Some(text.to_owned());
    Some(match segments {
        ["authenticate"] => Endpoint::Authenticate,
        ["sessions"] => Endpoint::Sessions(None),
        ["sessions", token] => Endpoint::Sessions(owned(token)),
        ["serverinfo"] => Endpoint::ServerInfo(None),
        ["serverinfo", id] => Endpoint::ServerInfo(owned(id)),
        ["users"] => Endpoint::Users(None),
        ["users", id] => Endpoint::Users(owned(id)),
        ["realm-config", "services", "session"] => Endpoint::SessionService,
        ["policies"] => Endpoint::Policies,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_leads_to_the_same_place() {
        for (path, realm) in [
            ("/json/sessions", "/"),
            ("/json/sessions/", "/"),
            ("/json/realms/root/sessions", "/"),
            ("/json/realms/root/sessions/", "/"),
            ("/json/realms/root/realms/a/sessions", "/a"),
            ("/json/realms/root/realms/a/realms/b/sessions/", "/a/b"),
            ("/json/a/sessions", "/a"),
            ("/json/a/b/sessions/", "/a/b"),
        ] {
            let place = read(path);
            assert_eq!(place.endpoint, Endpoint::Sessions(None), "{path}");
            assert_eq!(place.realm, realm, "{path}");
            assert!(!place.has_token, "{path}");
        }
    }

    #[test]
    fn what_follows_sessions_is_taken_for_a_token() {
        for (path, token) in [
            ("/json/sessions/AQIC5.*AAJ..*", Some("AQIC5.*AAJ..*")),
            ("/json/a/sessions/T/", Some("T")),
            ("/json/realms/root/sessions/sessions", Some("sessions")),
            ("/json/sessions/T/more", None),
            ("/json/realms/root/x/sessions/T", None),
        ] {
            let place = read(path);
            assert!(place.has_token, "{path}");
            match token {
                Some(token) => {
                    assert_eq!(
                        place.endpoint,
                        Endpoint::Sessions(Some(token.into())),
                        "{path}"
                    );
                }
                None => assert!(matches!(place.endpoint, Endpoint::Unknown(_)), "{path}"),
            }
        }
    }

    #[test]
    fn the_other_endpoints_are_found_and_nothing_else() {
        for (path, endpoint) in [
            ("/json/authenticate", Endpoint::Authenticate),
            ("/json/serverinfo/*", Endpoint::ServerInfo(Some("*".into()))),
            (
                "/json/serverinfo/version",
                Endpoint::ServerInfo(Some("version".into())),
            ),
            ("/json/users", Endpoint::Users(None)),
            ("/json/users/demo", Endpoint::Users(Some("demo".into()))),
            ("/json/policies", Endpoint::Policies),
            (
                "/json/realms/root/realm-config/services/session",
                Endpoint::SessionService,
            ),
            ("/json/x", Endpoint::Unknown("x".into())),
            ("/json", Endpoint::Unknown(String::new())),
            ("", Endpoint::Unknown(String::new())),
            ("/notifications", Endpoint::Unknown("notifications".into())),
            (
                "/sessionservice",
                Endpoint::Unknown("sessionservice".into()),
            ),
            (
                "/json/sessions/T/properties",
                Endpoint::Unknown("sessions/T/properties".into()),
            ),
            ("/json/realms/other/sessions", Endpoint::Sessions(None)),
        ] {
            assert_eq!(read(path).endpoint, endpoint, "{path}");
        }
        // A realm of the name `realms` is one like any other where realms are named by segments.
        assert_eq!(read("/json/realms/other/sessions").realm, "/realms/other");
    }

    #[test]
    fn realms_have_one_name() {
        for (text, name) in [
            ("", "/"),
            ("/", "/"),
            ("a", "/a"),
            ("/a/", "/a"),
            ("//a//b", "/a/b"),
        ] {
            assert_eq!(realm(text), name);
        }
    }
}
