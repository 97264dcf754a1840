//! `[listeners.services.am]`

use super::*;
use crate::config::services::AmProperty;

/// [`SMALL`] with the service, in a realm that takes passwords.
fn with(settings: &str) -> String {
    let service = format!("redirect_to_https = 443\nservices.am = {{ {settings} }}");
    SMALL.replacen("redirect_to_https = 443", &service, 1)
}

fn keys(text: &str) -> Vec<String> {
    problems(text).into_iter().map(|(_, key, _)| key).collect()
}

#[test]
fn every_mistake_is_told_of_its_key() {
    const SERVICE: &str = "listeners[0].services.am";
    for (settings, key) in [
        ("", ".realm"),
        ("realm = \"none\"", ".realm"),
        ("realm = \"all\", path = \"\"", ".path"),
        ("realm = \"all\", path = \"am\"", ".path"),
        ("realm = \"all\", path = \"/doorward\"", ".path"),
        (
            "realm = \"all\", realms = { alpha = \"all\" }",
            ".realms.alpha",
        ),
        ("realm = \"all\", realms = { \"/\" = \"all\" }", ".realms./"),
        (
            "realm = \"all\", realms = { \"/a/\" = \"all\" }",
            ".realms./a/",
        ),
        (
            "realm = \"all\", realms = { \"/a\" = \"none\" }",
            ".realms./a",
        ),
        ("realm = \"all\", cookie_name = \"\"", ".cookie_name"),
        ("realm = \"all\", cookie_name = \"a b\"", ".cookie_name"),
        ("realm = \"all\", cookie_name = \"Cookie\"", ".cookie_name"),
        (
            "realm = \"all\", properties = [\"AuthLevel\", \"color\"]",
            ".properties[1]",
        ),
        (
            "realm = \"all\", origins = [\"https://a.example.com\", \"http://a.example.com\"]",
            ".origins[1]",
        ),
        ("realm = \"all\", origins = [\"*\"]", ".origins[0]"),
        (
            "realm = \"all\", origins = [\"https://a/b\"]",
            ".origins[0]",
        ),
    ] {
        assert_eq!(
            keys(&with(settings)),
            [format!("{SERVICE}{key}")],
            "{settings}"
        );
    }
    let open = with("realm = \"all\"") + "scheme = \"none\"\n";
    assert_eq!(keys(&open), [format!("{SERVICE}.realm")]);
}

#[test]
fn realms_have_names_in_both_directions() {
    let origins = "origins = [\"https://APP.example.com:443\", \"http://localhost:8080\"]";
    let config = sound(&with(&format!(
        "realm = \"all\", realms = {{ \"/a\" = \"all\" }}, {origins}"
    )));
    let am = config.listeners[0].services.am.as_ref().unwrap();
    assert_eq!(am.path, "/am");
    assert_eq!(am.cookie_name, "iPlanetDirectoryPro");
    assert_eq!(am.properties, [AmProperty::AmCtxId]);
    assert_eq!(
        am.origins,
        ["https://app.example.com", "http://localhost:8080"]
    );
    assert_eq!(am.agent_realm("/"), Some("all"));
    assert_eq!(am.agent_realm("/a"), Some("all"));
    assert_eq!(am.agent_realm("/b"), None);
    // Of two names the top-level realm's is the one that sessions have.
    assert_eq!(am.realm_name("all"), "/");
    assert_eq!(am.realm_name("another"), "/");
    assert_eq!(am.sessions_of("/a"), Some((None, Vec::new())));
}

/// Sessions that began elsewhere are of the top-level realm.
#[test]
fn every_session_is_of_one_realm() {
    let realms = "{ \"/a\" = \"x\", \"/b\" = \"x\", \"/c\" = \"y\", \"/top\" = \"all\" }";
    let realm = |name: &str| {
        format!("\n[[realms]]\nname = {name:?}\nresource = \"/{name}\"\nupstream = \"app\"")
    };
    let text = with(&format!("realm = \"all\", realms = {realms}")) + &realm("x") + &realm("y");
    let config = sound(&text);
    let am = config.listeners[0].services.am.as_ref().unwrap();
    let only = |realm: &str| Some((Some(realm.to_owned()), Vec::new()));
    let others = Some((None, ["x", "x", "y"].map(str::to_owned).into()));
    for (name, expected) in [
        ("/", others.clone()),
        ("/top", others),
        ("/a", only("x")),
        ("/b", only("x")),
        ("/c", only("y")),
        ("/d", None),
    ] {
        assert_eq!(am.sessions_of(name), expected, "{name}");
    }
}

/// Only what is below `/json` is the service's where it is at the top.
#[test]
fn the_service_may_be_at_the_top() {
    let at_the_top = with("realm = \"all\", path = \"/\"");
    let config = sound(&at_the_top);
    let am = config.listeners[0].services.am.as_ref().unwrap();
    assert_eq!((am.path.as_str(), am.claimed()), ("", "/json"));
    for (path, shown) in [
        ("/json/sessions/T", Some("/json/sessions/-")),
        ("/json/alpha/sessions/T", Some("/json/alpha/sessions/-")),
        ("/json/sessions/", None),
        ("/x/sessions/T", None),
        // The usual mistake where a base address ends in a slash; it is refused.
        ("//json/sessions/T", Some("//json/sessions/-")),
        ("/x/../json/sessions/T", Some("/x/../json/sessions/-")),
        ("/%6ason/sessions/T", Some("/json/sessions/-")),
        ("/json;a=b/sessions/T", Some("/json/sessions/-")),
        ("/jsonish/sessions/7", None),
    ] {
        let without = crate::services::without_token(&config.listeners, path);
        assert_eq!(without.as_deref(), shown, "{path}");
    }
    let hidden = at_the_top.replace(
        "services.am",
        "services.authaz = { apps = { a = \"b.example\" }, path = \"/json/x\" }\nservices.am",
    );
    assert_eq!(keys(&hidden), ["listeners[0].services.am.path"]);
}
