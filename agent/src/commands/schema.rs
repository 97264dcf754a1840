//! `doorward schema`: the configuration's JSON Schema, or its reference.

use std::io::Write as _;
use std::process::ExitCode;

use agent::config::{reference, schema};

/// What to print.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    /// The JSON Schema of the agent's configuration.
    Schema,
    /// The reference of the agent's configuration, in Markdown.
    Reference,
    /// The JSON Schema of the policy server's configuration.
    #[cfg(feature = "embedded")]
    PolicyServerSchema,
    /// The OpenAPI document of the policy server's calls.
    #[cfg(feature = "embedded")]
    OpenApi,
}

/// Prints to standard output.
pub(crate) fn run(wanted: Wanted) -> ExitCode {
    let text = match wanted {
        Wanted::Schema => format!("{:#}\n", schema::json_schema()),
        Wanted::Reference => reference::markdown(),
        #[cfg(feature = "embedded")]
        Wanted::OpenApi => format!("{:#}\n", policy_server::openapi()),
        #[cfg(feature = "embedded")]
        Wanted::PolicyServerSchema => format!("{:#}\n", policy_server::schema().to_value()),
    };
    // A reader that goes away, such as `head`, has seen enough.
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
