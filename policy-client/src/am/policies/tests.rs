use policy_protocol::message::SessionTicket;
use policy_protocol::{AuthScheme, ProtectionLevel, RealmContext, SessionId, SessionSpec};

use super::*;

const RESOURCE: &str = "https://app.test:443/app/";
const NOW: Timestamp = Timestamp(1_800_000_000);

fn decision(body: &str) -> Result<AuthorizeAnswer, PolicyError> {
    decide(&Secret::new(body.as_bytes().to_vec()), RESOURCE, "GET", NOW)
}

fn of(actions: &str, advices: &str, ttl: &str) -> AuthorizeAnswer {
    decision(&format!(
        r#"[{{"resource":"{RESOURCE}","actions":{actions},"attributes":{{}},"advices":{advices},"ttl":{ttl}}}]"#
    ))
    .unwrap()
}

fn yes(answer: &AuthorizeAnswer) -> bool {
    matches!(answer, AuthorizeAnswer::Yes { .. })
}

fn ttl(text: &str) -> u64 {
    match of(r#"{"GET":true}"#, "{}", text) {
        AuthorizeAnswer::Yes { ttl, .. } => ttl.as_secs(),
        AuthorizeAnswer::No { .. } => panic!("allowed"),
    }
}

#[test]
fn only_an_action_that_is_allowed_without_conditions_is_allowed() {
    let max = "9223372036854775807";
    assert!(yes(&of(r#"{"GET":true,"POST":false}"#, "{}", max)));
    assert!(!yes(&of(r#"{"GET":false,"POST":true}"#, "{}", max)));
    assert!(!yes(&of(r#"{"POST":true}"#, "{}", max)));
    assert!(!yes(&of(r#"{"get":true}"#, "{}", max)));
    assert!(!yes(&of("{}", "{}", max)), "no policy covers it");
    assert!(!yes(&of(
        r#"{"GET":true}"#,
        r#"{"SessionConditionAdvice":["deny"]}"#,
        max
    )));
    assert!(!yes(&of(r#"{"GET":true}"#, r#"{"X":[]}"#, max)));
}

#[test]
fn an_advice_says_why_and_is_never_kept() {
    let max = "9223372036854775807";
    let no = |reason| AuthorizeAnswer::No {
        ttl: Duration::ZERO,
        reason,
        redirect: None,
    };
    for actions in ["{}", r#"{"GET":true}"#, r#"{"GET":false}"#] {
        let level = of(actions, r#"{"AuthLevelConditionAdvice":["3"]}"#, max);
        assert_eq!(level, no(Reason::AUTH_LEVEL_TOO_LOW));
        let other = of(actions, r#"{"TransactionConditionAdvice":["x"]}"#, max);
        assert_eq!(other, no(Reason::NONE));
    }
}

#[test]
fn the_time_to_live_is_the_moment_at_which_it_ends() {
    let most = MAX_DECISION_TIME.as_secs();
    assert_eq!(ttl("9223372036854775807"), most);
    assert_eq!(
        ttl("9223372036854776000"),
        most,
        "through a library of JavaScript"
    );
    assert_eq!(ttl("9.223372036854776E18"), most);
    assert_eq!(ttl("1e300"), 0, "no moment at all");
    assert_eq!(ttl(&(NOW.0 * 1000 + 90_999).to_string()), 90);
    assert_eq!(ttl(&format!("{}.5", NOW.0 * 1000 + 90_999)), 90);
    assert_eq!(ttl(&(NOW.0 * 1000 + 999).to_string()), 0);
    for over in ["0", "-1", "null", "1800000000000", "1799999999999"] {
        assert_eq!(ttl(over), 0, "{over}");
    }
}

#[test]
fn the_decision_must_be_about_what_was_asked() {
    let other = r#"[{"resource":"https://app.test:443/other","actions":{"GET":true},"ttl":0}]"#;
    let twice = format!(
        r#"[{{"resource":"{RESOURCE}","actions":{{"GET":true}},"ttl":0}},{{"resource":"{RESOURCE}","actions":{{}},"ttl":0}}]"#
    );
    let both = format!(
        r#"[{{"resource":"https://app.test:443/other","actions":{{}},"ttl":0}},{{"resource":"{RESOURCE}","actions":{{"GET":true}},"ttl":0}}]"#
    );
    assert!(yes(&decision(&both).unwrap()));
    for body in [
        other,
        &twice,
        "[]",
        "{}",
        "",
        "<html></html>",
        r#"[{"resource":"https://app.test:443/app/"}]"#,
        r#"[{"resource":"https://app.test:443/app/","actions":{"GET":"true"}}]"#,
    ] {
        assert_eq!(decision(body), Err(PolicyError::Protocol), "{body}");
    }
}

#[test]
fn attributes_of_policies_become_headers() {
    let body = format!(
        r#"[{{"resource":"{RESOURCE}","actions":{{"GET":true}},"attributes":{{"cn":["demo"],"mail":["a@b","c@d"],"none":[]}},"advices":{{}},"ttl":0}}]"#
    );
    let Ok(AuthorizeAnswer::Yes { responses, .. }) = decision(&body) else {
        panic!("allowed")
    };
    let header = |name: &str, value: &str| ResponseAttribute::Header {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    assert_eq!(responses, [header("cn", "demo"), header("mail", "a@b^c@d")]);
}

#[test]
fn the_question_is_that_of_an_agent() {
    let request = AuthorizeRequest {
        session: SessionTicket {
            session_id: SessionId::from_bytes([1; 20]),
            session_spec: SessionSpec::new(String::from("AQIC5test.*")),
        },
        resource: ResourceContext {
            agent: String::from("agent-1"),
            server: String::from("app.test"),
            resource: String::from("/app/a b?\u{e4}%"),
            action: String::from("GET"),
        },
        realm: RealmContext {
            name: String::from("app"),
            protection_level: ProtectionLevel(5),
            auth_scheme: AuthScheme::Form,
            idle_timeout: Duration::ZERO,
            max_timeout: Duration::from_secs(7200),
            persistent: false,
        },
        from: "192.0.2.7".parse().unwrap(),
        client_address: None,
        transaction_id: String::from("t"),
    };
    let name = resource_name(&request.resource);
    assert_eq!(name, "https://app.test:443/app/a%20b%3F%C3%A4%25");
    let body = question(&request, &name, "iPlanetAMWebAgentService").unwrap();
    let sent: Value = serde_json::from_slice(body.expose()).unwrap();
    let expected = serde_json::json!({
        "resources": [name],
        "application": "iPlanetAMWebAgentService",
        "subject": {"ssoToken": "AQIC5test.*"},
        "environment": {"requestIp": ["192.0.2.7"]},
    });
    assert_eq!(sent, expected);
}
