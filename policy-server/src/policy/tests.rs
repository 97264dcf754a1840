mod naive;
mod reading;

use std::net::IpAddr;

use policy_protocol::explain::{ExplainAnswer, Finding};
use policy_protocol::message::{AuthorizeAnswer, ResponseAttribute};
use policy_protocol::{Identity, ResourceContext, Timestamp, UserDirectory};

use super::members::UserPattern;
use super::*;
use crate::config::Problems;

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
        assert_eq!(Prefix::new(prefix).covers(path), covered, "{prefix} {path}");
    }
}

/// A realm with one rule and one policy.
#[derive(Clone, Debug)]
struct Flat {
    realm: String,
    resource: String,
    actions: Vec<String>,
    users: Vec<String>,
    groups: Vec<String>,
    attributes: Vec<(String, Vec<String>)>,
    deny: bool,
}

fn policy(resource: &str) -> Flat {
    Flat {
        realm: String::from("r"),
        resource: resource.to_owned(),
        actions: Vec::new(),
        users: Vec::new(),
        groups: Vec::new(),
        attributes: Vec::new(),
        deny: false,
    }
}

fn set(flats: &[Flat]) -> PolicySet {
    let mut domain = Domain {
        name: String::from("d"),
        directories: Vec::new(),
        realms: Vec::new(),
        rules: Vec::new(),
        responses: Vec::new(),
        policies: Vec::new(),
    };
    for (index, flat) in flats.iter().enumerate() {
        domain.realms.push(Realm {
            name: flat.realm.clone(),
            hosts: vec![HostPattern::Any],
            prefix: Prefix::new(&flat.resource),
        });
        domain.rules.push(Rule {
            name: format!("rule {index}"),
            realm: index,
            prefix: Prefix::new(&flat.resource),
            actions: flat.actions.clone(),
            deny: flat.deny,
        });
        domain.policies.push(Policy {
            name: format!("policy {index}"),
            rules: vec![index],
            members: Members {
                users: flat
                    .users
                    .iter()
                    .map(|user| UserPattern::new(user))
                    .collect(),
                groups: flat.groups.clone(),
                attributes: flat.attributes.clone(),
                ..Members::default()
            },
            networks: Vec::new(),
            schedule: None,
            responses: Vec::new(),
            ttl: Duration::from_secs(60),
            on_accept_redirect: None,
            on_reject_redirect: None,
        });
    }
    PolicySet {
        domains: vec![domain],
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

fn is_allowed(policies: &[Flat], action: &str, path: &str) -> bool {
    let identity = alice();
    let resource = request(action, path);
    let question = question(&identity, &resource);
    matches!(set(policies).decide(&question), Decision::Allow { .. })
}

fn alice() -> Identity {
    Identity {
        user_name: String::from("alice"),
        universal_id: String::from("7"),
        groups: vec![String::from("staff")],
        attributes: [(
            String::from("site"),
            vec![String::from("a"), String::from("b")],
        )]
        .into(),
        directory: UserDirectory {
            name: String::from("corp"),
            ..UserDirectory::default()
        },
        ..Identity::default()
    }
}

/// On Wednesday, 2026-01-14, at noon in Berlin.
const NOON: Timestamp = Timestamp(1_768_388_400);

fn question<'q>(identity: &'q Identity, resource: &'q ResourceContext) -> Question<'q> {
    Question {
        identity,
        resource,
        from: IpAddr::from([192, 0, 2, 1]),
        at: NOON,
    }
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
            Flat {
                users: words(&["bob", "ALICE"]),
                ..policy("/")
            },
            true,
        ),
        (
            Flat {
                users: words(&["7"]),
                ..policy("/")
            },
            true,
        ),
        (
            Flat {
                users: words(&["bob"]),
                ..policy("/")
            },
            false,
        ),
        (
            Flat {
                groups: words(&["x", "staff"]),
                ..policy("/")
            },
            true,
        ),
        (
            Flat {
                groups: words(&["Staff"]),
                ..policy("/")
            },
            false,
        ),
        (
            Flat {
                users: words(&["alice"]),
                groups: words(&["x"]),
                ..policy("/")
            },
            false,
        ),
        (
            Flat {
                attributes: site(&["b", "c"]),
                ..policy("/")
            },
            true,
        ),
        (
            Flat {
                attributes: site(&["c"]),
                ..policy("/")
            },
            false,
        ),
        (
            Flat {
                attributes: site(&[]),
                ..policy("/")
            },
            false,
        ),
        (
            Flat {
                actions: words(&["POST", "GET"]),
                ..policy("/")
            },
            true,
        ),
        (
            Flat {
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
    let post_only = Flat {
        actions: vec![String::from("POST")],
        ..policy("/a/b")
    };
    let policies = [policy("/"), post_only];
    assert!(is_allowed(&policies, "GET", "/a"));
    assert!(is_allowed(&policies, "POST", "/a/b"));
    assert!(!is_allowed(&policies, "GET", "/a/b"));
    let policies = [
        Flat {
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
    let denied = Flat {
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
    let named = |realm: &str, resource: &str| Flat {
        realm: realm.to_owned(),
        ..policy(resource)
    };
    let policies = [
        named("upper", "/Admin"),
        named("lower", "/admin"),
        named("all", "/"),
    ];
    for (path, expected) in [("/x", "all"), ("/Admin/x", "upper"), ("/admin", "lower")] {
        let policies = set(&policies);
        let found = policies.realm(&request("GET", path)).map(str::to_owned);
        assert_eq!(found.as_deref(), Some(expected), "{path}");
    }
    assert_ne!(set(&policies).realm(&request("GET", "/ADMIN")), Some("all"));
}

/// Reads policies for the directories `corp` and `partners`.
#[track_caller]
fn read(text: &str) -> PolicySet {
    try_read(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn try_read(text: &str) -> Result<PolicySet, Problems> {
    let directories = ["corp", "partners"].map(String::from);
    read::read(text, "policies.toml", &directories)
}

/// One policy with `more` in it, over one rule for everything.
#[track_caller]
fn with(more: &str) -> PolicySet {
    read(&format!(
        "[[domains]]
         name = 'd'
         realms = [{{ name = 'all', resource = '/' }}]
         rules = [{{ name = 'all', realm = 'all' }}]
         [[domains.policies]]
         name = 'p'
         rules = ['all']
         {more}"
    ))
}

fn findings(set: &PolicySet, question: &Question<'_>) -> Vec<(String, Option<String>, Finding)> {
    match set.explain(question) {
        ExplainAnswer::Explained { steps, .. } => steps
            .into_iter()
            .map(|step| (step.rule, step.policy, step.finding))
            .collect(),
        ExplainAnswer::UnknownUser => panic!("the user was given"),
    }
}

#[test]
fn every_condition_holds_or_says_that_it_does_not() {
    let mut other = alice();
    other.user_name = String::from("bob");
    other.universal_id = String::from("8");
    other.groups = vec![String::from("interns"), String::from("staff")];
    let attribute = || Finding::Attribute {
        name: String::from("site"),
    };
    for (condition, identity, expected) in [
        ("", alice(), Finding::Applies),
        ("users = ['ALICE']", alice(), Finding::Applies),
        ("users = ['7']", alice(), Finding::Applies),
        ("users = ['bob', '9']", alice(), Finding::User),
        ("groups = ['x', 'staff']", alice(), Finding::Applies),
        ("groups = ['Staff']", alice(), Finding::Group),
        (
            "attributes = { site = ['b', 'c'] }",
            alice(),
            Finding::Applies,
        ),
        ("attributes = { site = ['c'] }", alice(), attribute()),
        (
            "attributes = { site = ['a'], role = ['x'] }",
            alice(),
            Finding::Attribute {
                name: String::from("role"),
            },
        ),
        ("exclude_users = ['Bob']", alice(), Finding::Applies),
        ("exclude_users = ['Bob']", other.clone(), Finding::Excluded),
        ("exclude_users = ['8']", other.clone(), Finding::Excluded),
        (
            "groups = ['staff']\nexclude_groups = ['interns']",
            alice(),
            Finding::Applies,
        ),
        (
            "groups = ['staff']\nexclude_groups = ['interns']",
            other,
            Finding::Excluded,
        ),
        ("networks = ['192.0.2.0/24']", alice(), Finding::Applies),
        (
            "networks = ['10.0.0.0/8', '192.0.2.1']",
            alice(),
            Finding::Applies,
        ),
        (
            "networks = ['192.0.2.2', '2001:db8::/32']",
            alice(),
            Finding::Network,
        ),
        (
            "times = [{ days = ['wed'] }]\ntime_zone = 'Europe/Berlin'",
            alice(),
            Finding::Applies,
        ),
        (
            "times = [{ days = ['tue'] }, { from = '12:00' }]\ntime_zone = 'Europe/Berlin'",
            alice(),
            Finding::Applies,
        ),
        (
            "times = [{ to = '12:00' }]\ntime_zone = 'Europe/Berlin'",
            alice(),
            Finding::Time,
        ),
        (
            "times = [{ to = '12:00' }]\ntime_zone = 'UTC'",
            alice(),
            Finding::Applies,
        ),
    ] {
        let resource = request("GET", "/x");
        let question = question(&identity, &resource);
        let set = with(condition);
        let found = findings(&set, &question);
        assert_eq!(found.len(), 1, "{condition}");
        assert_eq!(found[0].2, expected, "{condition}");
        let allowed = matches!(set.decide(&question), Decision::Allow { .. });
        assert_eq!(allowed, expected == Finding::Applies, "{condition}");
    }
}

#[test]
fn an_address_in_either_notation_is_the_same() {
    let identity = alice();
    let resource = request("GET", "/");
    let mapped = Question {
        from: "::ffff:192.0.2.1".parse().unwrap(),
        ..question(&identity, &resource)
    };
    let set = with("networks = ['192.0.2.0/24']");
    assert!(matches!(set.decide(&mapped), Decision::Allow { .. }));
}

const DOMAINS: &str = r#"
    [[domains]]
    name = "staff"
    directories = ["corp"]
    realms = [
        { name = "app", hosts = ["h"], resource = "/app" },
        { name = "admin", hosts = ["h"], resource = "/app/admin" },
    ]
    rules = [
        { name = "use", realm = "app" },
        { name = "write", realm = "app", resource = "/runs", actions = ["POST"] },
        { name = "reach in", realm = "app", resource = "/admin" },
        { name = "no", realm = "app", resource = "/runs", effect = "deny" },
        { name = "idle", realm = "app" },
    ]
    responses = [
        { name = "site", header = "X-Site", attribute = "site" },
        { name = "none", header = "X-None", attribute = "absent" },
        { name = "short", cookie = "c", value = "v", ttl = "30s" },
    ]
    [[domains.policies]]
    name = "all"
    rules = ["use", "write", "reach in"]
    responses = ["site", "none"]
    on_reject_redirect = "/join"
    groups = ["staff"]
    [[domains.policies]]
    name = "short"
    rules = ["write"]
    responses = ["site", "short"]
    on_accept_redirect = "/accepted"
    [[domains.policies]]
    name = "no interns"
    rules = ["no"]
    groups = ["interns"]
    ttl = "2m"
    on_reject_redirect = "/interns"

    [[domains]]
    name = "partners"
    directories = ["partners"]
    realms = [{ name = "app", hosts = ["h"], resource = "/app" }]
    rules = [{ name = "use", realm = "app" }, { name = "never", realm = "app", effect = "deny" }]
    [[domains.policies]]
    name = "partners"
    rules = ["use", "never"]
"#;

fn decision(path: &str, action: &str, change: impl FnOnce(&mut Identity)) -> Decision {
    let mut identity = alice();
    change(&mut identity);
    let resource = request(action, path);
    read(DOMAINS).decide(&question(&identity, &resource))
}

fn denied(ttl: u64, policy: Option<&str>, redirect: Option<&str>) -> Decision {
    Decision::Deny {
        ttl: Duration::from_secs(ttl),
        policy: policy.map(str::to_owned),
        redirect: redirect.map(str::to_owned),
    }
}

#[test]
fn a_domain_says_nothing_to_users_of_other_directories() {
    assert!(matches!(
        decision("/app", "GET", |_| {}),
        Decision::Allow { .. }
    ));
    let stranger = |identity: &mut Identity| identity.directory.name = String::from("other");
    // Nor does it lead them anywhere.
    assert_eq!(decision("/app", "GET", stranger), denied(300, None, None));
    let partner = |identity: &mut Identity| identity.directory.name = String::from("partners");
    let never = denied(300, Some("partners"), None);
    assert_eq!(decision("/app", "GET", partner), never);
}

#[test]
fn responses_come_once_each_and_shorten_what_is_kept() {
    let site = ResponseAttribute::Header {
        name: String::from("x-site"),
        value: String::from("a^b"),
    };
    let cookie = ResponseAttribute::Cookie {
        name: String::from("c"),
        value: String::from("v"),
    };
    let allowed = |ttl, responses: &[&ResponseAttribute], redirect: Option<&str>| Decision::Allow {
        ttl: Duration::from_secs(ttl),
        responses: responses
            .iter()
            .map(|response| (*response).clone())
            .collect(),
        redirect: redirect.map(str::to_owned),
    };
    assert_eq!(
        decision("/app", "GET", |_| {}),
        allowed(300, &[&site], None)
    );
    let both = allowed(30, &[&site, &cookie], Some("/accepted"));
    assert_eq!(decision("/app/runs", "POST", |_| {}), both);
}

#[test]
fn a_refusal_leads_where_the_policy_that_refuses_says() {
    let nobody = |identity: &mut Identity| identity.groups.clear();
    let join = denied(300, None, Some("/join"));
    assert_eq!(decision("/app", "GET", nobody), join);
    let intern = |identity: &mut Identity| identity.groups.push(String::from("interns"));
    let interns = denied(120, Some("no interns"), Some("/interns"));
    assert_eq!(decision("/app/runs", "POST", intern), interns);
    // What is refused to everybody leads nowhere.
    let runs = denied(120, None, None);
    assert_eq!(decision("/app/runs", "GET", |_| {}), runs);
    assert_eq!(decision("/APP", "GET", |_| {}), denied(300, None, None));
    assert_eq!(decision("/", "GET", |_| {}), denied(0, None, None));
}

#[test]
fn a_permission_does_not_reach_into_a_realm_inside() {
    // Written as long as the other realm's prefix, it is still another realm's.
    let inside = denied(300, None, None);
    assert_eq!(decision("/app/admin", "GET", |_| {}), inside);
    assert_eq!(decision("/app/admin/x", "GET", |_| {}), inside);
}

#[test]
fn an_explanation_names_every_rule_of_the_realms_and_decides_alike() {
    let identity = alice();
    let resource = request("GET", "/app/runs");
    let set = read(DOMAINS);
    let question = question(&identity, &resource);
    let found = findings(&set, &question);
    let expected = [
        ("use", Some("all"), Finding::LongerPrefix),
        ("write", Some("all"), Finding::Action),
        ("write", Some("short"), Finding::Action),
        ("reach in", None, Finding::Resource),
        ("no", Some("no interns"), Finding::Group),
        ("idle", None, Finding::Unbound),
        ("use", Some("partners"), Finding::LongerPrefix),
        ("never", Some("partners"), Finding::Directory),
    ];
    let expected = expected
        .map(|(rule, policy, finding)| (rule.to_owned(), policy.map(str::to_owned), finding));
    assert_eq!(found, expected);
    match set.explain(&question) {
        ExplainAnswer::Explained {
            realm, decision, ..
        } => {
            assert_eq!(realm.as_deref(), Some("app"));
            assert_eq!(decision, AuthorizeAnswer::from(set.decide(&question)));
        }
        ExplainAnswer::UnknownUser => panic!("the user was given"),
    }
}

#[test]
fn what_is_kept_ends_before_any_policy_about_it_changes_its_mind() {
    let at = |zone: &str, before: u64| {
        let identity = alice();
        let resource = request("GET", "/x");
        let set = with(&format!(
            "times = [{{ to = '12:00' }}]\ntime_zone = '{zone}'\nttl = '10m'"
        ));
        let question = Question {
            at: Timestamp(NOON.0 - before),
            ..question(&identity, &resource)
        };
        match set.decide(&question) {
            Decision::Allow { ttl, .. } => (true, ttl.as_secs()),
            Decision::Deny { ttl, .. } => (false, ttl.as_secs()),
        }
    };
    for (before, expected) in [
        (700, (true, 600)),
        (601, (true, 600)),
        (600, (true, 599)),
        (61, (true, 60)),
        (60, (true, 59)),
        (59, (true, 58)),
        (1, (true, 0)),
        (0, (false, 600)),
    ] {
        assert_eq!(at("Europe/Berlin", before), expected, "{before} s before");
    }
}
