//! Authorize.

use std::time::Duration;

use harness::Client;
use harness::gateway::HOST;
use policy_protocol::Reason;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A call whose path says nothing.
async fn ask(client: &Client, app: &str, action: &str, resource: &str, token: &str) -> Answer {
    let body = format!(
        "<authorizationRequest><appId>{app}</appId><action>{action}</action><resource>{resource}</resource>\
         <sessionToken>{token}</sessionToken></authorizationRequest>"
    );
    post(client, &format!("{REST}/authz"), &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorized_call_gets_the_token_and_what_the_application_would() {
    let gateway = setup()
        .with("[[realms]]\nname = \"app\"\nresponses = [{ header = \"X-Mail\", attribute = \"mail\" }]")
        .start()
        .await;
    let client = client(&gateway);
    let token = token(&gateway, "/app/x").await;
    let answer = authorize(&client, "/app/x", &token).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/xml");
    assert!(
        answer.text().contains("<authorizationResult><message>"),
        "{}",
        answer.text()
    );
    assert_eq!(code(&answer), "AUTHORIZED");
    assert_eq!(text_of(&answer, "sessionToken"), token);
    for (name, value) in [
        ("SM_AUTHREASON", "0"),
        ("SM_USER", "alice"),
        ("SM_REALM", "app"),
        ("x-mail", "alice@example.com"),
    ] {
        assert_eq!(attribute(&answer, name).as_deref(), Some(value), "{name}");
    }
    assert!(!answer.text().contains("identityToken"));

    // A token is renewed as the cookie is, and the old one is not used up.
    gateway.clock.advance(MINUTE);
    let answer = authorize(&client, "/app/x", &token).await;
    let renewed = text_of(&answer, "sessionToken");
    assert!(!renewed.is_empty() && renewed != token);
    for token in [&renewed, &token] {
        assert_eq!(
            code(&authorize(&client, "/app/x", token).await),
            "AUTHORIZED"
        );
    }
    let answer = post_as(
        &client,
        &format!("{REST}/authz/app/app/x"),
        "application/json",
        &serde_json::json!({ "sessionToken": renewed }).to_string(),
    )
    .await;
    let answer: serde_json::Value = answer.json();
    assert_eq!(answer["resultCode"], "AUTHORIZED");
    assert!(
        answer["authorizationResponses"]
            .as_array()
            .is_some_and(|list| list.len() > 10)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_session_does_not_do_is_told() {
    let timed = "[[realms]]\nname = \"app\"\nidle_timeout = \"10m\"\nmax_timeout = \"30m\"\nvalidation_period = \"1m\"";
    let gateway = setup().with(timed).start().await;
    let client = client(&gateway);
    let refused = async |resource: &str, token: &str| {
        let answer = authorize(&client, resource, token).await;
        assert_eq!(answer.status, 200);
        assert_eq!(code(&answer), "NOTAUTHORIZED", "{}", answer.text());
        assert_eq!(
            text_of(&answer, "sessionToken"),
            "",
            "no token for who is refused"
        );
        assert_eq!(attribute(&answer, "SM_USER"), None);
        reason(&answer).expect("a reason")
    };
    assert_eq!(refused("/app/x", "garbage").await, Reason::INVALID_SESSION);
    assert_eq!(refused("/app/x", "LOGGEDOFF").await, Reason::NONE);

    let weak = token(&gateway, "/app/x").await;
    assert_eq!(
        refused("/strong/x", &weak).await,
        Reason::AUTH_LEVEL_TOO_LOW
    );

    gateway
        .policy_server
        .server()
        .revoke_user("alice")
        .await
        .unwrap();
    harness::eventually("the agent hears of it", async || {
        let answer = authorize(&client, "/app/x", &weak).await;
        (code(&answer) == "NOTAUTHORIZED").then_some(())
    })
    .await;
    assert_eq!(refused("/app/x", &weak).await, Reason::REVOKED_SESSION);

    gateway.clock.advance(MINUTE);
    let idle = token(&gateway, "/app/x").await;
    gateway.clock.advance(10 * MINUTE);
    assert_eq!(refused("/app/x", &idle).await, Reason::IDLE_SESSION);

    let mut busy = token(&gateway, "/app/x").await;
    for _ in 0..5 {
        gateway.clock.advance(5 * MINUTE);
        let answer = authorize(&client, "/app/x", &busy).await;
        assert_eq!(
            code(&answer),
            "AUTHORIZED",
            "a call is a use: {}",
            answer.text()
        );
        busy = text_of(&answer, "sessionToken");
    }
    gateway.clock.advance(5 * MINUTE);
    assert_eq!(refused("/app/x", &busy).await, Reason::EXPIRED_SESSION);
}

/// Another Doorward that asks here would end the session for all realms.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_too_old_for_one_realm_has_not_expired() {
    let timed = "[[realms]]\nname = \"app\"\nidle_timeout = \"1h\"\nmax_timeout = \"8h\"\n\
                 [[realms]]\nname = \"strong\"\nmax_timeout = \"15m\"";
    let gateway = setup().with(timed).start().await;
    let client = client(&gateway);
    let token = token(&gateway, "/app/x").await;
    gateway.clock.advance(20 * MINUTE);
    let answer = authorize(&client, "/strong/x", &token).await;
    assert_eq!(code(&answer), "NOTAUTHORIZED");
    assert_eq!(reason(&answer), Some(Reason::INVALID_SESSION));
    let answer = authorize(&client, "/app/x", &token).await;
    assert_eq!(code(&answer), "AUTHORIZED", "{}", answer.text());
}

/// The seal says which zone a token is of, so nothing is said of the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_trusted_zone_is_as_good() {
    let other = "[session]\nzone = \"Z1\"\n[[realms]]\nname = \"app\"\nidle_timeout = \"10m\"";
    let gateway = setup().with(other).start().await;
    let trusting = gateway
        .beside("[session]\nzone = \"SM\"\ntrusted_zones = [\"Z1\"]")
        .await;
    let token = token(&gateway, "/app/x").await;
    let client = client(&trusting);
    let answer = authorize(&client, "/app/x", &token).await;
    assert_eq!(code(&answer), "AUTHORIZED", "{}", answer.text());
    assert_eq!(attribute(&answer, "SMSSOZONE").as_deref(), Some("SM"));
    gateway.clock.advance(10 * MINUTE);
    let answer = authorize(&client, "/app/x", &token).await;
    assert_eq!(reason(&answer), Some(Reason::IDLE_SESSION));
    assert_eq!(code(&log_out(&client, &token).await), "LOGOUT_SUCCESS");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_decide_and_every_method_must_be_allowed() {
    let rules = "[[realms]]\nname = \"app\"\nrules = [\
        { name = \"read\", effect = \"allow\", methods = [\"GET\", \"HEAD\"] },\
        { name = \"write\", effect = \"allow\", methods = [\"POST\"], groups = [\"staff\"] }]";
    let gateway = setup().with(rules).start().await;
    let client = client(&gateway);
    let alice = token(&gateway, "/app/x").await;
    let bob = log_in(&client, "/app/x", "bob", PASSWORD).await;
    let bob = text_of(&bob, "sessionToken");
    for (token, action, expected) in [
        (&alice, "GET", "AUTHORIZED"),
        (&alice, "GET,POST", "AUTHORIZED"),
        (&alice, "GET, POST , HEAD", "AUTHORIZED"),
        (&alice, "GET,DELETE", "NOTAUTHORIZED"),
        (&bob, "", "AUTHORIZED"),
        (&bob, "GET,POST", "NOTAUTHORIZED"),
        (&bob, "POST,GET", "NOTAUTHORIZED"),
        (&bob, "get", "NOTAUTHORIZED"),
        (&bob, "GET,TRACE", "NOTAUTHORIZED"),
        (&bob, "GET,", "SERVER_ERROR"),
        (&bob, "G T", "SERVER_ERROR"),
    ] {
        let answer = ask(&client, "app", action, "/app/x", token).await;
        assert_eq!(code(&answer), expected, "{action}");
        assert_eq!(
            answer.status,
            if expected == "SERVER_ERROR" { 400 } else { 200 }
        );
    }
    let answer = ask(&client, "app", "GET", "/staff/x", &bob).await;
    assert_eq!(code(&answer), "NOTAUTHORIZED");
    assert_eq!(reason(&answer), Some(Reason::NONE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_read_as_the_gateway_reads_it() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    let token = token(&gateway, "/app/x").await;
    for (app, resource, expected) in [
        ("app", "/app/x?y=1", "AUTHORIZED"),
        ("app", "app/x", "AUTHORIZED"),
        ("app", "/open/x", "NOT_PROTECTED"),
        ("app", "/nowhere", "NOTAUTHORIZED"),
        ("app", "/open/../app/x", "NOTAUTHORIZED"),
        ("app", "/open/%2e%2e/app", "NOTAUTHORIZED"),
        ("app", "/open//x", "NOTAUTHORIZED"),
        ("app", "/open/x#y", "NOTAUTHORIZED"),
        ("app", "/open%2fx", "NOTAUTHORIZED"),
        ("other", "/app/x", "AUTHORIZED"),
        ("unknown", "/app/x", "SERVER_ERROR"),
        ("", "/app/x", "SERVER_ERROR"),
    ] {
        let answer = ask(&client, app, "GET", resource, &token).await;
        assert_eq!(code(&answer), expected, "{app} {resource}");
    }
    // Nobody need be known where nothing is protected.
    let answer = ask(&client, "app", "GET", "/open/x", "").await;
    assert_eq!(code(&answer), "NOT_PROTECTED");
    assert_eq!(text_of(&answer, "sessionToken"), "");
    // Path and body contradict each other.
    let body = format!(
        "<authorizationRequest><resource>/open/x</resource><sessionToken>{token}</sessionToken></authorizationRequest>"
    );
    let answer = post(&client, &format!("{REST}/authz/app/app/x"), &body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(code(&answer), "SERVER_ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_server_nothing_is_decided() {
    let gateway = setup().start().await;
    let token = token(&gateway, "/app/x").await;
    let fresh = gateway.beside("").await;
    gateway.policy.cut(policy_client::PolicyError::NoConnection);
    let answer = authorize(&client(&fresh), "/app/x", &token).await;
    assert_eq!(answer.status, 500);
    assert_eq!(code(&answer), "NOT_CONNECTED");
    assert_eq!(text_of(&answer, "sessionToken"), "");
    let answer = authorize(&client(&fresh), "/app/x", "garbage").await;
    assert_eq!(
        code(&answer),
        "NOTAUTHORIZED",
        "it is nobody's, whoever is asked"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_of_the_policy_server_decide_and_add_responses() {
    let gateway = setup()
        .with("[identity]\nmanaged_headers = [\"X-Plan\"]\n[[realms]]\nname = \"app\"\nauthorize = true")
        .with_policies(
            "[[domains]]\nname = \"app\"\nrealms = [{ name = \"app\", resource = \"/app\" }]\n\
             rules = [{ name = \"use\", realm = \"app\" }, { name = \"join\", realm = \"app\", resource = \"/staff\" }]\n\
             responses = [{ name = \"plan\", header = \"X-Plan\", value = \"gold\" }]\n\
             [[domains.policies]]\nname = \"use\"\nrules = [\"use\"]\nresponses = [\"plan\"]\n\
             [[domains.policies]]\nname = \"staff\"\nrules = [\"join\"]\ngroups = [\"nobody\"]\non_reject_redirect = \"/join\"\n",
        )
        .start()
        .await;
    let client = client(&gateway);
    let token = token(&gateway, "/app/x").await;
    let answer = authorize(&client, "/app/x", &token).await;
    assert_eq!(code(&answer), "AUTHORIZED", "{}", answer.text());
    assert_eq!(attribute(&answer, "x-plan").as_deref(), Some("gold"));
    let answer = authorize(&client, "/app/staff", &token).await;
    assert_eq!(code(&answer), "NOTAUTHORIZED");
    assert_eq!(attribute(&answer, "x-plan"), None);
    assert_eq!(
        attribute(&answer, "WebAgent-OnReject-Redirect").as_deref(),
        Some("/join")
    );
}

/// The certificate on the connection is the caller's, and says nothing of the token's user.
#[tokio::test(flavor = "multi_thread")]
async fn a_callers_certificate_is_not_the_users() {
    let config = "[[listeners]]\naddress = \"127.0.0.1:0\"\n\
        services.authaz = { apps = { app = \"app.test\" } }\n\
        [listeners.tls]\ncertificates = [{ cert_file = \"server.crt\", key_file = \"server.key\" }]\n\
        client_ca_file = \"ca.crt\"\nclient_certificate = \"optional\"\n\
        [[realms]]\nname = \"certified\"\nresource = \"/certified\"\nupstream = \"origin\"\nscheme = \"certificate\"\n";
    let gateway = Gateway::setup().with(config).start().await;
    let leaf = gateway.pki.client("alice");
    let tls = gateway.pki.client_config(&[], Some(&leaf));
    let caller = Client::new(gateway.address(), HOST, Protocol::Http1, Some(tls));
    assert_eq!(caller.get("/certified/").await.status, 200);
    caller.forget_cookies();
    for token in ["", "garbage"] {
        let answer = authorize(&caller, "/certified/x", token).await;
        assert_eq!(code(&answer), "NOTAUTHORIZED");
    }
    let answer = log_in(&caller, "/certified/x", "alice", PASSWORD).await;
    assert_eq!(code(&answer), "LOGIN_FAILED");
    assert_eq!(reason(&answer), Some(Reason::UNSUPPORTED_SCHEME));
}
