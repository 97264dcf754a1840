//! Proxy rules.

use proptest::prelude::*;

use super::*;

const FORWARD: &str = "<nete:forward>http://a.test$0</nete:forward>";

#[test]
fn hosts_and_path_prefixes_lead_where_they_led() {
    let import = import(Sources {
        proxyrules: Some(source("proxyrules.xml", RULES)),
        ..none()
    });
    for (host, path, expected) in [
        (
            "app.example.com",
            "/app/reports/x",
            "https://reports.internal:8443/",
        ),
        ("app.example.com", "/app/x", "http://app.internal:8080/"),
        ("app.example.com", "/old/x", "closed"),
        ("app.example.com", "/x", "http://portal.internal/"),
        ("www.example.com", "/x", "http://www.internal/"),
        ("other.example.com", "/x", "closed"),
    ] {
        assert_eq!(led_to(&import, host, path), expected, "{host} {path}");
    }
    let config = filled_in(&import);
    assert!(config.realms.iter().all(|realm| realm.authorize));
    assert!(
        config
            .upstreams
            .iter()
            .all(|upstream| !upstream.preserve_host)
    );
    let weaker = left(&import, Kind::Weaker);
    assert!(
        weaker.contains(&"header contains `Mobile`".to_owned()),
        "{weaker:?}"
    );
    assert!(
        weaker.contains(&"attribute filter of forward".to_owned()),
        "{weaker:?}"
    );
}

#[test]
fn a_longer_path_on_any_host_does_not_take_requests_from_a_host_of_its_own() {
    let import = import(rules(&format!(
        "<nete:cond type=\"host\">
           <nete:case value=\"own.test\"><nete:forward>http://own.test$0</nete:forward></nete:case>
           <nete:default><nete:cond type=\"uri\" criteria=\"beginswith\">
             <nete:case value=\"/api/\"><nete:forward>http://api.test$0</nete:forward></nete:case>
             <nete:default>{FORWARD}</nete:default>
           </nete:cond></nete:default>
         </nete:cond>"
    )));
    assert_eq!(led_to(&import, "own.test", "/api/x"), "http://own.test/");
    assert_eq!(led_to(&import, "else.test", "/api/x"), "http://api.test/");
    assert_eq!(led_to(&import, "else.test", "/x"), "http://a.test/");
}

#[test]
fn a_port_that_is_left_out_is_listed_unless_the_default_only_forwards() {
    let redirect = "<nete:redirect>https://a.test:8443</nete:redirect>";
    for (host, default, listed) in [
        ("a.test:8443", redirect, true),
        ("a.test:8443", FORWARD, false),
        ("a.test", redirect, false),
    ] {
        let import = import(rules(&format!(
            "<nete:cond type=\"host\"><nete:case value=\"{host}\">{FORWARD}</nete:case>
             <nete:default>{default}</nete:default></nete:cond>"
        )));
        let weaker = left(&import, Kind::Weaker);
        assert_eq!(!weaker.is_empty(), listed, "{host} {default}");
    }
}

#[test]
fn what_kept_requests_from_applications_refuses_them() {
    let with_case = |condition: &str, case: &str| {
        import(rules(&format!(
            "<nete:cond {condition}>{case}<nete:default>{FORWARD}</nete:default></nete:cond>"
        )))
    };
    let redirect = "<nete:redirect>http://else.test</nete:redirect>";
    // A case that cannot be told apart closes its default, unless it went to an application as well.
    let case = format!("<nete:case value=\"/x%20\">{redirect}</nete:case>");
    for condition in [
        "type=\"header\" headername=\"X\"",
        "type=\"query\" criteria=\"contains\"",
        "type=\"cookie\"",
        "type=\"extension\"",
        "type=\"uri\" criteria=\"endswith\"",
        "type=\"uri\" criteria=\"beginswith\"",
        "type=\"host\" criteria=\"endswith\"",
    ] {
        let closed = with_case(condition, &case);
        assert_eq!(led_to(&closed, "any.test", "/"), "closed", "{condition}");
        let forwards = with_case(
            condition,
            &format!("<nete:case value=\"/x%20\">{FORWARD}</nete:case>"),
        );
        assert_eq!(
            led_to(&forwards, "any.test", "/"),
            "http://a.test/",
            "{condition}"
        );
        assert_eq!(left(&forwards, Kind::Weaker).len(), 1, "{condition}");
    }
    let page = with_case(
        "type=\"uri\"",
        &format!("<nete:case value=\"/page\">{redirect}</nete:case>"),
    );
    assert_eq!(led_to(&page, "any.test", "/page"), "closed");
    assert_eq!(led_to(&page, "any.test", "/"), "http://a.test/");
}

#[test]
fn addresses_that_change_the_path_or_the_server_are_refused() {
    for address in [
        "http://a.test/",
        "http://a.test",
        "http://a.test/other$1",
        "http://a.test/x$0",
        "http://$2.test$0",
        "http://{{HEADER}}$0",
        "http://user:swordfish@a.test$0",
        "ftp://a.test$0",
        "$0",
    ] {
        let import = import(rules(&format!("<nete:forward>{address}</nete:forward>")));
        assert_eq!(led_to(&import, "any.test", "/"), "closed", "{address}");
        assert!(!import.text.contains("swordfish"));
    }
}

#[test]
fn ignored_paths_open_nothing_that_is_closed() {
    let import = import(Sources {
        siteminder: vec![source("web.aco", "IgnoreUrl=/\nIgnoreExt=.gif\nIgnoreHost=any.test\n")],
        ..rules(&format!(
            "<nete:cond type=\"uri\" criteria=\"beginswith\">
               <nete:case value=\"/admin/\"><nete:redirect>http://else.test</nete:redirect></nete:case>
               <nete:default>{FORWARD}</nete:default>
             </nete:cond>"
        ))
    });
    assert!(get(&import, "any.test", "/x").starts_with("open "));
    for path in ["/admin", "/admin/x", "/admin/x.gif"] {
        assert_eq!(get(&import, "any.test", path), "any host/admin", "{path}");
        assert_eq!(led_to(&import, "any.test", path), "closed");
    }
}

#[test]
fn a_case_behind_a_shorter_one_is_never_reached() {
    let import = import(rules(&format!(
        "<nete:cond type=\"uri\" criteria=\"beginswith\">
           <nete:case value=\"/a\">{FORWARD}</nete:case>
           <nete:case value=\"/a/b\"><nete:forward>http://b.test$0</nete:forward></nete:case>
         </nete:cond>"
    )));
    assert_eq!(led_to(&import, "any.test", "/a/b"), "http://a.test/");
    assert_eq!(left(&import, Kind::Nothing), ["uri `/a/b`"]);
    assert_eq!(led_to(&import, "any.test", "/else"), "closed");
}

#[test]
fn what_is_not_such_a_file_is_told_with_line_and_reason() {
    let whole = |text: &str| {
        malformed(Sources {
            proxyrules: Some(source("rules.xml", text)),
            ..none()
        })
    };
    let deep = "<a>".repeat(100);
    for (text, expected) in [
        ("", "rules.xml:1: no element"),
        ("<a/>", "rules.xml:1: the root element is not `proxyrules`"),
        ("<proxyrules/>", "rules.xml:1: has no rule"),
        (
            "<proxyrules>\n<local/>\n<local/></proxyrules>",
            "rules.xml:3: a second rule",
        ),
        (
            "<proxyrules>\n<cond/></proxyrules>",
            "rules.xml:2: a condition has a `type`",
        ),
        (
            "<proxyrules>\n\n<forward/></proxyrules>",
            "rules.xml:3: has no address",
        ),
        (
            "<proxyrules>\n<forward>&own;</forward></proxyrules>",
            "rules.xml:2: an entity",
        ),
        ("<proxyrules>\n<local></proxyrules>", "rules.xml:2: not XML"),
        (
            "<proxyrules>\n<local/>",
            "rules.xml:1: `proxyrules` has no end",
        ),
        ("x<proxyrules/>", "rules.xml:1: text outside"),
        (
            "<proxyrules><local/></proxyrules><b/>",
            "rules.xml:1: a second root",
        ),
        (
            "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>\n<a/>",
            "rules.xml:1: a document type",
        ),
        (deep.as_str(), "rules.xml:1: elements in each other deeper"),
    ] {
        let errors = whole(text);
        assert!(
            errors
                .first()
                .is_some_and(|error| error.starts_with(expected)),
            "{text}: {errors:?}"
        );
    }
}

/// A server, a redirect, or what decides between them.
#[derive(Clone, Debug)]
enum Tree {
    To(u8),
    Redirect,
    Hosts(Vec<(&'static str, Self)>, Box<Self>),
    Paths(Vec<(&'static str, Self)>, Box<Self>),
}

impl Tree {
    fn xml(&self) -> String {
        let cond = |how: &str, cases: &[(&str, Self)], rest: &Self| {
            let cases = cases.iter().map(|(value, tree)| {
                format!("<nete:case value='{value}'>{}</nete:case>", tree.xml())
            });
            let cases: String = cases.collect();
            format!(
                "<nete:cond {how}>{cases}<nete:default>{}</nete:default></nete:cond>",
                rest.xml()
            )
        };
        match self {
            Self::To(server) => format!("<nete:forward>http://s{server}.test$0</nete:forward>"),
            Self::Redirect => "<nete:redirect>http://else.test</nete:redirect>".to_owned(),
            Self::Hosts(cases, rest) => cond("type='host'", cases, rest),
            Self::Paths(cases, rest) => cond("type='uri' criteria='beginswith'", cases, rest),
        }
    }

    /// Where a gateway sends a request: the first case that matches, else the default.
    fn leads(&self, host: &str, path: &str) -> Option<u8> {
        match self {
            Self::To(server) => Some(*server),
            Self::Redirect => None,
            Self::Hosts(cases, rest) => {
                let case = cases.iter().find(|(value, _)| *value == host);
                case.map_or(&**rest, |(_, tree)| tree).leads(host, path)
            }
            Self::Paths(cases, rest) => {
                let case = cases.iter().find(|(value, _)| path.starts_with(value));
                case.map_or(&**rest, |(_, tree)| tree).leads(host, path)
            }
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![4 => (0..5_u8).prop_map(Tree::To), 1 => Just(Tree::Redirect)];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let host = prop::sample::select(vec!["one.test", "two.test"]);
        let path = prop::sample::select(vec!["/a/", "/a/b/", "/b/", "/ab/"]);
        prop_oneof![
            (
                prop::collection::vec((host, inner.clone()), 0..3),
                inner.clone()
            )
                .prop_map(|(cases, rest)| Tree::Hosts(cases, Box::new(rest))),
            (prop::collection::vec((path, inner.clone()), 0..4), inner)
                .prop_map(|(cases, rest)| Tree::Paths(cases, Box::new(rest))),
        ]
    })
}

proptest! {
    /// Whatever conditions of hosts and paths are in each other, requests go where they went, or what cannot be
    /// told apart is listed as a danger.
    #[test]
    fn requests_go_where_they_went(tree in tree()) {
        let import = import(rules(&tree.xml()));
        let listed = import.draft.count(Kind::Weaker) > 0;
        for host in ["one.test", "two.test", "three.test"] {
            for path in ["/", "/a/", "/a/x", "/a/b/", "/a/b/x", "/b/x", "/ab/x", "/abc", "/c"] {
                let expected = match tree.leads(host, path) {
                    Some(server) => format!("http://s{server}.test/"),
                    None => "closed".to_owned(),
                };
                let led_to = led_to(&import, host, path);
                prop_assert!(listed || led_to == expected, "{host} {path}: {led_to}, not {expected}\n{}", tree.xml());
            }
        }
    }
}
