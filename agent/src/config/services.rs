//! What `[listeners.services]` asks for, checked.

use std::collections::BTreeMap;
use std::time::Duration;

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
}

/// The AM service.
#[derive(Clone, Debug, PartialEq)]
pub struct Am {
    /// The path below which it is; a canonical resource.
    pub path: String,
    /// The realm that logins are for.
    pub realm: String,
}

/// The vSphere service.
#[derive(Clone, Debug, PartialEq)]
pub struct Vsphere {
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
