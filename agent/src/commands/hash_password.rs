//! `doorward hash-password`: what belongs into the users file.

use std::io::{BufRead as _, IsTerminal as _, stderr, stdin};
use std::process::ExitCode;

use policy_protocol::Secret;

use super::failed;

/// Reads one line from standard input and prints its Argon2id hash.
pub(crate) fn run() -> ExitCode {
    if stdin().is_terminal() && stderr().is_terminal() {
        eprint!("Password (it will be visible): ");
    }
    let mut line = String::new();
    if let Err(error) = stdin().lock().read_line(&mut line) {
        return failed(format_args!("cannot read the password: {error}"));
    }
    let password = Secret::new(line);
    let password = password.expose().trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return failed("the password is empty: write it to standard input");
    }
    match policy_server::hash_password(password) {
        Ok(hash) => {
            println!("{hash}");
            ExitCode::SUCCESS
        }
        Err(error) => failed(error),
    }
}
