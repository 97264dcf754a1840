//! Whole imports, from the text of files to the configuration that they become.

mod never_weaker;
mod rules;
mod settings;

use agent::access::protection::{Protection, RealmTable};
use agent::config::{self, Config, Environment};
use agent::http::target::RequestTarget;
use http::Method;

use super::*;

const ACO: &str = include_str!("tests/samples/gateway.aco");
const RULES: &str = include_str!("tests/samples/proxyrules.xml");
const AGENT: &str = include_str!("tests/samples/agent.properties");

fn source(name: &str, text: &str) -> Source {
    Source::from_bytes(name, text.as_bytes().to_vec()).unwrap()
}

fn import(sources: Sources) -> Import {
    Import::new(sources).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

fn none() -> Sources {
    Sources {
        siteminder: Vec::new(),
        proxyrules: None,
        openam: Vec::new(),
    }
}

fn aco(text: &str) -> Sources {
    Sources {
        siteminder: vec![source("web.aco", text)],
        ..none()
    }
}

fn rules(text: &str) -> Sources {
    let text =
        format!("<nete:proxyrules xmlns:nete=\"http://rules.test/\">\n{text}\n</nete:proxyrules>");
    Sources {
        proxyrules: Some(source("rules.xml", &text)),
        ..none()
    }
}

fn openam(text: &str) -> Sources {
    Sources {
        openam: vec![source("agent.properties", text)],
        ..none()
    }
}

fn malformed(sources: Sources) -> Vec<String> {
    let errors = Import::new(sources).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

/// The keys that a check complains about, as the import stands.
fn problems(import: &Import) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let checked = config::load_text(&import.text, "x", folder.path(), &Environment::default());
    let problems = checked.err().into_iter();
    problems
        .flat_map(|problems| {
            problems
                .iter()
                .map(|problem| problem.key.clone())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The configuration, once its placeholders are filled in.
fn filled_in(import: &Import) -> Config {
    let mut table: toml::Table = import.text.parse().unwrap();
    let rest: toml::Table = r#"
        listeners = [{ address = "127.0.0.1:0" }]
        policy_server = { kind = "embedded", config_file = "policy.toml" }
    "#
    .parse()
    .unwrap();
    table.extend(rest);
    let text = table
        .to_string()
        .replace("\"PLACEHOLDER\"", "\"http://127.0.0.1:1\"");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.toml"), "").unwrap();
    config::load_text(&text, "x", folder.path(), &Environment::default())
        .unwrap_or_else(|problems| panic!("{problems}\n{}", import.text))
}

/// What becomes of a request: `open NAME`, `NAME` of the realm that asks for a session, or `refused`.
fn asked(config: &Config, method: &Method, host: &str, path: &str) -> String {
    let uri = path.parse().unwrap();
    let Ok(target) = RequestTarget::new(host.to_owned(), None, &uri, method) else {
        return "refused".to_owned();
    };
    match RealmTable::new(&config.realms).find(&target) {
        Ok(Protection::Open(realm)) => format!("open {}", realm.realm().name),
        Ok(Protection::Protected(realm)) => realm.name.clone(),
        Err(_) => "refused".to_owned(),
    }
}

fn get(import: &Import, host: &str, path: &str) -> String {
    asked(&filled_in(import), &Method::GET, host, path)
}

/// The upstream's server and whether everybody is refused, for the realm of a request.
fn led_to(import: &Import, host: &str, path: &str) -> String {
    let config = filled_in(import);
    let name = asked(&config, &Method::GET, host, path);
    let name = name.strip_prefix("open ").unwrap_or(&name);
    let Some(realm) = config.realms.iter().find(|realm| realm.name == name) else {
        return name.to_owned();
    };
    if realm.rules.iter().any(|rule| rule.deny) {
        return "closed".to_owned();
    }
    config.upstreams[realm.upstream].servers[0].to_string()
}

/// What was left out for this reason, as the list calls it.
fn left(import: &Import, kind: Kind) -> Vec<String> {
    let of_kind = import.draft.left.iter().filter(|left| left.kind == kind);
    of_kind.map(|left| left.what.clone()).collect()
}

const PLACEHOLDERS: [&str; 4] = [
    "listeners[0].tls.certificates[0].cert_file",
    "listeners[0].tls.certificates[0].key_file",
    "policy_server.urls[0]",
    "policy_server.agent_secret_file",
];

#[test]
fn a_check_reports_just_the_placeholders() {
    let gateway = import(Sources {
        siteminder: vec![source("gateway.aco", ACO)],
        proxyrules: Some(source("proxyrules.xml", RULES)),
        ..none()
    });
    assert_eq!(problems(&gateway), PLACEHOLDERS, "{}", gateway.text);
    let with_application = [&PLACEHOLDERS[..], &["upstreams[0].servers[0]"]].concat();
    for alone in [
        import(Sources {
            siteminder: vec![source("gateway.aco", ACO)],
            ..none()
        }),
        import(Sources {
            openam: vec![source("agent.properties", AGENT)],
            ..none()
        }),
        import(aco("")),
        import(openam("")),
    ] {
        assert_eq!(problems(&alone), with_application, "{}", alone.text);
    }
}

#[test]
fn no_secret_reaches_the_output() {
    for sources in [aco(ACO), openam(AGENT)] {
        let import = import(sources);
        for secret in ["swordfish", "hunter22", "0123456789abcdef"] {
            assert!(ACO.contains(secret) || AGENT.contains(secret));
            assert!(!import.text.contains(secret) && !import.summary().contains(secret));
        }
    }
}

#[test]
fn an_unknown_setting_is_listed_without_its_value_and_told_by_the_exit_code() {
    let import = import(aco(
        "BadUrlChars=\nCSSChecking=no\nSomethingNew=\"s3cr3t value\"\n",
    ));
    assert!(left(&import, Kind::Weaker).contains(&"SomethingNew".to_owned()));
    assert!(!import.text.contains("s3cr3t"));
    assert_eq!(
        format!("{:?}", import.code()),
        format!("{:?}", ExitCode::from(WEAKER))
    );
}

#[test]
fn nothing_weaker_is_success() {
    let import = import(openam("com.sun.identity.agents.config.sso.only = true\n"));
    assert_eq!(left(&import, Kind::Weaker), Vec::<String>::new());
    assert_eq!(
        format!("{:?}", import.code()),
        format!("{:?}", ExitCode::SUCCESS)
    );
    assert!(!filled_in(&import).realms[0].authorize);
}

#[test]
fn a_file_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (
        folder.path().join("web.aco"),
        folder.path().join("doorward.toml"),
    );
    std::fs::write(
        &from,
        "DefaultAgentName=web1\nBadUrlChars=//\nCSSChecking=no\n",
    )
    .unwrap();
    let options = Options {
        siteminder_aco: vec![from],
        proxyrules: None,
        openam_agent: Vec::new(),
        output: Some(to.clone()),
    };
    assert_eq!(
        format!("{:?}", run(&options)),
        format!("{:?}", ExitCode::SUCCESS)
    );
    let written = std::fs::read_to_string(&to).unwrap();
    assert!(written.contains("name = \"web1\""));
    assert_eq!(
        format!("{:?}", run(&options)),
        format!("{:?}", ExitCode::FAILURE)
    );
    assert_eq!(std::fs::read_to_string(&to).unwrap(), written);
}

#[test]
fn every_malformed_line_is_told_with_its_number_and_reason() {
    let text = "DefaultAgentName\n# a comment\nLogFile=\"yes\n=x\nAgent Name=x\nSSOZoneName=A\nssozonename=B\n";
    assert_eq!(
        malformed(aco(text)),
        [
            "web.aco:1: no `=` between a name and a value",
            "web.aco:3: a quotation mark without its partner",
            "web.aco:4: what stands before the `=` is not the name of a setting",
            "web.aco:5: what stands before the `=` is not the name of a setting",
        ]
    );
    let text = "! a comment\nkey\nname[0 = x\nna\\u0065me = x\npath = C:\\agent\\\n";
    assert_eq!(
        malformed(openam(text)),
        [
            "agent.properties:2: no `=` between a name and a value",
            "agent.properties:3: no `=` between a name and a value",
            "agent.properties:4: what stands before the `=` is not the name of a setting",
            "agent.properties:5: ends in a backslash, which has two readings: write the value on one line",
        ]
    );
    assert_eq!(
        malformed(aco("SSOZoneName=A\nssozonename=B\n")),
        ["web.aco:2: ssozonename has another value at web.aco:1: delete one of them"]
    );
    let bytes = b"A=1\nB=\xff\n".to_vec();
    let error = Source::from_bytes("web.aco", bytes).err().unwrap();
    assert_eq!(error.to_string(), "web.aco:2: not UTF-8");
}

#[test]
fn comments_cannot_be_left() {
    let hostile = "IgnoreUrl=/a\u{202e}*\nIgnoreHost=a b\n";
    assert!(!import(aco(hostile)).text.contains('\u{202e}'));
    let import = import(rules(
        "<nete:cond type=\"header\" headername=\"x\"><nete:case value=\"a&#10;[agent]&#10;\"><nete:local/></nete:case></nete:cond>",
    ));
    assert!(!import.text.contains("\n[agent]"));
}
