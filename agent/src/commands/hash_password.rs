//! `doorward hash-password`: what belongs into the users file.

use std::io::{BufRead as _, IsTerminal as _, stderr, stdin};
use std::process::ExitCode;

use policy_protocol::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::failed;
use super::output::say;

/// Does something while the terminal, if there is one, does not show what is typed.
fn without_echo<T>(act: impl FnOnce() -> T) -> T {
    let terminal = tcgetattr(stdin()).ok();
    let set = |settings: &Termios| _ = tcsetattr(stdin(), OptionalActions::Flush, settings);
    if let Some(terminal) = &terminal {
        let mut silent = terminal.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        set(&silent);
    }
    let done = act();
    terminal.iter().for_each(set);
    done
}

/// Reads one line from standard input and prints its Argon2id hash.
pub(crate) fn run() -> ExitCode {
    if stdin().is_terminal() && stderr().is_terminal() {
        eprint!("Password: ");
    }
    let mut line = String::new();
    if let Err(error) = without_echo(|| stdin().lock().read_line(&mut line)) {
        return failed(format_args!("cannot read the password: {error}"));
    }
    let password = Secret::new(line);
    let password = password.expose().trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return failed("the password is empty: write it to standard input");
    }
    match policy_server::hash_password(password) {
        Ok(hash) => {
            say(&hash);
            ExitCode::SUCCESS
        }
        Err(error) => failed(error),
    }
}
