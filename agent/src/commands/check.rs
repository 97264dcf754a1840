//! `doorward check FILE`: everything that is wrong with a configuration.

use std::path::Path;
use std::process::ExitCode;

use agent::config::{self, Config, Environment};

use super::bad_configuration;
use super::output::say;

/// Checks the agent's configuration at `path`, with this process's environment over it, and that of an
/// embedded policy server. Problems go to standard error, a summary to standard output.
pub(crate) fn run(path: &Path) -> ExitCode {
    match config::load(path, &Environment::from_process()) {
        Ok(config) => match check_embedded(&config) {
            Ok(()) => {
                say(summary(path, &config));
                ExitCode::SUCCESS
            }
            Err(problems) => bad_configuration(problems),
        },
        Err(problems) => bad_configuration(format_args!(
            "{problems}\n\n{}",
            counted(problems.count(), "problem")
        )),
    }
}

#[cfg(feature = "embedded")]
fn check_embedded(config: &Config) -> Result<(), policy_server::Problems> {
    match &config.policy_server.kind {
        config::PolicyServerKind::Embedded { config_file } => {
            let config = policy_server::PolicyServerConfig::load(config_file)?;
            config.load_policies().map(|_| ())
        }
        config::PolicyServerKind::Native { .. }
        | config::PolicyServerKind::AuthAz(_)
        | config::PolicyServerKind::Am(_)
        | config::PolicyServerKind::VSphere(_) => Ok(()),
    }
}

#[cfg(not(feature = "embedded"))]
fn check_embedded(_: &Config) -> Result<(), std::convert::Infallible> {
    Ok(())
}

/// One line for a sound configuration, and one for each warning.
fn summary(path: &Path, config: &Config) -> String {
    let listeners = counted(config.listeners.len(), "listener");
    let upstreams = counted(config.upstreams.len(), "upstream");
    let realms = counted(config.realms.len(), "realm");
    let first = format!(
        "{}: sound: {listeners}, {upstreams}, {realms}",
        path.display()
    );
    let warnings = config
        .warnings
        .iter()
        .map(|warning| format!("\nwarning: {warning}"));
    std::iter::once(first).chain(warnings).collect()
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::super::BAD_CONFIGURATION;
    use super::*;

    #[test]
    fn a_sound_configuration_is_one_line_and_one_for_each_warning() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.toml"), "").unwrap();
        let text = r#"
            listeners = [{ address = "127.0.0.1:0" }]
            policy_server = { kind = "embedded", config_file = "policy.toml" }
            upstreams = [{ name = "app", servers = ["http://127.0.0.1:3000"] }]
            realms = [{ name = "all", resource = "/", upstream = "app" }]
        "#;
        let config = config::load_text(text, "x", folder.path(), &Environment::default()).unwrap();
        let summary = summary(Path::new("x"), &config);
        let mut lines = summary.lines();
        assert_eq!(
            lines.next(),
            Some("x: sound: 1 listener, 1 upstream, 1 realm")
        );
        assert!(lines.next().unwrap().starts_with("warning: listeners[0]: "));
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn problems_are_told_by_the_exit_code() {
        let code = |path: &str| format!("{:?}", run(Path::new(path)));
        assert_eq!(
            code("/nonexistent"),
            format!("{:?}", ExitCode::from(BAD_CONFIGURATION))
        );
    }
}
