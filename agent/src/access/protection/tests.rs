use std::time::Duration;

use http::Uri;
use policy_protocol::ProtectionLevel;
use proptest::prelude::*;

use super::*;

pub(crate) fn realm(name: &str, host: &str, resource: &str, scheme: AuthScheme) -> Realm {
    Realm {
        name: name.to_owned(),
        hosts: vec![host.to_owned()],
        resource: resource.to_owned(),
        upstream: 0,
        scheme,
        level: ProtectionLevel(5),
        idle_timeout: Duration::from_secs(3600),
        max_timeout: Duration::from_secs(7200),
        validation_period: Duration::from_secs(300),
        persistent: false,
        methods: Vec::new(),
        rules: Vec::new(),
        authorize: false,
        responses: Vec::new(),
        ignore_paths: Vec::new(),
        ignore_extensions: Vec::new(),
        redirect_scripts: false,
    }
}

fn table(realms: Vec<Realm>) -> RealmTable {
    RealmTable::new(&realms.into_iter().map(Arc::new).collect::<Vec<_>>())
}

fn target(host: &str, path: &str) -> Result<RequestTarget, Denial> {
    let uri: Uri = path.parse().map_err(|_| Denial::BadRequest("not a URI"))?;
    RequestTarget::new(host.to_owned(), None, &uri, &Method::GET)
}

fn found(table: &RealmTable, host: &str, path: &str) -> String {
    match target(host, path).and_then(|target| table.find(&target)) {
        Ok(Protection::Open(open)) => format!("open {}", open.realm().name),
        Ok(Protection::Protected(realm)) => realm.name.clone(),
        Err(denial) => format!("{}", denial.status().as_u16()),
    }
}

#[test]
fn the_longest_resource_wins_by_whole_segments() {
    let table = table(vec![
        realm("root", "app.test", "/", AuthScheme::None),
        realm("app", "app.test", "/app", AuthScheme::Form),
        realm("admin", "app.test", "/app/admin", AuthScheme::Basic),
    ]);
    for (path, expected) in [
        ("/", "open root"),
        ("/x", "open root"),
        ("/app", "app"),
        ("/app/", "app"),
        ("/app/x/y/z/w", "app"),
        ("/application", "open root"),
        ("/app;v=1", "app"),
        ("/app;v=1/admin", "admin"),
        ("/app/admin;x/y", "admin"),
        ("/app/admins", "app"),
        ("/%61pp/%61dmin", "admin"),
    ] {
        assert_eq!(found(&table, "app.test", path), expected, "{path}");
    }
    assert_eq!(found(&table, "other.test", "/app"), "404");
}

#[test]
fn a_longer_resource_on_any_host_beats_a_shorter_one_on_the_host_itself() {
    let table = table(vec![
        realm("own", "app.test", "/", AuthScheme::None),
        realm("any-admin", "*", "/admin", AuthScheme::Form),
        realm("own-admin", "own.test", "/admin", AuthScheme::Basic),
    ]);
    assert_eq!(found(&table, "app.test", "/admin/x"), "any-admin");
    assert_eq!(found(&table, "own.test", "/admin/x"), "own-admin");
    assert_eq!(found(&table, "app.test", "/x"), "open own");
}

#[test]
fn a_path_that_another_case_would_protect_has_two_readings() {
    let table = table(vec![
        realm("root", "*", "/", AuthScheme::None),
        realm("admin", "*", "/admin", AuthScheme::Form),
    ]);
    assert_eq!(found(&table, "app.test", "/Admin"), "400");
    assert_eq!(found(&table, "app.test", "/ADMIN/x"), "400");
    assert_eq!(found(&table, "app.test", "/Other"), "open root");
    assert_eq!(found(&table, "app.test", "/admin/X"), "admin");
}

#[test]
fn a_realm_with_capitals_is_not_reached_by_another_spelling() {
    let table = table(vec![
        realm("root", "*", "/", AuthScheme::None),
        realm("admin", "*", "/Admin", AuthScheme::Form),
    ]);
    assert_eq!(found(&table, "app.test", "/Admin/x"), "admin");
    for path in ["/admin/x", "/ADMIN/x", "/admin"] {
        assert_eq!(found(&table, "app.test", path), "400", "{path}");
    }
    assert_eq!(found(&table, "app.test", "/other"), "open root");
}

#[test]
fn only_harmless_reads_of_plain_names_are_ignored_by_extension() {
    let mut app = realm("app", "*", "/", AuthScheme::Form);
    app.ignore_extensions = vec![String::from(".gif")];
    let table = table(vec![app]);
    assert_eq!(found(&table, "app.test", "/images/x.gif"), "open app");
    for path in [
        "/admin/$/x.gif",
        "/admin?x.gif",
        "/app.pl/x.gif",
        "/admin;.gif",
        "/a.b.gif",
        "/x%2egif/y",
        "/admin;x.gif",
        "/x.GIF",
        "/x.gif/",
        "/x.gifs",
        "/admin@x.gif",
        "/admin%3b.gif",
    ] {
        assert_eq!(found(&table, "app.test", path), "app", "{path}");
    }
    for path in ["/admin/x.gif/..", "/admin%00.gif", "/admin%2fx.gif"] {
        assert_eq!(found(&table, "app.test", path), "400", "{path}");
    }
    let uri = "/images/x.gif".parse().unwrap();
    let post = RequestTarget::new(String::from("app.test"), None, &uri, &Method::POST).unwrap();
    assert!(matches!(table.find(&post), Ok(Protection::Protected(_))));
}

#[test]
fn ignored_paths_are_whole_segments_and_never_the_query() {
    let mut app = realm("app", "*", "/", AuthScheme::Form);
    app.ignore_paths = vec![String::from("/public")];
    let table = table(vec![app]);
    assert_eq!(found(&table, "app.test", "/public/a"), "open app");
    for path in ["/publicity", "/x?/public", "/x/public"] {
        assert_eq!(found(&table, "app.test", path), "app", "{path}");
    }
}

#[test]
fn an_ignored_path_with_a_slash_at_its_end_is_what_is_below() {
    let mut app = realm("app", "*", "/", AuthScheme::Form);
    app.ignore_paths = vec![String::from("/public/")];
    let table = table(vec![app]);
    for path in ["/public/", "/public/a", "/public/a/b"] {
        assert_eq!(found(&table, "app.test", path), "open app", "{path}");
    }
    for path in ["/public", "/public;x", "/publicity", "/x/public/"] {
        assert_eq!(found(&table, "app.test", path), "app", "{path}");
    }
}

#[test]
fn a_method_outside_the_list_does_not_pass() {
    let mut app = realm("app", "*", "/", AuthScheme::None);
    app.methods = vec![Method::POST];
    assert_eq!(found(&table(vec![app]), "app.test", "/"), "405");
}

proptest! {
    /// However a protected path is spelled, it is refused or protected.
    #[test]
    fn no_spelling_of_a_protected_path_is_open(
        letters in proptest::collection::vec(0u8..4, 5),
        before in "(/|//|/\\./|/x/\\.\\./|/%2e/|/;/|\\\\)?",
        after in "(|/|/x|;a=1|%20|%2f|/\\.\\.|%00|\\?x|#y|/%2e%2e/pub)",
    ) {
        let table = table(vec![
            realm("root", "*", "/", AuthScheme::None),
            realm("admin", "*", "/admin", AuthScheme::Form),
        ]);
        let spelled: String = "admin".chars().zip(letters).map(|(letter, how)| match how {
            0 => letter.to_string(),
            1 => format!("%{:02x}", letter as u32),
            2 => format!("%{:02X}", letter as u32),
            _ => letter.to_ascii_uppercase().to_string(),
        }).collect();
        let path = format!("{}{}{}", if before.is_empty() { "/" } else { &before }, spelled, after);
        let found = found(&table, "app.test", &path);
        let harmless = after == "%20" && found == "open root"; // another name, not another spelling
        prop_assert!(found == "admin" || found == "400" || harmless, "{path} gave {found}");
    }

    #[test]
    fn lookup_agrees_with_comparing_every_resource(
        resources in proptest::collection::hash_set("(/[ab]{1,2}){1,4}", 1..12),
        path in "(/[ab]{1,2}){0,6}/?",
    ) {
        let path = if path.is_empty() { String::from("/") } else { path };
        let realms: Vec<_> = resources.iter().map(|resource| realm(resource, "*", resource, AuthScheme::Form)).collect();
        let expected = resources.iter().filter(|resource| covers(resource, &path)).max_by_key(|resource| resource.len());
        prop_assert_eq!(found(&table(realms), "app.test", &path), expected.map_or("404", String::as_str));
    }
}
