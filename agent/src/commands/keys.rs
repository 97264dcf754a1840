//! `doorward keys`: see which keys there are and who has them, and roll them over.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use policy_client::PolicyError;
use policy_client::admin::AdminClient;
use policy_protocol::KeyId;
use policy_protocol::administration::{
    AgentPresence, HeldKeys, KeyRingReport, KeysReport, RollAnswer, RollReason, RollRequest,
    RollWhich,
};

use super::admin::{AdminCommand, secret};
use super::failed;
use super::output::say;

/// Pause before agents that lacked the next key are looked at again.
const AGAIN: Duration = Duration::from_secs(1);

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Action {
    /// List the keys by their ids, and how long each still opens.
    List,
    /// Show which agent has which keys, and at which policy server it listens.
    Status,
    /// Make the next agent key and session ticket key current, and new ones next.
    Roll(RollOptions),
    /// Print a new master key. It asks no policy server.
    #[cfg(feature = "embedded")]
    GenerateMaster,
}

#[derive(Args)]
pub(crate) struct RollOptions {
    /// Replace the static key instead, which seals what outlives sessions: user names that login pages remember are
    /// forgotten.
    #[arg(long = "static")]
    static_key: bool,
    /// Make the new next keys from the secret in this file (base64 of 32 bytes), so that another
    /// installation with the same secret has the same keys.
    #[arg(long, conflicts_with = "static_key")]
    next_key_file: Option<PathBuf>,
    /// Roll over even if there are agents that do not have the next key yet. They refuse cookies sealed
    /// with it until they have fetched it.
    #[arg(long)]
    force: bool,
}

/// Does what was asked for.
pub(crate) fn run(options: &AdminCommand<Action>) -> ExitCode {
    match &options.action {
        Action::List => options.admin.run(async |client| {
            say(list(&client.keys().await?).trim_end());
            Ok(ExitCode::SUCCESS)
        }),
        Action::Status => options.admin.run(async |client| {
            say(status(&client.keys().await?).trim_end());
            Ok(ExitCode::SUCCESS)
        }),
        Action::Roll(how) => {
            let next_key = match how.next_key_file.as_deref().map(secret).transpose() {
                Ok(next_key) => next_key,
                Err(problem) => return failed(problem),
            };
            let which = if how.static_key {
                RollWhich::Static
            } else {
                RollWhich::Rolling
            };
            let request = RollRequest {
                which,
                next_key,
                force: how.force,
            };
            options
                .admin
                .run(async |client| Ok(told(roll(client, &request, Duration::ZERO).await?)))
        }
        #[cfg(feature = "embedded")]
        Action::GenerateMaster => match policy_server::generate_master_key() {
            Ok(key) => {
                say(key.expose());
                ExitCode::SUCCESS
            }
            Err(error) => failed(error),
        },
    }
}

/// What became of a rollover: nothing, or why it was not done.
pub(super) type Rolled = Result<(), String>;

/// Says what became of a rollover, as far as that is not said yet.
pub(super) fn told(rolled: Rolled) -> ExitCode {
    rolled.map_or_else(failed, |()| ExitCode::SUCCESS)
}

/// Rolls keys over, and says so; or finds out who was in the way for so long.
pub(super) async fn roll(
    client: &AdminClient,
    request: &RollRequest,
    patience: Duration,
) -> Result<Rolled, PolicyError> {
    let begun = Instant::now();
    let answer = loop {
        match client.roll_keys(request).await? {
            RollAnswer::No { agents, .. } if !agents.is_empty() && begun.elapsed() < patience => {
                tokio::time::sleep(AGAIN).await;
            }
            answer => break answer,
        }
    };
    match answer {
        RollAnswer::Yes { version } => {
            say(format_args!("keys rolled over; this is version {version}"));
            Ok(Ok(()))
        }
        RollAnswer::No { problem, agents } => {
            let agents: Vec<_> = agents
                .iter()
                .map(|agent| format!("\n  {}", of(agent)))
                .collect();
            let advice = if agents.is_empty() {
                ""
            } else {
                "\nThey fetch keys within seconds of a rollover and every few minutes; --force does not wait."
            };
            Ok(Err(format!(
                "nothing was changed: {problem}{}{advice}",
                agents.concat()
            )))
        }
    }
}

/// An agent process as people tell it from others.
pub(super) fn of(agent: &AgentPresence) -> String {
    let at = agent
        .address
        .map_or_else(|| String::from("embedded"), |address| address.to_string());
    format!("{} at {at}", agent.agent.escape_default())
}

fn id(id: KeyId) -> String {
    format!("{:08x}", id.0)
}

/// All keys, one on each line.
fn list(report: &KeysReport) -> String {
    let because = match report.rolled_because {
        RollReason::First => "first keys",
        RollReason::Schedule => "by schedule",
        RollReason::Command => "by command",
        RollReason::Forced => "by command, forced",
    };
    let mut lines = vec![
        format!(
            "version {}, rolled over {} ({because}), next {}\n",
            report.version, report.rolled_at, report.next_rollover
        ),
        format!("{:<16} {:<9} {:<9} {}\n", "KEYS", "ID", "IS", "OPENS UNTIL"),
    ];
    let rings: [(&str, &KeyRingReport); 2] = [
        ("agent", &report.agent_keys),
        ("session ticket", &report.ticket_keys),
    ];
    for (what, ring) in rings {
        for (key, is) in [(ring.current, "current"), (ring.next, "next")] {
            lines.push(format!("{what:<16} {:<9} {is}\n", id(key)));
        }
        for old in &ring.previous {
            let (key, until) = (id(old.id), old.drop_at);
            lines.push(format!("{what:<16} {key:<9} {:<9} {until}\n", "previous"));
        }
    }
    lines.push(format!(
        "{:<16} {:<9} static\n",
        "agent",
        id(report.static_key)
    ));
    lines.concat()
}

/// Which agent has which keys, one on each line.
fn status(report: &KeysReport) -> String {
    let ring = &report.agent_keys;
    let mut lines = vec![
        format!(
            "agent keys: version {}, current {}, next {}, static {}\n",
            report.version,
            id(ring.current),
            id(ring.next),
            id(report.static_key)
        ),
        format!(
            "{:<20} {:<22} {:<24} {:<21} {:<15} {:<9} {:<9} {}\n",
            "AGENT", "ADDRESS", "POLICY SERVER", "SINCE", "VERSION", "CURRENT", "NEXT", ""
        ),
    ];
    for server in &report.servers {
        for agent in &server.agents {
            let address = agent.address.map(|address| address.to_string());
            let [version, current, next] = match agent.keys {
                Some(keys) => [keys.version.to_string(), id(keys.current), id(keys.next)],
                None => ["-", "-", "-"].map(String::from),
            };
            let line = format!(
                "{:<20} {:<22} {:<24} {:<21} {version:<15} {current:<9} {next:<9} {}",
                agent.agent.escape_default().to_string(),
                address.as_deref().unwrap_or("embedded"),
                server.name.escape_default().to_string(),
                agent.since.to_string(),
                lacks(report, agent.keys),
            );
            lines.push(format!("{}\n", line.trim_end()));
        }
    }
    lines.concat()
}

/// What an agent lacks. A new static key is seen by the version only.
fn lacks(report: &KeysReport, held: Option<HeldKeys>) -> &'static str {
    let next = report.agent_keys.next;
    match held {
        Some(keys) if keys.next != next && keys.current != next => "lacks the next key",
        Some(keys) if keys.version < report.version => "is behind",
        Some(_) => "",
        None => "lacks the next key",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy_protocol::Timestamp;
    use policy_protocol::administration::{RetiredKeyReport, ServerPresence};

    fn report() -> KeysReport {
        let ring = KeyRingReport {
            current: KeyId(1),
            next: KeyId(0xabcd),
            previous: vec![RetiredKeyReport {
                id: KeyId(7),
                drop_at: Timestamp(60),
            }],
        };
        let agent = |name: &str, version, next| AgentPresence {
            agent: name.to_owned(),
            instance: String::from("1"),
            address: None,
            since: Timestamp(0),
            keys: Some(HeldKeys {
                version,
                current: KeyId(1),
                next: KeyId(next),
            }),
        };
        KeysReport {
            version: 3,
            rolled_at: Timestamp(0),
            rolled_because: RollReason::Command,
            next_rollover: Timestamp(86_400),
            agent_keys: ring.clone(),
            static_key: KeyId(9),
            ticket_keys: ring,
            servers: vec![ServerPresence {
                id: String::from("p"),
                name: String::from("policy-1"),
                written: Timestamp(0),
                agents: vec![
                    agent("good", 3, 0xabcd),
                    agent("newer", 4, 0xabcd),
                    agent("old-static", 2, 0xabcd),
                    agent("old", 1, 1),
                ],
            }],
        }
    }

    #[test]
    fn the_status_says_who_lacks_which_keys() {
        let text = status(&report());
        assert!(text.starts_with(
            "agent keys: version 3, current 00000001, next 0000abcd, static 00000009"
        ));
        let line = |name: &str| {
            let mut lines = text.lines();
            let name = format!("{name} ");
            lines.find(|line| line.starts_with(&name)).unwrap()
        };
        assert!(line("good").ends_with("3               00000001  0000abcd"));
        assert!(line("good").contains("policy-1"));
        assert!(line("newer").ends_with("0000abcd"), "rolled over just now");
        assert!(line("old-static").ends_with("is behind"));
        assert!(line("old").ends_with("lacks the next key"));
    }

    #[test]
    fn the_list_has_every_key() {
        let text = list(&report());
        assert!(text.starts_with("version 3, rolled over 1970-01-01T00:00:00Z (by command)"));
        assert_eq!(text.lines().count(), 2 + 3 + 3 + 1);
        assert!(text.contains("00000007  previous  1970-01-01T00:01:00Z"));
    }
}
