//! `[policy_server]`

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;
use crate::config::units::TimeSpan;

/// Who answers for sessions.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["kind"]))]
pub struct PolicyServer {
    /// Which policy server.
    pub kind: Option<Kind>,
    /// For `embedded`: the policy server's own configuration file.
    pub config_file: Option<PathBuf>,
    /// For all but `embedded`: the servers' addresses, in order of preference, such as `https://policy.example.com:44443`.
    /// All of them must lead to the same sessions and keys: the next is asked when one fails. For `authaz`, `am` and
    /// `vsphere` an address may have a path, such as `https://am.example.com/am`. Classic name: policyserver, in SmHost.conf.
    pub urls: Vec<String>,
    /// For all but `embedded`, instead of `urls`: groups of servers, such as one for each site, in order of preference.
    /// Classic name: Clusters, of the Host Configuration Object.
    pub clusters: Vec<Cluster>,
    /// For all but `embedded`: how calls are spread over a cluster, or over `urls`. Classic name: EnableFailOver.
    pub balance: Balance,
    /// For all but `embedded` with `clusters`: a cluster with fewer usable servers than this, in percent, is left for the
    /// next that has enough. Zero by default: a cluster serves down to its last server. Classic name: Failover
    /// Threshold Percent.
    #[schemars(range(max = 100))]
    pub failover_threshold: u8,
    /// For all but `embedded`: certificates (PEM) of the authorities to trust; the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// For `native`: a file with the secret that this agent was registered with, at least 16 characters. May be
    /// left out where a client certificate is given. Classic name: sharedsecret, in SmHost.conf.
    pub agent_secret_file: Option<PathBuf>,
    /// For all but `embedded`: the certificate (PEM, leaf first) that this agent shows, for `native` the one that it
    /// was registered with. Read at the start.
    pub client_cert_file: Option<PathBuf>,
    /// For all but `embedded`: the private key (PEM) of `client_cert_file`.
    pub client_key_file: Option<PathBuf>,
    /// For `authaz`, `am` and `vsphere`: the file with this agent's own keys, for the cookies of sessions that are begun
    /// here. It is made at the first start; agents that share a cookie share the file. Without it the keys are new at
    /// each start, and sessions that were begun here end with the process.
    pub agent_keys_file: Option<PathBuf>,
    /// For `authaz`, `am` and `vsphere`: the cookie that brings sessions that were begun there; empty for none. Default:
    /// `SMSESSION`, `iPlanetDirectoryPro` or `vmware-api-session-id`, as in that system.
    pub cookie_name: Option<String>,
    /// For `authaz`, `am` and `vsphere`: the header that brings them; empty for none. Default: none for `authaz`, the
    /// name of the cookie for `am`, `vmware-api-session-id` for `vsphere`.
    pub header_name: Option<String>,
    /// For `authaz`, `am` and `vsphere`: the protection level of sessions that were begun there, where that system does
    /// not tell it. With the default, 0, only realms of level 0 let them in: raise it to the level of the logins there.
    #[schemars(range(max = 1000))]
    pub foreign_level: Option<u16>,
    /// For `authaz`: what is spoken. Default: `rest`.
    pub protocol: Option<AuthAzProtocol>,
    /// For `authaz`, which needs it: which appId stands for each host, such as `{ "shop.example.com" = "shop" }`. An appId
    /// is an alias there of the agent whose realms and policies decide. `*` is for every host that is not named. Classic
    /// name: AgentName, as pairs of agent name and appId.
    pub apps: BTreeMap<String, String>,
    /// For `authaz`: what a login calls the user's name. Default: `userName`, since 12.8 SP2; `username` before.
    pub user_name_field: Option<UserNameField>,
    /// For `authaz`: the agent's own user name, for services that ask their callers for one (Basic).
    pub caller_user: Option<String>,
    /// For `authaz`: a file with the password of `caller_user`.
    pub caller_password_file: Option<PathBuf>,
    /// For `authaz`: whether to send the cookie `SMCHALLENGE=YES` with `caller_user`, for services behind RequireCookies.
    pub caller_challenge_cookie: Option<bool>,
    /// For `am`: the realm that users log in to and whose policies decide. Default: `/`.
    pub realm: Option<String>,
    /// For `am`: how users log in, if not in the way that the realm has for everybody: `service=` and the name of a tree
    /// or chain, or `module=` and that of a module (`authIndexType` and `authIndexValue` of AM).
    pub am_login: Option<String>,
    /// For `am`: the agent's own account there, for policies and notifications. Without it neither is asked for.
    pub am_agent_user: Option<String>,
    /// For `am`: a file with the password of `am_agent_user`.
    pub am_agent_password_file: Option<PathBuf>,
    /// For `am`: how `am_agent_user` logs in, as in `am_login`. OpenAM knows agents by `module=Application`.
    pub am_agent_login: Option<String>,
    /// For `am`: the policy set (application) that is asked. Default: `iPlanetAMWebAgentService`.
    pub application: Option<String>,
    /// For `am`: whether to listen for the ends of sessions over a WebSocket. Default: `false`: a session that ends there
    /// ends here after the realm's validation period.
    pub notifications: Option<bool>,
    /// For `vsphere`: in which of its forms the service is asked. Default: `api`.
    pub wire_form: Option<WireForm>,
    /// How long one call may take, over all servers that are tried. A login to `authaz`, `am` or `vsphere` may take 2 s more, to
    /// end the sessions that it replaces. Classic name: requesttimeout, in SmHost.conf.
    pub timeout: TimeSpan,
    /// How long cached sessions live on past their validation period while no policy server can be reached.
    /// Zero by default: what cannot be checked is refused. The classic agents never stop.
    pub outage_grace: TimeSpan,
}

impl Default for PolicyServer {
    fn default() -> Self {
        Self {
            kind: None,
            config_file: None,
            urls: Vec::new(),
            clusters: Vec::new(),
            balance: Balance::Ordered,
            failover_threshold: 0,
            ca_file: None,
            agent_secret_file: None,
            client_cert_file: None,
            client_key_file: None,
            agent_keys_file: None,
            cookie_name: None,
            header_name: None,
            foreign_level: None,
            protocol: None,
            apps: BTreeMap::new(),
            user_name_field: None,
            caller_user: None,
            caller_password_file: None,
            caller_challenge_cookie: None,
            realm: None,
            am_login: None,
            am_agent_user: None,
            am_agent_password_file: None,
            am_agent_login: None,
            application: None,
            notifications: None,
            wire_form: None,
            timeout: TimeSpan(defaults::POLICY_TIMEOUT),
            outage_grace: TimeSpan(defaults::OUTAGE_GRACE),
        }
    }
}

/// Which policy server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One in the same process.
    Embedded,
    /// Doorward's own, over HTTPS.
    Native,
    /// The authentication and authorization web services (AuthAz) of a SiteMinder Access Gateway.
    #[serde(rename = "authaz")]
    AuthAz,
    /// PingAM, ForgeRock AM or OpenAM.
    Am,
    /// The session service of vSphere.
    #[serde(rename = "vsphere")]
    VSphere,
}

/// What AuthAz services are spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthAzProtocol {
    /// XML at a path for each operation.
    Rest,
    /// SOAP.
    Soap,
}

/// What a login calls the user's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum UserNameField {
    /// Since 12.8 SP2.
    #[serde(rename = "userName")]
    UserName,
    /// Before.
    #[serde(rename = "username")]
    Username,
}

/// The forms of the session service of vSphere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WireForm {
    /// `/api/session`, since 7.0 U2.
    Api,
    /// `/rest/com/vmware/cis/session`.
    Rest,
    /// JSON-RPC at `/api`.
    JsonRpc,
}

/// Policy servers that belong together.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["urls"]))]
pub struct Cluster {
    /// The servers' addresses, in order of preference.
    #[schemars(length(min = 1))]
    pub urls: Vec<String>,
}

/// How calls are spread over a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// To the first server that is usable.
    Ordered,
    /// To each usable server in turn.
    RoundRobin,
}
