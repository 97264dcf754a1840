//! Users in LDAP (RFC 4511): found by a search, checked by a bind as what was found.

mod entry;
mod filter;
mod groups;
mod operation;
mod password_policy;
mod pool;

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use futures_util::future::BoxFuture;
use ldap3::{LdapResult, Scope, parse_filter};
use moka::sync::Cache;
use policy_protocol::{Secret, UserDirectory};

use self::entry::{Entry, Fields, universal_id_bytes};
use self::groups::Groups;
use self::operation::{Bind, Change, ChangePassword, Failed, SUCCESS, Search, may_be_sent};
use self::password_policy::{Remark, active_directory_code};
use self::pool::Pool;
use super::name::cleaned;
use super::{
    Authentication, CertificateFacts, Changes, Directory, DirectoryError, MAX_INPUT_LENGTH,
    NewPassword, PasswordChange, PasswordState, User,
};
use crate::client_tls::client_config;
use crate::config::directories::{DirectoryConfig, ScopeValue};
use crate::config::ldap::{CertificateSettings, LdapSettings};
use crate::config::{Problem, Problems};

/// Users that are remembered: a few hundred bytes each.
const MAX_CACHED: u64 = 100_000;

// Result codes of a bind (RFC 4511, appendix A) that are about who binds.
const CONSTRAINT_VIOLATION: u32 = 19;
const NO_SUCH_OBJECT: u32 = 32;
const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
const INVALID_CREDENTIALS: u32 = 49;
const INSUFFICIENT_ACCESS_RIGHTS: u32 = 50;
const UNWILLING_TO_PERFORM: u32 = 53;

// Active Directory's reasons that it gives for right passwords only.
const AD_DISABLED: u32 = 0x533;
const AD_PASSWORD_EXPIRED: u32 = 0x532;
const AD_ACCOUNT_EXPIRED: u32 = 0x701;
const AD_MUST_CHANGE: u32 = 0x773;
/// And one that it gives for any.
const AD_LOCKED: u32 = 0x775;

/// Values for all words in filters.
const SAMPLE: [(&str, &str); 6] = [
    ("name", "x"),
    ("dn", "x"),
    ("subject", "x"),
    ("cn", "x"),
    ("email", "x"),
    ("fingerprint", "x"),
];

/// Users in LDAP.
pub struct LdapDirectory(Arc<Inner>);

struct Inner {
    settings: LdapSettings,
    description: UserDirectory,
    pool: Arc<Pool>,
    /// By universal id; those who may log in only.
    users: Cache<String, Arc<User>>,
}

/// What a bind as a user says.
enum Verdict {
    Right(PasswordState),
    /// The password is right, and the directory lets them in no more.
    Disabled,
    Wrong,
    Locked,
}

impl LdapDirectory {
    /// Takes the settings; no server is asked yet, because one that is down now may be up later.
    ///
    /// # Errors
    /// What is wrong with a filter, or with the file of authorities.
    pub fn open(config: &DirectoryConfig, settings: &LdapSettings) -> Result<Self, Problems> {
        let name = &config.name;
        let problem =
            |key: &str, message: &str| Problems::one(Problem::unplaced(name, key, message));
        let (groups, certificates) = (&settings.groups, settings.certificates.as_ref());
        let filters = [
            ("user_filter", Some(&settings.user_filter)),
            ("disabled_filter", settings.disabled_filter.as_ref()),
            ("group_filter", groups.filter.as_ref()),
            (
                "certificate_filter",
                certificates.map(|certificates| &certificates.filter),
            ),
        ];
        for (key, template) in filters {
            let broken = |template: &&String| {
                // Users are looked for with any name too, which an extensible match cannot say.
                (key == "user_filter" && template.contains(":={"))
                    // Within another filter, it needs its parentheses.
                    || !template.starts_with('(')
                    || parse_filter(filter::fill(template, &SAMPLE)).is_err()
            };
            if template.filter(broken).is_some() {
                return Err(problem(
                    key,
                    "this is not a search filter (RFC 4515), or not one for this",
                ));
            }
        }
        let tls = client_config(settings.ca_file.as_deref());
        let tls = tls.map_err(|message| problem("ca_file", &message))?;
        for server in settings
            .servers
            .iter()
            .filter(|server| !server.tls && !settings.start_tls)
        {
            tracing::warn!(directory = name, %server, "passwords go to this server in clear text");
        }
        let hosts: Vec<_> = settings
            .servers
            .iter()
            .map(|server| &*server.host)
            .collect();
        let description = UserDirectory {
            oid: config.oid.clone(),
            name: config.name.clone(),
            server: hosts.join(","),
            namespace: String::from("LDAP:"),
        };
        Ok(Self(Arc::new(Inner {
            description,
            pool: Pool::new(settings.clone(), tls),
            users: Cache::builder()
                .max_capacity(MAX_CACHED)
                .time_to_live(settings.cache)
                .build(),
            settings: settings.clone(),
        })))
    }

    /// Runs apart from the caller: the client library panics on answers that are none, and that must cost
    /// no more than this answer.
    fn apart<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failed>> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, DirectoryError>> {
        Box::pin(async move {
            let done = tokio::spawn(work).await;
            let done = done.unwrap_or_else(|error| Err(Failed::Anywhere(error.to_string())));
            done.map_err(|error| {
                let directory = &self.0.description.name;
                tracing::error!(directory, %error, "no answer from LDAP");
                match error {
                    Failed::Busy => DirectoryError::Busy,
                    _ => DirectoryError::Failure,
                }
            })
        })
    }
}

impl Inner {
    fn search(&self, scope: Scope, base: &str, filter: String, limit: i32) -> Search {
        let settings = &self.settings;
        let own = [
            &settings.universal_id_attribute,
            &settings.user_name_attribute,
        ];
        let certificates = settings.certificates.as_ref();
        let more = [
            settings.groups.attribute.as_ref(),
            certificates.and_then(|certificates| certificates.attribute.as_ref()),
        ];
        Search {
            base: base.to_owned(),
            scope,
            filter,
            attributes: own
                .into_iter()
                .chain(&settings.attributes)
                .chain(more.into_iter().flatten())
                .cloned()
                .collect(),
            limit,
            time: settings.timeout,
        }
    }

    /// The users that a filter finds: none, one, or the first of several.
    async fn users(&self, filter: String) -> Result<(Option<Entry>, bool), Failed> {
        let scope = match self.settings.scope {
            ScopeValue::Subtree => Scope::Subtree,
            ScopeValue::One => Scope::OneLevel,
        };
        // The second one is proof enough.
        let search = self.search(scope, &self.settings.base, filter, 2);
        let found = self.pool.run(&search).await?;
        let several = found.entries.len() > 1 || found.more;
        Ok((found.entries.into_iter().next(), several))
    }

    /// Who an entry is. `complete` with their groups and whether they are disabled.
    async fn user(&self, entry: &Entry, complete: bool) -> Result<User, Failed> {
        let settings = &self.settings;
        let fields = Fields {
            universal_id: &settings.universal_id_attribute,
            user_name: &settings.user_name_attribute,
            attributes: &settings.attributes,
        };
        let identity = entry.identity(&fields, &self.description);
        let unusable = |problem| Failed::Anywhere(format!("{} is no user: {problem}", entry.dn));
        let mut identity = identity.map_err(unusable)?;
        let mut disabled = false;
        if complete {
            disabled = self.is_disabled(&entry.dn).await?;
            let groups = Groups {
                settings: &settings.groups,
                pool: &self.pool,
                time: settings.timeout,
            };
            identity.groups = groups.of(entry).await?;
        }
        Ok(User { identity, disabled })
    }

    async fn is_disabled(&self, dn: &str) -> Result<bool, Failed> {
        let Some(filter) = &self.settings.disabled_filter else {
            return Ok(false);
        };
        let search = self.search(Scope::Base, dn, filter.clone(), 1);
        Ok(!self.pool.run(&search).await?.entries.is_empty())
    }

    fn remember(&self, user: User) -> Arc<User> {
        let user = Arc::new(user);
        let id = &user.identity.universal_id;
        if user.disabled {
            self.users.invalidate(id);
        } else {
            self.users.insert(id.clone(), Arc::clone(&user));
        }
        user
    }

    async fn authenticate(
        &self,
        name: &str,
        password: &Secret<String>,
    ) -> Result<Authentication, Failed> {
        let sendable = password.expose().len() <= MAX_INPUT_LENGTH;
        let name = if name.len() <= MAX_INPUT_LENGTH {
            cleaned(name)
        } else {
            String::new()
        };
        let filter = filter::fill(&self.settings.user_filter, &[("name", &name)]);
        let (entry, several) = self.users(filter).await?;
        let entry = match entry {
            Some(entry) if !several && !name.is_empty() => entry,
            found => {
                self.decoy().await?;
                if several {
                    tracing::warn!(
                        name,
                        "several entries have this name: nobody logs in with it"
                    );
                    return Ok(Authentication::Ambiguous);
                }
                debug_assert!(found.is_none() || name.is_empty());
                return Ok(Authentication::UnknownUser);
            }
        };
        if !sendable || !may_be_sent(&entry.dn, password) {
            self.decoy().await?;
            let user = self.user(&entry, false).await?;
            return Ok(Authentication::WrongPassword(Arc::new(user)));
        }
        let bind = Bind {
            dn: &entry.dn,
            password,
        };
        let (result, remark) = self.pool.run(&bind).await?;
        Ok(match verdict(&result, remark)? {
            Verdict::Right(state) => {
                let user = self.user(&entry, true).await?;
                Authentication::Accepted(self.remember(user), state)
            }
            Verdict::Disabled => {
                let mut user = self.user(&entry, false).await?;
                user.disabled = true;
                Authentication::Accepted(self.remember(user), PasswordState::Good)
            }
            Verdict::Wrong => {
                Authentication::WrongPassword(Arc::new(self.user(&entry, false).await?))
            }
            Verdict::Locked => Authentication::Locked(Arc::new(self.user(&entry, false).await?)),
        })
    }

    /// A bind that fails, at the cost of one for a user.
    async fn decoy(&self) -> Result<(), Failed> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| Failed::Anywhere(error.to_string()))?;
        let random: String = random.map(|byte| format!("{byte:02x}")).concat();
        let nobody = format!("cn={random},{}", self.settings.base);
        let password = Secret::new(random);
        let bind = Bind {
            dn: self.settings.decoy_dn.as_deref().unwrap_or(&nobody),
            password: &password,
        };
        self.pool.run(&bind).await.map(drop)
    }

    async fn find(&self, universal_id: &str) -> Result<Option<Arc<User>>, Failed> {
        if let Some(user) = self.users.get(universal_id) {
            return Ok(Some(user));
        }
        let attribute = &self.settings.universal_id_attribute;
        let Some(id) = universal_id_bytes(attribute, universal_id) else {
            return Ok(None);
        };
        // Whoever would not be found by any name is a user no more.
        let is_user = filter::any(&self.settings.user_filter);
        let filter = format!("(&{}{is_user})", filter::equals(attribute, &id));
        match self.users(filter).await? {
            (Some(entry), false) => {
                let user = self.user(&entry, true).await?;
                // An attribute without regard to case would find others than were asked for.
                let is_same = user.identity.universal_id == universal_id;
                Ok(is_same.then(|| self.remember(user)))
            }
            (_, true) => Err(Failed::Anywhere(format!(
                "several entries have one {attribute}"
            ))),
            (None, false) => Ok(None),
        }
    }

    async fn find_certificate(
        &self,
        settings: &CertificateSettings,
        filter: String,
        fingerprint: &str,
    ) -> Result<Option<Arc<User>>, Failed> {
        let (entry, several) = self.users(filter).await?;
        if several {
            tracing::warn!("a certificate is of several entries: nobody logs in with it");
        }
        let Some(entry) = entry.filter(|_| !several) else {
            return Ok(None);
        };
        let is = |certificate: &Vec<u8>| {
            let hash = digest(&SHA256, certificate);
            let hex = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
            hex.collect::<String>() == fingerprint
        };
        let has = |attribute: &String| entry.bytes(attribute).iter().any(is);
        if !settings.attribute.as_ref().is_none_or(has) {
            return Ok(None);
        }
        let user = self.user(&entry, true).await?;
        Ok(Some(self.remember(user)))
    }

    async fn change_password(
        &self,
        user: &User,
        old: &Secret<String>,
        new: &Secret<String>,
    ) -> Result<PasswordChange, Failed> {
        let dn = &user.identity.user_dn;
        if !may_be_sent(dn, old) || old.expose().len() > MAX_INPUT_LENGTH {
            return Ok(PasswordChange::WrongPassword);
        }
        if !may_be_sent(dn, new) || new.expose().len() > MAX_INPUT_LENGTH {
            return Ok(PasswordChange::Refused(NewPassword::Length));
        }
        let bind = Bind { dn, password: old };
        let change = self.pool.run(&ChangePassword { bind, new }).await?;
        self.users.invalidate(&user.identity.universal_id);
        match change {
            Change::Bind(result, remark) => Ok(match verdict(&result, remark)? {
                // It takes the password for nothing any more, not even for this.
                Verdict::Right(_) | Verdict::Disabled => {
                    PasswordChange::Refused(NewPassword::NotAllowed)
                }
                Verdict::Wrong | Verdict::Locked => PasswordChange::WrongPassword,
            }),
            Change::Answer(result, remark) => match (result.rc, remark.refusal()) {
                (SUCCESS, _) => Ok(PasswordChange::Changed),
                (_, Some(refusal)) => Ok(PasswordChange::Refused(refusal)),
                (CONSTRAINT_VIOLATION, None) => Ok(PasswordChange::Refused(NewPassword::Weak)),
                (INSUFFICIENT_ACCESS_RIGHTS | UNWILLING_TO_PERFORM, None) => {
                    Ok(PasswordChange::Refused(NewPassword::NotAllowed))
                }
                _ => Err((&result).into()),
            },
        }
    }
}

/// What the answer to a bind says of the password.
///
/// # Errors
/// If it says nothing of it.
fn verdict(result: &LdapResult, remark: Remark) -> Result<Verdict, Failed> {
    Ok(match result.rc {
        SUCCESS => Verdict::Right(remark.state()),
        INVALID_CREDENTIALS if remark.is_locked() => Verdict::Locked,
        INVALID_CREDENTIALS if remark.is_expired() => Verdict::Right(PasswordState::Expired),
        INVALID_CREDENTIALS => match active_directory_code(&result.text) {
            Some(AD_MUST_CHANGE) => Verdict::Right(PasswordState::MustChange),
            Some(AD_PASSWORD_EXPIRED) => Verdict::Right(PasswordState::Expired),
            Some(AD_DISABLED | AD_ACCOUNT_EXPIRED) => Verdict::Disabled,
            Some(AD_LOCKED) => Verdict::Locked,
            _ => Verdict::Wrong,
        },
        // An entry without a password, and one that was deleted since it was found.
        INAPPROPRIATE_AUTHENTICATION | NO_SUCH_OBJECT => Verdict::Wrong,
        // 389 Directory Server: too many wrong passwords; inactivated.
        CONSTRAINT_VIOLATION => Verdict::Locked,
        UNWILLING_TO_PERFORM if result.text.contains("nactivated") => Verdict::Locked,
        _ => return Err(result.into()),
    })
}

impl Directory for LdapDirectory {
    fn description(&self) -> &UserDirectory {
        &self.0.description
    }

    fn authenticate<'a>(
        &'a self,
        name: &'a str,
        password: Secret<String>,
    ) -> BoxFuture<'a, Result<Authentication, DirectoryError>> {
        let (inner, name) = (Arc::clone(&self.0), name.to_owned());
        self.apart(async move { inner.authenticate(&name, &password).await })
    }

    fn decoy(&self) -> BoxFuture<'_, Result<(), DirectoryError>> {
        let inner = Arc::clone(&self.0);
        self.apart(async move {
            let nobody = filter::fill(&inner.settings.user_filter, &[("name", "")]);
            inner.users(nobody).await?;
            inner.decoy().await
        })
    }

    fn change_password<'a>(
        &'a self,
        user: &'a User,
        old: Secret<String>,
        new: Secret<String>,
    ) -> BoxFuture<'a, Result<PasswordChange, DirectoryError>> {
        if !self.0.settings.writable {
            return Box::pin(async { Ok(PasswordChange::ReadOnly) });
        }
        let (inner, user) = (Arc::clone(&self.0), user.clone());
        self.apart(async move { inner.change_password(&user, &old, &new).await })
    }

    fn find_certificate<'a>(
        &'a self,
        certificate: CertificateFacts<'a>,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        let Some(filter) = self
            .0
            .settings
            .certificates
            .as_ref()
            .and_then(|settings| certificate_filter(settings, certificate))
        else {
            return Box::pin(async { Ok(None) });
        };
        let (inner, fingerprint) = (Arc::clone(&self.0), certificate.fingerprint.to_owned());
        self.apart(async move {
            match &inner.settings.certificates {
                Some(settings) => inner.find_certificate(settings, filter, &fingerprint).await,
                None => Ok(None),
            }
        })
    }

    fn find<'a>(
        &'a self,
        universal_id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        let (inner, id) = (Arc::clone(&self.0), universal_id.to_owned());
        self.apart(async move { inner.find(&id).await })
    }

    fn find_by_name<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        let (inner, name) = (Arc::clone(&self.0), cleaned(name));
        self.apart(async move {
            let filter = filter::fill(&inner.settings.user_filter, &[("name", &name)]);
            match inner.users(filter).await? {
                (_, true) => Err(Failed::Anywhere(format!(
                    "several entries have the name {name}"
                ))),
                (Some(entry), false) if !name.is_empty() => {
                    let user = inner.user(&entry, true).await?;
                    Ok(Some(inner.remember(user)))
                }
                _ => Ok(None),
            }
        })
    }

    /// Sees changes when a user is looked up and remembered no more.
    fn refresh(&self) -> BoxFuture<'_, Result<Changes, DirectoryError>> {
        Box::pin(async { Ok(Changes::default()) })
    }
}

/// The filter for a certificate; nothing if it is nobody's: its issuer does not count, or what the filter
/// needs is not in it exactly once.
fn certificate_filter(
    settings: &CertificateSettings,
    certificate: CertificateFacts<'_>,
) -> Option<String> {
    let counts = |issuer: &String| issuer == certificate.issuer;
    if !settings.issuers.is_empty() && !settings.issuers.iter().any(counts) {
        return None;
    }
    let lists = [
        ("{cn}", certificate.common_names),
        ("{email}", certificate.emails),
    ];
    let mut lists = lists
        .iter()
        .filter(|(word, _)| settings.filter.contains(word));
    if !lists.all(|(_, values)| values.len() == 1 && !values[0].is_empty()) {
        return None;
    }
    let first = |values: &'_ [String]| values.first().cloned().unwrap_or_default();
    let (cn, email) = (first(certificate.common_names), first(certificate.emails));
    let values = [
        ("subject", certificate.subject),
        ("fingerprint", certificate.fingerprint),
        ("cn", &cn),
        ("email", &email),
    ];
    Some(filter::fill(&settings.filter, &values))
}

#[cfg(test)]
mod tests;
