//! `doorward sessions`: see and end sessions at a policy server.

mod list;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use policy_client::PolicyError;
use policy_client::admin::{AdminClient, AdminSettings};
use policy_protocol::{Secret, SessionId};

use self::list::{List, ListError};
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
    /// List sessions, the newest first.
    List(List),
    /// Show one session, and what will become of it, as JSON.
    Show {
        /// The session's id.
        #[arg(allow_hyphen_values = true)]
        id: SessionId,
    },
    /// End one session, all sessions of a user, or all there are, persistent or not, at every agent.
    #[command(group(ArgGroup::new("which").required(true).args(["id", "user", "all"])))]
    Revoke {
        /// The session's id.
        #[arg(allow_hyphen_values = true)]
        id: Option<SessionId>,
        /// All sessions of the user with this universal id.
        #[arg(long)]
        user: Option<String>,
        /// All sessions of all users.
        #[arg(long, requires = "yes")]
        all: bool,
        /// That is really meant.
        #[arg(long, requires = "all")]
        yes: bool,
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
        Action::List(wanted) => match list::list(client, wanted).await {
            Ok(()) => {}
            Err(ListError::Policy(error)) => return Err(error),
            // A reader that goes away, such as `head`, has seen enough.
            Err(ListError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(ListError::Output(error)) => return Ok(failed(error)),
        },
        Action::Show { id } => match client.session(*id).await? {
            Some(session) => match serde_json::to_string_pretty(&session) {
                Ok(text) => println!("{text}"),
                Err(error) => return Ok(failed(error)),
            },
            None => return Ok(failed("there is no session of this id")),
        },
        Action::Revoke { id: Some(id), .. } => {
            client.revoke_session(*id).await?;
            println!("ended");
        }
        Action::Revoke {
            user: Some(user), ..
        } => {
            client.revoke_user(user).await?;
            println!("all sessions of the user ended");
        }
        Action::Revoke { .. } => {
            client.revoke_all().await?;
            println!("all sessions of all users ended");
        }
    }
    Ok(ExitCode::SUCCESS)
}
