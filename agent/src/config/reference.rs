//! The reference of every setting, as Markdown, made from the [schema](super::schema).

use std::fmt::Write as _;

use serde_json::Value;

use super::schema::json_schema;
use super::shape::{choices, describe};

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from agent/src/config/file.rs by `doorward schema --markdown`. -->

Doorward's agent is configured by one TOML file. `doorward check FILE` lists everything that is wrong with it,
`doorward schema` prints its JSON Schema for editors. A complete example is in [example.toml](example.toml).

* **Durations** are written `250ms`, `30s`, `5m`, `1h`, `7d` or `1h30m`; **sizes** `64KiB`, `1MiB`, `2GiB` or as
  a number of bytes; **networks** `10.0.0.0/8`, `fd00::/8` or a single address.
* **Files** are looked for relative to the folder of the configuration file. Secrets are always given as files.
* **Environment variables** override the file: `DOORWARD__SESSION__GRACE_PERIOD=1m` sets `grace_period` in
  `[session]`, and a number counts elements from 0, as in `DOORWARD__REALMS__0__HOSTS='[\"a.example\"]'`. A value is
  read as TOML, and as plain text where it is not TOML.
* **Changes** of the file, and of every file that it refers to, are noticed within seconds, as is SIGHUP. A
  configuration with problems is reported and ignored; the one before stays in force.
* **Classic names** are those of the settings that classic web agents have for the same purpose.
";

/// The whole reference.
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    section(json_schema(), "", "", &mut text);
    text
}

/// One table of the file, then the tables inside it.
fn section(schema: &Value, path: &str, header: &str, text: &mut String) {
    let properties = || schema["properties"].as_object().into_iter().flatten();
    let (tables, settings): (Vec<_>, Vec<_>) =
        properties().partition(|(_, child)| table(child).is_some());
    if !header.is_empty() {
        let _ = write!(
            text,
            "\n## `{header}`\n\n{}\n",
            one_line(&schema["description"])
        );
    }
    if !settings.is_empty() {
        text.push_str("\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n");
    }
    let required = |name: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|required| required.iter().any(|one| one == name))
    };
    for (name, child) in settings {
        let default = if required(name) {
            "**required**".to_owned()
        } else {
            default(&child["default"])
        };
        let _ = writeln!(
            text,
            "| `{name}` | {} | {default} | {} |",
            kind(child),
            meaning(child)
        );
    }
    for (name, child) in tables {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let is_array = child["items"].is_object();
        let header = if is_array {
            format!("[[{path}]]")
        } else {
            format!("[{path}]")
        };
        // What is said of the key comes first; what is said of its type only adds to that, after its summary.
        let mut inner = table(child).unwrap_or(child).clone();
        let of_type = inner["description"]
            .as_str()
            .filter(|_| is_array)
            .unwrap_or_default();
        let more = of_type.split_once("\n\n").map_or("", |(_, more)| more);
        let said = [one_line(&child["description"]), one_line(&more.into())].join("\n\n");
        inner["description"] = said.trim().into();
        section(&inner, &path, &header, text);
    }
}

/// The table that `schema` is, or is an array of.
fn table(schema: &Value) -> Option<&Value> {
    [schema, &schema["items"]]
        .into_iter()
        .find(|schema| schema["properties"].is_object())
}

fn kind(schema: &Value) -> String {
    if schema["items"].is_object() {
        return format!("array of {}", plural(&schema["items"]));
    }
    if schema["additionalProperties"].is_object() {
        return format!("table of {}", plural(&schema["additionalProperties"]));
    }
    let choices: Vec<String> = choices(schema)
        .map(|(choice, _)| format!("`\"{choice}\"`"))
        .collect();
    if choices.is_empty() {
        describe(schema).to_owned()
    } else {
        choices.join(", ")
    }
    .trim_start_matches("an ")
    .trim_start_matches("a ")
    .to_owned()
}

fn plural(items: &Value) -> String {
    let one = describe(items)
        .trim_start_matches("an ")
        .trim_start_matches("a ");
    format!("{one}s").replace("addresss", "addresses")
}

fn default(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        value => format!("`{value}`"),
    }
}

/// What a setting does, and what each of its values means.
fn meaning(schema: &Value) -> String {
    let mut text = one_line(&schema["description"]);
    for (choice, meaning) in choices(schema) {
        if let Some(meaning) = meaning {
            let _ = write!(text, "<br>`\"{choice}\"`: {}", meaning.replace('\n', " "));
        }
    }
    text.replace('|', "\\|")
}

fn one_line(description: &Value) -> String {
    description
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_reference_is_current() {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference/configuration.md");
        let current = markdown();
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            std::fs::write(&path, &current).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == current,
            "run this test once with UPDATE_REFERENCE=1"
        );
    }
}
