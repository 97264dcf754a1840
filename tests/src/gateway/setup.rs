//! What a gateway is to be like, and its start.

use std::sync::Arc;

use policy_protocol::ManualClock;
use tempfile::TempDir;
use toml::Table;

use super::{Deployment, Gateway, HOST, World, parse};
use crate::policy_host::PolicyHost;
use crate::toml_merge::merge;
use crate::{Origin, Pki};

/// What a gateway is to be like.
#[derive(Debug)]
pub struct Setup {
    deployment: Deployment,
    patches: Vec<Table>,
    policy_patches: Vec<Table>,
    policies: Option<String>,
    other_system: Option<Table>,
    origin: Option<Origin>,
    pki: Option<Pki>,
}

/// Realms with one property each, all on one upstream, behind one TLS listener.
const CONFIG: &str = r#"
[agent]
name = "agent-1"
workers = 2
drain_timeout = "20s"
admin = "127.0.0.1:0"

[[listeners]]
address = "127.0.0.1:0"
tls.certificates = [{ cert_file = "server.crt", key_file = "server.key" }]

[session]
grace_period = "30s"

[log]
access_log = false

[[realms]]
name = "app"
resource = "/app"
upstream = "origin"
scheme = "form"

[[realms]]
name = "strong"
resource = "/strong"
upstream = "origin"
scheme = "form"
protection_level = 10

[[realms]]
name = "staff"
resource = "/staff"
upstream = "origin"
scheme = "form"
rules = [{ name = "staff only", effect = "allow", groups = ["staff"] }]

[[realms]]
name = "stored"
resource = "/stored"
upstream = "origin"
scheme = "form"
persistent = true

[[realms]]
name = "basic"
resource = "/basic"
upstream = "origin"
scheme = "basic"

[[realms]]
name = "open"
resource = "/open"
upstream = "origin"
scheme = "none"
"#;

impl Setup {
    pub(super) const fn new() -> Self {
        Self {
            deployment: Deployment::Embedded,
            patches: Vec::new(),
            policy_patches: Vec::new(),
            policies: None,
            other_system: None,
            origin: None,
            pki: None,
        }
    }

    /// Embedded or remote.
    #[must_use]
    pub fn deployment(mut self, deployment: Deployment) -> Self {
        self.deployment = deployment;
        self
    }

    /// Lays TOML over the agent's configuration; see [`merge`] for what that means.
    #[must_use]
    pub fn with(mut self, toml: &str) -> Self {
        self.patches.push(parse(toml));
        self
    }

    /// Lays TOML over the policy server's configuration.
    #[must_use]
    pub fn with_policy(mut self, toml: &str) -> Self {
        self.policy_patches.push(parse(toml));
        self
    }

    /// Gives the policy server a policies file.
    #[must_use]
    pub fn with_policies(mut self, toml: &str) -> Self {
        self.policies = Some(toml.to_owned());
        self.with_policy("policies_file = \"policies.toml\"")
    }

    /// Has another system answer for sessions: TOML in the place of the section `[policy_server]`.
    #[must_use]
    pub fn with_other_system(mut self, toml: &str) -> Self {
        self.other_system = Some(parse(toml));
        self
    }

    /// Protects this origin instead of a new one. `http2` must be said in the configuration.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Uses this authority instead of a new one.
    #[must_use]
    pub fn pki(mut self, pki: Pki) -> Self {
        self.pki = Some(pki);
        self
    }

    /// Starts everything.
    pub async fn start(self) -> Gateway {
        let pki = self.pki.unwrap_or_default();
        let folder = TempDir::new().expect("a temporary folder");
        let certificate = pki.server(&[HOST, "other.test", "localhost", "127.0.0.1"]);
        certificate.write(folder.path(), "server");
        std::fs::write(folder.path().join("ca.crt"), pki.ca_pem()).unwrap();
        let origin = match self.origin {
            Some(origin) => origin,
            None => Origin::start().await,
        };
        let clock = Arc::new(ManualClock::from_system());
        if let Some(policies) = &self.policies {
            std::fs::write(folder.path().join("policies.toml"), policies).unwrap();
        }
        let policy_server =
            PolicyHost::start_in(folder.path(), self.deployment, self.policy_patches, &clock).await;
        let mut config = parse(CONFIG);
        merge(
            &mut config,
            parse(&format!(
                "[[upstreams]]\nname = \"origin\"\nservers = [{:?}]",
                origin.url()
            )),
        );
        merge(
            &mut config,
            self.other_system
                .unwrap_or_else(|| policy_server.agent_section()),
        );
        for patch in self.patches {
            merge(&mut config, patch);
        }
        let world = World {
            origin,
            policy: Arc::default(),
            policy_server,
            clock,
            pki,
            certificate,
            folder,
        };
        Gateway::run(Arc::new(world), config).await
    }
}
