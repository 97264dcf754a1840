//! `doorward sessions`: see and end sessions at a policy server.

mod list;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use policy_client::PolicyError;
use policy_client::admin::AdminClient;
use policy_protocol::SessionId;

use self::list::{List, ListError};
use super::admin::AdminOptions;
use super::failed;
use super::output::say;

/// Where the policy server is, and what to do there.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    admin: AdminOptions,
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
    options
        .admin
        .run(async |client| act(client, &options.action).await)
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
                Ok(text) => say(&text),
                Err(error) => return Ok(failed(error)),
            },
            None => return Ok(failed("there is no session of this id")),
        },
        Action::Revoke { id: Some(id), .. } => {
            client.revoke_session(*id).await?;
            say("ended");
        }
        Action::Revoke {
            user: Some(user), ..
        } => {
            client.revoke_user(user).await?;
            say("all sessions of the user ended");
        }
        Action::Revoke { .. } => {
            client.revoke_all().await?;
            say("all sessions of all users ended");
        }
    }
    Ok(ExitCode::SUCCESS)
}
