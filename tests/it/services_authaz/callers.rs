//! Who may call.

use super::*;

async fn call(client: &Client, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.request(Method::POST, &format!("{REST}/login/app/app/x"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = harness::client::full(login_request("alice", PASSWORD));
    client.send(request.body(body).unwrap()).await
}

/// bob, with the password of everybody.
pub const BOB: &str = "Basic Ym9iOmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU=";

#[tokio::test(flavor = "multi_thread")]
async fn callers_prove_themselves_where_that_is_wanted() {
    let gateway = Gateway::setup()
        .with(&listener(", require_session = \"basic\""))
        .start()
        .await;
    let stranger = client(&gateway);
    for headers in [
        &[][..],
        &[("authorization", "Basic Ym9iOndyb25n")],
        &[("cookie", "SMCHALLENGE=YES")],
    ] {
        let answer = call(&stranger, headers).await;
        assert_eq!(answer.status, 401);
        assert_eq!(code(&answer), "LOGIN_ERROR");
        assert!(
            answer
                .header("www-authenticate")
                .starts_with("Basic realm=")
        );
        assert_eq!(text_of(&answer, "sessionToken"), "");
    }
    let soap = post(&stranger, "/authazws/auth", "<x/>").await;
    assert_eq!(soap.status, 401);
    assert!(
        soap.text().contains("<faultcode>soap:Client</faultcode>"),
        "{}",
        soap.text()
    );

    let answer = call(
        &stranger,
        &[("authorization", BOB), ("cookie", "SMCHALLENGE=YES")],
    )
    .await;
    assert_eq!(code(&answer), "LOGIN_SUCCESS", "{}", answer.text());
    assert_eq!(
        attribute(&answer, "SM_USER").as_deref(),
        Some("alice"),
        "not the caller's session"
    );
    let own = stranger
        .cookie("SMSESSION")
        .expect("the caller's own session");
    assert_ne!(own, text_of(&answer, "sessionToken"));

    // The caller's own session does as well, but not in the hands of another site's page.
    let known = holding(&gateway, &own, Protocol::Http2);
    assert_eq!(code(&call(&known, &[]).await), "LOGIN_SUCCESS");
    for headers in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ] {
        let answer = call(&known, &[headers]).await;
        assert_eq!(answer.status, 403);
        assert_eq!(code(&answer), "LOGIN_ERROR");
    }
    gateway.policy.cut(policy_client::PolicyError::NoConnection);
    let fresh = gateway.beside("").await;
    let answer = call(&client(&fresh), &[("authorization", BOB)]).await;
    assert_eq!(answer.status, 500);
    assert_eq!(code(&answer), "Server Error");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_the_callers_realm_hold() {
    let gateway = Gateway::setup()
        .with(&listener(", require_session = \"staff\""))
        .start()
        .await;
    for (user, expected) in [("alice", 200), ("bob", 403)] {
        let browser = client(&gateway);
        let cookie = browser.login("/app/", user, PASSWORD).await;
        let caller = holding(&gateway, &cookie, Protocol::Http1);
        assert_eq!(call(&caller, &[]).await.status, expected, "{user}");
    }
    assert_eq!(call(&client(&gateway), &[]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_where_they_may_be() {
    for (networks, expected) in [
        ("\"127.0.0.0/8\"", 200),
        ("\"10.0.0.0/8\", \"::1/128\"", 403),
    ] {
        let gateway = Gateway::setup()
            .with(&listener(&format!(", callers = [{networks}]")))
            .start()
            .await;
        let answer = call(&client(&gateway), &[]).await;
        assert_eq!(answer.status, expected);
        let forged = call(&client(&gateway), &[("x-forwarded-for", "10.0.0.1")]).await;
        assert_eq!(forged.status, expected);
    }
}
