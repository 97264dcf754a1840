//! The policy server's configuration, valid by construction.
//!
//! [`mod@file`] is what an operator writes; [`PolicyServerConfig::load`] checks it and reports every
//! problem at once.

pub mod assertions;
pub mod audit;
pub mod directories;
pub mod duration;
pub mod environment;
pub mod file;
pub mod keys;
pub mod ldap;
pub mod regulation;
pub mod sessions;
pub mod store;
mod validate;

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use policy_protocol::Secret;

use crate::policy::PolicySet;

use self::assertions::Assertions;
use self::audit::AuditConfig;
use self::directories::DirectoryConfig;
use self::keys::MasterKeySource;
use self::regulation::RegulationConfig;
use self::sessions::SessionsConfig;
use self::store::StoreConfig;

/// Everything a policy server needs to run.
#[derive(Clone, Debug)]
pub struct PolicyServerConfig {
    /// What this policy server is called in audit records.
    pub name: String,
    /// The folder of this policy server. Made if absent.
    pub state_dir: PathBuf,
    /// Where keys, sessions, revocations and the feed are.
    pub store: StoreConfig,
    /// What seals what is secret there.
    pub master_key: MasterKeySource,
    /// Where the users are, in order. Never empty.
    pub directories: Vec<DirectoryConfig>,
    /// Agents that may ask over HTTPS.
    pub agents: Vec<AgentCredentials>,
    /// What administrators prove themselves with; without it nobody administers over HTTPS.
    pub admin_secret: Option<Secret<String>>,
    /// Where to listen; nothing for an embedded policy server.
    pub listen: Option<ListenConfig>,
    /// Caps on what realms ask for.
    pub limits: Limits,
    /// What guessing passwords costs.
    pub regulation: RegulationConfig,
    /// How long agent keys and session ticket keys are current.
    pub agent_key_rollover: Duration,
    /// Who may do what; without it, nobody may do anything that is asked about.
    pub policies_file: Option<PathBuf>,
    /// How many sessions a user may have, and what may be noted about them.
    pub sessions: SessionsConfig,
    /// Whose assertions are believed.
    pub assertions: Assertions,
    /// Where audit records go.
    pub audit: AuditConfig,
}

/// An agent that may ask over HTTPS. It has a secret, a certificate, or both, and then needs both.
#[derive(Clone, Debug)]
pub struct AgentCredentials {
    /// Its name.
    pub name: String,
    /// What it proves itself with.
    pub secret: Option<Secret<String>>,
    /// SHA-256 of its certificates (DER); any of them will do.
    pub certificate_fingerprints: Vec<[u8; 32]>,
}

/// Whether a name can be an agent's. It is the user of HTTP Basic, which a colon would end.
pub(crate) fn is_agent_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

/// Where a policy server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// The address; port 0 for any free port.
    pub address: SocketAddr,
    /// The certificate chain (PEM), leaf first.
    pub cert_file: PathBuf,
    /// The private key (PEM).
    pub key_file: PathBuf,
    /// Trust anchors (PEM) for the certificates of agents; nobody is asked for one if absent.
    pub client_ca_file: Option<PathBuf>,
    /// Connections at a time, at most [`Self::MOST_CONNECTIONS`].
    pub max_connections: usize,
}

impl ListenConfig {
    /// Connections at a time unless the configuration says otherwise: several hundred agents, within the
    /// usual limit of open files.
    pub const DEFAULT_CONNECTIONS: usize = 1024;
    /// More agents than this are for more policy servers: each of them tells the others which agents it
    /// has in one record of the store.
    pub const MOST_CONNECTIONS: usize = 8192;
}

/// Caps on what realms ask for; they can only shorten timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest life of any session, at most [`Self::LONGEST`]. Keys are kept for as long.
    pub max_timeout: Duration,
    /// The longest idle timeout of any session, if capped.
    pub idle_timeout: Option<Duration>,
}

impl Default for Limits {
    /// A day: longer than a working day with its overtime, short enough that yesterday's laptop is
    /// asked again.
    fn default() -> Self {
        Self {
            max_timeout: Duration::from_secs(24 * 3600),
            idle_timeout: None,
        }
    }
}

impl Limits {
    /// The longest `max_timeout` that may be configured: a month.
    pub const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);

    /// The idle timeout in force; zero for never.
    pub(crate) fn idle(&self, wanted: Duration) -> Duration {
        match self.idle_timeout {
            Some(cap) if wanted.is_zero() => cap,
            Some(cap) => wanted.min(cap),
            None => wanted,
        }
    }

    /// The max timeout in force.
    pub(crate) fn max(&self, wanted: Duration) -> Duration {
        wanted.min(self.max_timeout)
    }
}

/// The name and the text of a file.
pub(crate) fn read_file(path: &Path) -> Result<(String, String), Problems> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problems::one(Problem::unplaced(&name, "", &error.to_string())))?;
    Ok((name, text))
}

impl PolicyServerConfig {
    /// How long keys are current unless the configuration says otherwise.
    pub const DEFAULT_ROLLOVER: Duration = Duration::from_secs(7 * 24 * 3600);

    /// Reads a configuration file, with this process's [environment] over it, and the secret files that
    /// it names. Relative paths are relative to the file.
    ///
    /// # Errors
    /// All problems at once.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let (name, text) = read_file(path)?;
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        let variables: Vec<_> = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(key, _)| key.starts_with(environment::PREFIX))
            .collect();
        if variables.is_empty() {
            return Self::parse(&text, &name, base);
        }
        // What is wrong with the file itself is told of its own lines first.
        parse_toml::<toml::Table>(&text, &name)
            .and_then(|table| {
                environment::overlay(table, variables).map_err(|variable| {
                    let message = "the name of this environment variable leads to no key";
                    Problems::one(Problem::unplaced(&name, &variable, message))
                })
            })
            .and_then(|table| {
                let name = format!("{name} with {}*", environment::PREFIX);
                Self::parse(&table.to_string(), &name, base)
            })
    }

    /// The names of the user directories, which policies may refer to.
    pub fn directory_names(&self) -> Vec<String> {
        let directories = self.directories.iter();
        directories
            .map(|directory| directory.name.clone())
            .collect()
    }

    /// Reads the policies file; without one, nothing is allowed.
    ///
    /// # Errors
    /// All problems of that file at once.
    pub fn load_policies(&self) -> Result<PolicySet, Problems> {
        match &self.policies_file {
            Some(file) => PolicySet::load(file, &self.directory_names()),
            None => Ok(PolicySet::default()),
        }
    }

    /// Reads a configuration called `name` in messages, whose relative paths are relative to `base`.
    ///
    /// # Errors
    /// All problems at once.
    pub fn parse(text: &str, name: &str, base: &Path) -> Result<Self, Problems> {
        validate::validate(parse_toml(text, name)?, text, name, base)
    }
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Line and column, counted from 1, if the problem has a place.
    pub place: Option<(usize, usize)>,
    /// The key, such as `agents.gateway.secret_file`; empty if it is not about one.
    pub key: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem of the file as a whole.
    pub(crate) fn unplaced(file: &str, key: &str, message: &str) -> Self {
        Self {
            file: file.to_owned(),
            place: None,
            key: key.to_owned(),
            message: message.to_owned(),
        }
    }

    /// A problem at a byte range of the file's text.
    pub(crate) fn at(
        file: &str,
        text: &str,
        span: &Range<usize>,
        key: &str,
        message: &str,
    ) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .chars()
            .rev()
            .take_while(|character| *character != '\n')
            .count()
            + 1;
        Self {
            place: Some((line, column)),
            ..Self::unplaced(file, key, message)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Everything that is wrong with a file, one line each. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn one(problem: Problem) -> Self {
        Self(vec![problem])
    }

    /// `value` if there were no problems.
    pub(crate) fn check<T>(problems: Vec<Problem>, value: T) -> Result<T, Self> {
        if problems.is_empty() {
            Ok(value)
        } else {
            Err(Self(problems))
        }
    }

    /// The problems, in the order of the file as far as possible.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Parses TOML with the parser's complaint at its place.
pub(crate) fn parse_toml<T: serde::de::DeserializeOwned>(
    text: &str,
    name: &str,
) -> Result<T, Problems> {
    toml::from_str(text).map_err(|error| {
        Problems::one(match error.span() {
            Some(span) => Problem::at(name, text, &span, "", error.message()),
            None => Problem::unplaced(name, "", error.message()),
        })
    })
}

#[cfg(test)]
mod tests;
