use super::*;

#[test]
fn hosts_match_exactly_or_below_a_domain_whatever_their_case() {
    let matches = |pattern: &str, host: &str| HostPattern::parse(pattern).unwrap().matches(host);
    assert!(matches("*", "anything"));
    assert!(matches("App.Example.com", "app.example.com"));
    assert!(!matches("app.example.com", "app.example.com.evil"));
    assert!(matches("*.example.com", "a.example.com"));
    assert!(matches("*.example.com", "a.b.example.com"));
    assert!(!matches("*.example.com", "example.com"));
    assert!(!matches("*.example.com", ".example.com"));
    assert!(!matches("*.example.com", "evilexample.com"));
    assert!(matches("[::1]", "[::1]"));
    for text in ["", "*.", "a:80", "a b", "a*", "*.*", "http://a", "é"] {
        assert_eq!(HostPattern::parse(text), None, "{text}");
    }
}

#[test]
fn prefixes_cover_whole_segments() {
    for (prefix, path, covered) in [
        ("/", "/", true),
        ("/", "/x", true),
        ("/app", "/app", true),
        ("/app/", "/app", true),
        ("/app", "/app/", true),
        ("/app", "/app;v=1/x", true),
        ("/app", "/application", false),
        ("/app", "/App", true),
        ("/App", "/aPP/x", true),
        ("/app", "/Application", false),
        ("/app", "/apé", false),
        ("/app", "/x/app", false),
    ] {
        assert_eq!(
            is_below(prefix.trim_end_matches('/'), path),
            covered,
            "{prefix} {path}"
        );
    }
}

fn policy(resource: &str) -> Policy {
    Policy {
        name: resource.to_owned(),
        realm: String::from("r"),
        hosts: vec![HostPattern::Any],
        resource: resource.to_owned(),
        actions: Vec::new(),
        users: Vec::new(),
        groups: Vec::new(),
        attributes: Vec::new(),
        deny: false,
        ttl: Duration::from_secs(60),
        responses: Vec::new(),
    }
}

fn request(action: &str, path: &str) -> ResourceContext {
    ResourceContext {
        agent: String::from("a"),
        server: String::from("h"),
        resource: path.to_owned(),
        action: action.to_owned(),
    }
}

fn is_allowed(policies: &[Policy], action: &str, path: &str) -> bool {
    let identity = Identity {
        user_name: String::from("alice"),
        universal_id: String::from("7"),
        groups: vec![String::from("staff")],
        attributes: [(
            String::from("site"),
            vec![String::from("a"), String::from("b")],
        )]
        .into(),
        ..Identity::default()
    };
    matches!(
        decide(policies, &request(action, path), &identity),
        Decision::Allow { .. }
    )
}

#[test]
fn conditions_of_one_kind_are_alternatives_and_kinds_must_all_hold() {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| String::from(*word))
            .collect::<Vec<_>>()
    };
    let site = |values: &[&str]| vec![(String::from("site"), words(values))];
    for (policy, allowed) in [
        (policy("/"), true),
        (
            Policy {
                users: words(&["bob", "ALICE"]),
                ..policy("/")
            },
            true,
        ),
        (
            Policy {
                users: words(&["7"]),
                ..policy("/")
            },
            true,
        ),
        (
            Policy {
                users: words(&["bob"]),
                ..policy("/")
            },
            false,
        ),
        (
            Policy {
                groups: words(&["x", "staff"]),
                ..policy("/")
            },
            true,
        ),
        (
            Policy {
                groups: words(&["Staff"]),
                ..policy("/")
            },
            false,
        ),
        (
            Policy {
                users: words(&["alice"]),
                groups: words(&["x"]),
                ..policy("/")
            },
            false,
        ),
        (
            Policy {
                attributes: site(&["b", "c"]),
                ..policy("/")
            },
            true,
        ),
        (
            Policy {
                attributes: site(&["c"]),
                ..policy("/")
            },
            false,
        ),
        (
            Policy {
                attributes: site(&[]),
                ..policy("/")
            },
            false,
        ),
        (
            Policy {
                actions: words(&["POST", "GET"]),
                ..policy("/")
            },
            true,
        ),
        (
            Policy {
                actions: words(&["POST"]),
                ..policy("/")
            },
            false,
        ),
    ] {
        assert_eq!(
            is_allowed(std::slice::from_ref(&policy), "GET", "/x"),
            allowed,
            "{policy:?}"
        );
    }
}

#[test]
fn a_permission_ends_where_a_longer_prefix_begins_and_a_denial_does_not() {
    let post_only = Policy {
        actions: vec![String::from("POST")],
        ..policy("/a/b")
    };
    let policies = [policy("/"), post_only];
    assert!(is_allowed(&policies, "GET", "/a"));
    assert!(is_allowed(&policies, "POST", "/a/b"));
    assert!(!is_allowed(&policies, "GET", "/a/b"));
    let policies = [
        Policy {
            deny: true,
            ..policy("/a")
        },
        policy("/"),
        policy("/a/b"),
    ];
    assert!(is_allowed(&policies, "GET", "/b"));
    assert!(!is_allowed(&policies, "GET", "/a/b/c"));
    assert!(!is_allowed(&[], "GET", "/"));
}

#[test]
fn another_case_of_the_resource_is_denied_alike_and_never_allowed() {
    let denied = Policy {
        deny: true,
        ..policy("/admin")
    };
    let policies = [policy("/"), denied];
    assert!(!is_allowed(&policies, "GET", "/admin/x"));
    assert!(!is_allowed(&policies, "GET", "/ADMIN/x"));
    // Neither by the policy for the other case, nor by the one above it.
    let policies = [policy("/"), policy("/admin")];
    assert!(is_allowed(&policies, "GET", "/admin/X"));
    assert!(!is_allowed(&policies, "GET", "/Admin/X"));
    // Where both cases are spoken of, each has its own.
    let policies = [policy("/admin"), policy("/Admin")];
    assert!(is_allowed(&policies, "GET", "/Admin"));
    assert!(!is_allowed(&policies, "GET", "/ADMIN"));
}

#[test]
fn the_realm_is_that_of_the_longest_prefix_whatever_its_case() {
    let named = |realm: &str, resource: &str| Policy {
        realm: realm.to_owned(),
        ..policy(resource)
    };
    let policies = [
        named("upper", "/Admin"),
        named("lower", "/admin"),
        named("all", "/"),
    ];
    for (path, expected) in [("/x", "all"), ("/Admin/x", "upper"), ("/admin", "lower")] {
        let found = realm(&policies, &request("GET", path));
        assert_eq!(found, Some(expected), "{path}");
    }
    assert_ne!(realm(&policies, &request("GET", "/ADMIN")), Some("all"));
}
