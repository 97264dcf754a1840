//! What `[listeners.services]` asks for, checked.

use std::collections::BTreeMap;

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
}
