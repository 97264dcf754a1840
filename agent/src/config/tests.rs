//! A whole file at a time.

mod am_service;
mod checks;
mod environment;

use std::fs;
use std::path::Path;

use policy_protocol::AuthScheme;
use proptest::prelude::*;
use tempfile::TempDir;

use super::problem::Location;
use super::*;

const EXAMPLE: &str = include_str!("../../../docs/src/reference/example.toml");

/// What any file may hold that a configuration names: certificate, key and secret at once.
const ANY_FILE: &str = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";

/// A folder with every file that a configuration names.
fn folder_for(configuration: &toml::Table) -> TempDir {
    fn create(table: &toml::Table, base: &Path) {
        for (key, value) in table {
            match value {
                toml::Value::Table(table) => create(table, base),
                toml::Value::Array(elements) => elements
                    .iter()
                    .filter_map(toml::Value::as_table)
                    .for_each(|table| create(table, base)),
                toml::Value::String(path) if key.ends_with("_dir") => {
                    fs::create_dir_all(base.join(path)).unwrap()
                }
                toml::Value::String(path) if key.ends_with("_file") => {
                    let path = base.join(path);
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, ANY_FILE).unwrap();
                }
                _ => {}
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    create(configuration, folder.path());
    folder
}

/// A folder with the files of the example, and those of [`SMALL`].
fn folder() -> TempDir {
    let folder = folder_for(&EXAMPLE.parse().unwrap());
    fs::write(folder.path().join("policy.toml"), "").unwrap();
    fs::write(
        folder.path().join("secrets/agent"),
        "correct horse battery\n",
    )
    .unwrap();
    folder
}

/// The smallest sound configuration.
const SMALL: &str = r#"
[[listeners]]
address = "127.0.0.1:0"
redirect_to_https = 443
[policy_server]
kind = "embedded"
config_file = "policy.toml"
[[upstreams]]
name = "app"
servers = ["http://127.0.0.1:3000"]
[[realms]]
name = "all"
resource = "/"
upstream = "app"
"#;

fn read(text: &str, environment: &Environment) -> Result<Config, Problems> {
    load_text(text, "doorward.toml", folder().path(), environment)
}

fn sound(text: &str) -> Config {
    read(text, &Environment::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Line, key and message of each problem.
fn problems(text: &str) -> Vec<(usize, String, String)> {
    let problems = read(text, &Environment::default()).expect_err("accepted");
    let line = |location: &Location| match location {
        Location::Place { line, .. } => *line,
        Location::File | Location::Variable(_) => 0,
    };
    problems
        .iter()
        .map(|each| (line(&each.location), each.key.clone(), each.what.clone()))
        .collect()
}

#[test]
fn the_smallest_configuration_has_safe_defaults_and_no_warning() {
    let config = sound(SMALL);
    assert_eq!(config.warnings, Vec::<String>::new());
    assert!(config.trusted_proxies.is_empty());
    assert!(config.admin.unwrap().ip().is_loopback());
    assert!(!config.session.pass_cookie && config.session.cookie_domain.is_none());
    assert!(config.login.allowed_targets.is_empty());
    let realm = &config.realms[0];
    assert_eq!(
        (realm.hosts.as_slice(), realm.level.0),
        (&["*".to_owned()][..], 5)
    );
    assert_eq!(realm.scheme, AuthScheme::Form);
    assert!(realm.ignore_extensions.is_empty() && realm.ignore_paths.is_empty());
}

#[test]
fn the_example_parses_and_so_does_each_default_that_it_shows() {
    let config = sound(EXAMPLE);
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.realms[1].upstream, config.realms[0].upstream);
    assert_eq!(config.realms[1].ignore_paths, ["/assets"]);
    assert_eq!(config.realms[2].scheme, AuthScheme::None);
    assert!(format!("{config:?}").contains("[redacted]"));

    let uncommented = EXAMPLE.lines().map(|line| {
        let setting = line
            .strip_prefix("# ")
            .filter(|rest| rest.contains(" = ") && !rest.contains("cookie_domain"));
        setting.unwrap_or(line)
    });
    let shown = sound(&uncommented.collect::<Vec<_>>().join("\n"));
    // What was written differs, and so do the names of the temporary folders, but not in length.
    let [config, shown] = [config, shown].map(|config| {
        let config = Config {
            written: serde_json::Value::Null,
            ..config
        };
        format!("{config:?}").len()
    });
    assert_eq!(config, shown, "a default in a comment is not the default");
}

#[test]
fn the_examples_of_deploy_parse() {
    for text in [
        include_str!("../../../deploy/examples/sidecar.toml"),
        include_str!("../../../deploy/examples/standalone.toml"),
        include_str!("../../../deploy/compose/doorward.toml"),
    ] {
        let folder = folder_for(&text.parse().unwrap());
        let outcome = load_text(text, "example.toml", folder.path(), &Environment::default());
        outcome.unwrap_or_else(|problems| panic!("{problems}"));
    }
}

/// The units make the whole file system read-only but for folders of their own, and so may be the image.
#[test]
fn what_the_examples_write_is_where_their_units_and_the_image_let_them_write() {
    let image = include_str!("../../../deploy/Dockerfile");
    let agent = include_str!("../../../deploy/systemd/doorward-agent.service");
    let server = include_str!("../../../deploy/systemd/doorward-policy-server.service");
    for (unit, text) in [
        (
            agent,
            include_str!("../../../deploy/examples/standalone.toml"),
        ),
        (
            agent,
            include_str!("../../../deploy/examples/policy-server-embedded.toml"),
        ),
        (
            agent,
            include_str!("../../../docs/src/operate/am-back-end.md"),
        ),
        (
            server,
            include_str!("../../../deploy/examples/policy-server.toml"),
        ),
    ] {
        for (root, setting) in [
            ("/var/lib/", "StateDirectory"),
            ("/var/log/", "LogsDirectory"),
        ] {
            for path in text.split(root).skip(1) {
                let folder = path.split(['/', '"']).next().unwrap();
                let line = format!("\n{setting}={folder}\n");
                assert!(unit.contains(&line), "{root}{folder}");
                if root == "/var/lib/" {
                    // The image's user can make none.
                    let made = image
                        .lines()
                        .any(|line| line.ends_with(&format!(" /state {root}{folder}")));
                    let kept = image.lines().any(|line| {
                        let mut words = line.split(' ');
                        words.next() == Some("VOLUME")
                            && words.any(|word| word.strip_prefix(root) == Some(folder))
                    });
                    assert!(made && kept, "{root}{folder} in the image");
                }
            }
        }
    }
}

#[test]
fn ten_mistakes_give_ten_messages_with_their_lines() {
    let text = r#"trusted_proxies = ["0.0.0.0/0"]
[[listeners]]
address = "localhost:8443"
redirect_to_http = 443
[policy_server]
kind = "nativ"
[session]
grace_period = 30
[[upstreams]]
name = "app"
servers = ["http://127.0.0.1:3000"]
[[realms]]
name = "all"
resource = "/app/"
upstream = "ap"
protection_level = 1001
hosts = ["app.example.com:443"]
[[realms.rules]]
effect = "allow"
"#;
    let expected = [
        (1, "trusted_proxies[0]"),
        (3, "listeners[0].address"),
        (4, "listeners[0].redirect_to_http"),
        (6, "policy_server.kind"),
        (8, "session.grace_period"),
        (14, "realms[0].resource"),
        (15, "realms[0].upstream"),
        (16, "realms[0].protection_level"),
        (17, "realms[0].hosts[0]"),
        (18, "realms[0].rules[0].name"),
    ];
    let mut found: Vec<_> = problems(text)
        .into_iter()
        .map(|(line, key, _)| (line, key))
        .collect();
    let mut expected: Vec<_> = expected.map(|(line, key)| (line, key.to_owned())).into();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_misspelt_key_is_answered_with_the_right_one() {
    let text = format!("{SMALL}idle_timout = \"5m\"\n");
    let shown = read(&text, &Environment::default())
        .unwrap_err()
        .to_string();
    assert_eq!(
        shown,
        "doorward.toml:15:1: realms[0].idle_timout: unknown key\n    hint: did you mean `idle_timeout`?"
    );
}

#[test]
fn several_syntax_mistakes_are_told_at_once_and_the_rest_is_still_checked() {
    let text = "[agent]\nname = \nworkers = 4 4\ndrain_timeout = 5\n[session]\nzone = \"a\nsame_sight = 1\n";
    let lines: Vec<_> = problems(text).into_iter().map(|(line, ..)| line).collect();
    assert_eq!(lines, [2, 3, 4, 6, 7]);
}

#[test]
fn a_broken_header_does_not_make_what_follows_look_wrong() {
    let text = format!("[[listeners\n{SMALL}");
    assert_eq!(problems(&text).len(), 1);
}

#[test]
fn nothing_at_all_is_told_what_is_needed() {
    let keys: Vec<_> = problems("").into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(keys, ["listeners", "policy_server", "realms", "upstreams"]);
}

#[test]
fn no_message_repeats_what_could_be_a_secret() {
    const SECRET: &str = "s3cr3t-value-of-mine";
    for text in [
        format!("agent_secret = \"{SECRET}\""),
        format!("[policy_server]\nkind = \"native\"\nagent_secret_file = \"{SECRET}\""),
        format!(
            "[policy_server]\nkind = \"{SECRET}\"\ntimeout = \"{SECRET}\"\nca_file = \"{SECRET}\""
        ),
        format!(
            "[policy_server]\nkind = \"native\"\nurls = [\"https://user:{SECRET}@policy.example.com\"]"
        ),
        format!("[policy_server]\nagent_secret_file = {SECRET}"),
        format!("[policy_server]\nagent_secret_file = \"{SECRET}"),
        format!("[agent]\nadmin = \"{SECRET}\"\n[log]\nfilter = \"{SECRET}\""),
        format!(
            "[[realms]]\nname = \"x\"\n[[realms.responses]]\ncookie = \"a\"\nvalue = \"{SECRET}\\n\""
        ),
        format!(
            "[[listeners]]\naddress = \"{SECRET}\"\n[[listeners.tls.certificates]]\nkey_file = \"{SECRET}\""
        ),
    ] {
        let problems = read(&text, &Environment::default()).unwrap_err();
        assert!(!problems.to_string().contains(SECRET), "{problems}");
        assert!(!format!("{problems:?}").contains(SECRET));
    }
    let environment = Environment::from_iter([("DOORWARD__POLICY_SERVER__AGENT_SECRET", SECRET)]);
    assert!(!format!("{environment:?}").contains(SECRET));
    assert!(
        !read(SMALL, &environment)
            .unwrap_err()
            .to_string()
            .contains(SECRET)
    );
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_one_sentence() {
    let folder = folder();
    let missing = load(&folder.path().join("none.toml"), &Environment::default()).unwrap_err();
    assert!(
        missing.to_string().contains("none.toml: cannot be read"),
        "{missing}"
    );
    let binary = folder.path().join("binary.toml");
    fs::write(&binary, b"a = 1\n\xff").unwrap();
    assert!(
        load(&binary, &Environment::default())
            .unwrap_err()
            .to_string()
            .ends_with("not UTF-8 on line 2")
    );
    assert!(load(folder.path(), &Environment::default()).is_err());
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let folder = folder();
    fs::write(folder.path().join("doorward.toml"), SMALL).unwrap();
    assert!(
        load(
            &folder.path().join("doorward.toml"),
            &Environment::default()
        )
        .is_ok()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = load_text(&text, "x", Path::new("/nonexistent"), &Environment::default());
    }

    #[test]
    fn no_mangled_configuration_makes_the_reader_panic(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0..12_usize, "[\\[\\]{}=\"'#,.\n a0-9é-]{0,6}"), 1..6),
    ) {
        let mut text = EXAMPLE.to_owned();
        for (at, length, insert) in cuts {
            let start = at.index(text.len());
            let end = (start + length).min(text.len());
            if text.is_char_boundary(start) && text.is_char_boundary(end) {
                text.replace_range(start..end, &insert);
            }
        }
        let _ = load_text(&text, "x", Path::new("/nonexistent"), &Environment::default());
    }
}

/// Every page of the book with configurations that are said to be whole.
#[test]
fn the_configurations_in_the_book_are_sound() {
    fn pages(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        entries
            .flat_map(|entry| match entry.path() {
                path if path.is_dir() => pages(&path),
                path => vec![path],
            })
            .collect()
    }
    let mut checked = 0;
    for page in pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src")) {
        let Ok(text) = fs::read_to_string(&page) else {
            continue;
        };
        for marked in text.split("<!-- checked: agent -->\n```toml\n").skip(1) {
            let (toml, _) = marked.split_once("\n```").unwrap();
            let folder = folder_for(&toml.parse().unwrap());
            let name = page.display().to_string();
            load_text(toml, &name, folder.path(), &Environment::default())
                .unwrap_or_else(|problems| panic!("{problems}"));
            checked += 1;
        }
    }
    assert!(checked > 0);
}
