//! The way to a policy server for administrators, which several commands share.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use policy_client::PolicyError;
use policy_client::admin::{AdminClient, AdminSettings};
use policy_protocol::Secret;

use super::{control_runtime, failed};

/// An administrator waits this long for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the policy server is, and what to do there.
#[derive(Args)]
pub(crate) struct AdminCommand<A: Subcommand> {
    #[command(flatten)]
    pub(super) admin: AdminOptions,
    #[command(subcommand)]
    pub(super) action: A,
}

impl<A: Subcommand> AdminCommand<A> {
    /// Does it.
    pub(crate) fn run(
        &self,
        act: impl AsyncFnOnce(&AdminClient, &A) -> Result<ExitCode, PolicyError>,
    ) -> ExitCode {
        self.admin
            .run(async |client| act(client, &self.action).await)
    }
}

/// Where the policy server is, and who asks.
#[derive(Args)]
pub(crate) struct AdminOptions {
    /// The policy server's address: `https://`, host and port.
    #[arg(long, env = "DOORWARD_ADMIN_URL", global = true)]
    url: Option<String>,
    /// Trust anchors (PEM) for the policy server's certificate; the system's if absent.
    #[arg(long, env = "DOORWARD_ADMIN_CA_FILE", global = true)]
    ca_file: Option<PathBuf>,
    /// The file that holds the policy server's secret for administrators.
    #[arg(long, env = "DOORWARD_ADMIN_SECRET_FILE", global = true)]
    secret_file: Option<PathBuf>,
}

impl AdminOptions {
    /// Does something with a client.
    pub(super) fn run(
        &self,
        act: impl AsyncFnOnce(&AdminClient) -> Result<ExitCode, PolicyError>,
    ) -> ExitCode {
        let (Some(url), Some(secret_file)) = (&self.url, &self.secret_file) else {
            return failed(
                "say --url and --secret-file, or set DOORWARD_ADMIN_URL and DOORWARD_ADMIN_SECRET_FILE",
            );
        };
        let client = match client(url, self.ca_file.as_deref(), secret_file) {
            Ok(client) => client,
            Err(error) => return failed(error),
        };
        let runtime = match control_runtime() {
            Ok(runtime) => runtime,
            Err(error) => return failed(error),
        };
        match runtime.block_on(act(&client)) {
            Ok(code) => code,
            Err(PolicyError::Failure) => {
                failed("the policy server refused or failed: check the secret and its log")
            }
            Err(error) => failed(error),
        }
    }
}

/// The secret in a file, without the line break at its end.
pub(super) fn secret(file: &Path) -> Result<Secret<String>, String> {
    let text = std::fs::read_to_string(file)
        .map(Secret::new)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let line = text.expose().trim_end_matches(['\r', '\n']);
    Ok(Secret::new(line.to_owned()))
}

/// A client with the secret from a file.
pub(super) fn client(
    url: &str,
    ca_file: Option<&Path>,
    secret_file: &Path,
) -> Result<AdminClient, String> {
    let settings = AdminSettings {
        urls: vec![url.to_owned()],
        ca_file: ca_file.map(Path::to_owned),
        admin_secret: secret(secret_file)?,
        timeout: TIMEOUT,
    };
    AdminClient::new(&settings).map_err(|error| error.to_string())
}
