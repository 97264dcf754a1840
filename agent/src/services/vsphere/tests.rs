use policy_protocol::Timestamp;

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn rest(method: Method, path: &str, query: Option<&str>) -> Result<Operation, Fault> {
    match find(&method, path, query, &HeaderMap::new()) {
        Some(Call::Rest(_, operation)) => operation,
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn operations_are_found_by_method_path_and_action() {
    let get = Some("~action=get");
    for (method, path, query, expected) in [
        (Method::POST, OLD_PATH, None, Ok(Operation::Create)),
        (Method::POST, OLD_PATH, get, Ok(Operation::Get)),
        (
            Method::POST,
            OLD_PATH,
            Some("%7Eaction=get"),
            Ok(Operation::Get),
        ),
        (
            Method::POST,
            OLD_PATH,
            Some("a=b&%7eaction=%67et"),
            Ok(Operation::Get),
        ),
        (Method::GET, OLD_PATH, None, Ok(Operation::Get)),
        (Method::GET, OLD_PATH, get, Ok(Operation::Get)),
        (Method::DELETE, OLD_PATH, Some("a=b"), Ok(Operation::Delete)),
        (Method::POST, SHORT_PATH, None, Ok(Operation::Create)),
        (Method::GET, SHORT_PATH, None, Ok(Operation::Get)),
        (Method::POST, SHORT_PATH, get, Ok(Operation::Get)),
        (Method::DELETE, SHORT_PATH, None, Ok(Operation::Delete)),
        (Method::POST, NEW_PATH, None, Ok(Operation::Create)),
        (Method::GET, NEW_PATH, None, Ok(Operation::Get)),
        (Method::DELETE, NEW_PATH, None, Ok(Operation::Delete)),
        // Neither guessed at nor left out.
        (
            Method::POST,
            OLD_PATH,
            Some("~action=refresh"),
            Err(Fault::NoSuchOperation),
        ),
        (
            Method::POST,
            OLD_PATH,
            Some("~action="),
            Err(Fault::NoSuchOperation),
        ),
        (
            Method::POST,
            OLD_PATH,
            Some("~action=get&~action=get"),
            Err(Fault::NoSuchOperation),
        ),
        (Method::DELETE, OLD_PATH, get, Err(Fault::NoSuchOperation)),
        (Method::POST, NEW_PATH, get, Err(Fault::NoSuchOperation)),
        (Method::PUT, OLD_PATH, None, Err(Fault::NoSuchMethod)),
        (Method::HEAD, NEW_PATH, None, Err(Fault::NoSuchMethod)),
        (Method::OPTIONS, NEW_PATH, None, Err(Fault::NoSuchMethod)),
    ] {
        assert_eq!(
            rest(method.clone(), path, query),
            expected,
            "{method} {path} {query:?}"
        );
    }
}

#[test]
fn other_paths_are_the_applications() {
    for (method, path) in [
        (Method::POST, "/rest/com/vmware/cis"),
        (Method::POST, "/rest/com/vmware/cis/session/"),
        (Method::POST, "/rest/com/vmware/cis/sessions"),
        (Method::GET, "/api/session/1"),
        (Method::POST, "/API/session"),
        (Method::GET, "/api"),
        (Method::POST, "/api"),
        (Method::POST, "/"),
    ] {
        assert_eq!(
            find(&method, path, None, &HeaderMap::new()),
            None,
            "{method} {path}"
        );
    }
}

#[test]
fn a_post_to_api_is_ours_only_if_it_says_so() {
    let called = |pairs: &[_]| find(&Method::POST, "/api", None, &headers(pairs));
    assert_eq!(called(&[("vapi-service", SERVICE)]), Some(Call::Rpc));
    assert_eq!(called(&[("vapi-service", "com.vmware.vcenter.vm")]), None);
    assert_eq!(called(&[("vapi-service", "")]), None);
    assert_eq!(
        called(&[("vapi-service", SERVICE), ("vapi-service", SERVICE)]),
        None
    );
    let get = find(
        &Method::GET,
        "/api",
        None,
        &headers(&[("vapi-service", SERVICE)]),
    );
    assert_eq!(get, None);
}

#[test]
fn times_have_milliseconds_and_end_in_z() {
    let written = operations::date_time(Timestamp(1_795_255_200));
    assert_eq!(written, "2026-11-21T10:00:00.000Z");
    // Out of all bounds, but no panic.
    assert!(operations::date_time(Timestamp(u64::MAX)).ends_with('Z'));
}

/// The error as the SDK reads it: from a recorded exchange.
#[test]
fn errors_in_messages_are_as_recorded() {
    let message = serde_json::json!({"STRUCTURE": {"com.vmware.vapi.std.localizable_message": {
        "id": "com.vmware.vapi.endpoint.method.authentication.required",
        "default_message": "Authentication required.",
        "args": [],
    }}});
    let recorded = serde_json::json!({"error": {"ERROR": {
        "com.vmware.vapi.std.errors.unauthenticated": {
            "messages": [message],
            "data": {"OPTIONAL": null},
            "error_type": {"OPTIONAL": "UNAUTHENTICATED"},
            "challenge": {"OPTIONAL": null},
        },
    }}});
    assert_eq!(rpc::result(Err(Fault::Unauthenticated)), recorded);
}

#[test]
fn what_is_no_message_is_refused_as_json_rpc_wants_it() {
    let invoke = |id: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"invoke","id":{id},"params":{params}}}"#)
    };
    let params = r#"{"serviceId":"s","operationId":"get","input":{"STRUCTURE":{}},"ctx":{"appCtx":{"opId":"x"}}}"#;
    assert!(rpc::parse(invoke("\"0\"", params).as_bytes()).is_ok());
    assert!(rpc::parse(invoke("7", params).as_bytes()).is_ok());
    let long = format!("\"{}\"", "i".repeat(300));
    let twice = params.replace(
        "\"operationId\"",
        "\"operationId\":\"create\",\"operationId\"",
    );
    let deep = invoke(&format!("{}{}", "[".repeat(500), "]".repeat(500)), params);
    for (body, code) in [
        (String::new(), -32700),
        ("nonsense".to_owned(), -32700),
        (deep, -32700),
        ("[]".to_owned(), -32600),
        ("{}".to_owned(), -32600),
        (format!("[{}]", invoke("1", params)), -32600),
        (invoke("{}", params), -32600),
        (invoke(&long, params), -32600),
        (invoke("1", &twice), -32600),
        (invoke("1", params).replace("2.0", "1.0"), -32600),
        (invoke("1", params).replace("invoke", "run"), -32601),
    ] {
        let refused = rpc::parse(body.as_bytes()).err();
        assert_eq!(refused.map(|(code, _)| code), Some(code), "{body:.80}");
    }
}
