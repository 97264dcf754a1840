use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use tower::ServiceExt as _;

use super::*;
use crate::http::{openapi, routes};

fn operations() -> Vec<Operation> {
    routes()
        .into_iter()
        .flat_map(|api| api.operations)
        .collect()
}

#[test]
fn the_committed_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference/openapi.json");
    let current = openapi();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, format!("{current:#}\n")).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let committed: Value = serde_json::from_str(&committed).unwrap_or_default();
    assert!(
        committed == current,
        "run this test once with UPDATE_REFERENCE=1"
    );
}

/// Methods that no route has are the counter-check: a router that answers everything alike would tell
/// nothing.
#[tokio::test]
async fn the_router_has_the_routes_of_the_document_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("users.toml"), "").unwrap();
    let config = crate::PolicyServerConfig::parse(
        "state_dir = \"state\"\nusers_file = \"users.toml\"\naudit.file = \"audit\"",
        "test",
        dir.path(),
    )
    .unwrap();
    let server =
        crate::PolicyServer::open(config, std::sync::Arc::new(policy_protocol::SystemClock))
            .await
            .unwrap();
    let router = server.router();
    let document = openapi();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 10);
    for (path, methods) in paths {
        for method in ["get", "post", "put", "patch", "delete"] {
            let uri = path.replace("{id}", "AAAAAAAAAAAAAAAAAAAAAAAAAAA");
            let request = Request::builder()
                .method(method.to_ascii_uppercase().as_str())
                .uri(uri.replace(['{', '}'], ""))
                .body(Body::empty())
                .unwrap();
            let status = router.clone().oneshot(request).await.unwrap().status();
            let expected = match methods.get(method) {
                None => StatusCode::METHOD_NOT_ALLOWED,
                Some(described) if described["security"] == json!([]) => StatusCode::OK,
                Some(_) => StatusCode::UNAUTHORIZED,
            };
            assert_eq!(status, expected, "{method} {path}");
        }
    }
}

/// What is not in the table would be in no document.
#[test]
fn only_the_table_adds_routes() {
    let sources =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http")).unwrap();
    let files = sources.map(|entry| entry.unwrap().path());
    let of_http = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http.rs");
    for file in files.chain([of_http]).filter(|file| file.is_file()) {
        let text = std::fs::read_to_string(&file).unwrap();
        let adds = text.matches(".route(").count() + text.matches(".route_service(").count();
        // The one place in `api.rs`, and its three callers.
        let allowed = if file.ends_with("api.rs") { 4 } else { 0 };
        assert_eq!(adds, allowed, "{}", file.display());
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(array) => array.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = openapi();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn operations_have_names_of_their_own_and_say_what_they_are() {
    let operations = operations();
    let ids: BTreeSet<_> = operations.iter().map(operation_id).collect();
    assert_eq!(ids.len(), operations.len());
    for operation in &operations {
        assert!(
            operation.summary.ends_with(['.', '?']),
            "{}",
            operation.path
        );
        for name in path_parameters(operation.path) {
            assert_ne!(path_description(name), "", "{name}");
        }
    }
    assert!(ids.contains("post_sessions_id_reset_idle"));
}

#[test]
fn the_document_says_what_handlers_take_and_give() {
    let document = openapi();
    let login = &document["paths"]["/policy/v1/login"]["post"];
    assert_eq!(
        login["requestBody"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/LoginRequest"
    );
    assert_eq!(
        login["responses"]["200"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/LoginAnswer"
    );
    let ways = json!([{"agent": []}, {"certificate": []}, {"agent": [], "certificate": []}]);
    assert_eq!(login["security"], ways);
    let list = &document["paths"]["/policy/v1/sessions"];
    let names: Vec<_> = list["get"]["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"user") && names.contains(&"after"),
        "{names:?}"
    );
    assert_eq!(list["delete"]["parameters"][0]["required"], true);
    assert!(list["delete"]["responses"]["204"].is_object());
    let id = &document["paths"]["/policy/v1/sessions/{id}"]["get"]["parameters"][0];
    assert_eq!(id["schema"]["$ref"], "#/components/schemas/SessionId");
    let problem = &document["components"]["responses"]["Problem"]["content"];
    assert!(problem["application/problem+json"].is_object());
    let events = &document["paths"]["/policy/v1/events"]["get"]["responses"]["200"]["content"];
    assert!(events["application/x-ndjson"].is_object());
}
