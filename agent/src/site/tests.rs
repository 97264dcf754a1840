use super::*;
use crate::config::env::Environment;

const TWO_LISTENERS: &str = r#"
[[listeners]]
address = "127.0.0.1:0"
tls.certificates = [{ cert_file = "tls.pem", key_file = "tls.pem" }]
[[listeners]]
address = "127.0.0.1:0"
tls.certificates = [{ cert_file = "tls.pem", key_file = "tls.pem" }]
services.vsphere.realm = "app"
[listeners.services.am]
path = "/am"
realm = "app"
[policy_server]
kind = "embedded"
config_file = "policy.toml"
[[upstreams]]
name = "app"
servers = ["http://127.0.0.1:3000"]
[[realms]]
name = "app"
resource = "/app"
upstream = "app"
"#;

/// The site of a configuration, which may refer to `policy.toml` and `tls.pem`.
pub(crate) fn site(config: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let pem = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";
    for (file, text) in [("policy.toml", ""), ("tls.pem", pem)] {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let env = Environment::default();
    let config = crate::config::load_text(config, "agent.toml", folder.path(), &env);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    Site::build(config, None).unwrap()
}

/// Browsers send a cookie to every port of a host, and applications everywhere may set it.
#[test]
fn tokens_for_services_are_kept_from_applications_of_all_listeners() {
    let site = site(TWO_LISTENERS);
    for name in ["vmware-api-session-id", "iPlanetDirectoryPro"] {
        assert!(site.keeps_cookie(name.as_bytes()), "{name}");
        assert!(site.owns_cookie(name.as_bytes()), "{name}");
        let header: HeaderName = name.parse().unwrap();
        assert!(site.kept_headers().any(|kept| *kept == header), "{name}");
    }
    assert!(!site.keeps_cookie(b"other"));
}

#[test]
fn cookies_of_the_login_page_never_reach_applications() {
    let config =
        TWO_LISTENERS.to_owned() + "[session]\ntrusted_zones = [\"Z1\"]\npass_cookie = true\n";
    let site = site(&config);
    for name in ["SMUSERNAME", "Z1USERNAME", "__Host-SMLOGIN"] {
        assert!(site.keeps_cookie(name.as_bytes()), "{name}");
        assert!(site.owns_cookie(name.as_bytes()), "{name}");
    }
    for name in ["USERNAME", "Z2USERNAME", "SMUSERNAMES", "XSMUSERNAME"] {
        assert!(!site.keeps_cookie(name.as_bytes()), "{name}");
    }
    assert!(!site.keeps_cookie(b"SMSESSION"));
}
