//! `doorward users`: see how a user's logins stand, end a lockout, give and take a second factor.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use policy_client::PolicyError;
use policy_client::admin::AdminClient;
use policy_protocol::user_administration::{Enrolment, UserStatus};
use policy_protocol::{Clock as _, Secret, SystemClock, Timestamp};
use qrcodegen::{QrCode, QrCodeEcc};

use super::failed;
use super::output::{SecretOutput, say};

/// Light modules around a QR code, by its standard.
const QUIET_ZONE: i32 = 4;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Action {
    /// Show failed logins, a lockout, and the second factor.
    Status(User),
    /// Forget failed logins, which ends a lockout.
    Unlock(User),
    /// Give a second factor, take it away, or show whether there is one.
    #[command(subcommand)]
    SecondFactor(SecondFactor),
}

#[derive(Subcommand)]
pub(crate) enum SecondFactor {
    /// Make a secret for an authenticator app, and ten recovery codes. They are shown once.
    Enrol {
        #[command(flatten)]
        user: User,
        /// What the app shows beside the user's name.
        #[arg(long, default_value = "Doorward")]
        issuer: String,
        /// Show no QR code.
        #[arg(long)]
        no_qr: bool,
        /// Write all of it, but the QR code, into this new file, which only its owner can read, instead of
        /// printing it.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Take it away: the user cannot log in where a code is asked for until a new one is enrolled.
    Remove(User),
    /// Show whether there is one.
    Status(User),
}

#[derive(Args)]
pub(crate) struct User {
    /// A login name or universal id.
    name: String,
}

/// Does what was asked for.
///
/// # Errors
/// If the policy server gives no answer.
pub(crate) async fn act(client: &AdminClient, action: &Action) -> Result<ExitCode, PolicyError> {
    match action {
        Action::Status(User { name }) => {
            let status = client.user_status(name).await?;
            say(format_args!("user           {}", known_as(&status)));
            say(format_args!("failed logins  {}", status.failed_logins));
            say(format_args!("lockout        {}", lockout(&status)));
            say(format_args!("second factor  {}", second_factor(&status)));
        }
        Action::Unlock(User { name }) => {
            client.unlock_user(name).await?;
            say("failed logins forgotten");
        }
        Action::SecondFactor(SecondFactor::Status(User { name })) => {
            let status = client.user_status(name).await?;
            say(second_factor(&status));
        }
        Action::SecondFactor(SecondFactor::Remove(User { name })) => {
            if client.user_status(name).await?.second_factor.is_none() {
                return Ok(failed("this user has no second factor"));
            }
            client.remove_second_factor(name).await?;
            say("second factor taken away");
        }
        Action::SecondFactor(SecondFactor::Enrol {
            user,
            issuer,
            no_qr,
            out,
        }) => {
            let status = client.user_status(&user.name).await?;
            if status.universal_id.is_none() {
                return Ok(failed("no directory knows this user"));
            }
            if status.second_factor.is_some() {
                return Ok(failed("this user has a second factor: remove it first"));
            }
            let output = match SecretOutput::open(out.as_deref()) {
                Ok(output) => output,
                Err(problem) => return Ok(failed(problem)),
            };
            let enrolment = client.enrol_second_factor(&user.name, issuer).await?;
            let with_qr = !no_qr && !output.is_file();
            if let Err(error) = output.write(&told(&enrolment, with_qr)) {
                return Ok(failed(format_args!(
                    "the second factor was made but not written: {error}. Remove it, and enrol anew"
                )));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn known_as(status: &UserStatus) -> String {
    let id = status.universal_id.as_ref();
    id.map_or_else(
        || String::from("in no directory"),
        |id| id.escape_default().to_string(),
    )
}

fn lockout(status: &UserStatus) -> String {
    match status.refused_until {
        Some(until) => format!("for another {} s", until.since(SystemClock.now()).as_secs()),
        None => String::from("none"),
    }
}

fn second_factor(status: &UserStatus) -> String {
    let Some(factor) = status.second_factor else {
        return String::from("none");
    };
    let Timestamp(enrolled) = factor.enrolled;
    let days = SystemClock.now().since(Timestamp(enrolled)).as_secs() / (24 * 3600);
    format!(
        "authenticator app, enrolled {days} days ago, {} recovery codes left",
        factor.recovery_codes
    )
}

/// The only time that anybody sees it.
fn told(enrolment: &Enrolment, with_qr: bool) -> Secret<String> {
    let mut lines = Vec::new();
    if with_qr {
        // A code that does not fit is no loss: the address and the secret are there too.
        let code = QrCode::encode_text(enrolment.uri.expose(), QrCodeEcc::Low);
        lines.extend(code.map(|code| drawing(&code)));
    }
    lines.push(format!("address  {}\n", enrolment.uri.expose()));
    lines.push(format!("secret   {}\n", enrolment.secret.expose()));
    lines.push(String::from("recovery codes, each of which works once:\n"));
    let codes = enrolment.recovery_codes.iter();
    lines.extend(codes.map(|code| format!("  {}\n", code.expose())));
    Secret::new(lines.concat())
}

/// A QR code for a terminal: two modules, one above the other, in each character. Dark on light whatever
/// the terminal's colours, because many apps read nothing else.
fn drawing(code: &QrCode) -> String {
    let modules = -QUIET_ZONE..code.size() + QUIET_ZONE;
    let mut lines = String::new();
    for y in modules.clone().step_by(2) {
        lines.push_str("\x1b[30;107m");
        for x in modules.clone() {
            lines.push(match (code.get_module(x, y), code.get_module(x, y + 1)) {
                (false, false) => ' ',
                (true, false) => '▀',
                (false, true) => '▄',
                (true, true) => '█',
            });
        }
        lines.push_str("\x1b[0m\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_has_every_module_and_light_around() {
        let code = QrCode::encode_text("otpauth://totp/x", QrCodeEcc::Low).unwrap();
        let drawing = drawing(&code);
        let plain = drawing.replace("\x1b[30;107m", "").replace("\x1b[0m", "");
        let rows: Vec<Vec<char>> = plain.lines().map(|line| line.chars().collect()).collect();
        let side = usize::try_from(code.size() + 2 * QUIET_ZONE).unwrap();
        assert_eq!(rows.len(), side.div_ceil(2));
        for (y, row) in rows.iter().enumerate() {
            assert_eq!(row.len(), side);
            for (x, character) in row.iter().enumerate() {
                let at = |y: usize| {
                    let place = |at: usize| i32::try_from(at).unwrap() - QUIET_ZONE;
                    code.get_module(place(x), place(y))
                };
                let upper = matches!(character, '▀' | '█');
                let lower = matches!(character, '▄' | '█');
                assert_eq!((upper, lower), (at(2 * y), at(2 * y + 1)), "{x} {y}");
            }
        }
        assert!(rows[0].iter().all(|character| *character == ' '));
    }
}
