//! `doorward sessions`: see and end sessions at a policy server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use policy_client::PolicyError;
use policy_client::admin::{AdminClient, AdminSettings};
use policy_protocol::message::SessionSummary;
use policy_protocol::{Clock as _, Secret, SessionId, SystemClock};

use super::{control_runtime, failed};

/// An administrator waits this long for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the policy server is, and what to do there.
#[derive(Args)]
pub(crate) struct Options {
    /// The policy server's address: `https://`, host and port.
    #[arg(long, env = "DOORWARD_ADMIN_URL")]
    url: String,
    /// Trust anchors (PEM) for the policy server's certificate; the system's if absent.
    #[arg(long, env = "DOORWARD_ADMIN_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// The file that holds the policy server's secret for administrators.
    #[arg(long, env = "DOORWARD_ADMIN_SECRET_FILE")]
    secret_file: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List persistent sessions, the newest first.
    List {
        /// Of this user only.
        #[arg(long)]
        user: Option<String>,
    },
    /// Show one persistent session as JSON.
    Show {
        /// The session's id.
        #[arg(allow_hyphen_values = true)]
        id: SessionId,
    },
    /// End one session, or all sessions of a user, persistent or not, at every agent.
    Revoke {
        /// The session's id.
        #[arg(
            required_unless_present = "user",
            conflicts_with = "user",
            allow_hyphen_values = true
        )]
        id: Option<SessionId>,
        /// The user's universal id.
        #[arg(long)]
        user: Option<String>,
    },
}

/// Does what was asked for.
pub(crate) fn run(options: &Options) -> ExitCode {
    let client = match client(
        &options.url,
        options.ca_file.as_deref(),
        &options.secret_file,
    ) {
        Ok(client) => client,
        Err(error) => return failed(error),
    };
    let runtime = match control_runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(error),
    };
    match runtime.block_on(act(&client, &options.action)) {
        Ok(code) => code,
        Err(PolicyError::Failure) => {
            failed("the policy server refused or failed: check the secret and its log")
        }
        Err(error) => failed(error),
    }
}

/// A client with the secret from a file.
pub(super) fn client(
    url: &str,
    ca_file: Option<&Path>,
    secret_file: &Path,
) -> Result<AdminClient, String> {
    let secret = std::fs::read_to_string(secret_file)
        .map(Secret::new)
        .map_err(|error| format!("{}: {error}", secret_file.display()))?;
    let settings = AdminSettings {
        urls: vec![url.to_owned()],
        ca_file: ca_file.map(Path::to_owned),
        admin_secret: Secret::new(secret.expose().trim_end_matches(['\r', '\n']).to_owned()),
        timeout: TIMEOUT,
    };
    AdminClient::new(&settings).map_err(|error| error.to_string())
}

async fn act(client: &AdminClient, action: &Action) -> Result<ExitCode, PolicyError> {
    match action {
        Action::List { user } => {
            let sessions = client.sessions(user.as_deref()).await?;
            print!("{}", table(&sessions));
        }
        Action::Show { id } => match client.session(*id).await? {
            Some(session) => match serde_json::to_string_pretty(&session) {
                Ok(text) => println!("{text}"),
                Err(error) => return Ok(failed(error)),
            },
            None => return Ok(failed("there is no persistent session of this id")),
        },
        Action::Revoke { id: Some(id), .. } => {
            client.revoke_session(*id).await?;
            println!("ended");
        }
        Action::Revoke { id: None, user } => {
            client
                .revoke_user(user.as_deref().unwrap_or_default())
                .await?;
            println!("all sessions of the user ended");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A table for people: one line for each session.
fn table(sessions: &[SessionSummary]) -> String {
    let now = SystemClock.now();
    let mut lines = vec![format!(
        "{:<28} {:<20} {:>5} {:<16} {:>8} {:>8}\n",
        "SESSION", "USER", "LEVEL", "REALM", "IDLE", "LEFT"
    )];
    lines.extend(sessions.iter().map(|session| {
        format!(
            "{:<28} {:<20} {:>5} {:<16} {:>7}s {:>7}s\n",
            session.id.to_string(),
            session.identity.user_name.escape_default().to_string(),
            session.protection_level.0,
            session.realm.escape_default().to_string(),
            now.since(session.last_access).as_secs(),
            session.expires.since(now).as_secs(),
        )
    }));
    lines.concat()
}
