//! A slapd with a few people, and directories that ask it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use policy_protocol::{Identity, Secret};
use policy_server::PolicyServerConfig;
use policy_server::directory::{Authentication, Directories, DirectoryError, PasswordState, User};
use tempfile::TempDir;
use test_services::Slapd;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";
/// More than any of the time limits that are tested, less than anybody's patience.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

const TREE: &str = "dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: cn=service,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: service
userPassword: the service's password
";

/// An entry of a person; `more` are further lines.
pub(crate) fn person(name: &str, more: &str) -> String {
    format!(
        "\ndn: uid={name},ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: {name}\n\
         cn: {name}\nsn: {name}\nuserPassword: {PASSWORD}\n{more}"
    )
}

/// An entry of a group with members (`uid=a,ou=people` and the like, below the suffix).
pub(crate) fn group(name: &str, members: &[&str]) -> String {
    let mut text = format!(
        "\ndn: cn={name},ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: {name}\n"
    );
    for member in members {
        writeln!(text, "member: {member},dc=example,dc=com").unwrap();
    }
    text
}

/// The people of most tests.
pub(crate) fn people() -> String {
    let alice = person("alice", "mail: alice@example.com\nmobile: 1\nmobile: 2\n");
    let bob = person("bob", "mail: both@example.com\ntitle: disabled\n");
    let carol = person("carol", "mail: both@example.com\n");
    format!("{alice}{bob}{carol}")
}

pub(crate) fn slapd(entries: &str) -> Option<Slapd> {
    slapd_with(entries, "")
}

pub(crate) fn slapd_with(entries: &str, database: &str) -> Option<Slapd> {
    Slapd::start_with(&format!("{TREE}{entries}"), database)
}

/// Directories as an operator configures them; `text` is what stands in `policy-server.toml`, where
/// `$service` is the service's name and password.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) directories: Directories,
}

impl World {
    /// One directory with these settings, at this server over TLS.
    pub(crate) fn new(slapd: &Slapd, settings: &str) -> Self {
        Self::of(&section("staff", &[slapd.tls_url()], slapd, settings))
    }

    pub(crate) fn of(text: &str) -> Self {
        Self::with(text, |_| {})
    }

    pub(crate) fn with(text: &str, files: impl FnOnce(&TempDir)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("password"), "the service's password\n").unwrap();
        files(&dir);
        let service =
            "bind_dn = \"cn=service,dc=example,dc=com\"\nbind_password_file = \"password\"";
        let text = format!(
            "state_dir = \"state\"\n{}",
            text.replace("$service", service)
        );
        let config = PolicyServerConfig::parse(&text, "policy-server.toml", dir.path()).unwrap();
        let directories = Directories::open(&config.directories).unwrap();
        Self { dir, directories }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) async fn ask(
        &self,
        name: &str,
        password: &str,
    ) -> Result<Authentication, DirectoryError> {
        let password = Secret::new(password.to_owned());
        let asked = self.directories.authenticate(name, password);
        tokio::time::timeout(DEADLINE, asked)
            .await
            .expect("an answer in time")
    }

    /// Who logs in with this name and the right password.
    pub(crate) async fn log_in(&self, name: &str) -> Identity {
        match self.ask(name, PASSWORD).await {
            Ok(Authentication::Accepted(user, PasswordState::Good)) => user.identity.clone(),
            other => panic!("{name}: {other:?}"),
        }
    }

    pub(crate) async fn find(&self, user: &Identity) -> Result<Option<Arc<User>>, DirectoryError> {
        let directory = self.directories.by_oid(&user.directory.oid).unwrap();
        let found = directory.find(&user.universal_id);
        tokio::time::timeout(DEADLINE, found)
            .await
            .expect("an answer in time")
    }
}

/// A section for a directory.
pub(crate) fn section(name: &str, urls: &[String], slapd: &Slapd, settings: &str) -> String {
    let ca_file = if settings.contains("ca_file") {
        String::new()
    } else {
        format!("ca_file = {:?}", slapd.ca_file())
    };
    format!(
        "[[directories]]\nname = {name:?}\nkind = \"ldap\"\nurls = {urls:?}\n{ca_file}\n$service\n\
         base = \"ou=people,dc=example,dc=com\"\n{settings}\n"
    )
}

/// Asks until the answer is yes.
pub(crate) async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !check().await {
        assert!(start.elapsed() < DEADLINE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
