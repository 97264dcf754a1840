//! Single settings.

use super::*;

#[test]
fn the_values_of_an_agent_configuration_arrive() {
    let import = import(aco(ACO));
    let config = filled_in(&import);
    assert_eq!(config.agent_name, "gateway-1");
    assert_eq!(config.session.zone, "Z1");
    assert_eq!(config.session.trusted_zones, ["SM", "Z2"]);
    assert_eq!(config.session.cookie_domain.as_deref(), Some("example.com"));
    assert_eq!(config.session.same_site, config::SameSite::None);
    assert_eq!(config.session.grace_period.as_secs(), 45);
    assert!(config.session.check_client_address);
    assert_eq!(config.session.cache_bytes, 118 << 20);
    assert_eq!(config.session.overlook.len(), 4);
    assert_eq!(config.login.logout_paths, ["/app/logout.html", "/signout"]);
    assert_eq!(config.login.allowed_targets, ["https://www.example.com"]);
    assert_eq!(config.login.preserve_bytes, 0);
    assert!(config.identity.hyphens);
    assert_eq!(
        config.identity.omit,
        [
            "SM_SERVERSESSIONSPEC",
            "SM_SERVERSESSIONID",
            "SM_USER",
            "SM_USERDN",
            "SM_USERGROUPS"
        ]
    );
    let proxies: Vec<String> = config
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(proxies, ["10.1.0.5/32", "10.1.0.6/32"]);
    let any = &config.realms[0];
    assert!(any.authorize);
    assert_eq!(any.ignore_paths, ["/assets/", "/public"]);
    assert_eq!(any.ignore_extensions, [".gif", ".css"]);
}

#[test]
fn the_values_of_an_agent_of_am_arrive() {
    let import = import(openam(AGENT));
    let config = filled_in(&import);
    assert_eq!(config.agent_name, "webagent");
    assert_eq!(config.session.cookie_domain.as_deref(), Some("example.com"));
    assert!(config.session.check_client_address);
    assert_eq!(config.login.logout_paths, ["/app/logout"]);
    assert_eq!(
        config.login.logout_target.as_deref(),
        Some("https://www.example.com/bye")
    );
    let hosts: Vec<&str> = config
        .realms
        .iter()
        .map(|realm| realm.hosts[0].as_str())
        .collect();
    assert_eq!(hosts, ["app.example.com", "www.example.com"]);
    for realm in &config.realms {
        assert!(realm.authorize);
        assert_eq!(
            realm.ignore_paths,
            ["/images/", "/public"],
            "{}",
            import.text
        );
        assert_eq!(realm.responses.len(), 1);
    }
    let managed: Vec<&str> = config
        .identity
        .managed
        .iter()
        .map(http::HeaderName::as_str)
        .collect();
    assert_eq!(managed, ["x-level", "x-policy"]);
}

#[test]
fn what_the_other_agent_does_by_default_is_taken_over_or_listed() {
    let import = import(aco("EnableAuthorization=\n"));
    assert!(filled_in(&import).realms[0].authorize);
    let weaker = left(&import, Kind::Weaker);
    assert_eq!(weaker, ["BadUrlChars `./,/.,/*,*.,~`", "CSSChecking"]);
    let import = super::import(aco(
        "EnableAuthorization=no\nBadUrlChars=//,%00-%1f\nCSSChecking=no\n",
    ));
    assert!(!filled_in(&import).realms[0].authorize);
    assert_eq!(left(&import, Kind::Weaker), Vec::<String>::new());
}

#[test]
fn a_range_is_refused_here_only_if_all_of_it_is() {
    for (range, weaker) in [
        ("%00-%1f", false),
        ("%7f-%7f", false),
        ("%00-%7f", true),
        ("%7f-%ff", true),
        ("%25", true),
        ("%20", true),
        ("\\", false),
        ("..", true),
    ] {
        let import = import(aco(&format!("CSSChecking=no\nBadUrlChars={range}\n")));
        assert_eq!(import.draft.count(Kind::Weaker) == 1, weaker, "{range}");
    }
}

#[test]
fn proxies_are_believed_only_with_the_header_that_is_read() {
    for header in ["", "CustomIpHeader=X-Client-IP\n"] {
        let import = import(aco(&format!("{header}ProxyDefinition=10.1.0.5\n")));
        assert!(filled_in(&import).trusted_proxies.is_empty());
        assert_eq!(
            left(&import, Kind::Missing).last().unwrap(),
            "ProxyDefinition `10.1.0.5`"
        );
    }
    let import = import(aco(
        "CustomIpHeader=x-forwarded-for\nProxyDefinition=10.1.0.5,AUTO\n",
    ));
    assert_eq!(filled_in(&import).trusted_proxies.len(), 1);
    assert!(left(&import, Kind::Missing).contains(&"ProxyDefinition `AUTO`".to_owned()));
}

#[test]
fn addresses_are_compared_where_they_were() {
    for (text, expected) in [
        ("TransientIPCheck=yes", true),
        ("TransientIPCheck=no", false),
        ("RequireClientIP=YES", true),
        ("PersistentIPCheck=yes", false),
        ("PersistentCookies=yes", true),
        ("PersistentCookies=yes\nPersistentIPCheck=no", false),
        ("PersistentIPCheck=yes\nPersistentCookies=yes", true),
        ("TransientIPCheck=maybe", true),
    ] {
        let config = filled_in(&import(aco(text)));
        assert_eq!(config.session.check_client_address, expected, "{text}");
    }
}

#[test]
fn extensions_stay_protected_where_there_are_exceptions() {
    for (more, expected) in [
        ("", 2),
        ("OverrideIgnoreExtFilter=/admin/", 0),
        ("SecureApps=yes", 0),
        ("SecureApps=no", 2),
    ] {
        let import = import(aco(&format!("IgnoreExt=.gif,.css,.fcc,.a.b\n{more}\n")));
        let config = filled_in(&import);
        assert_eq!(config.realms[0].ignore_extensions.len(), expected, "{more}");
    }
}

#[test]
fn a_host_is_open_only_if_it_is_named_in_full() {
    let import = import(aco(
        "IgnoreHost=static.example.com,other.example.com:8080,*.example.net\n",
    ));
    assert_eq!(
        get(&import, "static.example.com", "/x"),
        "open static.example.com/"
    );
    for host in ["other.example.com", "a.example.net", "app.example.com"] {
        assert_eq!(get(&import, host, "/x"), "any host/");
    }
    assert_eq!(left(&import, Kind::Closed).len(), 2);
}

#[test]
fn a_cookie_domain_that_leaves_a_host_out_is_not_taken_over() {
    let aco = "CookieDomain=.example.com\nIgnoreHost=www.example.net\n";
    let import = import(super::aco(aco));
    assert_eq!(filled_in(&import).session.cookie_domain, None);
    assert!(left(&import, Kind::Missing).contains(&"the cookie domain".to_owned()));
}

#[test]
fn a_header_that_is_not_set_here_is_at_least_not_the_clients() {
    let prefix = "com.sun.identity.agents.config";
    let import = import(openam(&format!(
        "{prefix}.session.attribute.fetch.mode = HTTP_HEADER\n\
         {prefix}.session.attribute.mapping[Level] = X-Level\n\
         {prefix}.session.attribute.mapping[Host] = Host\n\
         {prefix}.session.attribute.mapping[Twin] = X_Level\n\
         {prefix}.response.attribute.mapping[c] = cookie\n"
    )));
    let config = filled_in(&import);
    assert_eq!(config.identity.managed, ["x-level"]);
    let weaker = left(&import, Kind::Weaker);
    assert_eq!(weaker.len(), 2, "{weaker:?}");
}

#[test]
fn inverted_lists_and_regular_expressions_open_nothing() {
    let open = "com.sun.identity.agents.config.notenforced.url[0] = /a/*\n\
                com.sun.identity.agents.config.notenforced.url[1] = /a/*?*\n";
    assert!(get(&import(openam(open)), "any.test", "/a/x").starts_with("open "));
    for more in [
        "com.sun.identity.agents.config.notenforced.url.invert = true\n",
        "com.forgerock.agents.notenforced.url.regex.enable = true\n",
        "com.sun.identity.agents.config.notenforced.regex.enable = 1\n",
    ] {
        let import = import(openam(&format!("{open}{more}")));
        assert_eq!(get(&import, "any.test", "/a/x"), "any host/", "{more}");
    }
    let for_get = open.replace("[0]", "[GET,0]");
    assert_eq!(
        get(&import(openam(&for_get)), "any.test", "/a/x"),
        "any host/"
    );
}
