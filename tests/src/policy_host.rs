//! The policy server of a test: in the agent's process or on a port of its own, and able to be away.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use policy_client::native::{NativeClient, NativeSettings};
use policy_client::{PolicyCalls, ServerList};
use policy_protocol::administration::{RollAnswer, RollRequest, RollWhich};
use policy_protocol::{ManualClock, Secret};
use policy_server::{
    PasswordCost, PolicyServer, PolicyServerConfig, RunningPolicyServer, hash_password_at,
};
use tokio::sync::watch;
use toml::Table;

use crate::gateway::{Deployment, PASSWORD};
use crate::policy_watch::{PolicyWatch, Slot, Watched};
use crate::toml_merge::merge;

/// What agents prove themselves with.
pub const AGENT_SECRET: &str = "the agents' very own secret";

const CONFIG: &str = r#"
state_dir = "state"
users_file = "users.toml"
[audit]
file = "audit.jsonl"
[[agents]]
name = "agent-1"
secret_file = "agent.secret"
[[agents]]
name = "agent-2"
secret_file = "agent.secret"
"#;

const LISTEN: &str = r#"
[listen]
address = "127.0.0.1:0"
cert_file = "server.crt"
key_file = "server.key"
"#;

/// Sample users; every one has [`PASSWORD`].
const USERS: &str = r#"
[[users]]
name = "alice"
password = "HASH"
groups = ["staff", "everyone"]
attributes = { mail = "alice@example.com", department = ["engineering"] }
certificate_subjects = ["CN=alice"]
[[users]]
name = "bob"
password = "HASH"
groups = ["everyone"]
attributes = { mail = "bob@example.com" }
[[users]]
name = "carol"
password = "HASH"
[[users]]
name = "dave"
password = "HASH"
[[users]]
name = "erin"
password = "HASH"
disabled = true
"#;

/// Users who must change their password, for a directory that tests may add.
const NEWCOMERS: &str = r#"
[[users]]
name = "frank"
password = "HASH"
must_change = true
"#;

/// Laid over the policy server's configuration, lets newcomers change their passwords.
pub const WITH_NEWCOMERS: &str = r#"
[[directories]]
name = "newcomers"
kind = "file"
file = "newcomers.toml"
writable = true
"#;

/// A policy server that keeps its state over restarts.
pub struct PolicyHost {
    config: PolicyServerConfig,
    clock: Arc<ManualClock>,
    /// Where it listens, if it is remote.
    address: Option<SocketAddr>,
    folder: PathBuf,
    running: Mutex<Option<Running>>,
    embedded: Slot,
}

struct Running {
    server: Arc<PolicyServer>,
    serving: Option<RunningPolicyServer>,
}

impl std::fmt::Debug for PolicyHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicyHost")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl PolicyHost {
    /// Writes the files of a policy server into `folder` and starts it.
    pub(crate) async fn start_in(
        folder: &Path,
        deployment: Deployment,
        patches: Vec<Table>,
        clock: &Arc<ManualClock>,
    ) -> Self {
        static HASH: OnceLock<String> = OnceLock::new();
        let hash =
            HASH.get_or_init(|| hash_password_at(PASSWORD, PasswordCost::LIGHT).expect("a hash"));
        std::fs::write(folder.join("users.toml"), USERS.replace("HASH", hash)).unwrap();
        std::fs::write(
            folder.join("newcomers.toml"),
            NEWCOMERS.replace("HASH", hash),
        )
        .unwrap();
        std::fs::write(folder.join("agent.secret"), AGENT_SECRET).unwrap();
        let mut table: Table = CONFIG.parse().unwrap();
        if deployment == Deployment::Remote {
            merge(&mut table, LISTEN.parse().unwrap());
        }
        for patch in patches {
            merge(&mut table, patch);
        }
        let text = table.to_string();
        std::fs::write(folder.join("policy-server.toml"), &text).unwrap();
        let config = PolicyServerConfig::parse(&text, "policy-server.toml", folder)
            .unwrap_or_else(|problems| panic!("{problems}"));
        let mut host = Self {
            config,
            clock: Arc::clone(clock),
            address: None,
            folder: folder.to_owned(),
            running: Mutex::default(),
            embedded: Arc::new(watch::Sender::new(None)),
        };
        host.start().await;
        host.address = host
            .running
            .lock()
            .unwrap()
            .as_ref()
            .and_then(|running| Some(running.serving.as_ref()?.address));
        // The same port after a restart.
        if let (Some(listen), Some(address)) = (&mut host.config.listen, host.address) {
            listen.address = address;
        }
        host
    }

    /// Starts it again.
    pub async fn start(&self) {
        let server = PolicyServer::open(self.config.clone(), Arc::clone(&self.clock) as _)
            .await
            .unwrap_or_else(|error| panic!("the policy server does not start: {error}"));
        let serving = match &self.config.listen {
            Some(listen) => Some(
                policy_server::serve(Arc::clone(&server), listen.clone())
                    .await
                    .expect("a policy server on a port"),
            ),
            None => {
                self.embedded
                    .send_replace(Some(Arc::new(server.as_agent("agent-1"))));
                None
            }
        };
        *self.running.lock().unwrap() = Some(Running { server, serving });
    }

    /// Stops it. Agents find nobody, and their event streams break.
    pub async fn stop(&self) {
        let running = self.running.lock().unwrap().take();
        self.embedded.send_replace(None);
        if let Some(Running {
            serving: Some(serving),
            ..
        }) = running
        {
            serving.stop().await;
        }
    }

    /// Stops and starts it.
    pub async fn restart(&self) {
        self.stop().await;
        self.start().await;
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.running.lock().unwrap().is_some()
    }

    /// The server itself, for what administrators do.
    ///
    /// # Panics
    /// If it is stopped.
    pub fn server(&self) -> Arc<PolicyServer> {
        Arc::clone(
            &self
                .running
                .lock()
                .unwrap()
                .as_ref()
                .expect("running")
                .server,
        )
    }

    /// Writes another policies file, which the next maintenance finds.
    pub fn write_policies(&self, toml: &str) {
        std::fs::write(self.folder.join("policies.toml"), toml).unwrap();
    }

    /// Rolls keys over by command, as soon as every agent has the next key.
    ///
    /// # Panics
    /// If it is stopped, or some agent does not fetch keys.
    pub async fn roll_keys(&self) {
        let request = RollRequest {
            which: RollWhich::Rolling,
            next_key: None,
            force: false,
        };
        let server = self.server();
        crate::eventually("every agent has the next key", async || {
            let answer = server.roll_keys(&request).await.expect("a rollover");
            matches!(answer, RollAnswer::Yes { .. }).then_some(())
        })
        .await;
    }

    /// Rolls keys over, whoever does not have the next key.
    ///
    /// # Panics
    /// If it is stopped.
    pub async fn force_roll_keys(&self) {
        let request = RollRequest {
            which: RollWhich::Rolling,
            next_key: None,
            force: true,
        };
        let answer = self.server().roll_keys(&request).await.expect("a rollover");
        assert!(matches!(answer, RollAnswer::Yes { .. }), "{answer:?}");
    }

    /// Replaces the static key.
    ///
    /// # Panics
    /// If it is stopped.
    pub async fn roll_static_key(&self) {
        let request = RollRequest {
            which: RollWhich::Static,
            next_key: None,
            force: false,
        };
        let answer = self.server().roll_keys(&request).await.expect("a rollover");
        assert!(matches!(answer, RollAnswer::Yes { .. }), "{answer:?}");
    }

    /// How an agent's configuration names it.
    pub(crate) fn agent_section(&self) -> Table {
        let section = match self.address {
            None => String::from("kind = \"embedded\"\nconfig_file = \"policy-server.toml\""),
            Some(address) => format!(
                "kind = \"native\"\nurls = [\"https://localhost:{}\"]\nca_file = \"ca.crt\"\nagent_secret_file = \"agent.secret\"",
                address.port()
            ),
        };
        format!("[policy_server]\n{section}").parse().unwrap()
    }

    /// One agent's way to it. Each agent has connections of its own.
    pub(crate) fn calls(&self, watch: &Arc<PolicyWatch>, agent: &str) -> Arc<dyn PolicyCalls> {
        let slot = match self.address {
            None => Arc::clone(&self.embedded),
            Some(address) => {
                let settings = NativeSettings {
                    servers: ServerList::in_order(vec![format!(
                        "https://localhost:{}",
                        address.port()
                    )]),
                    ca_file: Some(self.folder.join("ca.crt")),
                    agent_name: agent.to_owned(),
                    agent_secret: Some(Secret::new(AGENT_SECRET.to_owned())),
                    client_certificate: None,
                    timeout: Duration::from_secs(5),
                };
                let client = NativeClient::new(&settings).unwrap_or_else(|error| panic!("{error}"));
                Arc::new(watch::Sender::new(Some(
                    Arc::new(client) as Arc<dyn PolicyCalls>
                )))
            }
        };
        Arc::new(Watched::new(watch, &slot))
    }
}
