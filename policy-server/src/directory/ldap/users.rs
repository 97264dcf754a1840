//! Users, as they are looked for and looked at.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use ldap3::Scope;
use moka::sync::Cache;
use policy_protocol::{Secret, UserDirectory, hex};
use rustls::ClientConfig;

use super::entry::{Entry, Fields, universal_id_bytes};
use super::filter;
use super::groups::Groups;
use super::operation::{Bind, Change, ChangePassword, Failed, SUCCESS, Search, may_be_sent};
use super::pool::Pool;
use super::verdict::{CONSTRAINT_VIOLATION, UNWILLING_TO_PERFORM, Verdict, verdict};
use crate::config::directories::ScopeValue;
use crate::config::ldap::{CertificateSettings, LdapSettings};
use crate::directory::name::cleaned;
use crate::directory::{
    Authentication, CertificateFacts, MAX_INPUT_LENGTH, NewPassword, PasswordChange, PasswordState,
    User,
};

/// Users that are remembered: a few hundred bytes each.
const MAX_CACHED: u64 = 100_000;

const INSUFFICIENT_ACCESS_RIGHTS: u32 = 50;

/// Users of one directory.
pub(super) struct Users {
    pub(super) settings: LdapSettings,
    pub(super) description: UserDirectory,
    pool: Arc<Pool>,
    /// By universal id; those who may log in only.
    remembered: Cache<String, Arc<User>>,
}

impl Users {
    pub(super) fn new(
        settings: LdapSettings,
        description: UserDirectory,
        tls: Arc<ClientConfig>,
    ) -> Self {
        let remembered = Cache::builder()
            .max_capacity(MAX_CACHED)
            .time_to_live(settings.cache);
        Self {
            description,
            pool: Pool::new(settings.clone(), tls),
            remembered: remembered.build(),
            settings,
        }
    }

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
    async fn matching(&self, filter: String) -> Result<(Option<Entry>, bool), Failed> {
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
            self.remembered.invalidate(id);
        } else {
            self.remembered.insert(id.clone(), Arc::clone(&user));
        }
        user
    }

    pub(super) async fn authenticate(
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
        let (entry, several) = self.matching(filter).await?;
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

    /// What [`Self::authenticate`] does for a name that nobody has.
    pub(super) async fn pretend(&self) -> Result<(), Failed> {
        let nobody = filter::fill(&self.settings.user_filter, &[("name", "")]);
        self.matching(nobody).await?;
        self.decoy().await
    }

    /// A bind that fails, at the cost of one for a user.
    async fn decoy(&self) -> Result<(), Failed> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| Failed::Anywhere(error.to_string()))?;
        let random = hex::encode(random);
        let nobody = format!("cn={random},{}", self.settings.base);
        let password = Secret::new(random);
        let bind = Bind {
            dn: self.settings.decoy_dn.as_deref().unwrap_or(&nobody),
            password: &password,
        };
        self.pool.run(&bind).await.map(drop)
    }

    pub(super) async fn find(&self, universal_id: &str) -> Result<Option<Arc<User>>, Failed> {
        if let Some(user) = self.remembered.get(universal_id) {
            return Ok(Some(user));
        }
        let attribute = &self.settings.universal_id_attribute;
        let Some(id) = universal_id_bytes(attribute, universal_id) else {
            return Ok(None);
        };
        // Whoever would not be found by any name is a user no more.
        let is_user = filter::any(&self.settings.user_filter);
        let filter = format!("(&{}{is_user})", filter::equals(attribute, &id));
        match self.matching(filter).await? {
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

    pub(super) async fn find_by_name(&self, name: &str) -> Result<Option<Arc<User>>, Failed> {
        let name = cleaned(name);
        let filter = filter::fill(&self.settings.user_filter, &[("name", &name)]);
        match self.matching(filter).await? {
            (_, true) => Err(Failed::Anywhere(format!(
                "several entries have the name {name}"
            ))),
            (Some(entry), false) if !name.is_empty() => {
                let user = self.user(&entry, true).await?;
                Ok(Some(self.remember(user)))
            }
            _ => Ok(None),
        }
    }

    /// `filter` is that of [`certificate_filter`], `attribute` the one that must hold the certificate, if any.
    pub(super) async fn find_certificate(
        &self,
        attribute: Option<&str>,
        filter: String,
        fingerprint: &str,
    ) -> Result<Option<Arc<User>>, Failed> {
        let (entry, several) = self.matching(filter).await?;
        if several {
            tracing::warn!("a certificate is of several entries: nobody logs in with it");
        }
        let Some(entry) = entry.filter(|_| !several) else {
            return Ok(None);
        };
        let is = |certificate: &Vec<u8>| hex::encode(digest(&SHA256, certificate)) == fingerprint;
        if !attribute.is_none_or(|attribute| entry.bytes(attribute).iter().any(is)) {
            return Ok(None);
        }
        let user = self.user(&entry, true).await?;
        Ok(Some(self.remember(user)))
    }

    pub(super) async fn change_password(
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
        self.remembered.invalidate(&user.identity.universal_id);
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

/// The filter for a certificate; nothing if it is nobody's: its issuer does not count, or what the filter
/// needs is not in it exactly once.
pub(super) fn certificate_filter(
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
