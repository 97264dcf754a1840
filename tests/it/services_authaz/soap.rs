//! SOAP 1.1 and 1.2.

use super::callers::BOB;
use super::*;

const V11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const V12: &str = "http://www.w3.org/2003/05/soap-envelope";
const NAMESPACES: [&str; 3] = [
    "http://www.ca.com/siteminder/authaz/2010/04/15/authaz.xsd",
    "http://ca.com/2010/04/15/authentication.xsd",
    "http://ca.com/2010/04/15/authorization.xsd",
];

const fn content_type(version: &str) -> &'static str {
    if version.len() == V11.len() {
        "text/xml; charset=utf-8"
    } else {
        "application/soap+xml; charset=utf-8"
    }
}

async fn call(client: &Client, version: &str, namespace: &str, body: &str) -> Answer {
    let envelope = format!(
        "<?xml version=\"1.0\"?>\n<soapenv:Envelope xmlns:soapenv=\"{version}\" xmlns:aut=\"{namespace}\">\n\
         <soapenv:Header/>\n<soapenv:Body>\n{body}\n</soapenv:Body>\n</soapenv:Envelope>"
    );
    let request = client
        .request(Method::POST, "/authazws/auth")
        .header("content-type", content_type(version))
        .header(
            "soapaction",
            format!("\"{namespace}/AuthAZService/loginRequest\""),
        )
        .body(harness::client::full(envelope))
        .unwrap();
    client.send(request).await
}

fn login(operation: &str, password: &str) -> String {
    format!(
        "<aut:{operation}><identityContext><binaryCreds/><password>{password}</password><userName>alice</userName>\
         </identityContext><appId>app</appId><action>GET</action><resource>/app/x</resource></aut:{operation}>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story_in_each_version_and_namespace() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    for version in [V11, V12] {
        for namespace in NAMESPACES {
            let answer = call(&client, version, namespace, &login("login", PASSWORD)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("content-type"), content_type(version));
            assert_eq!(code(&answer), "LOGIN_SUCCESS");
            assert!(
                answer
                    .text()
                    .contains(&format!("<soap:Envelope xmlns:soap=\"{version}\">"))
            );
            assert!(answer.text().contains(&format!(
                "<ns2:loginResponse xmlns:ns2=\"{namespace}\"><return><message>"
            )));
            assert_eq!(attribute(&answer, "SM_USER").as_deref(), Some("alice"));
            let token = text_of(&answer, "sessionToken");
            assert_eq!(
                holding(&gateway, &token, Protocol::Http1)
                    .get("/app/")
                    .await
                    .status,
                200
            );

            let authorize = format!(
                "<aut:authorize><sessionToken>{token}</sessionToken><appId>app</appId><action>GET,POST</action>\
                 <resource>/app/x</resource></aut:authorize>"
            );
            let answer = call(&client, version, namespace, &authorize).await;
            assert!(
                answer.text().contains("<ns2:authorizeResponse"),
                "{}",
                answer.text()
            );
            assert!(answer.text().contains("<authorizationResponses><response>"));
            assert_eq!(code(&answer), "AUTHORIZED");
            assert_eq!(text_of(&answer, "sessionToken"), token);

            let logout = format!("<aut:logout><sessionToken>{token}</sessionToken></aut:logout>");
            let answer = call(&client, version, namespace, &logout).await;
            assert_eq!(code(&answer), "LOGOUT_SUCCESS");
            let answer = call(&client, version, namespace, &authorize).await;
            assert_eq!(answer.status, 200);
            assert_eq!(code(&answer), "NOTAUTHORIZED");
            refused(
                &holding(&gateway, &token, Protocol::Http1)
                    .get("/app/")
                    .await,
            );

            for (password, message) in [(PASSWORD, "yes"), ("wrong", "no")] {
                let answer = call(&client, version, namespace, &login("blogin", password)).await;
                assert!(
                    answer.text().contains("<ns2:bloginResponse"),
                    "{}",
                    answer.text()
                );
                assert_eq!(text_of(&answer, "message"), message);
                assert_eq!(text_of(&answer, "sessionToken"), "");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_faults_are_told_apart() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    let namespace = NAMESPACES[0];
    for (version, sender, receiver, status) in [
        (
            V11,
            "<faultcode>soap:Client</faultcode>",
            "<faultcode>soap:Server</faultcode>",
            500,
        ),
        (
            V12,
            "<soap:Value>soap:Sender</soap:Value>",
            "<soap:Value>soap:Receiver</soap:Value>",
            400,
        ),
    ] {
        let answer = call(&client, version, namespace, &login("login", "wrong")).await;
        assert_eq!(
            (answer.status.as_u16(), code(&answer).as_str()),
            (200, "LOGIN_FAILED")
        );
        let unknown = login("login", PASSWORD).replace(">app<", ">unknown<");
        let answer = call(&client, version, namespace, &unknown).await;
        assert_eq!(
            (answer.status.as_u16(), code(&answer).as_str()),
            (200, "LOGIN_ERROR")
        );

        let laughs = "<!DOCTYPE x [<!ENTITY a \"ha\">]><aut:login>&a;</aut:login>";
        for body in [laughs, "<aut:forget/>", "<aut:login>", "", "&#0;", "<x:y/>"] {
            let answer = call(&client, version, namespace, body).await;
            assert_eq!(answer.status, status, "{body}");
            assert_eq!(answer.header("content-type"), content_type(version));
            assert!(answer.text().contains(sender), "{body}: {}", answer.text());
        }
        let answer = call(&client, version, "urn:other", &login("login", PASSWORD)).await;
        assert!(answer.text().contains(sender), "{}", answer.text());

        gateway.policy.cut(policy_client::PolicyError::NoConnection);
        for body in [login("login", PASSWORD), login("blogin", PASSWORD)] {
            let answer = call(&client, version, namespace, &body).await;
            assert_eq!(answer.status, 500);
            assert!(answer.text().contains(receiver), "{}", answer.text());
        }
        gateway.policy.open();
    }
    let answer = post_as(
        &client,
        "/authazws/auth",
        "text/xml",
        "<Envelope xmlns='urn:x'/>",
    )
    .await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.text().contains("soap:VersionMismatch"),
        "{}",
        answer.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decided_has_its_own_code() {
    let gateway = setup().start().await;
    let token = token(&gateway, "/app/x").await;
    let fresh = gateway.beside("").await;
    gateway.policy.cut(policy_client::PolicyError::NoConnection);
    let body = format!(
        "<aut:authorize><sessionToken>{token}</sessionToken><appId>app</appId><action>GET</action>\
         <resource>/app/x</resource></aut:authorize>"
    );
    let answer = call(&client(&fresh), V12, NAMESPACES[0], &body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(code(&answer), "NOT_CONNECTED");
    let body = format!("<aut:logout><sessionToken>{token}</sessionToken></aut:logout>");
    let answer = call(&client(&gateway), V11, NAMESPACES[0], &body).await;
    assert_eq!(answer.status, 500);
    assert!(
        answer
            .text()
            .contains("<faultstring>Server Error</faultstring>"),
        "{}",
        answer.text()
    );
}

async fn description(client: &Client, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.request(Method::GET, "/authazws/auth?wsdl");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = harness::client::empty();
    client.send(request.body(body).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_can_be_made_from_the_description() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    let answer = description(&client, &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/xml; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = answer.text();
    for version in ["soap11", "soap12"] {
        let address = format!("<{version}:address location=\"https://app.test/authazws/auth\"/>");
        assert!(text.contains(&address), "{text}");
    }
    // In capitals as well, at whatever port it was asked for.
    let mut raw = gateway.raw().await;
    let answer = raw
        .ask("GET /authazws/auth?WSDL HTTP/1.1\r\nHost: app.test:8443\r\n\r\n")
        .await;
    let text = answer.text();
    let address = "location=\"https://app.test:8443/authazws/auth\"";
    assert_eq!(text.matches(address).count(), 2, "{text}");

    // What one that was made from it sends.
    let call = format!(
        "<?xml version='1.0' encoding='utf-8'?>\n<soap-env:Envelope xmlns:soap-env=\"{V12}\"><soap-env:Body>\
         <ns0:login xmlns:ns0=\"{}\"><identityContext><binaryCreds/><password>{PASSWORD}</password><userName>alice\
         </userName></identityContext><appId>app</appId><action>GET</action><resource>/app/page</resource></ns0:login>\
         </soap-env:Body></soap-env:Envelope>",
        NAMESPACES[0]
    );
    let content_type = format!(
        "application/soap+xml; charset=utf-8; action=\"{}/AuthAZService/loginRequest\"",
        NAMESPACES[0]
    );
    for path in ["/authazws/auth", "/authazws/auth?wsdl"] {
        let answer = post_as(&client, path, &content_type, &call).await;
        assert_eq!(code(&answer), "LOGIN_SUCCESS", "{}", answer.text());
    }

    // Nothing else is read there.
    for path in ["/authazws/auth", "/authazws/auth?xsd=1"] {
        let answer = client.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("allow")),
            (405, "POST")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_for_whoever_may_call() {
    let gateway = Gateway::setup()
        .with(&listener(", require_session = \"basic\""))
        .start()
        .await;
    let client = client(&gateway);
    let stranger = description(&client, &[]).await;
    assert_eq!(stranger.status, 401);
    assert!(
        stranger
            .header("www-authenticate")
            .starts_with("Basic realm=")
    );
    assert!(!stranger.text().contains("wsdl"), "{}", stranger.text());
    let bob = ("authorization", BOB);
    assert_eq!(description(&client, &[bob]).await.status, 200);
    let foreign = description(&client, &[bob, ("sec-fetch-site", "cross-site")]).await;
    assert_eq!(foreign.status, 403);

    let gateway = Gateway::setup()
        .with(&listener(", callers = [\"10.0.0.0/8\"]"))
        .start()
        .await;
    assert_eq!(description(&super::client(&gateway), &[]).await.status, 403);
}
