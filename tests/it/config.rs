//! Configuration: every problem at once, and every example is one that works.

use std::path::{Path, PathBuf};

use agent::config;
use agent::config::env::Environment;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn toml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            toml_files(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            found.push(path);
        }
    }
}

/// Files that an example names and that are made by whoever follows it: parse first, then complain about
/// anything but missing files.
#[track_caller]
fn only_misses_files(problems: &str, name: &Path) {
    for problem in problems
        .lines()
        .filter(|line| !line.starts_with("    hint: "))
    {
        assert!(
            problem.contains("No such file"),
            "{}: {problem}",
            name.display()
        );
    }
}

#[test]
fn the_examples_in_docs_and_deploy_parse() {
    let mut files = Vec::new();
    for folder in ["docs", "deploy"] {
        toml_files(&repository().join(folder), &mut files);
    }
    let mut agents = 0;
    let mut servers = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let base = file.parent().unwrap();
        if text.contains("[[realms]]") {
            agents += 1;
            if let Err(problems) =
                config::load_text(&text, "example", base, &Environment::default())
            {
                only_misses_files(&problems.to_string(), &file);
            }
        } else if text.contains("users_file") {
            servers += 1;
            let loaded = policy_server::config::PolicyServerConfig::load(&file);
            if let Err(problems) = loaded.and_then(|config| config.load_policies()) {
                only_misses_files(&problems.to_string(), &file);
            }
        }
    }
    assert!(
        agents > 0 && servers > 0,
        "{agents} examples of agents, {servers} of policy servers"
    );
}

#[test]
fn ten_mistakes_are_ten_problems_with_their_lines() {
    let text = r#"
nonsense = 1
[agent]
workers = "many"
drain_timeout = "30 parsecs"
[[listeners]]
address = "nowhere"
[policy_server]
kind = "telepathic"
[session]
same_site = "sideways"
cache_size = "64 bananas"
[[upstreams]]
name = "a"
servers = ["gopher://x"]
[[realms]]
name = "r"
resource = "app"
upstream = "missing"
protection_level = 5000
"#;
    let problems = config::load_text(text, "bad.toml", Path::new("."), &Environment::default())
        .expect_err("ten mistakes");
    assert!(problems.count() >= 10, "{problems}");
    for number in [2, 4, 5, 7, 9, 11, 12, 15, 18, 19, 20] {
        let place = format!("bad.toml:{number}:");
        let told = problems.to_string();
        assert!(
            told.contains(&place),
            "nothing about line {number}:\n{told}"
        );
    }
}

#[test]
fn bad_configuration_never_panics() {
    let good = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/configuration/whole.toml"),
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = harness::Pki::default();
    authority
        .server(&["gate.example.com"])
        .write(folder.path(), "a");
    std::fs::write(folder.path().join("ca.crt"), authority.ca_pem()).unwrap();
    std::fs::write(folder.path().join("secret"), "the agents' very own secret").unwrap();
    let load =
        |text: &str| config::load_text(text, "random.toml", folder.path(), &Environment::default());
    load(&good).unwrap_or_else(|problems| panic!("{problems}"));
    let mut random = crate::bad_input::Random::new(5);
    let mut accepted = 0;
    for _ in 0..10_000 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
                1 => {
                    bytes.remove(at);
                }
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, *random.pick(b"[]{}=\"'#.,\n -0x")),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        match load(&text) {
            Ok(config) => {
                accepted += 1;
                assert_sound(&config, &text);
            }
            Err(problems) => {
                assert!(problems.count() > 0, "refused without a reason:\n{text}");
                for problem in &problems {
                    assert!(!problem.what.is_empty(), "{problem:?}");
                }
                assert!(
                    problems.to_string().starts_with("random.toml"),
                    "{problems}"
                );
            }
        }
    }
    assert!(
        (100..9_900).contains(&accepted),
        "{accepted} of 10000 accepted: most are to be wrong, and some not"
    );
}

/// What everything after the configuration takes for granted.
#[track_caller]
fn assert_sound(config: &config::Config, text: &str) {
    let is_path = |path: &String| path.starts_with('/');
    let sound = !config.listeners.is_empty()
        && !config.agent_name.is_empty()
        && !config.session.zone.is_empty()
        && is_path(&config.login.path)
        && config.login.logout_paths.iter().all(is_path)
        && config
            .upstreams
            .iter()
            .all(|upstream| !upstream.servers.is_empty())
        && config.realms.iter().all(|realm| {
            is_path(&realm.resource)
                && !realm.hosts.is_empty()
                && realm.upstream < config.upstreams.len()
                && realm.idle_timeout <= realm.max_timeout
        })
        && config.limits.head_bytes > 0
        && config.limits.h2_streams > 0;
    assert!(sound, "{config:?}\n{text}");
}
