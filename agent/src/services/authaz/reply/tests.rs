use http::HeaderValue;

use super::*;

fn written(reply: &Reply) -> String {
    let mut out = String::new();
    reply.write(&mut out);
    out
}

#[test]
fn answers_have_the_documented_parts_in_the_documented_order() {
    let success = Reply {
        token: Some("t".into()),
        responses: vec![("SM_USER".into(), "a<b".into())],
        ..Reply::new(
            Operation::Login,
            "LOGIN_SUCCESS",
            "Authentication successful",
        )
    }
    .because(Reason::NONE);
    assert_eq!(
        written(&success),
        "<message>Authentication successful</message><resultCode>LOGIN_SUCCESS</resultCode>\
         <sessionToken>t</sessionToken><authenticationResponses>\
         <response><name>SM_AUTHREASON</name><value>0</value></response>\
         <response><name>SM_USER</name><value>a&lt;b</value></response></authenticationResponses>"
    );
    assert_eq!(
        success.json(),
        r#"{"authenticationResponses":[{"name":"SM_AUTHREASON","value":"0"},{"name":"SM_USER","value":"a<b"}],"message":"Authentication successful","resultCode":"LOGIN_SUCCESS","sessionToken":"t"}"#
    );
    let failure =
        Reply::new(Operation::Authorize, "NOTAUTHORIZED", "no").because(Reason::IDLE_SESSION);
    assert_eq!(
        written(&failure),
        "<message>no</message><resultCode>NOTAUTHORIZED</resultCode><authorizationResponses>\
         <response><name>SM_AUTHREASON</name><value>42</value></response></authorizationResponses>"
    );
}

#[test]
fn errors_have_the_documented_codes_and_statuses() {
    for (operation, bad, failed) in [
        (Operation::Login, "LOGIN_ERROR", "Server Error"),
        (Operation::Blogin, "LOGIN_ERROR", "Server Error"),
        (Operation::Logout, "LOGOUT_FAILURE", "SERVER_ERROR"),
        (Operation::Authorize, "SERVER_ERROR", "NOT_CONNECTED"),
    ] {
        let reply = Reply::bad_request(operation);
        assert_eq!((reply.status.as_u16(), reply.code), (400, bad));
        assert_eq!(reply.message, "Bad Request");
        let reply = Reply::unavailable(operation);
        assert_eq!((reply.status.as_u16(), reply.code), (500, failed));
        assert!(reply.token.is_none());
    }
}

#[test]
fn the_format_is_that_of_the_call_unless_another_is_wanted() {
    for (content_type, accept, sent, wanted) in [
        (None, None, Format::Xml, Format::Xml),
        (Some("application/json"), None, Format::Json, Format::Json),
        (
            Some("Application/JSON; charset=utf-8"),
            Some("*/*"),
            Format::Json,
            Format::Json,
        ),
        (
            Some("application/xml"),
            Some("application/json"),
            Format::Xml,
            Format::Json,
        ),
        (
            Some("application/json"),
            Some("text/xml"),
            Format::Json,
            Format::Xml,
        ),
        (
            Some("application/xml"),
            Some("application/json, application/xml"),
            Format::Xml,
            Format::Xml,
        ),
        (
            Some("application/x-www-form-urlencoded"),
            None,
            Format::Xml,
            Format::Xml,
        ),
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::CONTENT_TYPE, content_type),
            (header::ACCEPT, accept),
        ] {
            headers.extend(value.map(|value| (name, HeaderValue::from_static(value))));
        }
        assert_eq!(Format::sent(&headers), sent, "{content_type:?}");
        assert_eq!(
            Format::wanted(&headers),
            wanted,
            "{content_type:?} {accept:?}"
        );
    }
}

#[test]
fn nobody_keeps_an_answer() {
    let response = Reply::bad_request(Operation::Login).in_rest(Format::Xml);
    assert_eq!(response.status(), 400);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/xml");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
}
