//! `doorward demo`: everything on this machine, so that the first minute shows a login, an identity
//! header, a logout and a refused replay.

mod apps;
mod files;
mod story;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use agent::config::{self, Environment};
use agent::telemetry::logging;
use agent::{Agent, RunningAgent};
use clap::Args;
use policy_protocol::SystemClock;

use self::files::Folder;
use super::agent::{Served, policy_calls};
use super::{bad_configuration, control_runtime, failed, stop};

/// How long the agent may take to reach its own policy server.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// How the demo runs.
#[derive(Args)]
pub(crate) struct Options {
    /// Play the whole story against itself, report each step, and stop.
    #[arg(long)]
    check: bool,
    /// The port of the gateway on this machine.
    #[arg(long, default_value_t = 8443, env = "DOORWARD_DEMO_PORT")]
    port: u16,
    /// The folder to make the demo's own folder in; the system's for temporary files if absent.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Everything that runs.
struct Demo {
    agent: RunningAgent,
    served: Served,
    folder: Folder,
    gateway: SocketAddr,
}

/// Starts the demo, and either plays the story or waits to be stopped.
pub(crate) fn run(options: &Options) -> ExitCode {
    let runtime = match control_runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(error),
    };
    runtime.block_on(async {
        let demo = match start(options).await {
            Ok(demo) => demo,
            Err(code) => return code,
        };
        let code = if options.check {
            story::play(&demo).await
        } else {
            println!("{}", demo.welcome());
            stop::requested().await;
            eprintln!("\nstopping");
            ExitCode::SUCCESS
        };
        demo.agent.drain().await;
        demo.served.stop().await;
        code
    })
}

async fn start(options: &Options) -> Result<Demo, ExitCode> {
    // The story takes any free port, so that it can be played beside a running demo.
    let port = if options.check { 0 } else { options.port };
    let reports = apps::serve(apps::Kind::Reports).await.map_err(failed)?;
    let vault = apps::serve(apps::Kind::Vault).await.map_err(failed)?;
    let folder = Folder::make(options.dir.as_deref(), port, reports, vault).map_err(failed)?;
    let config =
        config::load(&folder.agent_config(), &Environment::default()).map_err(bad_configuration)?;
    let quiet = config::LogSettings {
        filter: String::from(if options.check {
            "off,audit=off"
        } else {
            "warn,audit=off"
        }),
        ..config.log.clone()
    };
    logging::init(&quiet).map_err(failed)?;
    let served = policy_calls(&config).await.map_err(failed)?;
    let agent = Agent::start(config, Arc::clone(&served.calls), Arc::new(SystemClock))
        .await
        .map_err(|error| {
            failed(format_args!(
                "{error}\nIf the port is in use, choose another one with --port."
            ))
        })?;
    let ready = async {
        while !agent.is_ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(READY_WITHIN, ready).await.is_err() {
        return Err(failed("the embedded policy server did not answer in time"));
    }
    let gateway = agent.addresses()[0];
    Ok(Demo {
        agent,
        served,
        folder,
        gateway,
    })
}

impl Demo {
    /// What to know and what to try.
    fn welcome(&self) -> String {
        let port = self.gateway.port();
        let folder = self.folder.path().display();
        let policy_port = self.served.address().map_or(0, |address| address.port());
        let ca = format!("{folder}/ca.crt");
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("doorward"));
        let program = program.display();
        format!(
            "\
Doorward is running. Everything it needs is in {folder}

  Reports   https://localhost:{port}/          a login form, protection level 5
  Vault     https://localhost:{port}/vault/    Basic, protection level 10, admins only

  Users     alice  password alice-demo   groups staff
            bob    password bob-demo     groups staff, admins

Your browser will warn of the certificate, which was made a moment ago. Try, in another terminal:

  # no session: you are sent to the login page
  curl --cacert {ca} -i https://localhost:{port}/

  # bob reaches the vault, alice does not; look at the SM_ headers that the application got
  curl --cacert {ca} -u bob:bob-demo https://localhost:{port}/vault/
  curl --cacert {ca} -u alice:alice-demo -i https://localhost:{port}/vault/

  # nobody can bring identity headers along
  curl --cacert {ca} -u bob:bob-demo -H 'SM_USER: root' https://localhost:{port}/vault/ | grep -i sm_user

  # a session, a logout, and a copied cookie that is refused at once
  curl --cacert {ca} -u bob:bob-demo -c {folder}/jar -o /dev/null -s https://localhost:{port}/vault/
  curl --cacert {ca} -b {folder}/jar https://localhost:{port}/vault/
  curl --cacert {ca} -b {folder}/jar -o /dev/null -s https://localhost:{port}/doorward/logout
  curl --cacert {ca} -b {folder}/jar -i https://localhost:{port}/vault/

  # who is logged in, as an administrator sees it
  {program} sessions --url https://localhost:{policy_port} --ca-file {ca} --secret-file {folder}/admin.secret list

Press Ctrl-C to stop; the folder goes with it."
        )
    }
}
