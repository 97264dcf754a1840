//! `[listeners.services]`

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;
use crate::config::units::{Network, TimeSpan};

/// Session services of other systems, answered by this agent beside the applications. Each is off unless its
/// section is there.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Services {
    /// Login, logout and authorization as by the AuthAz web services of a SiteMinder Access Gateway.
    pub authaz: Option<Authaz>,
    /// Sessions as by the REST API of ForgeRock AM, PingAM or OpenAM.
    pub am: Option<Am>,
    /// The Session service of the vSphere Automation API.
    pub vsphere: Option<Vsphere>,
}

/// Login, logout and authorization as by the AuthAz web services.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["apps"]))]
pub struct Authaz {
    /// The path below which the service is.
    pub path: String,
    /// Which host each `appId` stands for: its realms are the ones that resources are in. Classic name:
    /// AgentName, as pairs of agent name and appId.
    #[schemars(extend("minProperties" = 1))]
    pub apps: BTreeMap<String, String>,
    /// A realm of this agent that callers of the service must be let into, by a session cookie of their own or by what
    /// the realm's scheme takes with each request. Without it whoever reaches the listener may call. Classic names:
    /// RequireAgentEnforcement, RequestSmSessionCookie.
    pub require_session: Option<String>,
    /// Networks that callers must be in. None listed: any.
    pub callers: Vec<Network>,
}

impl Default for Authaz {
    fn default() -> Self {
        Self {
            path: defaults::AUTHAZ_PATH.to_owned(),
            apps: BTreeMap::new(),
            require_session: None,
            callers: Vec::new(),
        }
    }
}

/// Sessions as by the REST API of AM.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["realm"]))]
pub struct Am {
    /// The path below which the service is: the deployment's context. With `/`, only what is below `/json` is the service's.
    pub path: String,
    /// The realm of this agent that the top-level realm `/` stands for. Its scheme must be `form` or `basic`.
    pub realm: Option<String>,
    /// Which realms of this agent other realms stand for, such as `{ "/alpha" = "portal" }`.
    pub realms: BTreeMap<String, String>,
    /// The cookie and the header that tokens come in. Give it the name of this agent's session cookie, and a
    /// login here is one at the gateway. Applications do not get to see it.
    pub cookie_name: String,
    /// What clients may read of a session beside its properties: `AMCtxId`, `AuthLevel`, `Host`, `Principal`,
    /// `UserId`, `UserToken`, `authInstant`, `sun.am.UniversalIdentifier`.
    pub properties: Vec<String>,
    /// Groups whose members may ask what others may do: the users that policy agents log in as.
    pub policy_evaluators: Vec<String>,
    /// The applications (policy sets) that policies may be asked of. All stand for the realms of this agent.
    pub policy_sets: Vec<String>,
    /// Other origins whose pages may use the service from a browser, such as `https://app.example.com`: by CORS, with the
    /// cookie. Name only what you trust as this agent itself: such a page may do what its user may do here.
    pub origins: Vec<String>,
}

impl Default for Am {
    fn default() -> Self {
        Self {
            path: defaults::AM_PATH.to_owned(),
            realm: None,
            realms: BTreeMap::new(),
            cookie_name: defaults::AM_COOKIE.to_owned(),
            properties: vec![defaults::AM_PROPERTY.to_owned()],
            policy_evaluators: Vec::new(),
            policy_sets: vec![defaults::AM_APPLICATION.to_owned()],
            origins: Vec::new(),
        }
    }
}

/// The Session service of the vSphere Automation API: `/rest/com/vmware/cis/session`, which is also `/rest/session`, `/api/session`
/// and `POST /api`.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["realm"]))]
pub struct Vsphere {
    /// What stands before those paths, such as `/vcenter`: clients are then given `https://host/vcenter`. Nothing unless given.
    pub path: String,
    /// The realm of this agent that logins are for. Its scheme must be `form` or `basic`.
    pub realm: Option<String>,
    /// Logins with SAML assertions; off unless this section is there.
    pub saml: Option<Saml>,
}

/// Logins with SAML assertions. The program must be built with the feature `saml`, and the policy server must be told
/// to believe the issuer and this agent.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["issuer", "certificates_file"]))]
pub struct Saml {
    /// The issuer, exactly as its assertions name it.
    pub issuer: Option<String>,
    /// The certificates (PEM) whose keys sign assertions: RSA of 2048 bits or more, P-256 or P-384. Each stands for its
    /// key alone; remove it here when that is no longer to be believed.
    pub certificates_file: Option<PathBuf>,
    /// The audience that assertions must be restricted to. Without it, one that is restricted to any is refused.
    pub audience: Option<String>,
    /// How far the issuer's clock may be off, at most `10m`.
    pub clock_skew: TimeSpan,
    /// Where clients get assertions: told in the answer to those who bring none.
    pub sts_url: Option<String>,
}

impl Default for Saml {
    fn default() -> Self {
        Self {
            issuer: None,
            certificates_file: None,
            audience: None,
            clock_skew: TimeSpan(defaults::SAML_CLOCK_SKEW),
            sts_url: None,
        }
    }
}
