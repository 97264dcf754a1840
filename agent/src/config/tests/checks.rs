//! Each check for sense, one at a time: a change of a sound configuration, and the one key it is told of.

use super::*;

/// What is wrong with [`SMALL`] after `change`, as keys.
fn keys(change: impl FnOnce(String) -> String) -> Vec<String> {
    problems(&change(SMALL.to_owned()))
        .into_iter()
        .map(|(_, key, _)| key)
        .collect()
}

/// Warnings about [`SMALL`] after `change`.
fn warnings(change: impl FnOnce(String) -> String) -> Vec<String> {
    sound(&change(SMALL.to_owned())).warnings
}

fn append(more: &str) -> impl FnOnce(String) -> String + '_ {
    move |text| text + more
}

fn prepend(more: &str) -> impl FnOnce(String) -> String + '_ {
    move |text| more.to_owned() + &text
}

fn swap<'a>(from: &'a str, to: &'a str) -> impl FnOnce(String) -> String + 'a {
    move |text| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    }
}

const TLS: &str = "tls.certificates = [{ cert_file = \"tls/app.example.com.pem\", key_file = \"tls/app.example.com.key\" }]";

#[test]
fn every_mistake_in_a_realm_is_told_of_its_key() {
    for (more, key) in [
        ("protection_level = 1001", "protection_level"),
        ("idle_timeout = \"3h\"", "idle_timeout"),
        ("idle_timeout = \"500ms\"", "idle_timeout"),
        ("max_timeout = \"0s\"", "max_timeout"),
        ("validation_period = \"0s\"", "validation_period"),
        ("validation_period = \"3h\"", "validation_period"),
        ("hosts = []", "hosts"),
        ("hosts = [\"*.example.com\"]", "hosts[0]"),
        ("hosts = [\"a.example\", \"A.example\"]", "hosts[1]"),
        ("methods = [\"get\"]", "methods[0]"),
        ("scheme = \"certificate\"", "scheme"),
        ("scheme = \"digest\"", "scheme"),
        ("scheme = \"none\"\npersistent = true", "persistent"),
        ("scheme = \"none\"\nauthorize = true", "authorize"),
        (
            "scheme = \"none\"\nrules = [{ name = \"r\", users = [\"u\"] }]",
            "rules[0]",
        ),
        ("ignore_paths = [\"/a/..\"]", "ignore_paths[0]"),
        ("ignore_paths = [\"/a//\"]", "ignore_paths[0]"),
        ("ignore_extensions = [\"css\"]", "ignore_extensions[0]"),
        ("ignore_extensions = [\".tar.gz\"]", "ignore_extensions[0]"),
        ("rules = [{ name = \"r\" }]", "rules[0]"),
        (
            "rules = [{ name = \"r\", users = [\"u\"] }, { name = \"r\", users = [\"u\"] }]",
            "rules[1].name",
        ),
        (
            "rules = [{ name = \"r\", attributes = { a = [] } }]",
            "rules[0].attributes.a",
        ),
        (
            "rules = [{ name = \"r\", networks = [\"10.0.0.0/33\"] }]",
            "rules[0].networks[0]",
        ),
        (
            "rules = [{ name = \"r\", resource = \"x\" }]",
            "rules[0].resource",
        ),
        ("responses = [{ value = \"v\" }]", "responses[0]"),
        (
            "responses = [{ header = \"x-a\", cookie = \"a\", value = \"v\" }]",
            "responses[0]",
        ),
        ("responses = [{ header = \"x-a\" }]", "responses[0]"),
        (
            "responses = [{ header = \"x-a\", value = \"v\", attribute = \"a\" }]",
            "responses[0]",
        ),
        (
            "responses = [{ header = \"x a\", value = \"v\" }]",
            "responses[0].header",
        ),
        (
            "responses = [{ header = \"sm-user\", value = \"v\" }]",
            "responses[0].header",
        ),
        (
            "responses = [{ header = \"Content_Length\", value = \"1\" }]",
            "responses[0].header",
        ),
        (
            "responses = [{ header = \"X-Forwarded-For\", value = \"1\" }]",
            "responses[0].header",
        ),
        (
            "responses = [{ header = \"x-a\", value = \"a\\nb\" }]",
            "responses[0].value",
        ),
        (
            "responses = [{ header = \"x-a\", attribute = \"\" }]",
            "responses[0].attribute",
        ),
        (
            "responses = [{ cookie = \"a\", value = \"a;b\" }]",
            "responses[0].value",
        ),
        (
            "responses = [{ cookie = \"a b\", value = \"a\" }]",
            "responses[0].cookie",
        ),
        (
            "responses = [{ cookie = \"SMSESSION\", value = \"a\" }]",
            "responses[0].cookie",
        ),
        (
            "responses = [{ header = \"x-a\", value = \"v\" }, { header = \"X-A\", value = \"w\" }]",
            "responses[1]",
        ),
        (
            "responses = [{ header = \"x-a\", value = \"v\" }, { header = \"X_A\", value = \"w\" }]",
            "responses[1].header",
        ),
        (
            "responses = [{ header = \"x_doorward_assertion\", value = \"v\" }]\n[identity.assertion]\nissuer = \"i\"",
            "responses[0].header",
        ),
    ] {
        assert_eq!(keys(append(more)), [format!("realms[0].{key}")], "{more}");
    }
}

#[test]
fn a_header_that_would_not_be_stripped_is_refused() {
    let response = |length| {
        format!(
            "responses = [{{ header = \"{}\", value = \"v\" }}]",
            "a".repeat(length)
        )
    };
    let longest = crate::http::headers::MAX_MANAGED_NAME;
    assert_eq!(
        keys(append(&response(longest + 1))),
        ["realms[0].responses[0].header"]
    );
    assert_eq!(
        sound(&(SMALL.to_owned() + &response(longest))).realms[0]
            .responses
            .len(),
        1
    );
}

#[test]
fn realms_are_told_apart() {
    let second = |keys: &str| format!("[[realms]]\nname = \"b\"\n{keys}\n");
    assert_eq!(
        keys(append("[[realms]]\nname = \"all\"\nresource = \"/b\"")),
        ["realms[1].name"]
    );
    assert_eq!(
        keys(append(&second("resource = \"/\"\nupstream = \"app\""))),
        ["realms[1].hosts[0]"]
    );
    let twice = second("resource = \"/B\"") + "[[realms]]\nname = \"c\"\nresource = \"/b\"";
    assert_eq!(keys(append(&twice)), ["realms[2].hosts[0]"]);
    assert_eq!(
        keys(append(&second("resource = \"/doorward/x\""))),
        ["realms[1].resource"]
    );
    assert_eq!(
        keys(append(&second(
            "resource = \"/b\"\nignore_paths = [\"/c\"]"
        ))),
        ["realms[1].ignore_paths[0]"]
    );
    let rule = "resource = \"/b\"\nrules = [{ name = \"r\", resource = \"/c\" }]";
    assert_eq!(keys(append(&second(rule))), ["realms[1].rules[0].resource"]);
}

#[test]
fn an_upstream_must_exist_be_set_or_be_inherited() {
    assert_eq!(
        keys(swap("upstream = \"app\"", "upstream = \"ap\"")),
        ["realms[0].upstream"]
    );
    assert_eq!(keys(swap("upstream = \"app\"", "")), ["realms[0].upstream"]);
    assert_eq!(
        sound(&format!(
            "{SMALL}[[realms]]\nname = \"b\"\nresource = \"/b\""
        ))
        .realms[1]
            .upstream,
        0
    );
}

#[test]
fn what_is_inherited_is_told_once() {
    let more = "responses = [{ header = \"x a\", value = \"v\" }]\n[[realms]]\nname = \"b\"\nresource = \"/b\"";
    assert_eq!(keys(append(more)), ["realms[0].responses[0].header"]);
}

#[test]
fn every_mistake_elsewhere_is_told_of_its_key() {
    for (section, key) in [
        ("trusted_proxies = [\"::/0\"]\n", "trusted_proxies[0]"),
        ("[agent]\nadmin = \"9090\"\n", "agent.admin"),
        ("[agent]\nname = \"\"\n", "agent.name"),
        ("[session]\nzone = \"A B\"\n", "session.zone"),
        (
            "[session]\ntrusted_zones = [\"SM\"]\n",
            "session.trusted_zones[0]",
        ),
        (
            "[session]\ncookie_domain = \"com\"\n",
            "session.cookie_domain",
        ),
        (
            "[session]\ngrace_period = \"1ms\"\n",
            "session.grace_period",
        ),
        (
            "[[session.overlook]]\nresource = \"x\"\n",
            "session.overlook[0].resource",
        ),
        ("[identity]\nomit = [\"USER\"]\n", "identity.omit[0]"),
        (
            "[identity]\nmanaged_headers = [\"te\"]\n",
            "identity.managed_headers[0]",
        ),
        (
            "[identity.assertion]\nheader = \"host\"\nissuer = \"i\"\n",
            "identity.assertion.header",
        ),
        ("[identity.assertion]\n", "identity.assertion.issuer"),
        (
            "[identity.assertion]\nissuer = \"i\"\nlifetime = \"0s\"\n",
            "identity.assertion.lifetime",
        ),
        ("[login]\npath = \"/\"\n", "login.path"),
        ("[login]\npath = \"/a b\"\n", "login.path"),
        ("[login]\nlogout_paths = [\"x\"]\n", "login.logout_paths[0]"),
        (
            "[login]\nlogout_target = \"//evil.example\"\n",
            "login.logout_target",
        ),
        (
            "[login]\nlogout_target = \"/\\\\evil.example\"\n",
            "login.logout_target",
        ),
        (
            "[login]\nlogout_target = \"https://evil.example/\"\n",
            "login.logout_target",
        ),
        (
            "[login]\nlogout_target = \"javascript:alert(1)\"\n",
            "login.logout_target",
        ),
        (
            "[login]\nallowed_targets = [\"https://a.example/path\"]\n",
            "login.allowed_targets[0]",
        ),
        ("[login]\npreserve_size = \"2MiB\"\n", "login.preserve_size"),
        (
            "[login]\nremember_user_name = \"401d\"\n",
            "login.remember_user_name",
        ),
        (
            "[login]\nremember_user_name = \"0s\"\n",
            "login.remember_user_name",
        ),
        (
            "[login]\nremember_user_name = \"1500ms\"\n",
            "login.remember_user_name",
        ),
        (
            "[login.pages]\nlogo_file = \"none.svg\"\n",
            "login.pages.logo_file",
        ),
        (
            "[login.pages]\ntemplate_dir = \"policy.toml\"\n",
            "login.pages.template_dir",
        ),
        ("[limits]\nconnections = 0\n", "limits.connections"),
        ("[limits]\nhead_size = \"1KiB\"\n", "limits.head_size"),
        ("[limits]\nhead_timeout = \"0s\"\n", "limits.head_timeout"),
        ("[log]\nfilter = \"inof\"\n", "log.filter"),
    ] {
        assert_eq!(keys(prepend(section)), [key], "{section}");
    }
}

#[test]
fn every_mistake_in_a_listener_is_told_of_its_key() {
    let redirect = "redirect_to_https = 443";
    for (listener, key) in [
        ("redirect_to_https = 0", "redirect_to_https"),
        ("redirect_to_https = 65536", "redirect_to_https"),
        (
            "redirect_to_https = 1\nproxy_protocol_from = [\"0.0.0.0/0\"]",
            "proxy_protocol_from[0]",
        ),
        ("tls = { certificates = [] }", "tls.certificates"),
        ("tls = {}", "tls.certificates"),
        (
            "tls = { certificates = [{ cert_file = \"tls/app.example.com.pem\" }] }",
            "tls.certificates[0].key_file",
        ),
        (
            "tls = { certificates = [{ cert_file = \"policy.toml\", key_file = \"tls/app.example.com.key\" }] }",
            "tls.certificates[0].cert_file",
        ),
        (
            &format!("{TLS}\ntls.client_certificate = \"required\""),
            "tls.client_certificate",
        ),
        (
            &format!("{TLS}\ntls.client_ca_file = \"none.pem\""),
            "tls.client_ca_file",
        ),
        (
            &format!(
                "{TLS}\ntls.crl_files = [\"policy.toml\"]\ntls.client_ca_file = \"tls/app.example.com.pem\""
            ),
            "tls.crl_files[0]",
        ),
        (
            &format!("{TLS}\ntls.crl_allow_unknown = true"),
            "tls.crl_allow_unknown",
        ),
        (
            &format!("{TLS}\nredirect_to_https = 1"),
            "redirect_to_https",
        ),
        (
            &format!("{TLS}\ntls.min_version = \"1.1\""),
            "tls.min_version",
        ),
    ] {
        assert_eq!(
            keys(swap(redirect, listener)),
            [format!("listeners[0].{key}")],
            "{listener}"
        );
    }
    let second = "[[listeners]]\naddress = \"127.0.0.1:81\"\nredirect_to_https = 1\n";
    assert_eq!(keys(append(&second.repeat(2))), ["listeners[2].address"]);
    assert_eq!(
        keys(append(&second.replace(":81", ":9090"))),
        ["listeners[1].address"]
    );
}

#[test]
fn every_mistake_in_an_upstream_is_told_of_its_key() {
    let servers = "servers = [\"http://127.0.0.1:3000\"]";
    for (upstream, key) in [
        ("servers = []", "servers"),
        ("servers = [\"127.0.0.1:3000\"]", "servers[0]"),
        ("servers = [\"ftp://127.0.0.1\"]", "servers[0]"),
        ("servers = [\"http://127.0.0.1/app\"]", "servers[0]"),
        ("servers = [\"http://a\", \"http://a\"]", "servers[1]"),
        (
            "servers = [\"http://a\"]\nca_file = \"tls/internal-ca.pem\"",
            "ca_file",
        ),
        (
            "servers = [\"http://a\"]\nconnect_timeout = \"0s\"",
            "connect_timeout",
        ),
        (
            "servers = [\"http://a\"]\nkeep_alive = \"0s\"",
            "keep_alive",
        ),
        (
            "servers = [\"http://a\"]\nhealth = { path = \"health\" }",
            "health.path",
        ),
        ("servers = [\"http://a\"]\nhealth = {}", "health.path"),
        ("servers = [\"http://a\"]\nbalance = \"random\"", "balance"),
    ] {
        assert_eq!(
            keys(swap(servers, upstream)),
            [format!("upstreams[0].{key}")],
            "{upstream}"
        );
    }
    assert_eq!(
        keys(append(
            "[[upstreams]]\nname = \"app\"\nservers = [\"http://a\"]"
        )),
        ["upstreams[1].name"]
    );
}

#[test]
fn every_mistake_about_the_policy_server_is_told_of_its_key() {
    let embedded = "kind = \"embedded\"\nconfig_file = \"policy.toml\"";
    let native = "kind = \"native\"\nagent_secret_file = \"secrets/agent\"\n";
    for (server, expected) in [
        ("kind = \"embedded\"".to_owned(), "config_file"),
        (
            "kind = \"embedded\"\nconfig_file = \"none.toml\"".to_owned(),
            "config_file",
        ),
        (format!("{embedded}\nurls = [\"https://a\"]"), "urls"),
        (native.to_owned(), "urls"),
        (
            format!("{native}urls = [\"http://policy.example.com\"]"),
            "urls[0]",
        ),
        (
            format!("{native}urls = [\"https://a\"]\ntimeout = \"0s\""),
            "timeout",
        ),
        (
            format!("{native}urls = [\"https://a\"]\nconfig_file = \"policy.toml\""),
            "config_file",
        ),
        (
            "kind = \"native\"\nurls = [\"https://a\"]".to_owned(),
            "agent_secret_file",
        ),
        (
            "kind = \"native\"\nurls = [\"https://a\"]\nagent_secret_file = \"policy.toml\""
                .to_owned(),
            "agent_secret_file",
        ),
        (
            format!("{embedded}\nclusters = [{{ urls = [\"https://a\"] }}]"),
            "clusters",
        ),
        (
            format!("{embedded}\nclient_key_file = \"tls/agent.key\""),
            "client_key_file",
        ),
        (
            format!("{native}urls = [\"https://a\"]\nclusters = [{{ urls = [\"https://b\"] }}]"),
            "clusters",
        ),
        (
            format!("{native}clusters = [{{ urls = [\"https://a\"] }}, {{ urls = [] }}]"),
            "clusters[1].urls",
        ),
        (
            format!(
                "{native}clusters = [{{ urls = [\"https://a\"] }}, {{ urls = [\"http://b\"] }}]"
            ),
            "clusters[1].urls[0]",
        ),
        (
            format!(
                "{native}clusters = [{{ urls = [\"https://a\"] }}, {{ urls = [\"https://a\"] }}]"
            ),
            "clusters[1].urls[0]",
        ),
        (
            format!("{native}urls = [\"https://a\"]\nfailover_threshold = 50"),
            "failover_threshold",
        ),
        (
            format!(
                "{native}clusters = [{{ urls = [\"https://a\"] }}, {{ urls = [\"https://b\"] }}]\nfailover_threshold = 101"
            ),
            "failover_threshold",
        ),
        (
            format!("{native}urls = [\"https://a\"]\nbalance = \"random\""),
            "balance",
        ),
        (
            format!("{native}urls = [\"https://a\"]\nclient_cert_file = \"tls/agent.pem\""),
            "client_key_file",
        ),
        (
            format!("{native}urls = [\"https://a\"]\nclient_key_file = \"tls/agent.key\""),
            "client_cert_file",
        ),
        (
            format!(
                "{native}urls = [\"https://a\"]\nclient_cert_file = \"policy.toml\"\nclient_key_file = \"tls/agent.key\""
            ),
            "client_cert_file",
        ),
    ] {
        assert_eq!(
            keys(swap(embedded, &server)),
            [format!("policy_server.{expected}")],
            "{server}"
        );
    }
}

#[test]
fn the_agent_secret_is_read_without_its_line_break() {
    let config = sound(&swap(
        "kind = \"embedded\"\nconfig_file = \"policy.toml\"",
        "kind = \"native\"\nurls = [\"https://a\"]\nagent_secret_file = \"secrets/agent\"",
    )(SMALL.to_owned()));
    let PolicyServerKind::Native { agent_secret, .. } = &config.policy_server.kind else {
        panic!("native")
    };
    let secret = agent_secret.as_ref().map(|secret| secret.expose().as_str());
    assert_eq!(secret, Some("correct horse battery"));
}

#[test]
fn clusters_of_policy_servers_and_a_certificate_in_place_of_the_secret() {
    let config = sound(&swap(
        "kind = \"embedded\"\nconfig_file = \"policy.toml\"",
        "kind = \"native\"\nbalance = \"round_robin\"\nfailover_threshold = 50\nclient_cert_file = \"tls/agent.pem\"\nclient_key_file = \"tls/agent.key\"\nclusters = [{ urls = [\"https://a\", \"https://b:1\"] }, { urls = [\"https://c\"] }]",
    )(SMALL.to_owned()));
    let PolicyServerKind::Native {
        servers,
        agent_secret,
        client_certificate,
        ..
    } = &config.policy_server.kind
    else {
        panic!("native")
    };
    assert!(agent_secret.is_none() && client_certificate.is_some());
    let expected = ServerList {
        clusters: vec![
            vec!["https://a/".to_owned(), "https://b:1/".to_owned()],
            vec!["https://c/".to_owned()],
        ],
        balance: policy_client::Balance::RoundRobin,
        failover_threshold: 50,
    };
    assert_eq!(*servers, expected);
}

#[test]
fn policies_of_am_are_asked_without_queries_and_that_is_said() {
    let am =
        "kind = \"am\"\nurls = [\"https://am.example.com/am\"]\nagent_keys_file = \"agent-keys\"";
    assert_eq!(sound(&with_server(am)).warnings, Vec::<String>::new());
    let asks = with_server(am) + "authorize = true\n";
    let warnings = sound(&asks).warnings;
    assert!(
        warnings.len() == 1 && warnings[0].starts_with("realms[0].authorize: AM is asked"),
        "{warnings:?}"
    );
    let embedded = SMALL.to_owned() + "authorize = true\n";
    assert_eq!(sound(&embedded).warnings, Vec::<String>::new());
}

/// `SMALL` with another policy server.
fn with_server(server: &str) -> String {
    swap("kind = \"embedded\"\nconfig_file = \"policy.toml\"", server)(SMALL.to_owned())
}

#[test]
fn back_ends_of_other_systems_take_their_defaults() {
    let am =
        "kind = \"am\"\nurls = [\"https://am.example.com/am\"]\nagent_keys_file = \"agent-keys\"";
    let config = sound(&with_server(am));
    let PolicyServerKind::Am(settings) = &config.policy_server.kind else {
        panic!("am")
    };
    assert_eq!(
        settings.link.servers.clusters,
        [["https://am.example.com/am"]]
    );
    assert_eq!(settings.realm, "/");
    assert_eq!(settings.application, "iPlanetAMWebAgentService");
    assert!(settings.agent.is_none() && !settings.notifications);
    let foreign = config.policy_server.foreign.as_ref().unwrap();
    assert!(foreign.owns_cookie(b"iPlanetDirectoryPro"));
    assert_eq!(foreign.header_name.as_ref().unwrap(), "iplanetdirectorypro");

    let vsphere = "kind = \"vsphere\"\nurls = [\"https://vcenter.example.com\"]\nwire_form = \"json-rpc\"\nheader_name = \"\"";
    let config = sound(&with_server(vsphere));
    let PolicyServerKind::VSphere(settings) = &config.policy_server.kind else {
        panic!("vsphere")
    };
    assert_eq!(
        settings.wire_form,
        policy_client::vsphere::WireForm::JsonRpc
    );
    let foreign = config.policy_server.foreign.as_ref().unwrap();
    assert!(foreign.owns_cookie(b"vmware-api-session-id") && foreign.header_name.is_none());

    let authaz = "kind = \"authaz\"\nurls = [\"https://gateway.example.com\"]\napps = { \"*\" = \"shop\" }\ncookie_name = \"\"\ncaller_user = \"gw\"\ncaller_password_file = \"secrets/agent\"";
    let config = sound(&with_server(authaz));
    let PolicyServerKind::AuthAz(settings) = &config.policy_server.kind else {
        panic!("authaz")
    };
    assert_eq!(settings.app_of("any.example.com"), Some("shop"));
    assert_eq!(settings.caller.as_ref().unwrap().user, "gw");
    let foreign = config.policy_server.foreign.as_ref().unwrap();
    assert!(foreign.cookie_name.is_none() && foreign.header_name.is_none());
}

#[test]
fn rules_that_refuse_by_what_authaz_may_forget_warn() {
    let authaz = "kind = \"authaz\"\ncookie_name = \"OTHER\"\nurls = [\"https://gateway.example.com\"]\napps = { \"*\" = \"shop\" }\nagent_keys_file = \"agent-keys\"";
    let warned = |rule: &str| {
        let config = sound(&format!("{}rules = [{rule}]\n", with_server(authaz)));
        let about = |warning: &String| warning.starts_with("policy_server.kind: ");
        config.warnings.iter().any(about)
    };
    assert!(warned(
        "{ name = \"a\", effect = \"deny\", groups = [\"guests\"] }"
    ));
    assert!(warned(
        "{ name = \"a\", effect = \"deny\", attributes = { kind = [\"guest\"] } }"
    ));
    assert!(!warned(
        "{ name = \"a\", effect = \"deny\", users = [\"bob\"] }"
    ));
    assert!(!warned("{ name = \"a\", groups = [\"staff\"] }"));
}

#[test]
fn notifications_of_am_need_a_binary_that_can_listen() {
    let am = "kind = \"am\"\nurls = [\"https://a/am\"]\nagent_keys_file = \"agent-keys\"\nam_agent_user = \"doorward\"\nam_agent_password_file = \"secrets/agent\"\nnotifications = true";
    let text = with_server(am);
    if policy_client::am::HAS_NOTIFICATIONS {
        sound(&text);
        return;
    }
    let problems = problems(&text);
    let [(_, key, what)] = problems.as_slice() else {
        panic!("{problems:?}")
    };
    assert_eq!(key, "policy_server.notifications");
    assert!(what.contains("am-notifications"), "{what}");
}

#[test]
fn every_host_that_authaz_is_asked_about_has_an_app_id() {
    let server = |apps: &str| {
        with_server(&format!(
            "kind = \"authaz\"\ncookie_name = \"OTHER\"\nurls = [\"https://a\"]\nagent_keys_file = \"agent-keys\"\napps = {{ {apps} }}"
        ))
    };
    let realms = "hosts = [\"payroll.example.com\", \"Wiki.example.com\"]\nauthorize = true\n";
    let missing = problems(&(server("\"payroll.example.com\" = \"payroll\"") + realms));
    let [(_, key, what)] = missing.as_slice() else {
        panic!("{missing:?}")
    };
    assert_eq!(key, "policy_server.apps");
    assert!(what.contains("wiki.example.com"), "{what}");
    let both = "\"Payroll.example.com\" = \"payroll\", \"wiki.example.com\" = \"wiki\"";
    let config = sound(&(server(both) + realms));
    let PolicyServerKind::AuthAz(settings) = &config.policy_server.kind else {
        panic!("authaz")
    };
    assert_eq!(settings.app_of("payroll.example.com"), Some("payroll"));
    assert_eq!(settings.app_of("wiki.example.com"), Some("wiki"));
    // The query is not asked about.
    let about = |warning: &String| warning.contains("without their query");
    assert!(config.warnings.iter().any(about));
    // Nobody is asked about a realm that lets everybody in.
    let open = realms.replace("authorize = true", "scheme = \"none\"");
    let open =
        server("\"elsewhere.example.com\" = \"a\"").replace("scheme = \"form\"\n", "") + &open;
    assert!(sound(&open).warnings.iter().all(|warning| !about(warning)));
}

#[test]
fn mistakes_about_other_systems_are_found() {
    let unnamed = "kind = \"authaz\"\ncookie_name = \"OTHER\"\nurls = [\"https://a\"]\n";
    let authaz = &format!("{unnamed}apps.\"*\" = \"shop\"\n");
    let apps = |apps: &str| format!("{unnamed}apps = {{ {apps} }}");
    let am = "kind = \"am\"\nurls = [\"https://a/am\"]\n";
    let vsphere = "kind = \"vsphere\"\nurls = [\"https://a\"]\n";
    for (server, expected) in [
        (
            authaz.replace("cookie_name = \"OTHER\"\n", ""),
            "cookie_name",
        ),
        (
            "kind = \"vsphere\"\nurls = [\"http://a\"]\n".to_owned(),
            "urls[0]",
        ),
        (
            "kind = \"vsphere\"\nurls = [\"https://a?b\"]\n".to_owned(),
            "urls[0]",
        ),
        (format!("{authaz}realm = \"/\""), "realm"),
        (format!("{authaz}wire_form = \"api\""), "wire_form"),
        (unnamed.to_owned(), "apps"),
        (apps("\"*\" = \"a/b\""), "apps.*"),
        (apps("\"*\" = \"..\""), "apps.*"),
        (apps("\"*\" = \"\""), "apps.*"),
        (apps("\"*\" = \"a\", \"a:80\" = \"b\""), "apps.a:80"),
        (
            apps("\"*\" = \"a\", \"B\" = \"b\", \"b\" = \"c\""),
            "apps.b",
        ),
        (apps("\"shop.example.com\" = \"shop\""), "apps"),
        (format!("{am}apps = {{ a = \"b\" }}"), "apps"),
        (
            format!("{authaz}caller_user = \"a\""),
            "caller_password_file",
        ),
        (
            format!("{authaz}caller_challenge_cookie = true"),
            "caller_challenge_cookie",
        ),
        (
            format!("{authaz}agent_secret_file = \"secrets/agent\""),
            "agent_secret_file",
        ),
        (format!("{authaz}foreign_level = 1001"), "foreign_level"),
        (
            format!("{authaz}agent_keys_file = \"nowhere/keys\""),
            "agent_keys_file",
        ),
        (format!("{am}protocol = \"rest\""), "protocol"),
        (format!("{am}realm = \"customers\""), "realm"),
        (format!("{am}am_login = \"Login\""), "am_login"),
        (format!("{am}am_login = \"service=\""), "am_login"),
        (
            format!("{am}am_agent_login = \"module=Application\""),
            "am_agent_login",
        ),
        (format!("{am}notifications = true"), "notifications"),
        (
            format!("{am}am_agent_password_file = \"secrets/agent\""),
            "am_agent_user",
        ),
        (format!("{am}cookie_name = \"\""), "cookie_name"),
        (
            format!("{vsphere}config_file = \"policy.toml\""),
            "config_file",
        ),
        (format!("{vsphere}cookie_name = \"a b\""), "cookie_name"),
        (format!("{vsphere}header_name = \"Cookie\""), "header_name"),
        (
            "kind = \"embedded\"\nconfig_file = \"policy.toml\"\ncookie_name = \"a\"".to_owned(),
            "cookie_name",
        ),
    ] {
        let keys: Vec<_> = problems(&with_server(&server))
            .into_iter()
            .map(|(_, key, _)| key)
            .collect();
        assert_eq!(keys, [format!("policy_server.{expected}")], "{server}");
    }
}

#[test]
fn a_cookie_domain_must_cover_every_host_that_has_sessions() {
    let domain = "[session]\ncookie_domain = \".Example.com\"\n";
    let host = |host: &str| format!("{domain}{SMALL}hosts = [\"{host}\"]\n");
    for name in ["example.com", "app.example.com", "*"] {
        assert_eq!(
            sound(&host(name)).session.cookie_domain.as_deref(),
            Some("example.com")
        );
    }
    for name in ["example.org", "badexample.com", "10.0.0.1"] {
        let keys: Vec<_> = problems(&host(name))
            .into_iter()
            .map(|(_, key, _)| key)
            .collect();
        assert_eq!(keys, ["realms[0].hosts[0]"], "{name}");
    }
}

#[test]
fn logout_leads_to_a_path_or_an_allowed_origin() {
    let login = |target: &str| {
        sound(&format!("[login]\nlogout_target = \"{target}\"\nallowed_targets = [\"https://A.example:443\"]\n{SMALL}")).login
    };
    assert_eq!(login("/bye?x=1").logout_target.as_deref(), Some("/bye?x=1"));
    assert_eq!(
        login("https://a.example/bye").logout_target.as_deref(),
        Some("https://a.example/bye")
    );
    assert_eq!(login("/").allowed_targets, ["https://a.example"]);
}

#[test]
fn every_opt_out_of_a_safe_default_warns() {
    for (section, key) in [
        ("[agent]\nadmin = \"0.0.0.0:9090\"\n", "agent.admin"),
        ("[session]\nsame_site = \"none\"\n", "session.same_site"),
        ("[session]\npass_cookie = true\n", "session.pass_cookie"),
        (
            "[session]\ncookie_domain = \"example.com\"\n",
            "session.cookie_domain",
        ),
        (
            "[login]\nallowed_targets = [\"http://www.example.com\"]\n",
            "login.allowed_targets[0]",
        ),
    ] {
        let warnings = warnings(prepend(section));
        assert!(
            warnings.len() == 1 && warnings[0].starts_with(&format!("{key}: ")),
            "{warnings:?}"
        );
    }
    assert_eq!(warnings(swap("redirect_to_https = 443", "")).len(), 1);
    let unmatched = format!("{TLS}\ntls.require_matching_host = false");
    assert_eq!(
        warnings(swap("redirect_to_https = 443", &unmatched)).len(),
        1
    );
    assert_eq!(
        warnings(swap(
            "kind = \"embedded\"",
            "kind = \"embedded\"\noutage_grace = \"1m\""
        ))
        .len(),
        1
    );
}

#[test]
fn every_mistake_in_the_authaz_service_is_told_of_its_key() {
    const SERVICE: &str = "listeners[0].services.authaz";
    let with = |settings: &str| {
        swap_owned(format!(
            "redirect_to_https = 443\nservices.authaz = {{ {settings} }}"
        ))
    };
    for (settings, key) in [
        ("", ".apps"),
        ("apps = {}", ".apps"),
        ("apps = { a = \"b:80\" }", ".apps.a"),
        ("apps = { \"a/b\" = \"b.example\" }", ".apps.a/b"),
        ("apps = { a = \"b.example\" }, path = \"/\"", ".path"),
        ("apps = { a = \"b.example\" }, path = \"x\"", ".path"),
        (
            "apps = { a = \"b.example\" }, callers = [\"10.0.0.0/33\"]",
            ".callers[0]",
        ),
        (
            "apps = { a = \"b.example\" }, require_session = \"nobody\"",
            ".require_session",
        ),
    ] {
        assert_eq!(
            keys(with(settings)),
            [format!("{SERVICE}{key}")],
            "{settings}"
        );
    }
    let elsewhere = "hosts = [\"other.example\"]\nscheme = \"none\"\n";
    let only_elsewhere = |text| with("apps = { a = \"b.example\" }")(text) + elsewhere;
    assert_eq!(keys(only_elsewhere), [format!("{SERVICE}.apps.a")]);
    let open = |text| {
        with("apps = { a = \"b.example\" }, require_session = \"all\"")(text)
            + "scheme = \"none\"\n"
    };
    assert_eq!(keys(open), [format!("{SERVICE}.require_session")]);
}

#[test]
fn no_service_hides_another_or_the_login_pages() {
    let with = |services: &str| keys(swap_owned(format!("redirect_to_https = 443\n{services}")));
    let apps = "apps = { a = \"b.example\" }, require_session = \"all\"";
    let authaz = |path: &str| format!("services.authaz = {{ {apps}, path = \"{path}\" }}\n");
    let am = |path: &str| format!("services.am = {{ realm = \"all\", path = \"{path}\" }}\n");
    let vsphere = "services.vsphere = { realm = \"all\" }\n";
    let below = "services.vsphere = { realm = \"all\", path = \"/vc\" }\n";
    let [of_authaz, of_am] = ["authaz", "am"].map(|it| format!("listeners[0].services.{it}.path"));
    for (services, key) in [
        (authaz("/doorward"), &of_authaz),
        (am("/doorward"), &of_am),
        (am("/api") + vsphere, &of_am),
        (am("/x") + &authaz("/x/y"), &of_am),
        (authaz("/rest/com") + vsphere, &of_authaz),
        (authaz("/vc") + below, &of_authaz),
        (am("/vc/api") + below, &of_am),
    ] {
        assert_eq!(with(&services), std::slice::from_ref(key), "{services}");
    }
    let beside = format!("redirect_to_https = 443\n{}{below}", am("/api"));
    assert_eq!(warnings(swap_owned(beside)), [""; 0]);
    let at_the_top = "services.vsphere = { realm = \"all\", path = \"/\" }";
    let at_the_top = format!("redirect_to_https = 443\n{at_the_top}\n");
    assert_eq!(warnings(swap_owned(at_the_top)), [""; 0]);
    for path in ["vc", "/vc/"] {
        let services = format!("services.vsphere = {{ realm = \"all\", path = \"{path}\" }}\n");
        assert_eq!(with(&services), ["listeners[0].services.vsphere.path"]);
    }
}

#[test]
fn an_authaz_service_that_anybody_may_call_warns() {
    let with = |settings: &str| {
        warnings(swap_owned(format!(
            "redirect_to_https = 443\nservices.authaz = {{ apps = {{ a = \"b.example\" }}{settings} }}"
        )))
    };
    let told = with("");
    assert!(
        told.len() == 1 && told[0].starts_with("listeners[0].services.authaz: "),
        "{told:?}"
    );
    for settings in [
        ", callers = [\"10.0.0.0/8\"]",
        ", require_session = \"all\"",
    ] {
        assert_eq!(with(settings), Vec::<String>::new(), "{settings}");
    }
}

fn swap_owned(to: String) -> impl FnOnce(String) -> String {
    move |text| text.replacen("redirect_to_https = 443", &to, 1)
}

/// The settings of assertions, in a program that knows them and in one that does not.
#[test]
fn assertions_are_told_of_their_keys() {
    let saml = |more: &str| {
        let service = format!("services.vsphere = {{ realm = \"app\", saml = {{ {more} }} }}");
        keys(swap("[[listeners]]", &format!("[[listeners]]\n{service}")))
    };
    let key = |key: &str| format!("listeners[0].services.vsphere.saml{key}");
    let files = "issuer = \"i\", certificates_file = \"tls/app.example.com.pem\"";
    let mut told = saml(&format!(
        "{files}, clock_skew = \"11m\", sts_url = \"http://sts\", audience = \"\""
    ));
    told.sort();
    if cfg!(feature = "saml") {
        // The file has no certificate that could be one.
        let expected = ["audience", "certificates_file", "clock_skew", "sts_url"];
        assert_eq!(told, expected.map(|name| key(&format!(".{name}"))));
    } else {
        assert_eq!(told, [key("")]);
    }
    let mut missing = saml("audience = \"a\"");
    missing.sort();
    let expected = ["certificates_file", "issuer"];
    assert_eq!(missing, expected.map(|name| key(&format!(".{name}"))));
}
