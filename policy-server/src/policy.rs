//! Policies: who may do what with which resources, from where, when, and what they get.
//!
//! A *domain* holds *realms* (resources), *rules* (actions on resources below a realm, allowed or denied),
//! *responses* (what allowed requests get), and *policies*, which bind rules to users. A rule that no
//! policy has says nothing to anybody.
//!
//! | file | owns |
//! |---|---|
//! | `file`, `read` | what an operator writes, and what is wrong with it |
//! | `matching`, `members`, `schedule` | where, who and when |
//! | `evaluate` | the decision |
//! | `explain` | the same, rule by rule |
//! | `response` | what allowed requests get |
//! | `store` | the file as last read |

mod evaluate;
mod explain;
mod file;
mod matching;
mod members;
mod read;
mod response;
mod schedule;
pub(crate) mod store;

use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;

pub(crate) use self::evaluate::Decision;
pub use self::evaluate::Question;
use self::matching::{HostPattern, Prefix};
use self::members::Members;
use self::response::Response;
use self::schedule::Schedule;
use crate::config::{Problems, read_file};

/// All policies of a policy server. Without any, nothing is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySet {
    domains: Vec<Domain>,
}

/// What belongs together: policies refer to rules and responses of their own domain only, by their places
/// in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Domain {
    name: String,
    /// The user directories whose users it is for; all, if empty.
    directories: Vec<String>,
    realms: Vec<Realm>,
    rules: Vec<Rule>,
    responses: Vec<Response>,
    policies: Vec<Policy>,
}

/// Resources that are protected together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Realm {
    name: String,
    /// Any of them.
    hosts: Vec<HostPattern>,
    prefix: Prefix,
}

/// Some actions on some resources of a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    name: String,
    realm: usize,
    /// The realm's, and what the rule adds to it.
    prefix: Prefix,
    /// HTTP methods, any of them, if not empty.
    actions: Vec<String>,
    deny: bool,
}

/// Who may or may not do what some rules are about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Policy {
    name: String,
    rules: Vec<usize>,
    members: Members,
    /// Where users must be, if not empty.
    networks: Vec<IpNet>,
    /// When; always, if there is none.
    schedule: Option<Schedule>,
    responses: Vec<usize>,
    /// How long agents may keep a decision about what the rules are about.
    ttl: Duration,
    on_accept_redirect: Option<String>,
    on_reject_redirect: Option<String>,
}

impl PolicySet {
    /// Reads a policies file. `directories` are the names of the user directories there are.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(path: &Path, directories: &[String]) -> Result<Self, Problems> {
        let (file, text) = read_file(path)?;
        read::read(&text, &file, directories)
    }
}

#[cfg(test)]
mod tests;
