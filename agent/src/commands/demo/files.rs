//! The demo's folder: certificates, secrets, users and two configurations, as an operator would write
//! them. It is new for each run, readable by its owner alone, and removed at the end.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A folder that goes when the demo does.
pub(super) struct Folder(PathBuf);

/// One sentence that says what cannot be done, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {why}")]
pub(super) struct FolderError {
    what: String,
    why: String,
}

impl Folder {
    /// Makes the folder below `parent` and fills it, for a gateway on `port` in front of two applications.
    pub(super) fn make(
        parent: Option<&Path>,
        port: u16,
        reports: SocketAddr,
        vault: SocketAddr,
    ) -> Result<Self, FolderError> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let mut random = [0; 9];
        getrandom::fill(&mut random).map_err(|error| failed("get randomness", error))?;
        let path = parent.join(format!("doorward-demo-{}", URL_SAFE_NO_PAD.encode(random)));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| {
                failed(
                    format_args!(
                        "make the folder {} (choose another place with --dir)",
                        path.display()
                    ),
                    error,
                )
            })?;
        let folder = Self(path);
        folder.write_certificates()?;
        folder.write("admin.secret", &random_secret()?)?;
        folder.write("users.toml", &users()?)?;
        folder.write("policy-server.toml", POLICY_SERVER)?;
        folder.write("doorward.toml", &agent(port, reports, vault))?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn agent_config(&self) -> PathBuf {
        self.0.join("doorward.toml")
    }

    fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let path = self.0.join(name);
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| failed(format_args!("write {}", path.display()), error))
    }

    /// An authority of the demo's own and a certificate for this machine.
    fn write_certificates(&self) -> Result<(), FolderError> {
        let made = || -> Result<[(&str, String); 3], rcgen::Error> {
            let ca_key = KeyPair::generate()?;
            let mut ca = CertificateParams::new(Vec::new())?;
            ca.distinguished_name
                .push(rcgen::DnType::CommonName, "Doorward demo");
            ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            let ca_certificate = ca.self_signed(&ca_key)?;
            let key = KeyPair::generate()?;
            let names = vec![String::from("localhost"), String::from("127.0.0.1")];
            let certificate =
                CertificateParams::new(names)?.signed_by(&key, &Issuer::new(ca, ca_key))?;
            Ok([
                ("ca.crt", ca_certificate.pem()),
                ("tls.crt", certificate.pem()),
                ("tls.key", key.serialize_pem()),
            ])
        };
        for (name, text) in made().map_err(|error| failed("make a certificate", error))? {
            self.write(name, &text)?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the folder for temporary files, and readable by its owner alone.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn failed(what: impl ToString, why: impl ToString) -> FolderError {
    FolderError {
        what: what.to_string(),
        why: why.to_string(),
    }
}

fn random_secret() -> Result<String, FolderError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| failed("get randomness", error))?;
    Ok(URL_SAFE_NO_PAD.encode(secret))
}

fn users() -> Result<String, FolderError> {
    let hash = |password| {
        policy_server::hash_password(password).map_err(|error| failed("hash a password", error))
    };
    Ok(format!(
        r#"[[users]]
name = "alice"
password = "{}"
groups = ["staff"]
attributes = {{ mail = "alice@example.com", department = "sales" }}

[[users]]
name = "bob"
password = "{}"
groups = ["staff", "admins"]
attributes = {{ mail = "bob@example.com", department = "operations" }}
"#,
        hash("alice-demo")?,
        hash("bob-demo")?
    ))
}

const POLICY_SERVER: &str = r#"state_dir = "state"
users_file = "users.toml"

[audit]
file = "audit.jsonl"

[admin]
secret_file = "admin.secret"

[listen]
address = "127.0.0.1:0"
cert_file = "tls.crt"
key_file = "tls.key"
"#;

fn agent(port: u16, reports: SocketAddr, vault: SocketAddr) -> String {
    format!(
        r#"[agent]
name = "demo"
admin = ""

[[listeners]]
address = "127.0.0.1:{port}"

[listeners.tls]
certificates = [{{ cert_file = "tls.crt", key_file = "tls.key" }}]

[policy_server]
kind = "embedded"
config_file = "policy-server.toml"

[login.pages]
title = "Doorward demo"

[log]
access_log = false

[[upstreams]]
name = "reports"
servers = ["http://{reports}"]

[[upstreams]]
name = "vault"
servers = ["http://{vault}"]

[[realms]]
name = "Reports"
resource = "/"
upstream = "reports"
scheme = "form"
protection_level = 5
persistent = true
responses = [{{ header = "SM_MAIL", attribute = "mail" }}]

[[realms]]
name = "Vault"
resource = "/vault"
upstream = "vault"
scheme = "basic"
protection_level = 10
persistent = true
rules = [{{ name = "admins only", groups = ["admins"] }}]
"#
    )
}
