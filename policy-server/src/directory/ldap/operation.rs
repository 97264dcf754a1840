//! What is asked of a server, on one connection.

use std::time::Duration;

use futures_util::future::BoxFuture;
use ldap3::exop::PasswordModify;
use ldap3::{Ldap, LdapError, LdapResult, Scope, SearchEntry, SearchOptions};
use policy_protocol::Secret;

use super::entry::Entry;
use super::password_policy::{self, Remark};

// Result codes (RFC 4511, appendix A).
pub(super) const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;
const NO_SUCH_OBJECT: u32 = 32;
const BUSY: u32 = 51;
const UNAVAILABLE: u32 = 52;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The connection is broken; the server may answer on another.
    #[error("{0}")]
    Connection(String),
    /// This server cannot answer; another may.
    #[error("{0}")]
    Server(String),
    /// The answer would be the same elsewhere.
    #[error("{0}")]
    Anywhere(String),
    /// Too many are asking.
    #[error("all connections are in use")]
    Busy,
}

impl From<LdapError> for Failed {
    fn from(error: LdapError) -> Self {
        match error {
            LdapError::LdapResult { result } => (&result).into(),
            LdapError::FilterParsing => Self::Anywhere(error.to_string()),
            other => Self::Connection(other.to_string()),
        }
    }
}

impl From<&LdapResult> for Failed {
    fn from(result: &LdapResult) -> Self {
        match result.rc {
            BUSY | UNAVAILABLE => Self::Server(result.to_string()),
            // Referrals are among them: nobody is asked who is not in the configuration.
            _ => Self::Anywhere(result.to_string()),
        }
    }
}

/// Something to ask of a server.
pub(super) trait Operation: Send + Sync {
    /// What a server answers.
    type Answer: Send;
    /// Whether it needs the service's identity, and leaves the connection with it.
    const AS_SERVICE: bool;
    /// Whether the connection is good for another operation afterwards.
    const REUSABLE: bool = true;

    /// Asks. The caller limits the time.
    fn run<'a>(&'a self, ldap: &'a mut Ldap) -> BoxFuture<'a, Result<Self::Answer, Failed>>;
}

/// Looks for entries.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) base: String,
    pub(super) scope: Scope,
    pub(super) filter: String,
    pub(super) attributes: Vec<String>,
    /// The most entries to be sent.
    pub(super) limit: i32,
    /// How long the server may search.
    pub(super) time: Duration,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    /// Whether there are more than the limit.
    pub(super) more: bool,
}

impl Operation for Search {
    type Answer = Found;
    const AS_SERVICE: bool = true;

    fn run<'a>(&'a self, ldap: &'a mut Ldap) -> BoxFuture<'a, Result<Found, Failed>> {
        Box::pin(async move {
            let seconds = i32::try_from(self.time.as_secs()).unwrap_or(i32::MAX);
            // Aliases are not dereferenced.
            let options = SearchOptions::new()
                .sizelimit(self.limit)
                .timelimit(seconds.max(1));
            ldap.with_search_options(options);
            let (base, filter) = (&self.base, &self.filter);
            let attributes = self.attributes.clone();
            let mut stream = ldap
                .streaming_search(base, self.scope, filter, attributes)
                .await?;
            let mut entries: Vec<Entry> = Vec::new();
            while let Some(entry) = stream.next().await? {
                // A reference to another server, which is not in the configuration.
                if entry.is_ref() || entry.is_intermediate() {
                    continue;
                }
                if entries.len() >= usize::try_from(self.limit).unwrap_or_default() {
                    return Err(Failed::Anywhere(String::from(
                        "it sends more than was asked for",
                    )));
                }
                entries.push(SearchEntry::construct(entry).into());
            }
            let result = stream.finish().await;
            match result.rc {
                SUCCESS => Ok(Found {
                    entries,
                    more: false,
                }),
                SIZE_LIMIT_EXCEEDED => Ok(Found {
                    entries,
                    more: true,
                }),
                // An entry that is read by its name. A search base that is not there is a mistake, or a
                // server without its data, and says nothing of users.
                NO_SUCH_OBJECT if self.scope == Scope::Base => Ok(Found {
                    entries: Vec::new(),
                    more: false,
                }),
                _ => Err((&result).into()),
            }
        })
    }
}

/// Checks a password.
pub(super) struct Bind<'a> {
    pub(super) dn: &'a str,
    pub(super) password: &'a Secret<String>,
}

/// Whether a name and a password may be sent. A server takes an empty one of either for nobody in
/// particular, and says yes (RFC 4513, sections 5.1.1 and 5.1.2); some read no further than a zero.
pub(super) fn may_be_sent(dn: &str, password: &Secret<String>) -> bool {
    let password = password.expose();
    !dn.is_empty() && !password.is_empty() && !password.contains('\0')
}

impl Operation for Bind<'_> {
    type Answer = (LdapResult, Remark);
    const AS_SERVICE: bool = false;

    fn run<'a>(&'a self, ldap: &'a mut Ldap) -> BoxFuture<'a, Result<Self::Answer, Failed>> {
        Box::pin(async move {
            if !may_be_sent(self.dn, self.password) {
                return Err(Failed::Anywhere(String::from(
                    "a bind without a name or a password",
                )));
            }
            ldap.with_controls(vec![password_policy::request()]);
            let result = ldap.simple_bind(self.dn, self.password.expose()).await?;
            if matches!(result.rc, BUSY | UNAVAILABLE) {
                return Err((&result).into());
            }
            let remark = Remark::of(&result);
            Ok((result, remark))
        })
    }
}

/// Changes a password (RFC 3062) as the user.
pub(super) struct ChangePassword<'a> {
    pub(super) bind: Bind<'a>,
    pub(super) new: &'a Secret<String>,
}

/// What came of a change of password.
pub(super) enum Change {
    /// The old password was not taken.
    Bind(LdapResult, Remark),
    /// The server's answer to the change.
    Answer(LdapResult, Remark),
}

impl Operation for ChangePassword<'_> {
    type Answer = Change;
    const AS_SERVICE: bool = false;
    /// It is the user's now.
    const REUSABLE: bool = false;

    fn run<'a>(&'a self, ldap: &'a mut Ldap) -> BoxFuture<'a, Result<Change, Failed>> {
        Box::pin(async move {
            let (result, remark) = self.bind.run(ldap).await?;
            if result.rc != SUCCESS {
                return Ok(Change::Bind(result, remark));
            }
            ldap.with_controls(vec![password_policy::request()]);
            let change = PasswordModify {
                // Whoever has bound.
                user_id: None,
                old_pass: Some(self.bind.password.expose()),
                new_pass: Some(self.new.expose()),
            };
            // Another server would be asked with the old password, and may not know yet.
            let answer = ldap.extended(change).await;
            let result = answer
                .map_err(|error| Failed::Anywhere(error.to_string()))?
                .1;
            let remark = Remark::of(&result);
            Ok(Change::Answer(result, remark))
        })
    }
}
