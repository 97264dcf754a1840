//! The files of a policy server.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_protocol::{ManualClock, Timestamp};
use policy_server::{PasswordCost, hash_password_at};
use tempfile::TempDir;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const AGENT: &str = "gateway-1";
pub(crate) const AGENT_SECRET: &str = "the secret of gateway-1";
pub(crate) const ADMIN_SECRET: &str = "the secret of administrators";
pub(crate) const FINGERPRINT: &str =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static HASH: LazyLock<String> =
    LazyLock::new(|| hash_password_at(PASSWORD, PasswordCost::LIGHT).unwrap());

const CONFIG: &str = r#"
    name = "ps-test"
    state_dir = "state"
    users_file = "users.toml"
    policies_file = "policies.toml"
    [[agents]]
    name = "gateway-1"
    secret_file = "agent-secret"
    [admin]
    secret_file = "admin-secret"
    [listen]
    address = "127.0.0.1:0"
    cert_file = "cert.pem"
    key_file = "key.pem"
    [audit]
    file = "audit.jsonl"
    [limits]
    max_timeout = "4h"
    idle_timeout = "1h"
"#;

const POLICIES: &str = r#"
    [[domains]]
    name = "intranet"
    directories = ["users"]
    realms = [
        { name = "app", resource = "/app" },
        { name = "app-admin", resource = "/app/admin" },
    ]
    rules = [
        { name = "use", realm = "app" },
        { name = "do not use", realm = "app", effect = "deny" },
        { name = "administer", realm = "app-admin" },
        { name = "day", realm = "app", resource = "/day" },
        { name = "site", realm = "app", resource = "/site" },
    ]
    responses = [
        { name = "mail", header = "x-mail", attribute = "mail" },
        { name = "tier", cookie = "tier", value = "basic" },
    ]

    [[domains.policies]]
    name = "everybody"
    rules = ["use"]
    responses = ["mail", "tier"]

    [[domains.policies]]
    name = "administrators"
    rules = ["administer"]
    groups = ["admins"]
    ttl = "1m"

    [[domains.policies]]
    name = "no-contractors"
    rules = ["do not use"]
    attributes = { kind = ["contractor"] }

    [[domains.policies]]
    name = "office hours"
    rules = ["day"]
    times = [{ days = ["mon", "tue", "wed", "thu", "fri"], from = "08:00", to = "18:00" }]
    time_zone = "UTC"
    on_reject_redirect = "/closed"

    [[domains.policies]]
    name = "on site"
    rules = ["site"]
    networks = ["192.0.2.0/24", "2001:db8::/32"]
    on_accept_redirect = "https://site.example.com/"
"#;

/// `users.toml`; `more` goes to alice.
pub(crate) fn users(more: &str) -> String {
    let hash = HASH.as_str();
    format!(
        r#"
        [[users]]
        name = "alice"
        password = "{hash}"
        universal_id = "id-of-alice"
        groups = ["staff", "admins"]
        attributes = {{ mail = "alice@example.com", phone = ["1", "2"] }}
        certificates = ["{FINGERPRINT}"]
        certificate_subjects = ["CN=alice,O=Example"]
        {more}
        [[users]]
        name = "bob"
        password = "{hash}"
        groups = ["staff"]
        [[users]]
        name = "carol"
        password = "{hash}"
        attributes = {{ kind = "contractor" }}
        [[users]]
        name = "dora"
        password = "{hash}"
        disabled = true
        [[users]]
        name = "machine"
        "#
    )
}

pub(super) fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

/// Writes the files of a policy server, with a section for its store.
pub(super) fn prepare(dir: TempDir, store: &str) -> (Arc<TempDir>, Arc<ManualClock>) {
    write(dir.path(), "users.toml", &users(""));
    write(dir.path(), "agent-secret", &format!("{AGENT_SECRET}\n"));
    write(dir.path(), "admin-secret", ADMIN_SECRET);
    write(
        dir.path(),
        "policy-server.toml",
        &format!("{CONFIG}{store}"),
    );
    let key = STANDARD.encode([7; 32]);
    write(dir.path(), "master-key", &key);
    write(dir.path(), "policies.toml", POLICIES);
    let made = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).unwrap();
    write(dir.path(), "cert.pem", &made.cert.pem());
    write(dir.path(), "key.pem", &made.signing_key.serialize_pem());
    let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
    (Arc::new(dir), clock)
}
