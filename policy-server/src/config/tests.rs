use super::directories::DirectoryKind;
use super::*;

fn parse(text: &str) -> Result<PolicyServerConfig, Problems> {
    PolicyServerConfig::parse(text, "policy-server.toml", Path::new("/etc/doorward"))
}

#[test]
fn the_shortest_configuration_has_safe_defaults() {
    let config = parse("state_dir = \"state\"\nusers_file = \"/srv/users.toml\"").unwrap();
    assert_eq!(config.state_dir, Path::new("/etc/doorward/state"));
    let [users] = config.directories.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!((&*users.oid, &*users.name), ("file", "users"));
    assert!(
        matches!(&users.kind, DirectoryKind::File(file) if file.path == Path::new("/srv/users.toml") && !file.writable)
    );
    assert_eq!(config.limits, Limits::default());
    assert_eq!(
        config.agent_key_rollover,
        PolicyServerConfig::DEFAULT_ROLLOVER
    );
    assert!(config.agents.is_empty() && config.policies_file.is_none());
    assert!(config.admin_secret.is_none() && config.listen.is_none());
}

#[test]
fn every_mistake_is_reported_with_its_line_and_key() {
    let text = r#"state_dir = "state"
users_file = "users.toml"
agent_key_rollover = "5m"
[[agents]]
name = "a:b"
secret_file = "no-such-file"
[listen]
address = "localhost"
cert_file = "cert.pem"
key_file = "key.pem"
[limits]
max_timeout = "60d"
idle_timeout = "soon"
"#;
    let problems = parse(text).unwrap_err();
    let found: Vec<_> = problems
        .iter()
        .map(|problem| {
            (
                problem.place.map_or(0, |(line, _)| line),
                problem.key.as_str(),
            )
        })
        .collect();
    for expected in [
        (3, "agent_key_rollover"),
        (5, "agents.a:b"),
        (6, "agents.a:b.secret_file"),
        (8, "listen.address"),
        (12, "limits.max_timeout"),
        (13, "limits.idle_timeout"),
    ] {
        assert!(
            found.contains(&expected),
            "{expected:?} is not in\n{problems}"
        );
    }
    assert_eq!(found.len(), 6, "{problems}");
}

#[test]
fn an_unknown_key_is_refused_at_its_line() {
    let problems =
        parse("state_dir = \"s\"\nusers_file = \"u\"\n[limits]\nmaxtimeout = \"1h\"").unwrap_err();
    assert!(
        problems.to_string().starts_with("policy-server.toml:4:1: "),
        "{problems}"
    );
    assert!(problems.to_string().contains("maxtimeout"));
    assert!(
        parse("state_dir = \"s\"")
            .unwrap_err()
            .to_string()
            .contains("users_file")
    );
    assert!(parse("= = =").is_err());
}

#[test]
fn a_secret_is_one_long_line_and_stays_out_of_messages() {
    let dir = tempfile::tempdir().unwrap();
    let load = |secret: &str| {
        std::fs::write(dir.path().join("secret"), secret).unwrap();
        let text = "state_dir = \"s\"\nusers_file = \"u\"\n[admin]\nsecret_file = \"secret\"";
        PolicyServerConfig::parse(text, "f", dir.path())
    };
    for good in [
        "0123456789abcdef",
        "0123456789abcdef\n",
        "0123456789abcdef\r\n",
    ] {
        let config = load(good).unwrap();
        assert_eq!(config.admin_secret.unwrap().expose(), "0123456789abcdef");
    }
    for bad in [
        "",
        "\n",
        "hunter2",
        "0123456789abcdef\nhunter2",
        "hunter2-hunter2-hunter2-é",
    ] {
        let problems = load(bad).unwrap_err().to_string();
        assert!(
            problems.starts_with("f:4:15: admin.secret_file: "),
            "{problems}"
        );
        assert!(!problems.contains("hunter2"));
    }
}

#[test]
fn the_schema_describes_every_section() {
    let schema = serde_json::to_string(&file::schema()).unwrap();
    for key in [
        "state_dir",
        "agent_key_rollover",
        "secret_file",
        "idle_timeout",
        "policies_file",
    ] {
        assert!(schema.contains(key), "{key}");
    }
}

#[test]
fn connections_are_bounded_and_so_is_their_bound() {
    let parse = |number: &str| {
        let text = format!(
            "state_dir = \"s\"\nusers_file = \"u\"\n[listen]\naddress = \"127.0.0.1:0\"\n\
             cert_file = \"c\"\nkey_file = \"k\"\n{number}"
        );
        PolicyServerConfig::parse(&text, "f", Path::new(""))
    };
    let bound = |number| parse(number).unwrap().listen.unwrap().max_connections;
    assert_eq!(bound(""), 1024);
    assert_eq!(bound("max_connections = 8192"), 8192);
    for bad in ["max_connections = 15", "max_connections = 8193"] {
        let problems = parse(bad).unwrap_err().to_string();
        let expected = "f:7:19: listen.max_connections: must be 16 to 8192";
        assert_eq!(problems, expected);
    }
}

#[test]
fn only_valkey_may_be_told_to_lose_data() {
    let store = |store: &str| {
        parse(&format!(
            "state_dir = \"state\"\nusers_file = \"users.toml\"\n[store]\n{store}\n"
        ))
    };
    let problems = store("allow_data_loss = true").unwrap_err();
    let keys: Vec<_> = problems
        .iter()
        .map(|it| (it.place, it.key.as_str()))
        .collect();
    assert_eq!(keys, [(Some((4, 19)), "store.allow_data_loss")]);
    let problems = store("kind = \"valkey\"\nurl = \"redis://a\"\nallow_data_loss = true");
    // What is left to complain of is the master key.
    let keys: Vec<_> = problems
        .unwrap_err()
        .iter()
        .map(|it| it.key.clone())
        .collect();
    assert!(
        !keys.contains(&String::from("store.allow_data_loss")),
        "{keys:?}"
    );
}

/// `deploy/compose` as `make-secrets.sh` leaves it, read as the policy server in the container reads it.
#[tokio::test]
async fn the_compose_files_fit_together() {
    use std::process::Command;

    let compose = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/compose");
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for file in ["make-secrets.sh", "policy-server.toml"] {
        std::fs::copy(compose.join(file), here.join(file)).unwrap();
    }
    let made = Command::new(here.join("make-secrets.sh"))
        .env(
            "ALICE_HASH",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
        )
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    std::fs::rename(here.join("secrets/users.toml"), here.join("users.toml")).unwrap();

    let config = PolicyServerConfig::load(&here.join("policy-server.toml")).unwrap();
    let StoreConfig::Valkey(valkey) = &config.store else {
        panic!("{:?}", config.store);
    };
    let password = valkey.password.as_ref().unwrap().expose();
    let file = std::fs::read_to_string(here.join("secrets/valkey.conf")).unwrap();
    assert_eq!(file, format!("requirepass {password}\n"));
    assert!(matches!(config.master_key, MasterKeySource::Given(_)));
    assert!(crate::serve::usable(config.listen.as_ref().unwrap()));

    // What each container gets is there, and only one port is published.
    let text = std::fs::read_to_string(compose.join("compose.yaml")).unwrap();
    let lines = || text.lines().map(str::trim);
    for line in lines() {
        if let Some((file, _)) = line.strip_prefix("- ./").and_then(|it| it.split_once(':')) {
            let file = file.replace("secrets/users.toml", "users.toml");
            assert!(
                here.join(&file).is_file() || compose.join(&file).is_file(),
                "{line}"
            );
        }
        if let Some(image) = line.strip_prefix("image: ") {
            let tag = image.rsplit_once(':').map(|(_, tag)| tag);
            assert!(tag.is_some_and(|tag| tag != "latest"), "{line}");
        }
    }
    let ports: Vec<_> = lines().filter(|line| line.starts_with("ports:")).collect();
    assert_eq!(ports, ["ports: [\"8443:8443\"]"]);
}

#[test]
fn regulation_has_bounds() {
    let text = r#"
        state_dir = "state"
        users_file = "users.toml"
        [regulation]
        max_failures = 101
        lockout = "10s"
        window = "2d"
        networks = [{ ipv4_prefix = 33, ipv6_prefix = 0, max_failures = 0 }]
    "#;
    let problems = PolicyServerConfig::parse(text, "test", Path::new("")).unwrap_err();
    let keys: Vec<_> = problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    let network = "regulation.networks";
    let expected = [
        "regulation.max_failures",
        "regulation.lockout",
        "regulation.window",
        network,
        network,
        network,
    ];
    assert_eq!(keys, expected);
    let none = text.split("[regulation]").next().unwrap();
    let none = format!("{none}[regulation]\nnetworks = []");
    let config = PolicyServerConfig::parse(&none, "test", Path::new("")).unwrap();
    assert!(config.regulation.networks.is_empty());
    assert_eq!(config.regulation.max_failures, 10);
}

/// Of several directories any may have a group of that name.
#[test]
fn administrators_are_in_a_directory_that_is_named_if_there_are_several() {
    let with = |directories: &str, sessions: &str| {
        let text = format!("state_dir = \"state\"\n{directories}[sessions]\n{sessions}");
        let problems = parse(&text).err();
        let keys = problems.iter().flat_map(Problems::iter);
        keys.map(|problem| problem.key.clone()).collect::<Vec<_>>()
    };
    let directory = |name: &str| {
        format!("[[directories]]\nkind = \"file\"\nname = \"{name}\"\nfile = \"{name}.toml\"\n")
    };
    let two = directory("corp") + &directory("customers");
    let group = "administrators = [\"admins\"]";
    let named = |name| format!("{group}\nadministrators_directory = \"{name}\"");
    assert!(with(&directory("corp"), group).is_empty());
    assert_eq!(with(&two, group), ["sessions.administrators"]);
    assert!(with(&two, &named("corp")).is_empty());
    let unknown = ["sessions.administrators_directory"];
    assert_eq!(with(&two, &named("other")), unknown);
}
