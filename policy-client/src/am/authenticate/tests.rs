use super::*;
use crate::am::reply::tests::reply;

fn step(status: u16, body: &str) -> Result<Step, PolicyError> {
    read(reply(status, body)?)
}

fn callbacks(body: &str) -> Callbacks {
    match step(200, body) {
        Ok(Step::Callbacks(callbacks)) => callbacks,
        other => panic!("{other:?}"),
    }
}

const CHAIN: &str = r#"{"authId":"eyJ.x.y","template":"","stage":"DataStore1","header":"Sign in","infoText":["",""],
    "callbacks":[
      {"type":"NameCallback","output":[{"name":"prompt","value":"User Name:"}],"input":[{"name":"IDToken1","value":""}]},
      {"type":"PasswordCallback","output":[{"name":"prompt","value":"Password:"}],"input":[{"name":"IDToken2","value":""}]}]}"#;

#[test]
fn the_answers_of_real_servers_are_read() {
    let recorded = r#"{"tokenId":"pQvEBlVtlKos.*AAJTSQ.*","successUrl":"/am/console","realm":"/"}"#;
    let Ok(Step::Token(token)) = step(200, recorded) else {
        panic!("a token")
    };
    assert_eq!(token.expose(), "pQvEBlVtlKos.*AAJTSQ.*");
    let failed = r#"{"code":401,"reason":"Unauthorized","message":"Authentication Failed","detail":{"failureUrl":"x"}}"#;
    assert!(matches!(step(401, failed), Ok(Step::Refused)));
    assert!(matches!(
        step(401, r#"{"errorMessage":"Authentication Failed"}"#),
        Ok(Step::Refused)
    ));
    assert!(matches!(step(200, CHAIN), Ok(Step::Callbacks(_))));
}

#[test]
fn whatever_is_not_about_the_credentials_is_no_refusal() {
    for (status, body, expected) in [
        (200, "", PolicyError::Protocol),
        (200, "<html></html>", PolicyError::Protocol),
        (200, "{}", PolicyError::Protocol),
        (200, r#"{"tokenId":7}"#, PolicyError::Protocol),
        (
            200,
            r#"{"message":"Authentication Successful","successUrl":"/"}"#,
            PolicyError::Protocol,
        ),
        (200, r#"{"authId":"x"}"#, PolicyError::Protocol),
        (
            400,
            r#"{"code":400,"reason":"Bad Request","message":"No Configuration found"}"#,
            PolicyError::Failure,
        ),
        (
            401,
            "<html>Authorization Required</html>",
            PolicyError::Protocol,
        ),
        (
            403,
            r#"{"code":403,"reason":"Forbidden"}"#,
            PolicyError::Failure,
        ),
        (
            408,
            r#"{"code":408,"reason":"Request Time-out","message":"Session has timed out"}"#,
            PolicyError::Failure,
        ),
        (500, "", PolicyError::Failure),
        (503, "", PolicyError::Failure),
    ] {
        assert_eq!(step(status, body).err(), Some(expected), "{status} {body}");
    }
}

#[test]
fn callbacks_go_back_whole_with_name_and_password_in_them() {
    let given = &mut Given::new("demo", "changeit");
    let body = callbacks(CHAIN).fill(given).unwrap();
    let sent: Value = serde_json::from_slice(body.expose()).unwrap();
    assert_eq!(sent["authId"], "eyJ.x.y");
    assert_eq!(sent["stage"], "DataStore1");
    assert_eq!(sent["callbacks"][0]["input"][0]["value"], "demo");
    assert_eq!(sent["callbacks"][0]["input"][0]["name"], "IDToken1");
    assert_eq!(sent["callbacks"][1]["input"][0]["value"], "changeit");
    // The same once more is not guessed again.
    assert!(callbacks(CHAIN).fill(given).is_err());
}

#[test]
fn name_and_password_may_come_on_pages_of_their_own() {
    let given = &mut Given::new("demo", "changeit");
    let name = r#"{"authId":"a","callbacks":[
        {"type":"TextOutputCallback","output":[{"name":"message","value":"Welcome"}]},
        {"type":"NameCallback","_id":0,"input":[{"name":"IDToken1","value":""}]}]}"#;
    let password = r#"{"authId":"b","callbacks":[
        {"type":"PasswordCallback","_id":1,"input":[{"name":"IDToken1","value":""}]}]}"#;
    callbacks(name).fill(given).unwrap();
    let sent = callbacks(password).fill(given).unwrap();
    let sent: Value = serde_json::from_slice(sent.expose()).unwrap();
    assert_eq!(sent["callbacks"][0]["input"][0]["value"], "changeit");
}

#[test]
fn what_nobody_here_can_answer_is_not_answered() {
    for (message, kind) in [
        (
            r#"{"type":"ChoiceCallback","input":[{"name":"IDToken1","value":0}]}"#,
            "ChoiceCallback",
        ),
        (r#"{"type":"PollingWaitCallback"}"#, "none"),
        (r#"{"type":"NameCallback","input":["x"]}"#, "NameCallback"),
        (r#"{"input":[{}]}"#, ""),
        ("7", "none"),
    ] {
        let body = format!(r#"{{"authId":"a","callbacks":[{message}]}}"#);
        let refused = callbacks(&body).fill(&mut Given::new("demo", "changeit"));
        assert_eq!(
            refused.err(),
            Some(Unanswerable(kind.to_owned())),
            "{message}"
        );
    }
}

#[test]
fn headers_hold_any_name_and_password() {
    let text = |text: &str| header_text(text).unwrap().expose().clone();
    assert_eq!(text("demo"), "demo");
    assert_eq!(text("pass word"), "pass word");
    assert_eq!(text("pässword"), "=?UTF-8?B?cMOkc3N3b3Jk?=");
    assert_eq!(text(" led"), "=?UTF-8?B?IGxlZA==?=");
    assert_eq!(
        text("=?UTF-8?B?eA==?="),
        "=?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?="
    );
    assert_eq!(
        text("a\r\nX-OpenAM-Username: admin").matches("\r").count(),
        0
    );
    let long = "ü".repeat(100);
    let words = text(&long);
    let decoded: Vec<u8> = words
        .split(' ')
        .flat_map(|word| {
            assert!(word.len() <= 75);
            let inner = word
                .strip_prefix("=?UTF-8?B?")
                .and_then(|w| w.strip_suffix("?="));
            STANDARD.decode(inner.unwrap()).unwrap()
        })
        .collect();
    assert_eq!(String::from_utf8(decoded).unwrap(), long);
    assert!(header_text(&"x".repeat(MAX_CREDENTIAL + 1)).is_none());
}
