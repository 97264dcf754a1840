//! What an operator may write, and what they are told when they may not.

use super::*;

#[test]
fn nothing_is_a_policies_file_that_allows_nothing() {
    assert_eq!(read(""), PolicySet::default());
}

#[test]
fn every_mistake_is_reported_with_its_line_and_key() {
    let text = r#"[[domains]]
name = "d"
directories = ["corp", "nowhere"]
[[domains.realms]]
name = "r"
hosts = ["app.test:8443"]
resource = "app"
[[domains.realms]]
name = "r"
hosts = []
resource = "/a%20b"
[[domains.rules]]
name = "a"
realm = "x"
actions = ["get"]
[[domains.rules]]
name = "deny"
realm = "r"
resource = "/a//b"
effect = "deny"
[[domains.responses]]
name = "one"
header = "x y"
value = "v"
[[domains.responses]]
name = "two"
cookie = "c"
value = "a\nb"
ttl = "2h"
[[domains.responses]]
name = "three"
header = "x"
cookie = "y"
[[domains.policies]]
name = "p"
rules = ["a", "a", "b"]
users = []
groups = [""]
attributes = { role = [] }
exclude_users = []
networks = ["10.0.0.1/8", "::ffff:10.0.0.0/104", "everywhere"]
times = [{ days = ["monday"] }, { from = "18:00", to = "08:00" }, { from = "8:00" }, {}]
responses = ["four"]
ttl = "soon"
on_accept_redirect = "//evil.test"
on_reject_redirect = "sorry"
[[domains.policies]]
name = "p"
rules = ["deny"]
time_zone = "Mars/Olympus"
responses = ["one"]
on_accept_redirect = "/"
[[domains.policies]]
name = "q"
rules = []
times = [{ to = "24:01" }]
time_zone = "Mars/Olympus"
[[domains]]
name = "d"
"#;
    let problems = try_read(text).unwrap_err();
    let found: Vec<_> = problems
        .iter()
        .map(|problem| {
            let line = problem.place.map_or(0, |(line, _)| line);
            (line, problem.key.strip_prefix("domains.").unwrap())
        })
        .collect();
    let mut expected = vec![
        (3, "d.directories"),
        (6, "d.realms.r.hosts"),
        (7, "d.realms.r.resource"),
        (9, "d.realms.r"),
        (10, "d.realms.r.hosts"),
        (11, "d.realms.r.resource"),
        (14, "d.rules.a.realm"),
        (15, "d.rules.a.actions"),
        (19, "d.rules.deny.resource"),
        (23, "d.responses.one"),
        (28, "d.responses.two"),
        (29, "d.responses.two.ttl"),
        (31, "d.responses.three"),
        (31, "d.responses.three"),
        (36, "d.policies.p.rules"),
        (36, "d.policies.p.rules"),
        (37, "d.policies.p.users"),
        (38, "d.policies.p.groups"),
        (39, "d.policies.p.attributes.role"),
        (40, "d.policies.p.exclude_users"),
        (41, "d.policies.p.networks"),
        (41, "d.policies.p.networks"),
        (41, "d.policies.p.networks"),
        (42, "d.policies.p.time_zone"),
        (42, "d.policies.p.times"),
        (42, "d.policies.p.times"),
        (42, "d.policies.p.times"),
        (42, "d.policies.p.times"),
        (43, "d.policies.p.responses"),
        (44, "d.policies.p.ttl"),
        (45, "d.policies.p.on_accept_redirect"),
        (46, "d.policies.p.on_reject_redirect"),
        (48, "d.policies.p"),
        (50, "d.policies.p.time_zone"),
        (51, "d.policies.p.responses"),
        (52, "d.policies.p.on_accept_redirect"),
        (55, "d.policies.q.rules"),
        (56, "d.policies.q.times"),
        (57, "d.policies.q.time_zone"),
        (59, "d"),
    ];
    let mut found = found;
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{problems}");
}

#[test]
fn an_unknown_key_is_refused_at_its_line() {
    for (text, place) in [
        ("[[domain]]\nname = 'd'", "policies.toml:1:3: "),
        (
            "[[domains]]\nname = 'd'\n[[domains.policies]]\nname = 'p'\nrules = ['a']\nuser = ['x']",
            "policies.toml:6:1: ",
        ),
        (
            "[[domains]]\nname = 'd'\n[[domains.rules]]\nname = 'a'\nrealm = 'r'\neffect = 'maybe'",
            "policies.toml:6:10: ",
        ),
    ] {
        let problems = try_read(text).unwrap_err().to_string();
        assert!(problems.starts_with(place), "{problems}");
    }
}

#[test]
fn the_example_in_the_reference_is_sound() {
    let book = include_str!("../../../../docs/src/reference/policy-server.md");
    let policies = book.split("## Policies").nth(1).unwrap();
    let example = policies.split("```toml\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    let deployed = include_str!("../../../../deploy/examples/policies.toml");
    assert_eq!(example, deployed, "one example in two places");
    let set = read::read(example, "policies.toml", &[String::from("users")]);
    assert_eq!(set.unwrap().domains.len(), 1);
}
