//! Every error, in its exact shape.

use http::Method;
use serde_json::Value;

use super::{Am, TOKEN, is_exactly};

const NOT_SUPPORTED: &str =
    r#"{"code":501,"reason":"Not Implemented","message":"Operation is not supported."}"#;

/// A request (method, target, headers, body), and the answer's status and body.
type Row<'a> = (
    Method,
    &'a str,
    &'a [(&'a str, &'a str)],
    &'a str,
    u16,
    &'a str,
);

#[tokio::test(flavor = "multi_thread")]
async fn each_error_has_its_shape() {
    let am = Am::start().await;
    let (admin, bob) = (am.login("alice").await, am.login("bob").await);
    let sessions = "/openam/json/sessions";
    let json = ("content-type", "application/json");
    let old = ("accept-api-version", "protocol=1.0,resource=3.1");
    let table: &[Row<'_>] = &[
        (
            Method::GET,
            "/openam/json/none",
            &[],
            "",
            404,
            r#"{"code":404,"reason":"Not Found","message":"Resource 'none' not found"}"#,
        ),
        (
            Method::GET,
            "/openam/json/sessions/x/y",
            &[],
            "",
            404,
            r#"{"code":404,"reason":"Not Found","message":"Resource 'sessions/x/y' not found"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=validate",
            &[("accept-api-version", "resource=999.0")],
            "",
            404,
            r#"{"code":404,"reason":"Not Found","message":"Accept-API-Version: Requested version \"999.0\" does not match any routes."}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=validate",
            &[("accept-api-version", "<x>")],
            "",
            400,
            r#"{"code":400,"reason":"Bad Request","message":"Version string is in an invalid format: &lt;x&gt;"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=validate",
            &[("accept-api-version", "protocol=3.0")],
            "",
            400,
            r#"{"code":400,"reason":"Bad Request","message":"Unsupported major version: 3.0"}"#,
        ),
        (
            Method::POST,
            "/openam/json/realms/root/realms/none/authenticate",
            &[],
            "",
            400,
            r#"{"code":400,"reason":"Bad Request","message":"Invalid realm, /none"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=getSessionInfo&realm=%2Fnone",
            &[],
            "",
            400,
            r#"{"code":400,"reason":"Bad Request","message":"Invalid realm, /none"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=getSessionInfo",
            &[],
            "",
            401,
            r#"{"code":401,"reason":"Unauthorized","message":"Access Denied"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=getSessionInfo",
            &[(TOKEN, "rubbish")],
            "",
            401,
            r#"{"code":401,"reason":"Unauthorized","message":"Access Denied"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=fly",
            &[(TOKEN, &admin)],
            "",
            501,
            r#"{"code":501,"reason":"Not Implemented","message":"Action fly not implemented for this resource"}"#,
        ),
        (
            Method::POST,
            "/openam/json/users?_action=fly",
            &[(TOKEN, &admin)],
            "",
            501,
            r#"{"code":501,"reason":"Not Implemented","message":"Action fly not implemented for this resource"}"#,
        ),
        (
            Method::POST,
            sessions,
            &[(TOKEN, &admin)],
            "",
            501,
            NOT_SUPPORTED,
        ),
        (
            Method::GET,
            sessions,
            &[(TOKEN, &admin)],
            "",
            501,
            NOT_SUPPORTED,
        ),
        (
            Method::PUT,
            sessions,
            &[(TOKEN, &admin)],
            "",
            501,
            NOT_SUPPORTED,
        ),
        (
            Method::DELETE,
            "/openam/json/sessions/x",
            &[(TOKEN, &admin)],
            "",
            501,
            NOT_SUPPORTED,
        ),
        (
            Method::PATCH,
            "/openam/json/serverinfo/*",
            &[],
            "",
            501,
            NOT_SUPPORTED,
        ),
        (
            Method::POST,
            sessions,
            &[(TOKEN, &admin), old],
            "",
            400,
            r#"{"code":400,"reason":"Bad Request","message":"No values provided for the request parameter '_action'"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=a&_action=b",
            &[],
            "",
            400,
            r#"{"code":400,"reason":"Bad Request","message":"Multiple values provided for the request parameter '_action'"}"#,
        ),
        (
            Method::OPTIONS,
            sessions,
            &[],
            "",
            405,
            r#"{"code":405,"reason":"Method Not Allowed","message":"Method Not Allowed"}"#,
        ),
        (
            Method::GET,
            "/openam/json/authenticate",
            &[],
            "",
            405,
            r#"{"code":405,"reason":"Method Not Allowed","message":"Method Not Allowed"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=logout",
            &[(TOKEN, &admin), ("if-match", "*")],
            "",
            412,
            r#"{"code":412,"reason":"Precondition Failed","message":"If-Match and If-None-Match are not supported for actions"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=getSessionInfo",
            &[("content-type", "text/plain")],
            "{}",
            415,
            r#"{"code":415,"reason":"Unsupported Media Type","message":"The content of a request must be application/json"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=getSessionInfo",
            &[json],
            r#"{"tokenId":"a","tokenId":"b"}"#,
            400,
            r#"{"code":400,"reason":"Bad Request","message":"The request could not be processed because the provided content is not a valid JSON object"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=getSessionInfo",
            &[json],
            "[]",
            400,
            r#"{"code":400,"reason":"Bad Request","message":"The request could not be processed because the provided content is not a valid JSON object"}"#,
        ),
        (
            Method::GET,
            "/openam/json/sessions?_queryFilter=true",
            &[(TOKEN, &admin)],
            "",
            400,
            r#"{"code":400,"reason":"Bad Request","message":"The value 'true' for parameter '_queryFilter' could not be parsed as a valid query filter"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=logoutByHandle",
            &[(TOKEN, &admin)],
            "{}",
            400,
            r#"{"code":400,"reason":"Bad Request","message":"The \"sessionHandles\" field is not defined in the request or it's not a JSON array"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=logoutByUser",
            &[(TOKEN, &admin)],
            r#"{"username":1}"#,
            400,
            r#"{"code":400,"reason":"Bad Request","message":"The \"username\" field is not defined in the request or it's not a string"}"#,
        ),
        (
            Method::POST,
            "/openam/json/sessions?_action=logoutByUser",
            &[(TOKEN, &bob)],
            r#"{"username":"carol"}"#,
            403,
            r#"{"code":403,"reason":"Forbidden","message":"User is not an administrator."}"#,
        ),
        (
            Method::GET,
            "/openam/json/serverinfo/none",
            &[],
            "",
            501,
            r#"{"code":501,"reason":"Not Implemented","message":"ResourceId not supported: none"}"#,
        ),
        (
            Method::GET,
            "/openam/json/serverinfo/version",
            &[],
            "",
            403,
            r#"{"code":403,"reason":"Forbidden","message":"No session for request."}"#,
        ),
    ];
    for (method, target, headers, body, status, expected) in table {
        let answer = am.call(method.clone(), target, headers, body).await;
        is_exactly(&answer, *status, expected);
        assert_eq!(
            answer.header("content-type"),
            "application/json;charset=UTF-8",
            "{target}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(256 * 1024));
    let answer = am
        .post("/openam/json/sessions?_action=refresh", &[json], &large)
        .await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json::<Value>()["reason"], "Request Entity Too Large");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_name_a_version_are_told_to_and_get_the_newest() {
    let am = Am::start().await;
    let token = am.login("bob").await;
    let target = "/openam/json/sessions?_action=getSessionInfo";
    let answer = am.post(target, &[(TOKEN, &token)], "").await;
    assert_eq!(
        answer.header("warning"),
        r#"100 CREST "Accept-API-Version should be included in the request.""#
    );
    assert_eq!(answer.header("content-api-version"), "resource=5.1");
    for (asked, served) in [
        ("resource=1.0", "resource=1.2"),
        ("resource=2", "resource=2.1"),
        ("resource=3.0, protocol=2.1", "resource=3.1"),
        ("protocol=1.0,resource=4.0", "resource=4.0"),
        ("resource=5.1", "resource=5.1"),
        ("protocol=1.0", "resource=5.1"),
    ] {
        let answer = am
            .post(
                target,
                &[(TOKEN, &token), ("accept-api-version", asked)],
                "",
            )
            .await;
        assert_eq!(answer.header("content-api-version"), served, "{asked}");
        assert_eq!(answer.header("warning"), "");
    }
}

/// A target that has two readings is read by nobody, but the service says so itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_in_the_services_own_words() {
    let am = Am::start().await;
    let refused = r#"{"code":400,"reason":"Bad Request","message":"Bad Request"}"#;
    for path in [
        "sessions/a%2Fb?_action=validate",
        "realms//sessions",
        "../x",
    ] {
        let answer = am.post(&format!("/openam/json/{path}"), &[], "").await;
        is_exactly(&answer, 400, refused);
        assert_eq!(
            answer.header("content-type"),
            "application/json;charset=UTF-8"
        );
    }
    let answer = am.post("/openamx//y", &[], "").await;
    assert_eq!(answer.status, 400);
    assert_ne!(
        answer.header("content-type"),
        "application/json;charset=UTF-8"
    );
}
