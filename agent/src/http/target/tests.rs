use super::*;
use proptest::prelude::*;

fn target(path: &str) -> Result<RequestTarget, Denial> {
    let uri = path
        .parse::<Uri>()
        .map_err(|_| Denial::BadRequest("not a URI"))?;
    RequestTarget::new(String::from("app.test"), None, &uri, &Method::GET)
}

#[test]
fn an_ordinary_path_is_forwarded_as_it_came() {
    for path in [
        "/",
        "/app",
        "/app/",
        "/app/page.html?x=1&y=%2F..",
        "/a-b/c_d/~e",
        "/a@b:c,d/(e)!f",
    ] {
        let target = target(path).unwrap();
        assert_eq!(target.path_and_query().as_str(), path);
        assert_eq!(target.resource(), target.path());
    }
}

#[test]
fn percent_encoding_has_one_form() {
    for (raw, forwarded, resource) in [
        ("/%61dmin", "/admin", "/admin"),
        ("/%7euser", "/~user", "/~user"),
        ("/caf%c3%a9", "/caf%C3%A9", "/café"),
        ("/a%20b?q=%20", "/a%20b", "/a b"),
        ("/what%3f", "/what%3F", "/what?"),
        ("/admin;x=1/", "/admin;x=1/", "/admin/"),
        ("/admin%3bx", "/admin%3Bx", "/admin"),
    ] {
        let target = target(raw).unwrap();
        assert_eq!(
            (target.path(), target.resource()),
            (forwarded, resource),
            "{raw}"
        );
    }
}

#[test]
fn a_path_with_two_readings_is_refused() {
    for path in [
        "/a/../b",
        "/a/./b",
        "/..",
        "/.",
        "/a/%2e%2e/b",
        "/a/.%2E/b",
        "/%2e/",
        "/a/..;/b",
        "/a/..;x=1/b",
        "/a/%2e%2e;/b",
        "/a/..%3b/b",
        "//admin",
        "/a//b",
        "/a/;x/b",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/a%25b",
        "/a%252fb",
        "/a%00",
        "/a%0d%0ab",
        "/a%7f",
        "/a%",
        "/a%4",
        "/a%zz",
        "/a%c0%ae",
        "/a%ff",
        "/%c0%afadmin",
        "*",
        "admin",
    ] {
        assert!(target(path).is_err(), "{path} was accepted");
    }
}

#[test]
fn connect_and_trace_never_pass() {
    for method in [Method::CONNECT, Method::TRACE] {
        let uri = Uri::from_static("/");
        assert!(matches!(
            RequestTarget::new(String::from("app.test"), None, &uri, &method),
            Err(Denial::MethodNotAllowed)
        ));
    }
}

#[test]
fn a_host_is_a_name_or_an_address_with_an_optional_port() {
    for (text, host, port) in [
        ("App.Test", "app.test", None),
        ("app.test:8443", "app.test", Some(8443)),
        ("127.0.0.1:1", "127.0.0.1", Some(1)),
        ("[::1]:8443", "[::1]", Some(8443)),
        ("[::1]", "[::1]", None),
        ("[0:0:0:0:0:0:0:1]:1", "[::1]", Some(1)),
    ] {
        assert_eq!(parse_host(text), Some((String::from(host), port)), "{text}");
    }
    for text in [
        "",
        "app.test.",
        "app.test.:80",
        ".",
        ":80",
        "a b",
        "user@host",
        "a:",
        "a:x",
        "a:99999",
        "a:+1",
        "[::1",
        "[zz]",
        "[::1]x",
        "a\";b",
        "a/b",
        "é",
    ] {
        let parsed = parse_host(text);
        assert!(parsed.is_none(), "{text} gave {parsed:?}");
    }
}

#[test]
fn uri_and_host_header_must_agree() {
    let parse = |uri: &str, hosts: &[&str]| {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        single_host(&uri.parse().unwrap(), &headers)
    };
    assert!(parse("/", &["app.test"]).is_ok());
    assert!(parse("http://app.test/", &["APP.test"]).is_ok());
    assert!(parse("http://evil.test/", &["app.test"]).is_err());
    assert!(parse("/", &[]).is_err());
    assert!(parse("/", &["app.test", "app.test"]).is_err());
    assert!(parse("/", &["user@app.test"]).is_err());
}

proptest! {
    #[test]
    fn a_canonical_path_is_its_own_canonical_form(path in "/[a-zA-Z0-9./;%~_ -]{0,40}") {
        if let Ok(first) = target(&path) {
            let second = target(first.path_and_query().as_str()).unwrap();
            prop_assert_eq!(first.path_and_query(), second.path_and_query());
            prop_assert_eq!(first.resource(), second.resource());
        }
    }

    #[test]
    fn no_accepted_resource_has_a_dot_segment_or_a_double_slash(path in "/[a/.;%2eEfF5cC\\\\]{0,30}") {
        if let Ok(target) = target(&path) {
            let resource = target.resource();
            let has_dot_segment = resource.split('/').any(|segment| matches!(segment, "." | ".."));
            prop_assert!(!has_dot_segment && !resource.contains("//"));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(uri) = Uri::try_from(bytes.as_slice()) {
            let _ = RequestTarget::new(String::from("app.test"), None, &uri, &Method::GET);
        }
    }
}
