//! `doorward sessions`: see and end sessions at a policy server.

mod list;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{ArgGroup, Subcommand};
use policy_client::PolicyError;
use policy_client::admin::AdminClient;
use policy_protocol::sessions::PropertyChanges;
use policy_protocol::{Clock as _, SessionId, SystemClock};
use serde::Serialize;

use self::list::{List, ListError};
use super::failed;
use super::output::say;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Action {
    /// List sessions, the newest first.
    List(List),
    /// Show one session, and what will become of it, as JSON.
    Show {
        /// The session's id.
        #[arg(allow_hyphen_values = true)]
        id: SessionId,
    },
    /// Count as a use of a session, now: its idle timeout begins anew.
    ResetIdle {
        /// The session's id.
        #[arg(allow_hyphen_values = true)]
        id: SessionId,
    },
    /// Show what was noted about a session, as JSON, after changing it if that is asked for.
    Properties {
        /// The session's id.
        #[arg(allow_hyphen_values = true)]
        id: SessionId,
        /// Note this.
        #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
        set: Vec<(String, String)>,
        /// Forget what is noted under this name.
        #[arg(long, value_name = "NAME")]
        remove: Vec<String>,
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
///
/// # Errors
/// If the policy server gives no answer.
pub(crate) async fn act(client: &AdminClient, action: &Action) -> Result<ExitCode, PolicyError> {
    match action {
        Action::List(wanted) => match list::list(client, wanted).await {
            Ok(()) => {}
            Err(ListError::Policy(error)) => return Err(error),
            // A reader that goes away, such as `head`, has seen enough.
            Err(ListError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(ListError::Output(error)) => return Ok(failed(error)),
        },
        Action::Show { id } => match client.session(*id).await? {
            Some(session) => return Ok(print(&session)),
            None => return Ok(failed(NO_SESSION)),
        },
        Action::ResetIdle { id } => match client.session(*id).await? {
            Some(session) if session.limits.ends <= SystemClock.now() => {
                return Ok(failed("the time of this session is over"));
            }
            Some(_) => return Ok(print(&client.reset_idle(*id).await?)),
            None => return Ok(failed(NO_SESSION)),
        },
        Action::Properties { id, set, remove } => {
            let Some(session) = client.session(*id).await? else {
                return Ok(failed(NO_SESSION));
            };
            let changes = match changes(set, remove) {
                Ok(changes) if changes.is_empty() => return Ok(print(&session.session.properties)),
                Ok(changes) => changes,
                Err(problem) => return Ok(failed(problem)),
            };
            return match client.change_properties(*id, &changes).await {
                Ok(properties) => Ok(print(&properties)),
                Err(PolicyError::Failure) => Ok(failed(NOT_NOTED)),
                Err(error) => Err(error),
            };
        }
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

const NO_SESSION: &str = "there is no session of this id";
const NOT_NOTED: &str = "the policy server refused: it takes the names of [sessions] properties in its \
                         configuration, and values of 1024 bytes at most";

fn print(value: &impl Serialize) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(error) => failed(error),
    }
}

/// Reads `NAME=VALUE`.
fn assignment(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("this is not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn changes(set: &[(String, String)], remove: &[String]) -> Result<PropertyChanges, String> {
    let set = set.iter().map(|(name, value)| (name, Some(value)));
    let remove = remove.iter().map(|name| (name, None));
    let mut changes = BTreeMap::new();
    for (name, value) in set.chain(remove) {
        if changes.insert(name.clone(), value.cloned()).is_some() {
            return Err(format!("{name} is given twice"));
        }
    }
    Ok(changes)
}
