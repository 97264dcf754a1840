//! `doorward`: the gateway and everything an operator does with it.

mod commands;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::admin::AdminCommand;
use commands::schema::Wanted;

/// Faster than the system's for many small, short-lived pieces, and it gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Doorward: a reverse-proxy web agent.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway.
    Agent {
        /// The agent's configuration.
        #[arg(long, env = "DOORWARD_CONFIG")]
        config: PathBuf,
    },
    /// Run a policy server of its own.
    #[cfg(feature = "embedded")]
    PolicyServer {
        /// The policy server's configuration.
        #[arg(long, env = "DOORWARD_POLICY_SERVER_CONFIG")]
        config: PathBuf,
    },
    /// Run everything on this machine: gateway, policy server, two applications and their users.
    #[cfg(feature = "embedded")]
    Demo(commands::demo::Options),
    /// Report every problem of an agent's configuration.
    Check {
        /// The agent's configuration.
        file: PathBuf,
    },
    /// Turn the configuration of another maker's agent into one for this agent, and list what has no equivalent.
    Import(commands::import::Options),
    /// Say whether an agent or a policy server is ready, for the health check of a container.
    Ready(commands::ready::Options),
    /// Print the JSON Schema of the agent's configuration.
    Schema {
        /// Print the reference of all settings in Markdown instead.
        #[arg(long)]
        markdown: bool,
        /// Print the policy server's instead of the agent's.
        #[cfg(feature = "embedded")]
        #[arg(long, conflicts_with = "markdown")]
        policy_server: bool,
        /// Print the OpenAPI document of the policy server's calls instead.
        #[cfg(feature = "embedded")]
        #[arg(long, conflicts_with_all = ["markdown", "policy_server"])]
        openapi: bool,
    },
    /// Read a password from standard input and print its hash for the users file.
    #[cfg(feature = "embedded")]
    HashPassword,
    /// See and end sessions.
    Sessions(AdminCommand<commands::sessions::Action>),
    /// See how a user's logins stand, end a lockout, give and take a second factor.
    Users(AdminCommand<commands::users::Action>),
    /// See which keys there are and who has them, and roll them over.
    Keys(AdminCommand<commands::keys::Action>),
    /// Register agents, and give them new credentials.
    Agents(AdminCommand<commands::agents::Action>),
    /// Explain what would be decided for an address, and for a user.
    Why(Box<commands::why::Options>),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Agent { config } => commands::agent::run(&config),
        #[cfg(feature = "embedded")]
        Command::PolicyServer { config } => commands::policy_server::run(&config),
        #[cfg(feature = "embedded")]
        Command::Demo(options) => commands::demo::run(&options),
        Command::Check { file } => commands::check::run(&file),
        Command::Import(options) => commands::import::run(&options),
        Command::Ready(options) => commands::ready::run(&options),
        #[cfg(feature = "embedded")]
        Command::Schema { openapi: true, .. } => commands::schema::run(Wanted::OpenApi),
        #[cfg(feature = "embedded")]
        Command::Schema {
            policy_server: true,
            ..
        } => commands::schema::run(Wanted::PolicyServerSchema),
        Command::Schema { markdown: true, .. } => commands::schema::run(Wanted::Reference),
        Command::Schema { .. } => commands::schema::run(Wanted::Schema),
        #[cfg(feature = "embedded")]
        Command::HashPassword => commands::hash_password::run(),
        Command::Sessions(command) => command.run(commands::sessions::act),
        Command::Users(command) => command.run(commands::users::act),
        Command::Keys(options) => commands::keys::run(&options),
        Command::Agents(options) => commands::agents::run(&options),
        Command::Why(options) => commands::why::run(&options),
    }
}
