use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::schema::json_schema;

const CONFIG: &str = r#"
[agent]
name = "first"
[[listeners]]
address = "127.0.0.1:0"
redirect_to_https = 443
[policy_server]
kind = "native"
urls = ["https://policy.example.com"]
agent_secret_file = "live/secret"
[[upstreams]]
name = "app"
servers = ["http://127.0.0.1:3000"]
[login.pages]
template_dir = "templates"
[[realms]]
name = "all"
resource = "/"
upstream = "app"
"#;

/// A configuration whose secret lies behind a symlink, as in a mounted Kubernetes Secret.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["v1", "v2", "templates"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("v1/secret"), "the first secret of all").unwrap();
    fs::write(folder.path().join("v2/secret"), "the next secret in line").unwrap();
    std::os::unix::fs::symlink("v1", folder.path().join("live")).unwrap();
    fs::write(folder.path().join("doorward.toml"), CONFIG).unwrap();
    folder
}

fn watch_of(folder: &TempDir) -> Watch {
    let path = folder.path().join("doorward.toml");
    let mut watch = Watch::new(path, Environment::default());
    assert!(watch.look(false).is_none(), "nothing has changed yet");
    watch
}

/// Looks twice: once to see a change, once to see that it has settled.
fn settle(watch: &mut Watch) -> Option<Result<Config, Problems>> {
    assert!(watch.look(false).is_none(), "not settled yet");
    watch.look(false)
}

#[test]
fn what_does_not_change_is_not_read_again() {
    let folder = folder();
    let mut watch = watch_of(&folder);
    for _ in 0..3 {
        assert!(watch.look(false).is_none());
    }
}

#[test]
fn a_change_of_the_file_is_read_once_it_has_settled() {
    let folder = folder();
    let mut watch = watch_of(&folder);
    fs::write(&watch.path, CONFIG.replace("first", "other")).unwrap();
    assert_eq!(settle(&mut watch).unwrap().unwrap().agent_name, "other");
    assert!(settle(&mut watch).is_none());
}

#[test]
fn a_swapped_symlink_is_a_change() {
    let folder = folder();
    let mut watch = watch_of(&folder);
    std::os::unix::fs::symlink("v2", folder.path().join("new")).unwrap();
    fs::rename(folder.path().join("new"), folder.path().join("live")).unwrap();
    assert!(settle(&mut watch).unwrap().is_ok());
}

#[test]
fn a_new_template_and_a_lost_secret_are_changes() {
    let folder = folder();
    let mut watch = watch_of(&folder);
    fs::write(folder.path().join("templates/login.html"), "x").unwrap();
    assert!(settle(&mut watch).unwrap().is_ok());
    fs::remove_file(folder.path().join("v1/secret")).unwrap();
    let problems = settle(&mut watch).unwrap().unwrap_err();
    assert_eq!(
        problems.iter().next().unwrap().key,
        "policy_server.agent_secret_file"
    );
    fs::write(folder.path().join("v1/secret"), "the first secret of all").unwrap();
    assert!(settle(&mut watch).unwrap().is_ok());
}

/// Every setting whose name says that it holds paths, as the names that lead to it.
fn path_keys(schema: &Value, above: &[String], found: &mut Vec<Vec<String>>) {
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        let keys = [above, std::slice::from_ref(name)].concat();
        if ["_file", "_files", "_dir"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            found.push(keys);
        } else {
            path_keys(child, &keys, found);
        }
    }
    if schema["items"].is_object() {
        path_keys(&schema["items"], above, found);
    }
}

/// Gives the setting at `keys` the value `path`; of lists, in their first element.
fn set(schema: &Value, value: &mut Value, keys: &[String], path: &str) {
    let is_list = schema["type"] == "array";
    match keys.split_first() {
        None if is_list => *value = json!([path]),
        None => *value = json!(path),
        Some(_) if is_list => {
            if value.is_null() {
                *value = json!([{}]);
            }
            set(&schema["items"], &mut value[0], keys, path);
        }
        Some((first, rest)) => set(
            &schema["properties"][first],
            &mut value[first.as_str()],
            rest,
            path,
        ),
    }
}

#[test]
fn every_file_and_folder_that_can_be_named_is_watched() {
    let folder = folder();
    let schema = json_schema();
    let mut all = Vec::new();
    path_keys(schema, &[], &mut all);
    let kinds = &schema["properties"]["policy_server"]["properties"]["kind"];
    let kinds: Vec<&Value> = kinds["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| &kind["const"])
        .collect();
    assert!(all.len() > 10 && kinds.len() > 1, "{all:?} {kinds:?}");
    for keys in all {
        let path = keys.join(".");
        if !cfg!(feature = "saml") && path.contains(".saml.") {
            continue; // refused as a whole
        }
        let watched = kinds.iter().any(|kind| {
            let config: toml::Table = CONFIG.parse().unwrap();
            let mut config = serde_json::to_value(config).unwrap();
            config["policy_server"]["kind"] = (*kind).clone();
            set(schema, &mut config, &keys, &path);
            let file = folder.path().join("changed.toml");
            fs::write(&file, toml::to_string(&config).unwrap()).unwrap();
            let (_, files) = load_with_files(&file, &Environment::default());
            files.contains(&folder.path().join(&path))
        });
        assert!(watched, "{path}");
    }
}

#[test]
fn a_broken_file_is_reported_and_its_repair_is_seen() {
    let folder = folder();
    let mut watch = watch_of(&folder);
    fs::write(&watch.path, "[[").unwrap();
    assert!(settle(&mut watch).unwrap().is_err());
    fs::write(&watch.path, CONFIG).unwrap();
    assert!(settle(&mut watch).unwrap().is_ok());
}

#[tokio::test]
async fn a_change_and_a_hang_up_both_arrive_through_the_channel() {
    let folder = folder();
    let path = folder.path().join("doorward.toml");
    let mut changes = watch_every(
        Duration::from_millis(5),
        path.clone(),
        Environment::default(),
    );
    let pid = std::process::id().to_string();
    let sent = tokio::task::spawn_blocking(move || {
        std::process::Command::new("kill")
            .args(["-HUP", &pid])
            .status()
    });
    assert!(sent.await.unwrap().unwrap().success());
    assert_eq!(changes.recv().await.unwrap().unwrap().agent_name, "first");
    // At once, so that no look falls between an empty and a whole file.
    fs::write(folder.path().join("new"), CONFIG.replace("first", "other")).unwrap();
    fs::rename(folder.path().join("new"), &path).unwrap();
    assert_eq!(changes.recv().await.unwrap().unwrap().agent_name, "other");
}
