//! Fits what was written into the configuration's schema: unknown and missing keys, wrong types, values
//! out of range. What does not fit is reported and left out, so that the rest can still be checked.

use serde_json::{Map, Value};

use super::report::{Report, join};
use super::spelling;
use super::tree::{Entry, Kind, Node};
use super::units;

/// What is said of a key that is not there.
pub(super) const MISSING: &str = "missing";

/// The part of `node` that fits `schema`, which has no references in it.
pub(super) fn fit(
    schema: &Value,
    node: &Node,
    key: &str,
    report: &mut Report<'_>,
) -> Option<Value> {
    report.locate(key, node.origin.clone());
    match &node.kind {
        Kind::Table(entries) if accepts(schema, "object") => {
            return Some(fit_table(schema, entries, node, key, report));
        }
        Kind::Array(elements) if accepts(schema, "array") => {
            return fit_array(schema, elements, node, key, report);
        }
        _ => {}
    }
    match fit_scalar(schema, node) {
        Ok(value) => Some(value),
        Err((what, hint)) => {
            report.add(Some(&node.origin), key, what, hint);
            None
        }
    }
}

fn fit_table(
    schema: &Value,
    entries: &std::collections::BTreeMap<String, Entry>,
    node: &Node,
    key: &str,
    report: &mut Report<'_>,
) -> Value {
    let no_properties = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&no_properties);
    let mut fitting = Map::new();
    for (name, entry) in entries {
        let path = join(key, name);
        let free_form = schema
            .get("additionalProperties")
            .filter(|schema| schema.is_object());
        let Some(child) = properties.get(name).or(free_form) else {
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            report.add(
                Some(&entry.key),
                &path,
                "unknown key",
                spelling::hint(name, &known),
            );
            continue;
        };
        if let Some(value) = fit(child, &entry.node, &path, report) {
            fitting.insert(name.clone(), value);
        }
    }
    for required in texts(&schema["required"]).filter(|name| !entries.contains_key(*name)) {
        let misspelt = entries.keys().any(|name| {
            !properties.contains_key(name) && spelling::closest(name, [required]).is_some()
        });
        if !misspelt {
            report.add(
                Some(&node.origin),
                &join(key, required),
                MISSING,
                example(&properties[required]),
            );
        }
    }
    Value::Object(fitting)
}

fn fit_array(
    schema: &Value,
    elements: &[Node],
    node: &Node,
    key: &str,
    report: &mut Report<'_>,
) -> Option<Value> {
    if elements.len() < count(&schema["minItems"]).unwrap_or(0) {
        report.add(
            Some(&node.origin),
            key,
            "must not be empty",
            example(&schema["items"]),
        );
        return None;
    }
    let fitted: Vec<Option<Value>> = elements
        .iter()
        .enumerate()
        .map(|(index, element)| {
            fit(
                &schema["items"],
                element,
                &format!("{key}[{index}]"),
                report,
            )
        })
        .collect();
    // All or nothing: later checks count elements as they were written.
    fitted
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .map(Value::Array)
}

fn fit_scalar(schema: &Value, node: &Node) -> Result<Value, (String, Option<String>)> {
    match &node.kind {
        Kind::Boolean(boolean) if accepts(schema, "boolean") => Ok(Value::Bool(*boolean)),
        Kind::Integer(integer) if accepts(schema, "integer") => {
            let (least, most) = (
                schema["minimum"].as_i64().unwrap_or(0),
                schema["maximum"].as_i64(),
            );
            if *integer < least || most.is_some_and(|most| *integer > most) {
                let what = match most {
                    Some(most) => format!("must be between {least} and {most}"),
                    None => format!("must be {least} or more"),
                };
                return Err((what, None));
            }
            // Sizes are read from text.
            let as_text = accepts(schema, "string");
            Ok(if as_text {
                Value::String(integer.to_string())
            } else {
                Value::from(*integer)
            })
        }
        Kind::Text(text) if accepts(schema, "string") => fit_text(schema, text),
        kind => match &node.text {
            Some(text) if accepts(schema, "string") => fit_text(schema, text),
            _ => Err((
                format!("expected {}, found {}", describe(schema), kind.describe()),
                example(schema),
            )),
        },
    }
}

fn fit_text(schema: &Value, text: &str) -> Result<Value, (String, Option<String>)> {
    let choices: Vec<&str> = choices(schema).map(|(choice, _)| choice).collect();
    if !choices.is_empty() && !choices.contains(&text) {
        return Err((
            "not one of the possible values".to_owned(),
            spelling::hint(text, &choices),
        ));
    }
    if text.is_empty() && count(&schema["minLength"]).is_some_and(|least| least > 0) {
        return Err(("must not be empty".to_owned(), None));
    }
    if let Some(format) = schema["format"].as_str() {
        units::check_format(format, text).map_err(|what| (what.to_owned(), None))?;
    }
    Ok(Value::String(text.to_owned()))
}

/// The values of an enumeration, each with what it means.
pub(super) fn choices(schema: &Value) -> impl Iterator<Item = (&str, Option<&str>)> {
    let documented = schema["oneOf"].as_array().into_iter().flatten();
    let documented =
        documented.map(|choice| (choice["const"].as_str(), choice["description"].as_str()));
    let plain = texts(&schema["enum"]).map(|choice| (Some(choice), None));
    documented
        .chain(plain)
        .filter_map(|(choice, meaning)| Some((choice?, meaning)))
}

/// Whether values of the JSON type `name` may stand here.
fn accepts(schema: &Value, name: &str) -> bool {
    match &schema["type"] {
        Value::String(only) => only == name,
        Value::Array(several) => several.iter().any(|one| one == name),
        _ => name == "string" && choices(schema).next().is_some(),
    }
}

/// What may stand here, with its article.
pub(super) fn describe(schema: &Value) -> &'static str {
    match schema["format"].as_str() {
        Some("time-span") => "a duration",
        Some("size") => "a size",
        Some("network") => "a network",
        Some("address") => "an address",
        Some("method") => "a method",
        _ if accepts(schema, "boolean") => "true or false",
        _ if accepts(schema, "integer") => "an integer",
        _ if accepts(schema, "array") => "an array",
        _ if accepts(schema, "object") => "a table",
        _ => "a string",
    }
}

/// A hint for where something is missing or of a wrong type.
fn example(schema: &Value) -> Option<String> {
    let choices: Vec<String> = choices(schema)
        .map(|(choice, _)| format!("\"{choice}\""))
        .collect();
    let example = match schema["format"].as_str() {
        _ if !choices.is_empty() => return Some(format!("one of {}", choices.join(", "))),
        Some("time-span") => "\"30s\"",
        Some("size") => "\"64KiB\"",
        Some("network") => "\"10.0.0.0/8\"",
        Some("address") => "\"0.0.0.0:8443\"",
        _ => {
            return schema["examples"][0]
                .as_str()
                .map(|example| format!("such as \"{example}\""));
        }
    };
    Some(format!("such as {example}"))
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn count(number: &Value) -> Option<usize> {
    number
        .as_u64()
        .and_then(|number| usize::try_from(number).ok())
}
