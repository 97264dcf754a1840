use super::*;
use crate::config::PageSettings;

fn allowed() -> AllowedTargets {
    AllowedTargets::new(&LoginSettings {
        path: String::from("/doorward"),
        logout_paths: Vec::new(),
        logout_target: None,
        allowed_targets: vec![
            String::from("https://other.test"),
            String::from("https://port.test:8443"),
        ],
        preserve_bytes: 0,
        remember_user_name: None,
        pages: PageSettings::default(),
    })
}

fn location(raw: &str) -> Option<String> {
    allowed()
        .resolve(true, "app.test:8443", raw)
        .map(|target| target.location)
}

#[test]
fn paths_and_listed_origins_are_allowed() {
    for (raw, expected) in [
        ("/", "/"),
        ("/app?x=1#y", "/app?x=1#y"),
        ("app/page", "/app/page"),
        ("https://app.test:8443/app", "/app"),
        ("https://other.test/x", "https://other.test/x"),
        ("https://OTHER.test:443/x", "https://other.test/x"),
        ("https://port.test:8443/", "https://port.test:8443/"),
        ("?x", "/?x"),
        ("https:evil.test", "/evil.test"),
    ] {
        assert_eq!(location(raw).as_deref(), Some(expected), "{raw}");
    }
}

#[test]
fn everything_else_is_not() {
    for raw in [
        "",
        "//evil.test",
        "//evil.test/",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "https://evil.test",
        "http://app.test:8443/",
        "https://app.test/",
        "https://app.test:8443@evil.test/",
        "https://user@other.test/",
        "https://other.test.evil.test/",
        "https://evil.test/other.test",
        "https://evilother.test",
        "https:///evil.test",
        "javascript:alert(1)",
        "data:text/html,x",
        "//other.test:8443/",
        "http://other.test/",
        "ftp://other.test/",
        "/.//evil.test",
        "/..//evil.test",
        "/%2e//evil.test",
        "/x/..//evil.test",
        " /app",
        "/app ",
        "/a\r\nSet-Cookie: x",
        "https://other.test:444/",
        "https://other%2etest@evil.test/",
        "https://evil.test#other.test",
        "https://evil.test?other.test",
        "https://①②③.test",
        "/é",
        "mailto:a@b",
        "blob:https://other.test/x",
        "//evil%E3%80%82test",
    ] {
        assert_eq!(location(raw), None, "{raw:?}");
    }
    assert_eq!(
        location(&format!("/{}", "x".repeat(MAX_TARGET_LENGTH))),
        None
    );
}
