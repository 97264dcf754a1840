use policy_protocol::Timestamp;

use super::super::known::Known;
use super::*;

const LOGIN: &str = r#"<loginResponse><message>Authentication successful</message>
    <resultCode>LOGIN_SUCCESS</resultCode><sessionToken>dG9rZW4=</sessionToken>
    <authenticationResponses>
      <response><name>SM_SESSIONDRIFT</name><value>0</value></response>
      <response><name>SM_USER</name><value>alice</value></response>
      <response><name>SM_USERDN</name><value>uid=alice,ou=people,dc=example,dc=com</value></response>
      <response><name>SM_UNIVERSALID</name><value>a-1</value></response>
      <response><name>SM_AUTHDIRNAME</name><value>corporate</value></response>
      <response><name>SM_AUTHDIROID</name><value>0e-1</value></response>
      <response><name>SM_AUTHDIRSERVER</name><value>ldap.example.com</value></response>
      <response><name>SM_AUTHDIRNAMESPACE</name><value>LDAP:</value></response>
      <response><name>SM_USERGROUPS</name><value>cn=staff^cn=admins</value></response>
      <response><name>SM_SERVERSESSIONID</name><value>c2Vzc2lvbiBpZA==</value></response>
      <response><name>SM_SERVERSESSIONSPEC</name><value>a secret</value></response>
      <response><name>SM_TIMETOEXPIRE</name><value>7200</value></response>
      <response><name>SMSSOZONE</name><value>SM</value></response>
      <response><name>mail</name><value>alice@example.com</value></response>
      <response><name>dept</name><value>R&amp;D</value></response>
      <response><name>dept</name><value>ops</value></response>
      <response><name>empty</name><value/></response>
    </authenticationResponses></loginResponse>"#;

fn read_text(status: u16, body: &str) -> Result<Answer, PolicyError> {
    read_for("LOGINSUCCESS", status, body)
}

fn read_for(success: &str, status: u16, body: &str) -> Result<Answer, PolicyError> {
    let status = StatusCode::from_u16(status).unwrap();
    read(status, body.as_bytes(), success)
}

fn outcome(status: u16, body: &str) -> Result<Outcome, PolicyError> {
    read_text(status, body).map(|answer| answer.outcome)
}

fn coded(code: &str) -> String {
    format!("<authorizationResult><resultCode>{code}</resultCode></authorizationResult>")
}

#[test]
fn a_login_tells_whose_session_it_is_and_no_secret_of_it() {
    let answer = read_text(200, LOGIN).unwrap();
    assert_eq!(answer.outcome, Outcome::Yes);
    assert_eq!(answer.token.unwrap().expose(), "dG9rZW4=");
    assert_eq!(answer.told.session_id(), Some("c2Vzc2lvbiBpZA=="));
    assert_eq!(
        answer.told.time_to_expire(),
        Some(Duration::from_secs(7200))
    );
    let identity = Known::begun(&answer.told, Timestamp(0)).whose();
    assert_eq!(identity.user_name, "alice");
    assert_eq!(identity.user_dn, "uid=alice,ou=people,dc=example,dc=com");
    assert_eq!(identity.universal_id, "a-1");
    assert_eq!(identity.directory.name, "corporate");
    assert_eq!(identity.groups, ["cn=staff", "cn=admins"]);
    let attributes: Vec<_> = identity.attributes.into_iter().collect();
    let text = |text: &str| text.to_owned();
    assert_eq!(
        attributes,
        [
            (text("dept"), vec![text("R&D"), text("ops")]),
            (text("mail"), vec![text("alice@example.com")]),
        ]
    );
    let header = |name: &str, value: &str| ResponseAttribute::Header {
        name: text(name),
        value: text(value),
    };
    assert_eq!(
        answer.told.headers(),
        [
            header("dept", "R&D^ops"),
            header("empty", ""),
            header("mail", "alice@example.com")
        ]
    );
}

#[test]
fn the_same_is_read_of_soap_in_any_namespace_and_with_any_prefix() {
    for namespace in [
        "http://www.ca.com/siteminder/authaz/2010/04/15/authaz.xsd",
        "http://ca.com/2010/04/15/authentication.xsd",
    ] {
        for envelope in [
            "http://www.w3.org/2003/05/soap-envelope",
            "http://schemas.xmlsoap.org/soap/envelope/",
        ] {
            let body = format!(
                r#"<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="{envelope}"><e:Header/><e:Body>
                <x:loginResponse xmlns:x="{namespace}"><return><resultCode>LOGIN_SUCCESS</resultCode>
                <unknown><resultCode>NOTAUTHORIZED</resultCode></unknown><sessionToken>t</sessionToken>
                <authenticationResponses><x:response><x:name>SM_USER</x:name><x:value>bob</x:value></x:response>
                </authenticationResponses></return></x:loginResponse></e:Body></e:Envelope>"#
            );
            let answer = read_text(200, &body).unwrap();
            assert_eq!(answer.outcome, Outcome::Yes);
            let identity = Known::begun(&answer.told, Timestamp(0)).whose();
            assert_eq!(identity.user_name, "bob");
            assert_eq!(identity.universal_id, "bob");
        }
    }
}

#[test]
fn the_result_code_decides_whatever_the_status() {
    for status in [200, 400, 401, 403] {
        for (code, expected) in [
            ("LOGIN_SUCCESS", Outcome::Yes),
            ("LOGIN_FAILED", Outcome::No),
            ("LOGIN_CHALLENGE", Outcome::No),
            ("NOTAUTHORIZED", Outcome::No),
            ("NOT_AUTHORIZED", Outcome::No),
            (" notauthorized ", Outcome::No),
            ("LOGOUT_FAILURE", Outcome::No),
            ("NOT_PROTECTED", Outcome::NotProtected),
        ] {
            assert_eq!(
                outcome(status, &coded(code)),
                Ok(expected),
                "{status} {code}"
            );
        }
    }
}

#[test]
fn what_is_neither_yes_nor_no_is_an_error() {
    for (status, body, expected) in [
        (200, coded("NOT_CONNECTED"), PolicyError::Unavailable),
        (200, coded("SERVER_ERROR"), PolicyError::Failure),
        (
            200,
            "<resultCode>Server Error</resultCode>".to_owned(),
            PolicyError::Failure,
        ),
        (400, coded("LOGIN_ERROR"), PolicyError::Failure),
        (200, coded(""), PolicyError::Failure),
        (200, coded("MAYBE"), PolicyError::Failure),
        (
            400,
            "<message>Bad Request</message>".to_owned(),
            PolicyError::Failure,
        ),
        (401, String::new(), PolicyError::Failure),
        (
            403,
            "<html><body>Forbidden</body></html>".to_owned(),
            PolicyError::Failure,
        ),
        (404, "not found".to_owned(), PolicyError::Failure),
        (200, String::new(), PolicyError::Protocol),
        (
            200,
            "<html><form>Sign in</form></html>".to_owned(),
            PolicyError::Protocol,
        ),
        (
            200,
            r#"{"resultCode":"AUTHORIZED"}"#.to_owned(),
            PolicyError::Protocol,
        ),
        (
            200,
            "<authorizationResult><resultCode>AUTHORIZED".to_owned(),
            PolicyError::Protocol,
        ),
        (
            200,
            format!("<!DOCTYPE a>{}", coded("AUTHORIZED")),
            PolicyError::Protocol,
        ),
        (
            200,
            "<E><Body><Fault><faultstring>AUTHORIZED</faultstring></Fault></Body></E>".to_owned(),
            PolicyError::Protocol,
        ),
    ] {
        assert_eq!(outcome(status, &body), Err(expected), "{status} {body}");
    }
}

#[test]
fn a_refusal_says_why_if_it_is_told() {
    let refusal = |responses: &str| {
        let body = format!(
            "<r><resultCode>NOTAUTHORIZED</resultCode><authorizationResponses>{responses}</authorizationResponses></r>"
        );
        read_text(200, &body).unwrap().told.reason()
    };
    let reason = |name: &str, value: &str| {
        refusal(&format!(
            "<response><name>{name}</name><value>{value}</value></response>"
        ))
    };
    assert_eq!(refusal(""), Reason::NONE);
    assert_eq!(reason("SM_AUTHREASON", "0"), Reason::NONE);
    assert_eq!(reason("SM_AUTHREASON", "x"), Reason::NONE);
    assert_eq!(reason("SM_AUTHREASON", "42"), Reason::IDLE_SESSION);
    assert_eq!(reason("HTTP_SM_AUTHREASON", "4"), Reason::EXPIRED_SESSION);
}

#[test]
fn a_success_of_another_operation_is_none() {
    let codes = ["LOGIN_SUCCESS", "AUTHORIZED", "LOGOUT_SUCCESS"];
    for asked in codes {
        for told in codes {
            let answer = read_for(&asked.replace('_', ""), 200, &coded(told));
            let outcome = answer.map(|answer| answer.outcome);
            let expected = match asked == told {
                true => Ok(Outcome::Yes),
                false => Err(PolicyError::Failure),
            };
            assert_eq!(outcome, expected, "{asked} {told}");
        }
    }
}
