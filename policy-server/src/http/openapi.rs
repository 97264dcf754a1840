//! The OpenAPI 3.1 document of all routes.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::api::{Caller, Operation, Parts};
use super::problem;

/// The document's title and the version of the calls: that of `/policy/v1`.
const TITLE: &str = "Doorward policy server";
const VERSION: &str = "1";

const DESCRIPTION: &str = "\
Calls of agents and administration. YES, NO and CHALLENGE are answers with status 200; any other status is an error and \
never an answer. Request bodies have at most 64 KiB. Times are seconds since 1970, durations are seconds. Within v1, \
answers may get new fields; clients pass over those they do not know.";

/// What the variable parts of paths are.
const PATH_PARAMETERS: [(&str, &str); 3] = [
    ("id", "The session's id."),
    ("name", "The agent's name."),
    ("universal_id", "The user's universal id."),
];

/// The document.
pub(super) fn document(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for operation in operations {
        let path = format!("/policy/v1{}", operation.path);
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        let method = operation.method.as_str().to_ascii_lowercase();
        methods[&method] = described(operation, &mut generator);
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert(String::from("Problem"), problem());
    json!({
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": "https://localhost:8444"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "certificate": {
                    "type": "mutualTLS",
                    "description": "The agent's certificate, in the place of its secret or beside it.",
                },
                "agent": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The agent's name and secret.",
                },
                "administrator": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The administrators' secret.",
                },
            },
            "responses": {
                "Problem": {
                    "description": "Refused, or failed: nothing was answered.",
                    "content": {
                        "application/problem+json": {
                            "schema": {"$ref": "#/components/schemas/Problem"},
                        },
                    },
                },
            },
        },
    })
}

fn described(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let Parts {
        path,
        query,
        body,
        status,
        content,
    } = (operation.describe)(generator);
    let mut parameters: Vec<_> = path_parameters(operation.path)
        .map(|name| {
            let schema = path
                .clone()
                .map_or_else(|| json!({"type": "string"}), Value::from);
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": path_description(name),
                "schema": schema,
            })
        })
        .collect();
    parameters.extend(
        query
            .into_iter()
            .flat_map(|query| query_parameters(&query.into())),
    );

    let (tag, security) = match operation.caller {
        Caller::Anybody => ("anybody", json!([])),
        Caller::Agents => (
            "agents",
            json!([
                {"agent": []},
                {"certificate": []},
                {"agent": [], "certificate": []},
            ]),
        ),
        Caller::Administrators => ("administrators", json!([{"administrator": []}])),
    };
    let mut success = json!({"description": status.canonical_reason()});
    if let Some((media_type, schema)) = content {
        success["content"] = json!({media_type: {"schema": schema}});
    }
    let refused = json!({"$ref": "#/components/responses/Problem"});
    let mut operation_object = json!({
        "operationId": operation_id(operation),
        "summary": operation.summary,
        "tags": [tag],
        "security": security,
        "responses": {status.as_str(): success, "default": refused},
    });
    if !parameters.is_empty() {
        operation_object["parameters"] = parameters.into();
    }
    if let Some(body) = body {
        operation_object["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": body}}});
    }
    operation_object
}

/// Such as `post_sessions_id_reset_idle`.
fn operation_id(operation: &Operation) -> String {
    let method = operation.method.as_str().to_ascii_lowercase();
    let words = operation
        .path
        .split(|part: char| !part.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    words.fold(method, |id, word| format!("{id}_{word}"))
}

/// The names of the variable parts of a path.
fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn path_description(name: &str) -> &'static str {
    PATH_PARAMETERS
        .into_iter()
        .find_map(|(known, description)| (known == name).then_some(description))
        .unwrap_or_default()
}

/// The properties of an object as parameters.
fn query_parameters(schema: &Value) -> Vec<Value> {
    let required = |name: &str| {
        let required = schema["required"].as_array();
        required.is_some_and(|all| all.iter().any(|one| one == name))
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| {
            let mut property = property.clone();
            let description = property
                .as_object_mut()
                .and_then(|object| object.remove("description"));
            without_null(&mut property);
            json!({
                "name": name,
                "in": "query",
                "required": required(name),
                "description": description,
                "schema": property,
            })
        })
        .collect()
}

/// A parameter that has no value is left out: nothing in a query is null.
fn without_null(schema: &mut Value) {
    let null = json!({"type": "null"});
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            schema["type"] = one.clone();
        }
    } else if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| *choice != null);
        if let [one] = choices.as_slice() {
            *schema = one.clone();
        }
    }
}

fn problem() -> Value {
    json!({
        "description": "A refusal or a failure (RFC 9457). It says no more than its status: the log does.",
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {
                "description": "Of a login that was refused before anything of it was looked at, so that it may be made \
                    again elsewhere: `urn:doorward:problem:not-processed`. Of whatever the store has no room for, here as at every \
                    other policy server: `urn:doorward:problem:no-room`. Else `about:blank`.",
                "enum": [problem::NO_MORE, problem::NOT_PROCESSED, problem::NO_ROOM],
            },
            "title": {"type": "string", "description": "The status in words."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
        },
    })
}

#[cfg(test)]
mod tests;
