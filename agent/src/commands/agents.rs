//! `doorward agents`: register agents at the policy servers, and give them new credentials.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use agent::config::units::TimeSpan;
use agent::http::connection_info;
use clap::Subcommand;
use policy_client::PolicyError;
use policy_client::admin::AdminClient;
use policy_protocol::Secret;
use policy_protocol::administration::{
    AddAgentRequest, AgentAnswer, AgentReport, AgentsReport, RollRequest, RollWhich,
    RotateAgentRequest,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::admin::AdminCommand;
use super::failed;
use super::keys::{self, Rolled};
use super::output::{SecretOutput, say};

/// Agents fetch keys within this time of hearing of a rollover.
const FETCHING: Duration = Duration::from_secs(20);

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Action {
    /// List the agents, how they prove who they are, and how many of their processes listen.
    List,
    /// Register an agent. The policy server makes its secret, unless it has a certificate.
    Add {
        /// The agent's name, `agent.name` in its configuration.
        name: String,
        /// The agent's client certificate (PEM).
        #[arg(long)]
        certificate: Option<PathBuf>,
        /// Make a secret although there is a certificate: the agent then needs both.
        #[arg(long)]
        with_secret: bool,
        /// Write the secret into this new file, which only its owner can read, instead of printing it.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Give an agent a new secret, or a new certificate. The old ones hold for a while.
    Rotate {
        /// The agent's name.
        name: String,
        /// The agent's new client certificate (PEM).
        #[arg(long)]
        certificate: Option<PathBuf>,
        /// How long the old ones still hold: a number and s, m, h or d.
        #[arg(long, default_value = "24h")]
        grace: TimeSpan,
        /// Write the secret into this new file, which only its owner can read, instead of printing it.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Remove an agent: it gets nothing any more.
    Remove {
        /// The agent's name.
        name: String,
        /// Roll keys over twice as well, so that cookies are no longer sealed with keys that it knows.
        #[arg(long)]
        roll: bool,
    },
}

/// Does what was asked for.
pub(crate) fn run(options: &AdminCommand<Action>) -> ExitCode {
    match &options.action {
        Action::List => options.admin.run(async |client| {
            say(table(&client.agents().await?).trim_end());
            Ok(ExitCode::SUCCESS)
        }),
        Action::Add {
            name,
            certificate,
            with_secret,
            out,
        } => {
            let certificate = match certificate.as_deref().map(fingerprint).transpose() {
                Ok(certificate) => certificate,
                Err(problem) => return failed(problem),
            };
            let request = AddAgentRequest {
                name: name.clone(),
                secret: *with_secret || certificate.is_none(),
                certificate,
            };
            with_secret_file(options, out.as_deref(), async |client| {
                client.add_agent(&request).await
            })
        }
        Action::Rotate {
            name,
            certificate,
            grace,
            out,
        } => {
            let certificate = match certificate.as_deref().map(fingerprint).transpose() {
                Ok(certificate) => certificate,
                Err(problem) => return failed(problem),
            };
            let request = RotateAgentRequest {
                certificate,
                grace: grace.0,
            };
            with_secret_file(options, out.as_deref(), async |client| {
                client.rotate_agent(name, &request).await
            })
        }
        Action::Remove { name, roll } => options
            .admin
            .run(async |client| remove(client, name, *roll).await),
    }
}

/// The SHA-256 of the first certificate in a file.
fn fingerprint(file: &Path) -> Result<String, String> {
    let certificate = CertificateDer::from_pem_file(file)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(connection_info::fingerprint(&certificate))
}

/// Makes a call whose answer may be a secret. The file for it is made before: a secret that is told once
/// must not get lost.
fn with_secret_file(
    options: &AdminCommand<Action>,
    out: Option<&Path>,
    call: impl AsyncFnOnce(&AdminClient) -> Result<AgentAnswer, PolicyError>,
) -> ExitCode {
    let output = match SecretOutput::open(out) {
        Ok(output) => output,
        Err(problem) => return failed(problem),
    };
    options.admin.run(async |client| match call(client).await? {
        AgentAnswer::No { problem } => Ok(failed(format_args!("nothing was changed: {problem}"))),
        AgentAnswer::Yes { secret: None } => {
            say("done");
            Ok(ExitCode::SUCCESS)
        }
        AgentAnswer::Yes {
            secret: Some(secret),
        } => {
            let is_file = output.is_file();
            if !is_file {
                eprintln!("The agent's secret, which is told only once:");
            }
            let line = Secret::new(format!("{}\n", secret.expose()));
            if let Err(error) = output.write(&line) {
                return Ok(failed(format_args!(
                    "the secret was made but not written: {error}. Rotate to get another one"
                )));
            }
            if is_file {
                say("the secret is in the file; it is told only once");
            }
            Ok(ExitCode::SUCCESS)
        }
    })
}

async fn remove(client: &AdminClient, name: &str, roll: bool) -> Result<ExitCode, PolicyError> {
    let report = client.agents().await?;
    let Some(agent) = report.agents.iter().find(|agent| agent.name == name) else {
        return Ok(failed("there is no agent of this name"));
    };
    if agent.created.is_none() {
        return Ok(failed(
            "this agent stands in the configuration file of the policy servers, under [[agents]]: \
             remove it there, and restart them",
        ));
    }
    client.remove_agent(name).await?;
    say("removed");
    if !roll {
        say(format_args!(
            "It still knows the current and the next agent key. To seal with keys that it does not know, \
             roll over twice: doorward keys roll, again when all agents have the next key, or at once \
             with --force. What it can open already it can open until those keys are dropped."
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let request = RollRequest {
        which: RollWhich::Rolling,
        next_key: None,
        force: false,
    };
    let rolled = twice(async || keys::roll(client, &request, FETCHING).await).await?;
    Ok(keys::told(rolled.map_err(|problem| {
        format!(
            "{problem}\nThe agent is removed, but still knows keys that cookies are sealed with. Roll over again: \
             doorward keys roll, as often as is missing from two"
        )
    })))
}

/// Rolls over twice: the next key, which a removed agent knows, must not be what the second one makes current.
async fn twice(
    mut roll: impl AsyncFnMut() -> Result<Rolled, PolicyError>,
) -> Result<Rolled, PolicyError> {
    match roll().await? {
        Ok(()) => roll().await,
        refused => Ok(refused),
    }
}

/// One line for each agent.
fn table(report: &AgentsReport) -> String {
    let mut lines = vec![format!(
        "{:<24} {:<14} {:<34} {}\n",
        "AGENT", "REGISTERED", "PROVES ITSELF WITH", "LISTENING"
    )];
    for agent in &report.agents {
        let registered = match agent.created {
            Some(_) => "by command",
            None => "in the file",
        };
        let servers = report.servers.iter();
        let listening = servers.flat_map(|server| &server.agents);
        let listening = listening.filter(|there| there.agent == agent.name).count();
        lines.push(format!(
            "{:<24} {registered:<14} {:<34} {listening}\n",
            agent.name.escape_default().to_string(),
            proof(agent),
        ));
    }
    lines.concat()
}

fn proof(agent: &AgentReport) -> String {
    let kinds = [
        ("secret", &agent.secrets),
        ("certificate", &agent.certificates),
    ];
    let told = kinds.into_iter().filter_map(|(kind, has)| {
        let old = has.iter().filter(|it| it.expires.is_some()).count();
        match (has.len(), old) {
            (0, _) => None,
            (1, _) => Some(kind.to_owned()),
            (_, old) => Some(format!("{kind} (and {old} old)")),
        }
    });
    told.collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy_protocol::Timestamp;
    use policy_protocol::administration::CredentialReport;

    #[test]
    fn the_table_says_how_agents_prove_who_they_are() {
        let credential = |expires| CredentialReport {
            fingerprint: None,
            expires,
        };
        let new = credential(None);
        let report = AgentsReport {
            agents: vec![
                AgentReport {
                    name: String::from("a"),
                    created: Some(Timestamp(1)),
                    secrets: vec![new.clone(), credential(Some(Timestamp(2)))],
                    certificates: vec![new.clone()],
                },
                AgentReport {
                    name: String::from("b"),
                    created: None,
                    secrets: vec![new],
                    certificates: Vec::new(),
                },
            ],
            servers: Vec::new(),
        };
        let text = table(&report);
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line("a ").contains("by command     secret (and 1 old) and certificate"));
        assert!(line("b ").contains("in the file    secret  "));
    }

    #[tokio::test]
    async fn a_rollover_that_was_not_done_is_a_failure_whichever_it_was() {
        let refused = || Err(String::from("an agent lacks the next key"));
        for (outcomes, made, sound) in [
            ([Ok(()), Ok(())], 2, true),
            ([refused(), Ok(())], 1, false),
            ([Ok(()), refused()], 2, false),
        ] {
            let mut outcomes = outcomes.into_iter();
            let mut calls = 0;
            let rolled = twice(async || {
                calls += 1;
                Ok(outcomes.next().unwrap())
            });
            assert_eq!(rolled.await.unwrap().is_ok(), sound);
            assert_eq!(calls, made);
        }
    }
}
