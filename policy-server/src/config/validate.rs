//! From what an operator wrote to what the policy server runs on.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use policy_protocol::Secret;
use toml::Spanned;

use super::file::{AgentSection, LimitsSection, ListenSection, PolicyServerFile};
use super::{
    AgentCredentials, Limits, ListenConfig, PolicyServerConfig, Problem, Problems, duration,
    is_agent_name,
};
use crate::agents::Hash;

/// Shorter secrets can be guessed.
const MIN_SECRET_LENGTH: usize = 16;
/// More rollovers than this within the life of a session would only grow the key ring.
const MIN_ROLLOVER: Duration = Duration::from_secs(3600);
/// Fewer connections than this are a mistake: administrators and probes need some as well.
const MIN_CONNECTIONS: usize = 16;

/// Collects problems on the way.
pub(super) struct Checker<'a> {
    text: &'a str,
    name: &'a str,
    pub(super) base: &'a Path,
    problems: Vec<Problem>,
}

pub(super) fn validate(
    file: PolicyServerFile,
    text: &str,
    name: &str,
    base: &Path,
) -> Result<PolicyServerConfig, Problems> {
    let mut checker = Checker {
        text,
        name,
        base,
        problems: Vec::new(),
    };
    let store = super::store::validate(&mut checker, file.store);
    let asks_for_certificates = file
        .listen
        .as_ref()
        .is_some_and(|listen| listen.client_ca_file.is_some());
    let directories = super::directories::validate(&mut checker, file.users_file, file.directories);
    let sessions = super::sessions::validate(&mut checker, &file.sessions, &directories);
    let config = PolicyServerConfig {
        name: checker.name_of_server(file.name),
        state_dir: base.join(file.state_dir),
        master_key: super::keys::validate(&mut checker, &file.keys, &store),
        store,
        assertions: super::assertions::validate(&mut checker, file.assertions, &directories),
        directories,
        agents: checker.agents(&file.agents, asks_for_certificates),
        admin_secret: file
            .admin
            .and_then(|admin| checker.secret("admin", &admin.secret_file)),
        listen: file.listen.and_then(|listen| checker.listen(&listen)),
        limits: checker.limits(&file.limits),
        regulation: super::regulation::validate(&mut checker, file.regulation),
        agent_key_rollover: checker.duration(
            "agent_key_rollover",
            file.agent_key_rollover.as_ref(),
            PolicyServerConfig::DEFAULT_ROLLOVER,
            MIN_ROLLOVER..=Duration::MAX,
        ),
        policies_file: file.policies_file.map(|file| base.join(file)),
        sessions,
        audit: super::audit::validate(&mut checker, file.audit),
    };
    Problems::check(checker.problems, config)
}

impl Checker<'_> {
    pub(super) fn report<T>(&mut self, place: &Spanned<T>, key: &str, message: &str) {
        self.problems.push(Problem::at(
            self.name,
            self.text,
            &place.span(),
            key,
            message,
        ));
    }

    fn name_of_server(&mut self, name: Option<Spanned<String>>) -> String {
        let Some(name) = name else {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            return host.trim().to_owned();
        };
        let text = name.get_ref();
        if text.is_empty() || text.len() > 64 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.report(&name, "name", "must be 1 to 64 visible ASCII characters");
        }
        name.into_inner()
    }

    fn agents(
        &mut self,
        sections: &[AgentSection],
        asks_for_certificates: bool,
    ) -> Vec<AgentCredentials> {
        let mut names = BTreeSet::new();
        let mut agents = Vec::new();
        for section in sections {
            let name = section.name.get_ref();
            let key = format!("agents.{name}");
            if !is_agent_name(name) {
                let rule = "must be 1 to 64 visible ASCII characters without a colon";
                self.report(&section.name, &key, rule);
            }
            if !names.insert(name.clone()) {
                self.report(&section.name, &key, "there is another agent of this name");
            }
            if section.secret_file.is_none() && section.certificate_fingerprints.is_empty() {
                self.report(
                    &section.name,
                    &key,
                    "needs a secret_file, certificate_fingerprints, or both",
                );
            }
            let secret = section.secret_file.as_ref();
            let secret = secret.and_then(|file| self.secret(&key, file));
            let fingerprints = &section.certificate_fingerprints;
            let certificate_fingerprints = fingerprints
                .iter()
                .filter_map(|text| self.fingerprint(&key, text, asks_for_certificates))
                .collect();
            agents.push(AgentCredentials {
                name: name.clone(),
                secret,
                certificate_fingerprints,
            });
        }
        agents
    }

    fn fingerprint(
        &mut self,
        key: &str,
        text: &Spanned<String>,
        asks_for_certificates: bool,
    ) -> Option<[u8; 32]> {
        let key = format!("{key}.certificate_fingerprints");
        if !asks_for_certificates {
            let rule = "without listen.client_ca_file nobody is asked for a certificate";
            self.report(text, &key, rule);
        }
        let hash = Hash::from_hex(text.get_ref());
        if hash.is_none() {
            self.report(text, &key, "must be a certificate's SHA-256 in hex");
        }
        hash.map(Hash::bytes)
    }

    /// A problem that has no place, because something is missing.
    pub(super) fn report_unplaced(&mut self, key: &str, message: &str) {
        self.problems
            .push(Problem::unplaced(self.name, key, message));
    }

    /// Reads a file with one line. A newline at its end, which editors leave, is not part of it.
    pub(super) fn line(&mut self, key: &str, file: &Spanned<String>) -> Option<Secret<String>> {
        let path = self.base.join(file.get_ref());
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let text = Secret::new(text);
                let line = text.expose().trim_end_matches(['\r', '\n']);
                Some(Secret::new(line.to_owned()))
            }
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                self.report(file, key, &message);
                None
            }
        }
    }

    /// Reads a password that others have set, and so may be short.
    pub(super) fn password(&mut self, key: &str, file: &Spanned<String>) -> Option<Secret<String>> {
        self.line(&format!("{key}.password_file"), file)
    }

    /// Reads a secret file.
    pub(super) fn secret(&mut self, key: &str, file: &Spanned<String>) -> Option<Secret<String>> {
        let key = format!("{key}.secret_file");
        let secret = self.line(&key, file)?;
        let text = secret.expose();
        if text.len() < MIN_SECRET_LENGTH || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            let rule = format!(
                "{} must hold one line of at least {MIN_SECRET_LENGTH} printable ASCII characters",
                self.base.join(file.get_ref()).display()
            );
            self.report(file, &key, &rule);
            return None;
        }
        Some(secret)
    }

    fn listen(&mut self, section: &ListenSection) -> Option<ListenConfig> {
        let Ok(address) = section.address.get_ref().parse() else {
            let rule = "must be an IP address and a port, such as 0.0.0.0:8444";
            self.report(&section.address, "listen.address", rule);
            return None;
        };
        let connections = section.max_connections.as_ref();
        let range = MIN_CONNECTIONS..=ListenConfig::MOST_CONNECTIONS;
        if let Some(wanted) = connections.filter(|wanted| !range.contains(wanted.get_ref())) {
            let rule = format!("must be {} to {}", range.start(), range.end());
            self.report(wanted, "listen.max_connections", &rule);
        }
        let [cert_file, key_file] =
            [&section.cert_file, &section.key_file].map(|file| self.base.join(file));
        Some(ListenConfig {
            address,
            cert_file,
            key_file,
            client_ca_file: section
                .client_ca_file
                .as_ref()
                .map(|file| self.base.join(file)),
            max_connections: connections.map_or(ListenConfig::DEFAULT_CONNECTIONS, |wanted| {
                *wanted.get_ref()
            }),
        })
    }

    fn limits(&mut self, section: &LimitsSection) -> Limits {
        let default = Limits::default();
        let second = Duration::from_secs(1);
        Limits {
            max_timeout: self.duration(
                "limits.max_timeout",
                section.max_timeout.as_ref(),
                default.max_timeout,
                second..=Limits::LONGEST,
            ),
            idle_timeout: section.idle_timeout.as_ref().map(|idle| {
                let range = second..=Limits::LONGEST;
                self.duration("limits.idle_timeout", Some(idle), Limits::LONGEST, range)
            }),
        }
    }

    pub(super) fn duration(
        &mut self,
        key: &str,
        value: Option<&Spanned<String>>,
        default: Duration,
        range: std::ops::RangeInclusive<Duration>,
    ) -> Duration {
        let Some(value) = value else { return default };
        match duration::parse(value.get_ref()) {
            Some(duration) if range.contains(&duration) => duration,
            Some(duration) if duration < *range.start() => {
                let least = range.start().as_secs();
                self.report(value, key, &format!("must be at least {least} seconds"));
                default
            }
            Some(_) => {
                let most = range.end().as_secs();
                self.report(value, key, &format!("must be at most {most} seconds"));
                default
            }
            None => {
                self.report(value, key, "must be a number and a unit: 30s, 5m, 2h or 7d");
                default
            }
        }
    }
}
