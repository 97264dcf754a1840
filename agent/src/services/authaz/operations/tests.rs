use std::collections::BTreeMap;

use super::*;

fn service() -> Authaz {
    Authaz {
        path: "/authazws".into(),
        apps: BTreeMap::from([("app".into(), "app.test".into())]),
        require_session: None,
        callers: Vec::new(),
    }
}

fn asked(app: &str, resource: Option<&str>) -> Option<(String, String)> {
    let fields = Fields {
        app_id: Some(app.into()),
        resource: resource.map(str::to_owned),
        ..Fields::default()
    };
    let target = target(&service(), &fields, &Method::GET)?;
    Some((
        target.host().to_owned(),
        target.path_and_query().to_string(),
    ))
}

#[test]
fn a_resource_has_one_reading() {
    for (resource, expected) in [
        (None, "/"),
        (Some("/"), "/"),
        (Some("/a/b"), "/a/b"),
        (Some("a/b"), "/a/b"),
        (Some("/a?x=1"), "/a?x=1"),
        (Some("/%61"), "/a"),
    ] {
        let expected = Some(("app.test".to_owned(), expected.to_owned()));
        assert_eq!(asked("app", resource), expected, "{resource:?}");
    }
    for resource in [
        "//a",
        "/a/../b",
        "/a/./b",
        "/a\\b",
        "/a%2fb",
        "/a%00",
        "/a#b",
        "/a b",
        "/a%zz",
        "http://x/a",
        "/ż",
    ] {
        assert_eq!(asked("app", Some(resource)), None, "{resource}");
    }
    assert_eq!(asked("other", Some("/a")), None);
}

#[test]
fn methods_are_a_list() {
    let of = |action: Option<&str>| {
        let action = action.map(str::to_owned);
        let methods = actions(&Fields {
            action,
            ..Fields::default()
        })?;
        Some(
            methods
                .iter()
                .map(|method| method.as_str().to_owned())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(of(None), Some(vec!["GET".into()]));
    assert_eq!(
        of(Some("GET, POST")),
        Some(vec!["GET".into(), "POST".into()])
    );
    for action in ["GET,", ",", "GET POST", "GET,\u{e9}", &"GET,".repeat(17)] {
        assert_eq!(of(Some(action)), None, "{action}");
    }
}

#[test]
fn nobody_learns_why_credentials_do_not_do() {
    for reason in [
        Reason::NONE,
        Reason::UNKNOWN_USER,
        Reason::USER_DISABLED,
        Reason::EXCESSIVE_FAILED_LOGINS,
        Reason::PASSWORD_EXPIRED,
    ] {
        assert_eq!(told(reason), Reason::NONE);
    }
    let quota = Reason::SET_PERSISTENT_SESSION_FAILED;
    assert_eq!(told(quota), quota);
}
