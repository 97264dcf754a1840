//! What `[listeners.services]` asks for, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;

/// The session services of one listener.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Services {
    /// AuthAz.
    pub authaz: Option<Authaz>,
    /// AM.
    pub am: Option<Am>,
    /// vSphere.
    pub vsphere: Option<Vsphere>,
}

impl Services {
    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.authaz.is_none() && self.am.is_none() && self.vsphere.is_none()
    }
}

/// The AuthAz service.
#[derive(Clone, Debug, PartialEq)]
pub struct Authaz {
    /// The path below which it is; a canonical resource.
    pub path: String,
    /// The host that each appId stands for.
    pub apps: BTreeMap<String, String>,
    /// The realm that callers must be let into.
    pub require_session: Option<String>,
    /// Where callers may be; anywhere if there is none.
    pub callers: Vec<IpNet>,
}

/// The AM service.
#[derive(Clone, Debug, PartialEq)]
pub struct Am {
    /// The path below which it is; a canonical resource, or empty for the top.
    pub path: String,
    /// The realm that `/` stands for.
    pub realm: String,
    /// What other realms stand for, by their path.
    pub realms: BTreeMap<String, String>,
    /// The name of the cookie and of the header with the token.
    pub cookie_name: String,
    /// What may be read of sessions beside their properties.
    pub properties: Vec<AmProperty>,
    /// Groups whose members may ask what others may do.
    pub policy_evaluators: Vec<String>,
    /// What policies may be asked of.
    pub policy_sets: Vec<String>,
    /// Other origins whose pages may call, as browsers write them.
    pub origins: Vec<String>,
}

impl Am {
    /// This path and everything below it are the service's own. At the top that is only what AM has there for programs.
    pub fn claimed(&self) -> &str {
        if self.path.is_empty() {
            "/json"
        } else {
            &self.path
        }
    }

    /// The realm of this agent that a realm of the API stands for.
    pub fn agent_realm(&self, name: &str) -> Option<&str> {
        match name {
            "/" => Some(&self.realm),
            name => self.realms.get(name).map(String::as_str),
        }
    }

    /// Which realms' sessions are those of a realm of the API: those of one realm only, or all but those of some. `None` if there
    /// is no such realm.
    pub fn sessions_of(&self, name: &str) -> Option<(Option<String>, Vec<String>)> {
        let realm = self.agent_realm(name)?;
        if realm != self.realm {
            return Some((Some(realm.to_owned()), Vec::new()));
        }
        let others = self.realms.values().filter(|other| **other != self.realm);
        Some((None, others.cloned().collect()))
    }

    /// What a session's realm is called in the API. Sessions begin elsewhere, too: those are of the top-level
    /// realm.
    pub fn realm_name(&self, agent_realm: &str) -> &str {
        let mut others = self.realms.iter();
        let found = others.find(|(_, realm)| *realm == agent_realm && *realm != &self.realm);
        found.map_or("/", |(name, _)| name)
    }
}

/// What is known of every session and goes by the name of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmProperty {
    /// The session's id.
    AmCtxId,
    /// The protection level.
    AuthLevel,
    /// Where the user was at login.
    Host,
    /// The distinguished name.
    Principal,
    /// The login name.
    UserId,
    /// The same.
    UserToken,
    /// When the session began.
    AuthInstant,
    /// The universal id.
    UniversalIdentifier,
}

impl AmProperty {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::AmCtxId,
        Self::AuthLevel,
        Self::Host,
        Self::Principal,
        Self::UserId,
        Self::UserToken,
        Self::AuthInstant,
        Self::UniversalIdentifier,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AmCtxId => "AMCtxId",
            Self::AuthLevel => "AuthLevel",
            Self::Host => "Host",
            Self::Principal => "Principal",
            Self::UserId => "UserId",
            Self::UserToken => "UserToken",
            Self::AuthInstant => "authInstant",
            Self::UniversalIdentifier => "sun.am.UniversalIdentifier",
        }
    }
}

/// The vSphere service.
#[derive(Clone, Debug, PartialEq)]
pub struct Vsphere {
    /// What stands before its paths; a canonical resource, or empty.
    pub path: String,
    /// The realm that logins are for.
    pub realm: String,
    /// Which assertions are taken, if any.
    pub saml: Option<Saml>,
}

/// Which SAML assertions are taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Saml {
    /// Who issues them.
    pub issuer: String,
    /// Certificates (DER) whose keys sign them. Never empty.
    pub certificates: Vec<Vec<u8>>,
    /// What they must be restricted to; without it, they must not be restricted.
    pub audience: Option<String>,
    /// How far the issuer's clock may be off.
    pub clock_skew: Duration,
    /// Where clients get them.
    pub sts_url: Option<String>,
}
