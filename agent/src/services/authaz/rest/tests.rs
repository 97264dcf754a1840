use policy_protocol::Secret;

use super::*;

fn call(operation: Operation, app_id: Option<&str>, resource: Option<&str>) -> Option<Rest> {
    Some(Rest {
        operation,
        app_id: app_id.map(str::to_owned),
        resource: resource.map(str::to_owned),
    })
}

#[test]
fn paths_name_operation_application_and_resource() {
    use Operation::{Authorize, Blogin, Login, Logout};
    for (path, query, expected) in [
        (
            "/AuthRestService/login/app/a/b",
            None,
            call(Login, Some("app"), Some("/a/b")),
        ),
        (
            "/AuthRestService/login/app/a",
            Some("x=/"),
            call(Login, Some("app"), Some("/a?x=/")),
        ),
        (
            "/AuthRestService/login/app/",
            None,
            call(Login, Some("app"), None),
        ),
        (
            "/AuthRestService/blogin/app/a",
            None,
            call(Blogin, Some("app"), Some("/a")),
        ),
        ("/AuthRestService/logout/", None, call(Logout, None, None)),
        ("/AuthRestService/logout", None, call(Logout, None, None)),
        (
            "/AuthRestService/logout/app/a/",
            None,
            call(Logout, Some("app"), Some("/a/")),
        ),
        (
            "/AuthRestService/authz/app/a",
            None,
            call(Authorize, Some("app"), Some("/a")),
        ),
        ("/blogin/app/a", None, call(Blogin, Some("app"), Some("/a"))),
        (
            "/logout/app/a/",
            None,
            call(Logout, Some("app"), Some("/a/")),
        ),
        ("/AuthRestService", None, None),
        ("/AuthRestService/", None, None),
        ("/AuthRestService/Login/app", None, None),
        ("/AuthRestServicelogin/app", None, None),
        ("/AuthRestService/authorize/app", None, None),
        ("/auth/login", None, None),
        ("/", None, None),
        ("", None, None),
    ] {
        assert_eq!(Rest::parse(path, query), expected, "{path}");
    }
}

#[test]
fn path_and_body_must_not_contradict_each_other() {
    let joined = |resource: Option<&str>, app: Option<&str>, named: Option<&str>| {
        let call = call(Operation::Authorize, Some("app"), resource).expect("a call");
        let fields = Fields {
            app_id: app.map(str::to_owned),
            resource: named.map(str::to_owned),
            ..Fields::default()
        };
        join(call, fields).map(|fields| fields.resource)
    };
    let a = || Ok(Some(String::from("/a")));
    assert_eq!(joined(Some("/a"), None, None), a());
    assert_eq!(joined(None, Some("app"), Some("/a")), a());
    for same in ["/a", "a", "/a?x=1"] {
        assert_eq!(joined(Some("/a"), None, Some(same)), a(), "{same}");
    }
    for other in ["/b", "/a/", "//a", "/a/../a", "/%61"] {
        assert_eq!(
            joined(Some("/a"), None, Some(other)),
            Err(Malformed),
            "{other}"
        );
    }
    assert_eq!(joined(Some("/a"), Some("other"), None), Err(Malformed));
}

#[test]
fn each_operation_takes_its_own_root() {
    let read = |operation, text: &str| {
        Element::read(text.as_bytes()).and_then(|root| from_xml(operation, root))
    };
    let token = || {
        Ok(Fields {
            session_token: Some(Secret::new("t".into())),
            ..Fields::default()
        })
    };
    for root in ["logoutRequest", "LogoutRequest", "anything"] {
        let text = format!("<{root}><sessionToken>t</sessionToken></{root}>");
        assert_eq!(read(Operation::Logout, &text), token(), "{root}");
    }
    assert_eq!(
        read(Operation::Logout, "<sessionToken>t</sessionToken>"),
        token()
    );
    let text = "<authorizationRequest><sessionToken>t</sessionToken></authorizationRequest>";
    assert_eq!(read(Operation::Authorize, text), token());
    assert_eq!(read(Operation::Login, text), Err(Malformed));
    for operation in [Operation::Login, Operation::Blogin] {
        let text = "<LOGINREQUEST><password>p</password></LOGINREQUEST>";
        assert!(read(operation, text).is_ok());
    }
}
