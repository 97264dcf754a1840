//! The JSON Schema of the configuration file, generated from [`file`](super::file).
//!
//! It is what `doorward schema` prints for editors, what `shape` checks a file against and
//! what the reference is made of: one source for all three.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::file::File;

/// The schema (draft 2020-12), with every part inline.
pub fn json_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        let settings =
            SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let mut schema = Value::from(settings.into_generator().into_root_schema_for::<File>());
        remove_null(&mut schema);
        schema
    });
    &SCHEMA
}

/// TOML has no null: a setting that may be absent is just not required.
fn remove_null(schema: &mut Value) {
    if let Value::Object(object) = schema {
        // A table's default is that of each of its keys.
        if object
            .get("default")
            .is_some_and(|default| default.is_null() || default.is_object())
        {
            object.remove("default");
        }
        remove_null_type(object);
        remove_null_alternative(object);
    }
    remove_default_of_required(schema);
    match schema {
        Value::Object(object) => object.values_mut().for_each(remove_null),
        Value::Array(elements) => elements.iter_mut().for_each(remove_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What must be given has no default, whatever its type's may be.
fn remove_default_of_required(schema: &mut Value) {
    let required: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
    for name in required.iter().filter_map(Value::as_str) {
        if let Some(child) = schema["properties"][name].as_object_mut() {
            child.remove("default");
        }
    }
}

fn remove_null_type(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if types.len() == 1 {
            let only = types.remove(0);
            object.insert("type".to_owned(), only);
        }
    }
}

fn remove_null_alternative(object: &mut Map<String, Value>) {
    let Some(Value::Array(alternatives)) = object.get_mut("anyOf") else {
        return;
    };
    alternatives.retain(|alternative| *alternative != json!({ "type": "null" }));
    if alternatives.len() == 1
        && let Value::Object(only) = alternatives.remove(0)
    {
        object.remove("anyOf");
        // What is said of the key goes before what is said of its type.
        for (name, value) in only {
            object.entry(name).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_its_draft_and_has_neither_references_nor_null() {
        let schema = json_schema();
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert_eq!(schema["title"], "Doorward agent");
        let text = schema.to_string();
        for word in ["$ref", "null", "anyOf"] {
            assert!(!text.contains(word), "{word}");
        }
    }

    #[test]
    fn every_key_is_documented() {
        fn check(schema: &Value, path: &str) {
            for (name, child) in schema["properties"].as_object().into_iter().flatten() {
                let path = format!("{path}.{name}");
                assert!(
                    child["description"]
                        .as_str()
                        .is_some_and(|text| text.len() > 10),
                    "{path}"
                );
                check(child, &path);
                check(&child["items"], &path);
            }
        }
        check(json_schema(), "");
    }
}
