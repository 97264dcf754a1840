//! `doorward schema`: the configuration's JSON Schema, or its reference.

use std::io::Write as _;
use std::process::ExitCode;

use agent::config::{reference, schema};

/// Prints the JSON Schema, or the reference in Markdown, to standard output.
pub(crate) fn run(markdown: bool) -> ExitCode {
    let text = if markdown {
        reference::markdown()
    } else {
        format!("{:#}\n", schema::json_schema())
    };
    // A reader that goes away, such as `head`, has seen enough.
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
