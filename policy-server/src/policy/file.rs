//! `policies.toml` as an operator writes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub(super) type Text = Spanned<String>;
/// A list that says something: given and empty is a mistake, as it could be read as all or as none.
pub(super) type List<T = Text> = Spanned<Vec<T>>;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoliciesFile {
    #[serde(default)]
    pub(super) domains: Vec<DomainSection>,
}

/// `[[domains]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DomainSection {
    pub(super) name: Text,
    pub(super) directories: Option<List>,
    #[serde(default)]
    pub(super) realms: Vec<RealmSection>,
    #[serde(default)]
    pub(super) rules: Vec<RuleSection>,
    #[serde(default)]
    pub(super) responses: Vec<ResponseSection>,
    #[serde(default)]
    pub(super) policies: Vec<PolicySection>,
}

/// `[[domains.realms]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RealmSection {
    pub(super) name: Text,
    /// Exact names, `*.example.com` for the names below, `*` for all. All unless given.
    pub(super) hosts: Option<List>,
    /// The resource prefix, in whole path segments.
    pub(super) resource: Text,
}

/// `[[domains.rules]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleSection {
    pub(super) name: Text,
    pub(super) realm: Text,
    /// Below the realm's; the whole realm unless given.
    pub(super) resource: Option<Text>,
    /// HTTP methods; all unless given.
    pub(super) actions: Option<List>,
    #[serde(default)]
    pub(super) effect: Effect,
}

/// Whether a rule allows or denies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Effect {
    #[default]
    Allow,
    Deny,
}

/// `[[domains.responses]]`: a `header` or a `cookie`, with a `value` or an `attribute`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResponseSection {
    pub(super) name: Text,
    pub(super) header: Option<Text>,
    pub(super) cookie: Option<Text>,
    pub(super) value: Option<Text>,
    pub(super) attribute: Option<Text>,
    pub(super) ttl: Option<Text>,
}

/// `[[domains.policies]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySection {
    pub(super) name: Text,
    pub(super) rules: List,
    /// Login names or universal ids.
    pub(super) users: Option<List>,
    pub(super) groups: Option<List>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, List>,
    pub(super) exclude_users: Option<List>,
    pub(super) exclude_groups: Option<List>,
    /// Where users must be: CIDRs.
    pub(super) networks: Option<List>,
    /// When.
    pub(super) times: Option<List<Spanned<TimesSection>>>,
    /// In which IANA time zone that is meant.
    pub(super) time_zone: Option<Text>,
    pub(super) responses: Option<List>,
    /// How long agents may keep a decision: `5m` unless given.
    pub(super) ttl: Option<Text>,
    pub(super) on_accept_redirect: Option<Text>,
    pub(super) on_reject_redirect: Option<Text>,
}

/// Some hours of some days.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimesSection {
    /// `mon` to `sun`; every day unless given.
    pub(super) days: Option<List>,
    /// `08:00`; the beginning of the day unless given.
    pub(super) from: Option<Text>,
    /// `18:00`, before which it ends; the end of the day, `24:00`, unless given.
    pub(super) to: Option<Text>,
}
