//! Where the services are, and how they are asked.

use std::collections::BTreeMap;

use policy_protocol::Secret;

use crate::foreign::ForeignSettings;

/// Stands for every host that is not named.
pub const ANY_HOST: &str = "*";

/// Where the services are, and how they are asked.
#[derive(Clone, Debug)]
pub struct AuthAzSettings {
    /// The servers; `/authazws` is below their addresses.
    pub link: ForeignSettings,
    /// What is spoken.
    pub protocol: AuthAzProtocol,
    /// The appId of each host, an alias there of the agent whose realms and policies decide; `*` stands for any other
    /// host. There is one at least.
    pub apps: BTreeMap<String, String>,
    /// What the login's user name is called.
    pub user_name_field: UserNameField,
    /// The agent's own credentials, for services that are protected themselves.
    pub caller: Option<AuthAzCaller>,
}

impl AuthAzSettings {
    /// The appId of a host.
    pub fn app_of(&self, host: &str) -> Option<&str> {
        let app = self.apps.get(host).or_else(|| self.apps.get(ANY_HOST));
        app.map(String::as_str)
    }
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthAzProtocol {
    /// A POST of XML for each operation, at a path of its own.
    Rest,
    /// SOAP, at one path.
    Soap,
}

/// What the login's user name is called. A service that expects the other spelling takes the name for empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserNameField {
    /// Since 12.8 SP2.
    UserName,
    /// Before.
    Username,
}

impl UserNameField {
    /// As it stands in a request.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::UserName => "userName",
            Self::Username => "username",
        }
    }
}

/// Credentials of the agent itself.
#[derive(Clone, Debug)]
pub struct AuthAzCaller {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret<String>,
    /// Whether to send the cookie `SMCHALLENGE=YES`, without which an agent with RequireCookies does not look at
    /// Basic credentials.
    pub challenge_cookie: bool,
}
