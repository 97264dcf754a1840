//! `policy-server.toml` as an operator writes it.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use toml::Spanned;

use super::directories::DirectorySection;
use super::regulation::RegulationSection;
use super::store::StoreSection;

/// The file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyServerFile {
    /// The folder of this policy server; made if absent, closed to other accounts. Without a `[store]`
    /// section it holds everything.
    pub state_dir: String,
    /// Where keys, sessions, revocations and the feed are: in SQLite in `state_dir` unless given. Policy
    /// servers that answer for the same sessions share one store.
    #[serde(default)]
    pub store: StoreSection,
    /// A file with users: the short form of a first directory, of kind `file`.
    pub users_file: Option<String>,
    /// Where the users are, in order: a user is the one in the first directory that has the name.
    #[serde(default)]
    pub directories: Vec<DirectorySection>,
    /// Agents that may ask over HTTPS.
    #[serde(default)]
    pub agents: Vec<AgentSection>,
    /// Sessions administration over HTTPS; off if absent.
    pub admin: Option<AdminSection>,
    /// Where to listen; leave it out for a policy server inside an agent.
    pub listen: Option<ListenSection>,
    /// Caps on what realms ask for.
    #[serde(default)]
    pub limits: LimitsSection,
    /// What guessing passwords costs.
    #[serde(default)]
    pub regulation: RegulationSection,
    /// How long agent keys and session ticket keys are current: `7d` unless given, at least `1h`.
    #[schemars(with = "Option<String>")]
    pub agent_key_rollover: Option<Spanned<String>>,
    /// Who may do what, for realms with `authorize = true`.
    #[serde(default)]
    pub policies: Vec<PolicySection>,
}

/// An agent that may ask over HTTPS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentSection {
    /// The agent's name.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// A file with the agent's secret: at least 16 characters on one line.
    #[schemars(with = "String")]
    pub secret_file: Spanned<String>,
}

/// Sessions administration over HTTPS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminSection {
    /// A file with the administrators' secret: at least 16 characters on one line.
    #[schemars(with = "String")]
    pub secret_file: Spanned<String>,
}

/// Where to listen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenSection {
    /// Address and port, such as `0.0.0.0:8444`.
    #[schemars(with = "String")]
    pub address: Spanned<String>,
    /// The certificate chain (PEM), leaf first.
    pub cert_file: String,
    /// The private key (PEM).
    pub key_file: String,
}

/// Caps on what realms ask for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsSection {
    /// The longest life of any session: `24h` unless given.
    #[schemars(with = "Option<String>")]
    pub max_timeout: Option<Spanned<String>>,
    /// The longest idle timeout of any session: not capped unless given.
    #[schemars(with = "Option<String>")]
    pub idle_timeout: Option<Spanned<String>>,
}

/// Who may do what with some resources.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySection {
    /// A name for audit records.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// The realm that the resources belong to.
    pub realm: String,
    /// Hosts: exact names, `*.example.com` for the names below, `*` for all. All unless given.
    #[serde(default = "all_hosts")]
    #[schemars(with = "Vec<String>")]
    pub hosts: Vec<Spanned<String>>,
    /// The resource prefix, in whole path segments: `/app` covers `/app` and `/app/x`. A denial also
    /// covers `/App`; nothing is allowed in another case than is written here.
    #[schemars(with = "String")]
    pub resource: Spanned<String>,
    /// HTTP methods; all unless given.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Login names or universal ids, any of them; everybody unless given.
    #[serde(default)]
    pub users: Vec<String>,
    /// Groups, any of them; everybody unless given.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Directory attributes; each must have one of its values.
    #[serde(default)]
    pub attributes: BTreeMap<String, Vec<String>>,
    /// Whether a match allows or denies. A denial wins over any permission.
    #[serde(default)]
    pub effect: EffectValue,
    /// How long agents may keep the decision: `5m` unless given.
    #[schemars(with = "Option<String>")]
    pub ttl: Option<Spanned<String>>,
    /// What to add to allowed requests.
    #[serde(default)]
    pub responses: Vec<ResponseSection>,
}

fn all_hosts() -> Vec<Spanned<String>> {
    vec![Spanned::new(0..0, String::from("*"))]
}

/// Whether a match allows or denies.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EffectValue {
    /// It allows.
    #[default]
    Allow,
    /// It denies.
    Deny,
}

/// What to add to allowed requests: a `header` or a `cookie`, with a `value` or an `attribute`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseSection {
    /// A header to the application.
    #[schemars(with = "Option<String>")]
    pub header: Option<Spanned<String>>,
    /// A cookie to the browser.
    #[schemars(with = "Option<String>")]
    pub cookie: Option<Spanned<String>>,
    /// The same value for everybody.
    #[schemars(with = "Option<String>")]
    pub value: Option<Spanned<String>>,
    /// The directory attribute, or `user_name`, `user_dn`, `universal_id` or `groups`, that is the
    /// value. Several values are joined by `^`; without a value nothing is added.
    #[schemars(with = "Option<String>")]
    pub attribute: Option<Spanned<String>>,
}

/// The JSON Schema of the file.
pub fn schema() -> Schema {
    schemars::schema_for!(PolicyServerFile)
}
