//! Users in LDAP (RFC 4511): found by a search, checked by a bind as what was found.

mod entry;
mod filter;
mod groups;
mod operation;
mod password_policy;
mod pool;
mod users;
mod verdict;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use ldap3::parse_filter;
use policy_protocol::{Secret, UserDirectory};

use self::operation::Failed;
use self::users::{Users, certificate_filter};
use super::{
    Authentication, CertificateFacts, Changes, Directory, DirectoryError, PasswordChange, User,
};
use crate::client_tls::client_config;
use crate::config::directories::DirectoryConfig;
use crate::config::ldap::LdapSettings;
use crate::config::{Problem, Problems};

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
pub struct LdapDirectory(Arc<Users>);

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
        let users = Users::new(settings.clone(), description, tls);
        Ok(Self(Arc::new(users)))
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

impl Directory for LdapDirectory {
    fn description(&self) -> &UserDirectory {
        &self.0.description
    }

    fn authenticate<'a>(
        &'a self,
        name: &'a str,
        password: Secret<String>,
    ) -> BoxFuture<'a, Result<Authentication, DirectoryError>> {
        let (users, name) = (Arc::clone(&self.0), name.to_owned());
        self.apart(async move { users.authenticate(&name, &password).await })
    }

    fn decoy(&self) -> BoxFuture<'_, Result<(), DirectoryError>> {
        let users = Arc::clone(&self.0);
        self.apart(async move { users.pretend().await })
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
        let (users, user) = (Arc::clone(&self.0), user.clone());
        self.apart(async move { users.change_password(&user, &old, &new).await })
    }

    fn find_certificate<'a>(
        &'a self,
        certificate: CertificateFacts<'a>,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        let settings = self.0.settings.certificates.as_ref();
        let filter =
            settings.and_then(|it| Some((certificate_filter(it, certificate)?, &it.attribute)));
        let Some((filter, attribute)) = filter else {
            return Box::pin(async { Ok(None) });
        };
        let (users, attribute) = (Arc::clone(&self.0), attribute.clone());
        let fingerprint = certificate.fingerprint.to_owned();
        self.apart(async move {
            let attribute = attribute.as_deref();
            users
                .find_certificate(attribute, filter, &fingerprint)
                .await
        })
    }

    fn find<'a>(
        &'a self,
        universal_id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        let (users, id) = (Arc::clone(&self.0), universal_id.to_owned());
        self.apart(async move { users.find(&id).await })
    }

    fn find_by_name<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        let (users, name) = (Arc::clone(&self.0), name.to_owned());
        self.apart(async move { users.find_by_name(&name).await })
    }

    /// Sees changes when a user is looked up and remembered no more.
    fn refresh(&self) -> BoxFuture<'_, Result<Changes, DirectoryError>> {
        Box::pin(async { Ok(Changes::default()) })
    }
}

#[cfg(test)]
mod tests;
