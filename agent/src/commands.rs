//! One file for each subcommand.

pub(crate) mod admin;
pub(crate) mod agent;
pub(crate) mod agents;
pub(crate) mod check;
#[cfg(feature = "embedded")]
pub(crate) mod demo;
#[cfg(feature = "embedded")]
pub(crate) mod hash_password;
pub(crate) mod import;
pub(crate) mod keys;
mod output;
#[cfg(feature = "embedded")]
pub(crate) mod policy_server;
pub(crate) mod ready;
pub(crate) mod schema;
pub(crate) mod sessions;
mod stop;
pub(crate) mod users;
pub(crate) mod why;

use std::process::ExitCode;

/// The exit code for a configuration with problems (`EX_USAGE`).
const BAD_CONFIGURATION: u8 = 64;

/// Says why a command failed, in one paragraph, and fails.
fn failed(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("doorward: {error}");
    ExitCode::FAILURE
}

/// Says what is wrong with a configuration, and fails.
fn bad_configuration(problems: impl std::fmt::Display) -> ExitCode {
    eprintln!("{problems}");
    ExitCode::from(BAD_CONFIGURATION)
}

/// The runtime for everything that is not a request.
fn control_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
}
