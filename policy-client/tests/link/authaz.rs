//! AuthAz services: exchanges as they are documented, and as clients in the field make them.

use std::time::Duration;

use policy_client::authaz::{
    AuthAzCaller, AuthAzClient, AuthAzProtocol, AuthAzSettings, UserNameField,
};
use policy_client::foreign::{ForeignKind, ticket};
use policy_client::{PolicyCalls as _, PolicyError};
use policy_protocol::message::{
    AuthorizeAnswer, LoginAnswer, LogoutAnswer, ResponseAttribute, SessionTicket, ValidateAnswer,
};
use policy_protocol::{ProtectionLevel, Reason, ResourceContext, Secret};

use crate::foreign::{
    Does, NOW, PASSWORD, Received, Script, THERE, authorize, clock, hasty, logged_in, login,
    logout, no_answers, resource, settings, validate,
};

const PROTOCOLS: [AuthAzProtocol; 2] = [AuthAzProtocol::Rest, AuthAzProtocol::Soap];
const TOKEN: &str = "cGxhaW5seSBmYWtl+/8=";

fn configured(protocol: AuthAzProtocol, servers: &[&Script]) -> AuthAzSettings {
    AuthAzSettings {
        link: settings(servers),
        protocol,
        apps: [(String::from("app.example.com"), String::from("shop"))].into(),
        user_name_field: UserNameField::UserName,
        caller: None,
    }
}

fn client(protocol: AuthAzProtocol, servers: &[&Script]) -> AuthAzClient {
    AuthAzClient::new(&configured(protocol, servers), clock()).unwrap()
}

/// An answer in either protocol.
fn says(request: &Received, root: &str, content: &str) -> Does {
    let body = if request.target == "/authazws/auth" {
        format!(
            r#"<?xml version="1.0"?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><ns2:{root} xmlns:ns2="http://ca.com/2010/04/15/authentication.xsd"><return>{content}</return></ns2:{root}></S:Body></S:Envelope>"#
        )
    } else {
        format!("<{root}>{content}</{root}>")
    };
    Does::Says(200, body)
}

fn response(name: &str, value: &str) -> String {
    format!("<response><name>{name}</name><value>{value}</value></response>")
}

/// The one token and the one password that a server knows. Authorize tells nothing of the user.
fn server(request: &Received) -> Does {
    assert_eq!(request.method, "POST");
    let has = |name: &str, text: &str| request.body.contains(&format!("<{name}>{text}</{name}>"));
    let soap = request.header("soapaction").trim_matches('"');
    let namespace = "http://www.ca.com/siteminder/authaz/2010/04/15/authaz.xsd/AuthAZService/";
    let operation = match request.target.as_str() {
        "/authazws/AuthRestService/login/shop/cart/items" => "loginRequest",
        "/authazws/AuthRestService/authz/shop/cart/items" => "authorizeRequest",
        "/authazws/AuthRestService/logout/shop/" => "logoutRequest",
        "/authazws/auth" => soap.strip_prefix(namespace).unwrap(),
        other => panic!("{other}"),
    };
    let live = has("sessionToken", TOKEN) || has("sessionToken", "renewed");
    match operation {
        "loginRequest" if has("userName", "alice") && has("password", PASSWORD) => {
            assert!(has("action", "GET"));
            let responses = [
                response("SM_USER", "alice"),
                response("SM_USERDN", "uid=alice,dc=example,dc=com"),
                response("SM_UNIVERSALID", "a-1"),
                response("SM_SERVERSESSIONID", "c2Vzc2lvbg=="),
                response("SM_TIMETOEXPIRE", "3600"),
                response("mail", "alice@example.com"),
            ];
            let responses = responses.concat();
            let content = format!(
                "<message>Authentication successful</message><resultCode>LOGIN_SUCCESS</resultCode><sessionToken>{TOKEN}</sessionToken><authenticationResponses>{responses}</authenticationResponses>"
            );
            says(request, "loginResponse", &content)
        }
        "loginRequest" => {
            let responses = response("SM_AUTHREASON", "0");
            let content = format!(
                "<message>Authentication Failed</message><resultCode>LOGIN_FAILED</resultCode><authenticationResponses>{responses}</authenticationResponses>"
            );
            says(request, "loginResponse", &content)
        }
        "authorizeRequest" if live => {
            assert!(has("resource", "/cart/items") && has("action", "GET"));
            let responses = response("x-cart", "42");
            let content = format!(
                "<resultCode>AUTHORIZED</resultCode><sessionToken>renewed</sessionToken><authorizationResponses>{responses}</authorizationResponses>"
            );
            says(request, "authorizationResult", &content)
        }
        "authorizeRequest" => says(
            request,
            "authorizationResult",
            "<resultCode>NOTAUTHORIZED</resultCode>",
        ),
        "logoutRequest" if live => says(
            request,
            "logoutResponse",
            "<resultCode>LOGOUT_SUCCESS</resultCode>",
        ),
        _ => says(
            request,
            "logoutResponse",
            "<resultCode>LOGOUT_FAILURE</resultCode>",
        ),
    }
}

fn there() -> SessionTicket {
    ticket(ForeignKind::AuthAz, TOKEN.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_session_is_begun_looked_after_and_ended_in_each_protocol() {
    for protocol in PROTOCOLS {
        let server = Script::start(server).await;
        let client = client(protocol, &[&server]);
        let session = logged_in(&client).await;
        assert_eq!(session.spec.as_str(), TOKEN);
        assert_eq!(session.identity.user_name, "alice");
        assert_eq!(session.identity.attributes["mail"], ["alice@example.com"]);
        assert_eq!(session.protection_level, ProtectionLevel(5));
        assert_eq!((session.started, session.last_access), (NOW, NOW));
        // Shorter there than here.
        assert_eq!(session.max_timeout, Duration::from_secs(3600));

        let answer = client.validate(validate(session.ticket())).await.unwrap();
        let ValidateAnswer::Yes { session: renewed } = answer else {
            panic!("{protocol:?}")
        };
        assert_eq!(renewed.id, session.id);
        assert_eq!(renewed.spec.as_str(), "renewed");
        assert_eq!(renewed.identity.user_name, "alice");
        assert_eq!(renewed.identity.attributes["mail"], ["alice@example.com"]);
        assert_eq!(renewed.protection_level, ProtectionLevel(5));

        let answer = client.authorize(authorize(renewed.ticket())).await.unwrap();
        let expected = AuthorizeAnswer::Yes {
            ttl: Duration::ZERO,
            responses: vec![ResponseAttribute::Header {
                name: String::from("x-cart"),
                value: String::from("42"),
            }],
            redirect: None,
        };
        assert_eq!(answer, expected);
        let answer = client.logout(logout(renewed.ticket())).await.unwrap();
        assert_eq!(answer, LogoutAnswer::Yes);
    }
}

#[tokio::test]
async fn a_refusal_is_an_answer() {
    for protocol in PROTOCOLS {
        let server = Script::start(server).await;
        let client = client(protocol, &[&server]);
        let answer = client.login(login("alice", "wrong")).await.unwrap();
        assert_eq!(
            answer,
            LoginAnswer::No {
                reason: Reason::NONE
            }
        );
        let unknown = ticket(ForeignKind::AuthAz, b"another").unwrap();
        let reason = Reason::INVALID_SESSION;
        let answer = client.validate(validate(unknown.clone())).await.unwrap();
        assert_eq!(answer, ValidateAnswer::No { reason });
        let answer = client.authorize(authorize(unknown.clone())).await.unwrap();
        assert!(matches!(answer, AuthorizeAnswer::No { .. }));
        let answer = client.logout(logout(unknown)).await.unwrap();
        assert_eq!(answer, LogoutAnswer::No { reason });
    }
}

#[tokio::test]
async fn a_session_that_was_begun_there_needs_a_name() {
    let nameless = Script::start(server).await;
    let answer = client(AuthAzProtocol::Rest, &[&nameless])
        .validate(validate(there()))
        .await;
    let reason = Reason::INVALID_SESSION;
    assert_eq!(answer, Ok(ValidateAnswer::No { reason }));

    let server = Script::start(|request| {
        let responses = [response("SM_USER", "bob"), response("SM_USERGROUPS", "a^b")].concat();
        let content = format!(
            "<resultCode>AUTHORIZED</resultCode><authorizationResponses>{responses}</authorizationResponses>"
        );
        says(request, "authorizationResult", &content)
    })
    .await;
    let client = client(AuthAzProtocol::Rest, &[&server]);
    let answer = client.validate(validate(there())).await.unwrap();
    let ValidateAnswer::Yes { session } = answer else {
        panic!()
    };
    assert_eq!(session.id, there().session_id);
    // No new token: the old one goes on.
    assert_eq!(session.spec.as_str(), TOKEN);
    assert_eq!(session.identity.user_name, "bob");
    assert_eq!(session.identity.groups, ["a", "b"]);
    assert_eq!(session.protection_level, THERE);
}

#[tokio::test]
async fn what_is_no_answer_is_neither_yes_nor_no() {
    let result = |code: &str| {
        let body =
            format!("<authorizationResult><resultCode>{code}</resultCode></authorizationResult>");
        Does::Says(200, body)
    };
    let mut all = no_answers();
    all.extend([
        Does::says(400, "<message>Bad Request</message>"),
        Does::says(401, ""),
        Does::says(403, "<html>Forbidden</html>"),
        Does::says(404, ""),
        Does::says(429, ""),
        result("NOT_CONNECTED"),
        result("SERVER_ERROR"),
        result("LOGIN_ERROR"),
        result("NOT_PROTECTED"),
    ]);
    for protocol in PROTOCOLS {
        for does in all.clone() {
            let script = does.clone();
            let server = Script::start(move |_| script.clone()).await;
            let settings = AuthAzSettings {
                link: hasty(&server),
                ..configured(protocol, &[])
            };
            let client = AuthAzClient::new(&settings, clock()).unwrap();
            let validated = client.validate(validate(there())).await;
            assert!(validated.is_err(), "{protocol:?} {does:?}");
            let login = client.login(login("alice", PASSWORD)).await;
            assert!(login.is_err(), "{protocol:?} {does:?}");
            let authorized = client.authorize(authorize(there())).await;
            let ended = client.logout(logout(there())).await;
            // Nothing decides there: that is a no to who wants a decision, and to the end of what is not known.
            if matches!(&does, Does::Says(200, body) if body.contains("NOT_PROTECTED")) {
                let refused = matches!(authorized, Ok(AuthorizeAnswer::No { .. }));
                assert!(refused, "{protocol:?} {authorized:?}");
                let reason = Reason::INVALID_SESSION;
                assert_eq!(ended, Ok(LogoutAnswer::No { reason }), "{protocol:?}");
            } else {
                assert!(authorized.is_err(), "{protocol:?} {does:?}");
                assert!(ended.is_err(), "{protocol:?} {does:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_login_without_a_token_is_no_session() {
    let server = Script::start(|request| {
        says(
            request,
            "loginResponse",
            "<resultCode>LOGIN_SUCCESS</resultCode>",
        )
    })
    .await;
    let client = client(AuthAzProtocol::Rest, &[&server]);
    let error = client.login(login("alice", PASSWORD)).await.unwrap_err();
    assert_eq!(error, PolicyError::Protocol);
}

#[tokio::test]
async fn where_nothing_is_protected_nothing_is_allowed() {
    let server = Script::start(|request| {
        says(
            request,
            "authorizationResult",
            "<resultCode>NOT_PROTECTED</resultCode>",
        )
    })
    .await;
    let client = client(AuthAzProtocol::Rest, &[&server]);
    let answer = client.authorize(authorize(there())).await.unwrap();
    assert!(matches!(answer, AuthorizeAnswer::No { .. }));
}

#[tokio::test]
async fn the_agents_own_credentials_go_along_with_every_call() {
    let server = Script::start(server).await;
    let settings = AuthAzSettings {
        caller: Some(AuthAzCaller {
            user: String::from("gw"),
            password: Secret::new(String::from("fake")),
            challenge_cookie: true,
        }),
        ..configured(AuthAzProtocol::Rest, &[&server])
    };
    let client = AuthAzClient::new(&settings, clock()).unwrap();
    let session = logged_in(&client).await;
    client.logout(logout(session.ticket())).await.unwrap();
    for received in server.received() {
        assert_eq!(received.header("authorization"), "Basic Z3c6ZmFrZQ==");
        assert_eq!(received.header("cookie"), "SMCHALLENGE=YES");
        assert_eq!(received.header("content-type"), "application/xml");
    }
}

#[tokio::test]
async fn a_login_that_may_have_been_processed_is_not_sent_to_another_server() {
    for does in [Does::says(500, ""), Does::Breaks] {
        let first = Script::start(move |_| does.clone()).await;
        let second = Script::start(server).await;
        let client = client(AuthAzProtocol::Rest, &[&first, &second]);
        assert!(client.login(login("alice", PASSWORD)).await.is_err());
        assert!(second.received().is_empty());
    }
}

#[tokio::test]
async fn policies_there_may_lead_the_browser_elsewhere() {
    for (code, name, allowed) in [
        ("AUTHORIZED", "WebAgent-OnAccept-Redirect", true),
        ("NOTAUTHORIZED", "WebAgent-OnReject-Redirect", false),
        ("NOTAUTHORIZED", "WebAgent-OnAccept-Redirect", false),
    ] {
        let server = Script::start(move |request| {
            let responses = response(name, "https://www.example.com/");
            let content = format!(
                "<resultCode>{code}</resultCode><authorizationResponses>{responses}</authorizationResponses>"
            );
            says(request, "authorizationResult", &content)
        })
        .await;
        let client = client(AuthAzProtocol::Rest, &[&server]);
        let answer = client.authorize(authorize(there())).await.unwrap();
        let redirect = match answer {
            AuthorizeAnswer::Yes {
                redirect,
                responses,
                ..
            } if allowed => {
                assert!(responses.is_empty());
                redirect
            }
            AuthorizeAnswer::No { redirect, .. } if !allowed => redirect,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            redirect.as_deref(),
            Some("https://www.example.com/"),
            "{code} {name}"
        );
    }
}

#[tokio::test]
async fn a_session_that_was_logged_out_stays_so_whatever_the_service_says() {
    for confirmed in ["LOGOUT_SUCCESS", "LOGOUT_FAILURE"] {
        let server = Script::start(move |request| {
            let users = response("SM_USER", "alice");
            if request.target.contains("/logout/") {
                let content = format!("<resultCode>{confirmed}</resultCode>");
                return says(request, "logoutResponse", &content);
            }
            let content = format!(
                "<resultCode>AUTHORIZED</resultCode><authorizationResponses>{users}</authorizationResponses>"
            );
            says(request, "authorizationResult", &content)
        })
        .await;
        let client = client(AuthAzProtocol::Rest, &[&server]);
        let answer = client.validate(validate(there())).await.unwrap();
        assert!(matches!(answer, ValidateAnswer::Yes { .. }));
        // A refusal may mean that it is over there already, and is not asked about for ever.
        for tried in 0..6 {
            let told = client.logout(logout(there())).await;
            let expected = confirmed == "LOGOUT_SUCCESS" || tried == 5;
            assert_eq!(told.is_ok(), expected, "{tried} {told:?}");
        }

        let reason = Reason::USER_LOGOUT;
        let answer = client.validate(validate(there())).await;
        assert_eq!(answer, Ok(ValidateAnswer::No { reason }), "{confirmed}");
        let answer = client.authorize(authorize(there())).await;
        assert!(
            matches!(answer, Ok(AuthorizeAnswer::No { .. })),
            "{confirmed}"
        );
        let other = ticket(ForeignKind::AuthAz, b"another").unwrap();
        let answer = client.validate(validate(other)).await.unwrap();
        assert!(matches!(answer, ValidateAnswer::Yes { .. }));
    }
}

#[tokio::test]
async fn what_xml_cannot_hold_is_refused_without_asking() {
    for protocol in PROTOCOLS {
        let server = Script::start(server).await;
        let client = client(protocol, &[&server]);
        for (path, action) in [("/\u{fffe}", "GET"), ("/cart/items", "G\u{1}T")] {
            let resource = ResourceContext {
                resource: path.to_owned(),
                action: action.to_owned(),
                ..resource()
            };
            let mut asked = validate(there());
            asked.resource = resource.clone();
            let reason = Reason::INVALID_SESSION;
            let answer = client.validate(asked).await;
            assert_eq!(answer, Ok(ValidateAnswer::No { reason }));
            let mut asked = authorize(there());
            asked.resource = resource.clone();
            let answer = client.authorize(asked).await.unwrap();
            assert!(matches!(answer, AuthorizeAnswer::No { .. }));
            let mut asked = login("alice", PASSWORD);
            asked.resource = resource;
            let answer = client.login(asked).await.unwrap();
            assert!(matches!(answer, LoginAnswer::No { .. }));
        }
        assert!(server.received().is_empty());
    }
}

#[tokio::test]
async fn a_soap_fault_is_no_failure_of_the_server() {
    const FAULT: &str = r#"<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault><faultcode>S:Client</faultcode><faultstring>Bad request</faultstring></S:Fault></S:Body></S:Envelope>"#;
    let first = Script::start(|_| Does::says(500, FAULT)).await;
    let second = Script::start(server).await;
    let client = client(AuthAzProtocol::Soap, &[&first, &second]);
    for _ in 0..5 {
        let answer = client.validate(validate(there())).await;
        assert_eq!(answer, Err(PolicyError::Failure));
    }
    assert_eq!((first.received().len(), second.received().len()), (5, 0));
}

#[tokio::test]
async fn a_login_that_does_not_say_whose_is_none_and_is_ended() {
    let server = Script::start(|request| {
        let content =
            format!("<resultCode>LOGIN_SUCCESS</resultCode><sessionToken>{TOKEN}</sessionToken>");
        says(request, "loginResponse", &content)
    })
    .await;
    let client = client(AuthAzProtocol::Rest, &[&server]);
    let error = client.login(login(" ALICE", PASSWORD)).await.unwrap_err();
    assert_eq!(error, PolicyError::Protocol);
    let last = server.received().pop().unwrap();
    assert_eq!(last.target, "/authazws/AuthRestService/logout/shop/");
}
