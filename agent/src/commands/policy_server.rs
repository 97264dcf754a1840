//! `doorward policy-server`: a policy server of its own.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use agent::config::LogSettings;
use agent::telemetry::logging;
use policy_protocol::SystemClock;
use policy_server::{PolicyServer, PolicyServerConfig};

use super::{bad_configuration, control_runtime, failed, stop};

/// The variable that sets the log filter; `info` by default.
const LOG_FILTER: &str = "DOORWARD_LOG";
/// The variable that makes the log JSON lines when it is `json`.
const LOG_FORMAT: &str = "DOORWARD_LOG_FORMAT";

/// Runs a policy server until it is told to stop.
pub(crate) fn run(path: &Path) -> ExitCode {
    let config = match PolicyServerConfig::load(path) {
        Ok(config) => config,
        Err(problems) => return bad_configuration(problems),
    };
    let Some(listen) = config.listen.clone() else {
        return bad_configuration(format_args!(
            "{}: there is no [listen] section: a policy server of its own needs an address and a certificate",
            path.display()
        ));
    };
    let log = LogSettings {
        filter: std::env::var(LOG_FILTER).unwrap_or_else(|_| String::from("info")),
        json: std::env::var(LOG_FORMAT).is_ok_and(|format| format == "json"),
        access_log: false,
    };
    if let Err(error) = logging::init(&log) {
        return failed(error);
    }
    let runtime = match control_runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(error),
    };
    runtime.block_on(async {
        let server = match PolicyServer::open(config, Arc::new(SystemClock)).await {
            Ok(server) => server,
            Err(error) => return failed(error),
        };
        let running = match policy_server::serve(server, listen).await {
            Ok(running) => running,
            Err(error) => return failed(error),
        };
        tracing::info!(address = %running.address, "listening");
        stop::requested().await;
        tracing::info!("stopping: calls in progress run to their end");
        running.stop().await;
        ExitCode::SUCCESS
    })
}
