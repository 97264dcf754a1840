//! `[session]` and `[identity]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;
use crate::config::units::{MethodName, Size, TimeSpan};

/// Cookies and the session cache.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// SSO zone: the prefix of every cookie's name, and bound into every session. Case-sensitive.
    /// Classic name: SSOZoneName.
    pub zone: String,
    /// Further zones whose sessions are accepted, in order of preference. Classic name: SSOTrustedZone.
    pub trusted_zones: Vec<String>,
    /// Share the session cookie with every host under this domain. Without it a cookie belongs to one host,
    /// which is safer: no other host of the domain can read or replace it. Classic name: CookieDomain.
    pub cookie_domain: Option<String>,
    /// When browsers send the session cookie along with requests from other sites. Classic name: Samesite.
    pub same_site: SameSite,
    /// A cookie younger than this is not written anew, so that a page and its parts refresh it once.
    /// Classic name: SessionGracePeriod.
    pub grace_period: TimeSpan,
    /// Refuse a session that is used from another client address than it was made for. Off by default, because
    /// phones change their address. Classic name: TransientIPCheck.
    pub check_client_address: bool,
    /// Pass the session cookie on to applications. Off by default: an application that has it can act as its
    /// user everywhere.
    pub pass_cookie: bool,
    /// How much memory the session cache may take. Classic name: MaxSessionCacheSize, in sessions.
    pub cache_size: Size,
    /// Requests that do not keep a session alive, such as polling in the background.
    /// Classic name: OverlookSessionForMethodUri.
    pub overlook: Vec<Overlook>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            zone: defaults::ZONE.to_owned(),
            trusted_zones: Vec::new(),
            cookie_domain: None,
            same_site: SameSite::Lax,
            grace_period: TimeSpan(defaults::GRACE_PERIOD),
            check_client_address: false,
            pass_cookie: false,
            cache_size: Size(defaults::CACHE_BYTES),
            overlook: Vec::new(),
        }
    }
}

/// When browsers send a cookie along with requests from other sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SameSite {
    /// When a link is followed.
    Lax,
    /// Never.
    Strict,
    /// Always: other sites can then make requests in the user's name.
    None,
}

/// Requests that do not keep a session alive.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["resource"]))]
pub struct Overlook {
    /// Any of these methods; any at all if empty. Classic name: OverlookSessionForMethods.
    pub methods: Vec<MethodName>,
    /// A resource prefix. Classic name: OverlookSessionForUrls.
    pub resource: Option<String>,
}

/// What applications are told of the user.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// How the identity headers are spelt. Classic name: LegacyVariables.
    pub header_style: HeaderStyle,
    /// Identity headers that are not sent, in the underscore form, such as `SM_USERDN`. The session spec is
    /// not sent by default: it is long, and of use to policy servers only. Classic names:
    /// DisableAuthSrcVars, DisableSessionVars, DisableUserNameVars.
    pub omit: Vec<String>,
    /// Further headers that policies of the policy server may set. What a client sends under these names is
    /// dropped; a policy's header that is neither listed here nor starts with `SM_` is not passed on.
    pub managed_headers: Vec<String>,
    /// A signed assertion (a JWT) of who the user is, which an application can check for itself.
    pub assertion: Option<Assertion>,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            header_style: HeaderStyle::Underscore,
            omit: vec![defaults::OMITTED_HEADER.to_owned()],
            managed_headers: Vec::new(),
            assertion: None,
        }
    }
}

/// How the identity headers are spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeaderStyle {
    /// `SM_USER`, which applications of the classic agents read.
    Underscore,
    /// `SM-USER`, for servers that drop names with an underscore.
    Hyphen,
}

/// The signed assertion.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["issuer"]))]
pub struct Assertion {
    /// The header that carries it.
    pub header: String,
    /// Its issuer (`iss`): an address of this agent that applications know it by.
    #[schemars(length(min = 1))]
    pub issuer: Option<String>,
    /// How long it is valid. Applications check it at once, so minutes are enough for clocks that differ.
    pub lifetime: TimeSpan,
}

impl Default for Assertion {
    fn default() -> Self {
        Self {
            header: defaults::ASSERTION_HEADER.to_owned(),
            issuer: None,
            lifetime: TimeSpan(defaults::ASSERTION_LIFETIME),
        }
    }
}
