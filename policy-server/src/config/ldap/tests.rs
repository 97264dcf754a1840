use crate::config::directories::DirectoryKind;
use crate::config::{PolicyServerConfig, Problems};
use std::path::Path;

use super::*;

fn parse(directory: &str, base: &Path) -> Result<LdapSettings, Problems> {
    let text = format!(
        "state_dir = \"s\"\n[[directories]]\nname = \"staff\"\nkind = \"ldap\"\n{directory}"
    );
    let config = PolicyServerConfig::parse(&text, "f", base)?;
    match config.directories.into_iter().next().unwrap().kind {
        DirectoryKind::Ldap(settings) => Ok(*settings),
        DirectoryKind::File(_) => panic!("{text}"),
    }
}

#[test]
fn the_shortest_directory_has_safe_defaults() {
    let text = "urls = [\"ldaps://ldap.example.com\"]\nbase = \"dc=example\"";
    let settings = parse(text, Path::new("/")).unwrap();
    assert_eq!(settings.servers[0].to_string(), "ldaps://ldap.example.com");
    assert_eq!(settings.user_filter, "(uid={name})");
    assert_eq!(settings.universal_id_attribute, "entryUUID");
    assert_eq!(settings.groups.base, "dc=example");
    assert_eq!(
        (settings.groups.attribute, settings.groups.filter),
        (None, None)
    );
    assert_eq!(settings.timeout, DEFAULT_TIMEOUT);
    assert!(settings.service.is_none() && settings.certificates.is_none() && !settings.writable);
}

#[test]
fn passwords_go_in_clear_text_only_if_that_is_said() {
    let text = "urls = [\"ldap://h\"]\nbase = \"b\"\n";
    let problems = parse(text, Path::new("/")).unwrap_err().to_string();
    assert!(
        problems.starts_with("f:5:9: directories.staff.urls: "),
        "{problems}"
    );
    for more in ["start_tls = true", "allow_plaintext = true"] {
        assert!(
            parse(&format!("{text}{more}"), Path::new("/")).is_ok(),
            "{more}"
        );
    }
}

#[test]
fn every_mistake_is_reported_at_its_key() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("empty"), "\n").unwrap();
    let good = "urls = [\"ldaps://h\"]\nbase = \"b\"\n";
    for (text, key) in [
        ("base = \"b\"", "urls"),
        ("urls = [\"ldaps://h\"]", "base"),
        ("urls = [\"https://h\"]\nbase = \"b\"", "urls"),
        ("urls = [\"ldaps://h:0\"]\nbase = \"b\"", "urls"),
        ("urls = [\"ldaps://u@h\"]\nbase = \"b\"", "urls"),
        ("urls = [\"ldaps://h/dc=x\"]\nbase = \"b\"", "urls"),
        ("urls = [\"ldaps://[::1]\"]\nbase = \"b\"", "urls"),
        (&format!("{good}file = \"f\""), "file"),
        (&format!("{good}bind_dn = \"cn=a\""), "bind_dn"),
        (
            &format!("{good}bind_dn = \"cn=a\"\nbind_password_file = \"empty\""),
            "bind_password_file",
        ),
        (
            &format!("{good}bind_dn = \"cn=a\"\nbind_password_file = \"none\""),
            "bind_password_file",
        ),
        (
            &format!("{good}user_filter = \"(uid=alice)\""),
            "user_filter",
        ),
        (
            &format!("{good}user_filter = \"(uid={{dn}})\""),
            "user_filter",
        ),
        (
            &format!("{good}group_filter = \"(member={{name}})\""),
            "group_filter",
        ),
        (&format!("{good}group_depth = 0"), "group_depth"),
        (&format!("{good}group_depth = 21"), "group_depth"),
        (&format!("{good}attributes = [\"a b\"]"), "attributes"),
        (
            &format!("{good}certificate_attribute = \"c\""),
            "certificate_filter",
        ),
        (
            &format!("{good}certificate_filter = \"(x={{upn}})\""),
            "certificate_filter",
        ),
        (&format!("{good}timeout = \"0s\""), "timeout"),
        (&format!("{good}cache = \"1h\""), "cache"),
        (&format!("{good}connections = 0"), "connections"),
    ] {
        let problems = parse(text, dir.path()).unwrap_err();
        let found: Vec<_> = problems.iter().map(|problem| &*problem.key).collect();
        assert_eq!(
            found,
            [format!("directories.staff.{key}")],
            "{text}: {problems}"
        );
    }
}
