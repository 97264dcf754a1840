//! Realms, valid by construction.

use std::time::Duration;

use ::http::{HeaderName, Method};
use ipnet::IpNet;
use policy_protocol::{AuthScheme, ProtectionLevel};

/// What is protected, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Realm {
    /// Unique name.
    pub name: String,
    /// Hosts in lower case, or `*` for any.
    pub hosts: Vec<String>,
    /// The resource prefix: whole segments, starting with `/`.
    pub resource: String,
    /// Index into [`Config::upstreams`](super::Config::upstreams).
    pub upstream: usize,
    /// How credentials are asked for; `None` for an open realm.
    pub scheme: AuthScheme,
    /// What a session must have.
    pub level: ProtectionLevel,
    /// Zero for never.
    pub idle_timeout: Duration,
    /// At most this long after login.
    pub max_timeout: Duration,
    /// The longest time between calls of Validate().
    pub validation_period: Duration,
    /// Whether sessions that start here are kept in the session store.
    pub persistent: bool,
    /// Methods that pass at all; any if empty.
    pub methods: Vec<Method>,
    /// Who may do what. Without rules, every authenticated user may.
    pub rules: Vec<Rule>,
    /// Whether the policy server's Authorize() is asked as well.
    pub authorize: bool,
    /// What to tell the application or the browser besides the identity headers.
    pub responses: Vec<Response>,
    /// Resource prefixes that pass without a session; one with a slash at its end only what is below it.
    pub ignore_paths: Vec<String>,
    /// File extensions (with their dot) that pass without a session.
    pub ignore_extensions: Vec<String>,
    /// Whether scripts are redirected to the login page like browsers.
    pub redirect_scripts: bool,
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rule {
    /// A name for logs and `doorward why`.
    pub name: String,
    /// Whether a match refuses. A refusal wins over any permission.
    pub deny: bool,
    /// Any of these users, if not empty.
    pub users: Vec<String>,
    /// Any of these groups, if not empty.
    pub groups: Vec<String>,
    /// Each attribute must have one of its values.
    pub attributes: Vec<(String, Vec<String>)>,
    /// Any of these client networks, if not empty.
    pub networks: Vec<IpNet>,
    /// Any of these methods, if not empty.
    pub methods: Vec<Method>,
    /// A resource prefix.
    pub resource: Option<String>,
}

/// One response attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// A header to the application, or a cookie to the browser.
    pub kind: ResponseKind,
    /// What it says.
    pub value: ResponseValue,
}

/// Where a response attribute goes.
#[derive(Debug, Clone, PartialEq)]
pub enum ResponseKind {
    /// A header to the application. Never taken from the client.
    Header(HeaderName),
    /// A cookie to the browser.
    Cookie(String),
}

/// What a response attribute says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseValue {
    /// The same for everybody.
    Static(String),
    /// A directory attribute; several values are joined with `^`, the field's separator.
    Attribute(String),
}
