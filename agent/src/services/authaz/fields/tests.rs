use super::*;

fn xml(text: &str) -> Result<Fields, Malformed> {
    Fields::from_xml(&Element::read(text.as_bytes())?)
}

fn user(name: &str, password: &str) -> Fields {
    Fields {
        user_name: Some(name.into()),
        password: Some(Secret::new(password.into())),
        ..Fields::default()
    }
}

#[test]
fn the_documented_request_is_read() {
    let fields = xml(
        "<loginRequest>  <binaryCreds></binaryCreds> <password>user1</password> \
         <userName>user1</userName> <action>GET</action> </loginRequest>",
    );
    let expected = Fields {
        action: Some("GET".into()),
        ..user("user1", "user1")
    };
    assert_eq!(fields, Ok(expected));
}

#[test]
fn names_are_taken_in_any_case_and_in_any_namespace() {
    for name in ["userName", "username", "UserName", "USERNAME"] {
        let text = format!("<x><{name}>alice</{name}><Password>p w </Password></x>");
        assert_eq!(xml(&text), Ok(user("alice", "p w ")), "{name}");
    }
    let text = "<x xmlns:q='urn:q'><q:userName>alice</q:userName><q:password>p</q:password></x>";
    assert_eq!(xml(text), Ok(user("alice", "p")));
    let text = "<x><identityContext><userName>alice</userName><password>p</password></identityContext></x>";
    assert_eq!(xml(text), Ok(user("alice", "p")));
}

#[test]
fn what_is_there_twice_must_be_the_same() {
    let both = |second: &str| {
        xml(&format!(
            "<x><userName>alice</userName><username>{second}</username><password>p</password></x>"
        ))
    };
    assert_eq!(both("alice"), Ok(user("alice", "p")));
    assert_eq!(both(""), Ok(user("alice", "p")));
    assert_eq!(both("bob"), Err(Malformed));
    for text in [
        "<x><sessionToken>a</sessionToken><sessiontoken>b</sessiontoken></x>",
        "<x><password>a</password><password>b</password></x>",
        "<x><appId>a</appId><identityContext><appId>b</appId></identityContext></x>",
        "<x><userName>a<b/></userName></x>",
    ] {
        assert_eq!(xml(text), Err(Malformed), "{text}");
    }
}

#[test]
fn tokens_and_paths_may_be_wrapped_in_blanks_and_what_is_empty_is_absent() {
    let fields = xml(
        "<x><sessionToken>\n  t \n</sessionToken><appId> a </appId><resource> /r </resource><action/>\
         <password></password><unknown><userName>no</userName></unknown></x>",
    );
    let expected = Fields {
        session_token: Some(Secret::new("t".into())),
        app_id: Some("a".into()),
        resource: Some("/r".into()),
        ..Fields::default()
    };
    assert_eq!(fields, Ok(expected));
}

#[test]
fn json_is_read_with_the_same_names() {
    for text in [
        r#"{"userName":"alice","password":"p"}"#,
        r#"{"username":"alice","password":"p","more":[{"x":null}],"action":"","appId":null}"#,
    ] {
        assert_eq!(
            Fields::from_json(text.as_bytes()),
            Ok(user("alice", "p")),
            "{text}"
        );
    }
}

#[test]
fn json_with_two_readings_is_refused() {
    for text in [
        "",
        "[]",
        "null",
        "{",
        r#"{"userName":"a","userName":"b"}"#,
        r#"{"userName":"a","username":"a"}"#,
        r#"{"userName":1}"#,
        r#"{"userName":["a"]}"#,
        r#"{"userName":"a"} x"#,
    ] {
        assert_eq!(
            Fields::from_json(text.as_bytes()),
            Err(Malformed),
            "{text:.40}"
        );
    }
}

#[test]
fn what_is_ignored_may_be_as_deep_as_it_likes() {
    let deep = |open: &str| format!("{{\"x\":{}", open.repeat(30_000));
    let whole = deep("[") + &"]".repeat(30_000) + "}";
    assert_eq!(Fields::from_json(whole.as_bytes()), Ok(Fields::default()));
    assert_eq!(Fields::from_json(deep("[").as_bytes()), Err(Malformed));
    let named = deep("[").replace('x', "userName");
    assert_eq!(Fields::from_json(named.as_bytes()), Err(Malformed));
}

#[test]
fn secrets_are_not_printed() {
    let printed = format!("{:?}", user("alice", "hunter2"));
    assert!(!printed.contains("hunter2"), "{printed}");
}
