//! `[[realms]]`

use std::collections::BTreeMap;

use policy_protocol::AuthScheme;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;
use crate::config::units::{MethodName, Network, TimeSpan};

/// What is protected, and how.
///
/// A realm inside another (same host, longer resource) inherits every key that it does not set, apart from
/// `name`, `hosts` and `resource`, from the nearest realm around it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(default = "Realm::outermost", extend("required" = ["name", "resource"]))]
pub struct Realm {
    /// What logs and the policy server call it. Unique.
    #[schemars(length(min = 1))]
    pub name: Option<String>,
    /// The hosts it covers, without ports; `*` for any.
    #[schemars(length(min = 1))]
    pub hosts: Option<Vec<String>>,
    /// The path it covers, in whole segments: `/app` covers `/app` and `/app/x`, not `/application`. The longest
    /// one decides. Classic name: the realm's resource filter.
    pub resource: Option<String>,
    /// The upstream that requests go to. Must be set or inherited.
    pub upstream: Option<String>,
    /// How credentials are asked for. Classic name: the realm's authentication scheme.
    #[schemars(with = "Option<Scheme>")]
    pub scheme: Option<AuthScheme>,
    /// What a session must have, 0 to 1000. One with less logs in again. A realm whose own `scheme` is `totp`
    /// has at least 15, one whose own is `certificate` at least 20, unless it says otherwise.
    #[schemars(range(max = 1000))]
    pub protection_level: Option<u16>,
    /// A session ends after this long without a request; `0s` for never. If unset, and `max_timeout` is shorter
    /// than the default, `max_timeout`.
    pub idle_timeout: Option<TimeSpan>,
    /// A session ends this long after login, whatever happens.
    pub max_timeout: Option<TimeSpan>,
    /// The longest that a session is believed without asking the policy server. Logout is pushed and so works
    /// at once; this bounds what a lost message can cost. If unset, and `max_timeout` is shorter than the
    /// default, `max_timeout`. Classic name: the realm's Validation Period.
    pub validation_period: Option<TimeSpan>,
    /// Keep sessions that start here in the session store, so that they can be listed and survive a restart of
    /// the policy server. Classic name: the realm's persistent session.
    pub persistent: Option<bool>,
    /// Methods that pass at all; any if empty.
    pub methods: Option<Vec<MethodName>>,
    /// Ask the policy server's Authorize() as well as the rules. Classic name: EnableAuthorization.
    pub authorize: Option<bool>,
    /// Paths in this realm that pass without a session, in whole segments: `/public` and all below it, or with a
    /// slash at the end, as in `/public/`, only what is below. Classic name: IgnoreUrl.
    pub ignore_paths: Option<Vec<String>>,
    /// File extensions that pass without a session, such as `.css`. They count only in the last segment of a
    /// path that has no other dot before it. Empty by default. Classic name: IgnoreExt.
    pub ignore_extensions: Option<Vec<String>>,
    /// Redirect scripts to the login page as well. By default they get 401 with a JSON problem, which they can
    /// understand. Classic name: WebAppClientResponse.
    pub redirect_scripts: Option<bool>,
    /// Who may do what. A request matches a rule if it meets every condition that the rule has. Without rules
    /// every authenticated user may; with rules, what none allows is refused. Inherited only as a whole.
    pub rules: Option<Vec<Rule>>,
    /// Headers for the application and cookies for the browser: each has `header` or `cookie`, and `value` or
    /// `attribute`. Inherited only as a whole.
    pub responses: Option<Vec<Response>>,
}

impl Realm {
    /// What a realm inherits that no other one encloses.
    pub fn outermost() -> Self {
        Self {
            name: None,
            hosts: Some(vec![defaults::REALM_HOST.to_owned()]),
            resource: None,
            upstream: None,
            scheme: Some(AuthScheme::Form),
            protection_level: Some(defaults::PROTECTION_LEVEL),
            idle_timeout: Some(TimeSpan(defaults::IDLE_TIMEOUT)),
            max_timeout: Some(TimeSpan(defaults::MAX_TIMEOUT)),
            validation_period: Some(TimeSpan(defaults::VALIDATION_PERIOD)),
            persistent: Some(false),
            methods: Some(Vec::new()),
            authorize: Some(false),
            ignore_paths: Some(Vec::new()),
            ignore_extensions: Some(Vec::new()),
            redirect_scripts: Some(false),
            rules: Some(Vec::new()),
            responses: Some(Vec::new()),
        }
    }
}

/// How credentials are asked for: the documentation of [`AuthScheme`].
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes a type of another crate to the schema")]
enum Scheme {
    /// A login page.
    Form,
    /// HTTP Basic.
    Basic,
    /// A TLS client certificate. Needs a listener with `client_ca_file`.
    Certificate,
    /// A login page that asks for a one-time code (TOTP) as well as the password.
    Totp,
    /// Nothing: the realm is open to everybody.
    None,
}

/// Who may do what. A request must meet every condition that is given.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name"]))]
pub struct Rule {
    /// What logs and `doorward why` call it. Unique in its realm.
    #[schemars(length(min = 1))]
    pub name: Option<String>,
    /// What a match does. A refusal wins over any permission.
    pub effect: Effect,
    /// Any of these users.
    pub users: Vec<String>,
    /// Any of these groups.
    pub groups: Vec<String>,
    /// Each of these directory attributes must have one of its values, as in `{ department = ["it", "hr"] }`.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// Any of these client networks.
    pub networks: Vec<Network>,
    /// Any of these methods.
    pub methods: Vec<MethodName>,
    /// A path, in whole segments.
    pub resource: Option<String>,
}

/// What the match of a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Let the request pass.
    #[default]
    Allow,
    /// Refuse it.
    Deny,
}

/// One response attribute: `header` or `cookie`, and `value` or `attribute`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Response {
    /// A header for the application. What a client sends under this name is dropped. Classic name:
    /// WebAgent-HTTP-Header-Variable.
    pub header: Option<String>,
    /// A cookie for the browser. Classic name: WebAgent-HTTP-Cookie-Variable.
    pub cookie: Option<String>,
    /// The same value for everybody.
    pub value: Option<String>,
    /// A directory attribute of the user; several values are joined with `^`.
    pub attribute: Option<String>,
}
