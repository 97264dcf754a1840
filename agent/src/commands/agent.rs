//! `doorward agent`: the gateway.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use agent::config::{self, Config, Environment, PolicyServerKind};
use agent::telemetry::logging;
use agent::{Agent, RunningAgent};
use policy_client::am::AmClient;
use policy_client::authaz::AuthAzClient;
use policy_client::native::{NativeClient, NativeSettings};
use policy_client::vsphere::VSphereClient;
use policy_client::{ClientError, PolicyCalls};
use policy_protocol::{Clock, SystemClock};

use super::{bad_configuration, control_runtime, failed, stop};

/// Runs the gateway until it is told to stop, taking on every sound change of its configuration.
pub(crate) fn run(path: &Path) -> ExitCode {
    let environment = Environment::from_process();
    let config = match config::load(path, &environment) {
        Ok(config) => config,
        Err(problems) => return bad_configuration(problems),
    };
    let log = match logging::init(&config.log) {
        Ok(log) => log,
        Err(error) => return failed(error),
    };
    let runtime = match control_runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(error),
    };
    runtime.block_on(async {
        let served = match policy_calls(&config).await {
            Ok(served) => served,
            Err(error) => return failed(error),
        };
        let mut changes = config::reload::watch(path.to_owned(), environment);
        let agent =
            match Agent::start(config, Arc::clone(&served.calls), Arc::new(SystemClock)).await {
                Ok(agent) => agent,
                Err(error) => return failed(error),
            };
        for address in agent.addresses() {
            tracing::info!(%address, "listening");
        }
        loop {
            tokio::select! {
                () = stop::requested() => break,
                Some(change) = changes.recv() => match change {
                    Ok(config) => {
                        let log_settings = config.log.clone();
                        reload(&agent, config).await;
                        if let Err(error) = log.reload(&log_settings) {
                            tracing::error!(%error, "the log filter stays as it was");
                        }
                    }
                    Err(problems) => {
                        agent.refused_configuration();
                        tracing::error!("the new configuration is not used:\n{problems}");
                    }
                },
            }
        }
        tracing::info!("stopping: requests in progress run to their end");
        agent.drain().await;
        served.stop().await;
        ExitCode::SUCCESS
    })
}

async fn reload(agent: &RunningAgent, config: Config) {
    match agent.reload(config).await {
        Ok(()) => tracing::info!("the new configuration is in force"),
        Err(error) => tracing::error!(%error, "the new configuration is not used"),
    }
}

/// What answers Validate(), and what must be stopped with it.
pub(super) struct Served {
    pub(super) calls: Arc<dyn PolicyCalls>,
    #[cfg(feature = "embedded")]
    listening: Option<policy_server::RunningPolicyServer>,
}

impl Served {
    pub(super) async fn stop(self) {
        #[cfg(feature = "embedded")]
        if let Some(listening) = self.listening {
            listening.stop().await;
        }
    }

    /// Where an embedded policy server can be reached as well.
    #[cfg(feature = "embedded")]
    pub(super) fn address(&self) -> Option<std::net::SocketAddr> {
        self.listening.as_ref().map(|listening| listening.address)
    }
}

/// The policy server that a configuration names: reached over HTTPS, or started in this process.
///
/// # Errors
/// A sentence that says why it cannot be had.
pub(super) async fn policy_calls(config: &Config) -> Result<Served, String> {
    match &config.policy_server.kind {
        PolicyServerKind::Native {
            servers,
            ca_file,
            agent_secret,
            client_certificate,
            timeout,
        } => {
            let settings = NativeSettings {
                servers: servers.clone(),
                ca_file: ca_file.clone(),
                agent_name: config.agent_name.clone(),
                agent_secret: agent_secret.clone(),
                client_certificate: client_certificate.clone(),
                timeout: *timeout,
            };
            served(NativeClient::new(&settings))
        }
        PolicyServerKind::AuthAz(settings) => served(AuthAzClient::new(settings, clock())),
        PolicyServerKind::Am(settings) => served(AmClient::new(settings, clock())),
        PolicyServerKind::VSphere(settings) => served(VSphereClient::new(settings, clock())),
        #[cfg(feature = "embedded")]
        PolicyServerKind::Embedded { config_file } => {
            let config_of_server = policy_server::PolicyServerConfig::load(config_file)
                .map_err(|problems| problems.to_string())?;
            let listen = config_of_server.listen.clone();
            let server = policy_server::PolicyServer::open(config_of_server, Arc::new(SystemClock))
                .await
                .map_err(|error| error.to_string())?;
            let calls = Arc::new(server.as_agent(&config.agent_name));
            let listening = match listen {
                Some(listen) => Some(
                    policy_server::serve(server, listen)
                        .await
                        .map_err(|error| error.to_string())?,
                ),
                None => None,
            };
            Ok(Served { calls, listening })
        }
        #[cfg(not(feature = "embedded"))]
        PolicyServerKind::Embedded { .. } => Err(String::from(
            "this binary was built without the embedded policy server; use kind = \"native\"",
        )),
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// A policy server that somebody else runs.
fn served<C: PolicyCalls>(client: Result<C, ClientError>) -> Result<Served, String> {
    Ok(Served {
        calls: Arc::new(client.map_err(|error| error.to_string())?),
        #[cfg(feature = "embedded")]
        listening: None,
    })
}
