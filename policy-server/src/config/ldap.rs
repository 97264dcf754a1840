//! `[[directories]]` of kind `ldap`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use policy_protocol::Secret;
use toml::Spanned;

use super::directories::{DirectoryKind, DirectorySection, ScopeValue};
use super::validate::Checker;

/// How long a server may take unless the configuration says otherwise: an agent waits for longer.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_CONNECTIONS: u16 = 8;
/// How long a user is remembered unless the configuration says otherwise. Every `Validate()` looks its
/// user up.
const DEFAULT_CACHE: Duration = Duration::from_secs(60);
const MAX_CACHE: Duration = Duration::from_secs(600);
const DEFAULT_DEPTH: u8 = 5;
const MAX_DEPTH: u8 = 20;
/// Each costs a time limit when it is silent.
const MAX_SERVERS: usize = 8;

/// An LDAP directory.
#[derive(Clone, Debug)]
pub struct LdapSettings {
    /// Servers in order. Never empty.
    pub servers: Vec<LdapServer>,
    /// Whether to begin TLS on connections without.
    pub start_tls: bool,
    /// Trust anchors (PEM); the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// Whom to search as.
    pub service: Option<(String, Secret<String>)>,
    /// The entry below which the users are.
    pub base: String,
    /// How far below it.
    pub scope: ScopeValue,
    /// Which entry has the name `{name}`.
    pub user_filter: String,
    /// Which users may not log in.
    pub disabled_filter: Option<String>,
    /// The attribute that names a user for ever.
    pub universal_id_attribute: String,
    /// The attribute with the login name.
    pub user_name_attribute: String,
    /// Attributes for policies and responses.
    pub attributes: Vec<String>,
    /// How groups are found.
    pub groups: GroupSettings,
    /// How certificates are mapped to users, if they are.
    pub certificates: Option<CertificateSettings>,
    /// Whether users may change their passwords.
    pub writable: bool,
    /// What is asked in the place of users who do not exist.
    pub decoy_dn: Option<String>,
    /// How long a server may take for an answer.
    pub timeout: Duration,
    /// Connections at most, for searches and for logins each.
    pub connections: u16,
    /// How long what was found of a user is taken for true.
    pub cache: Duration,
}

/// An LDAP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdapServer {
    /// Whether the connection begins with TLS.
    pub tls: bool,
    /// Host and port, if not the usual one.
    pub host: String,
}

impl fmt::Display for LdapServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "ldaps" } else { "ldap" };
        write!(f, "{scheme}://{}", self.host)
    }
}

/// How groups are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// The attribute of users and groups with the groups they are in.
    pub attribute: Option<String>,
    /// Which entries are groups of the entry `{dn}`.
    pub filter: Option<String>,
    /// The entry below which groups are.
    pub base: String,
    /// The attribute with a group's name; nothing for its whole distinguished name.
    pub name_attribute: Option<String>,
    /// How deep groups are followed; 1 for the user's own.
    pub depth: u8,
}

/// How certificates are mapped to users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSettings {
    /// Which entry a certificate belongs to.
    pub filter: String,
    /// An attribute that must hold the certificate.
    pub attribute: Option<String>,
    /// Who may have issued it; anybody if empty.
    pub issuers: Vec<String>,
}

/// Checks a section.
pub(super) fn validate(
    checker: &mut Checker<'_>,
    key: &str,
    section: &DirectorySection,
) -> Option<DirectoryKind> {
    let mut reader = Reader {
        checker,
        key,
        section,
    };
    reader
        .read()
        .map(|ldap| DirectoryKind::Ldap(Box::new(ldap)))
}

struct Reader<'a, 'b> {
    checker: &'a mut Checker<'b>,
    key: &'a str,
    section: &'a DirectorySection,
}

impl Reader<'_, '_> {
    fn read(&mut self) -> Option<LdapSettings> {
        let section = self.section;
        if section.file.is_some() {
            self.report(&section.name, "file", "LDAP has no file");
        }
        if section.base.is_none() {
            self.report(&section.name, "base", "this kind of directory needs a base");
        }
        let base = section.base.clone()?;
        let start_tls = section.start_tls.unwrap_or_default();
        let timeout = self.duration(
            "timeout",
            section.timeout.as_ref(),
            DEFAULT_TIMEOUT,
            Duration::from_secs(1)..=Duration::from_secs(30),
        );
        let cache = section.cache.as_ref();
        Some(LdapSettings {
            servers: self.servers(start_tls),
            start_tls,
            ca_file: section
                .ca_file
                .as_ref()
                .map(|file| self.checker.base.join(file)),
            service: self.service(),
            scope: section.scope.unwrap_or_default(),
            user_filter: self.filter(
                "user_filter",
                &section.user_filter,
                &["name"],
                "(uid={name})",
            ),
            disabled_filter: section
                .disabled_filter
                .as_ref()
                .map(|filter| filter.get_ref().clone()),
            universal_id_attribute: self.attribute(
                "universal_id_attribute",
                &section.universal_id_attribute,
                "entryUUID",
            ),
            user_name_attribute: self.attribute(
                "user_name_attribute",
                &section.user_name_attribute,
                "uid",
            ),
            attributes: section
                .attributes
                .iter()
                .map(|attribute| self.word("attributes", attribute))
                .collect(),
            groups: self.groups(&base),
            certificates: self.certificates(),
            writable: section.writable,
            decoy_dn: section.decoy_dn.clone(),
            timeout,
            connections: self.number(
                "connections",
                &section.connections,
                DEFAULT_CONNECTIONS,
                256,
            ),
            cache: self.duration("cache", cache, DEFAULT_CACHE, Duration::ZERO..=MAX_CACHE),
            base,
        })
    }

    fn report<T>(&mut self, place: &Spanned<T>, key: &str, message: &str) {
        self.checker
            .report(place, &format!("{}.{key}", self.key), message);
    }

    fn duration(
        &mut self,
        key: &str,
        value: Option<&Spanned<String>>,
        default: Duration,
        range: std::ops::RangeInclusive<Duration>,
    ) -> Duration {
        let key = format!("{}.{key}", self.key);
        self.checker.duration(&key, value, default, range)
    }

    fn number<T>(&mut self, key: &str, value: &Option<Spanned<T>>, default: T, most: T) -> T
    where
        T: Copy + Ord + From<u8> + fmt::Display,
    {
        let Some(value) = value else { return default };
        if *value.get_ref() < T::from(1) || *value.get_ref() > most {
            self.report(value, key, &format!("must be 1 to {most}"));
        }
        *value.get_ref()
    }

    fn servers(&mut self, start_tls: bool) -> Vec<LdapServer> {
        let section = self.section;
        if section.urls.is_empty() || section.urls.len() > MAX_SERVERS {
            let rule = format!("this kind of directory needs 1 to {MAX_SERVERS} urls");
            self.report(&section.name, "urls", &rule);
        }
        let mut servers = Vec::new();
        for url in &section.urls {
            let Some(server) = server(url.get_ref()) else {
                let rule = "must be ldaps://host:port or ldap://host:port, with the name or IPv4 \
                            address that is in the server's certificate";
                self.report(url, "urls", rule);
                continue;
            };
            if !server.tls && !start_tls && section.allow_plaintext != Some(true) {
                let rule = "passwords would go over the network in clear text: use ldaps://, or set \
                            start_tls, or else allow_plaintext";
                self.report(url, "urls", rule);
            }
            servers.push(server);
        }
        servers
    }

    fn service(&mut self) -> Option<(String, Secret<String>)> {
        let section = self.section;
        match (&section.bind_dn, &section.bind_password_file) {
            (None, None) => None,
            (Some(dn), Some(file)) => {
                let key = format!("{}.bind_password_file", self.key);
                let password = self.checker.line(&key, file)?;
                // Servers take this for nobody in particular, and say yes (RFC 4513, section 5.1.2).
                if password.expose().is_empty() || dn.get_ref().is_empty() {
                    self.report(
                        file,
                        "bind_password_file",
                        "name and password cannot be empty",
                    );
                }
                Some((dn.get_ref().clone(), password))
            }
            (Some(one), None) | (None, Some(one)) => {
                self.report(
                    one,
                    "bind_dn",
                    "bind_dn and bind_password_file belong together",
                );
                None
            }
        }
    }

    /// A filter with at least one of these words in braces, and no others.
    fn filter(
        &mut self,
        key: &str,
        value: &Option<Spanned<String>>,
        words: &[&str],
        default: &str,
    ) -> String {
        let Some(value) = value else {
            return default.to_owned();
        };
        let mut rest = value.get_ref().as_str();
        let mut found = 0;
        let mut known = true;
        while let Some((_, after)) = rest.split_once('{') {
            let (word, after) = after.split_once('}').unwrap_or((after, ""));
            known &= words.contains(&word);
            found += 1;
            rest = after;
        }
        if found == 0 || !known {
            let rule = format!(
                "needs {{{}}}, and nothing else in braces",
                words.join("} or {")
            );
            self.report(value, key, &rule);
        }
        value.get_ref().clone()
    }

    fn attribute(&mut self, key: &str, value: &Option<Spanned<String>>, default: &str) -> String {
        match value {
            Some(value) => self.word(key, value),
            None => default.to_owned(),
        }
    }

    /// An attribute description (RFC 4512, section 2.5).
    fn word(&mut self, key: &str, value: &Spanned<String>) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.;_".contains(&byte);
        if value.get_ref().is_empty() || !value.get_ref().bytes().all(plain) {
            self.report(value, key, "must be the name of an attribute");
        }
        value.get_ref().clone()
    }

    fn groups(&mut self, base: &str) -> GroupSettings {
        let section = self.section;
        let name_attribute =
            self.attribute("group_name_attribute", &section.group_name_attribute, "cn");
        GroupSettings {
            attribute: section
                .group_attribute
                .as_ref()
                .map(|attribute| self.word("group_attribute", attribute)),
            filter: section
                .group_filter
                .is_some()
                .then(|| self.filter("group_filter", &section.group_filter, &["dn"], "")),
            base: section
                .group_base
                .clone()
                .unwrap_or_else(|| base.to_owned()),
            name_attribute: (name_attribute != "dn").then_some(name_attribute),
            depth: self.number(
                "group_depth",
                &section.group_depth,
                DEFAULT_DEPTH,
                MAX_DEPTH,
            ),
        }
    }

    fn certificates(&mut self) -> Option<CertificateSettings> {
        let section = self.section;
        let filter = section.certificate_filter.as_ref();
        if filter.is_none() && section.certificate_attribute.is_some() {
            let rule = "is needed to find the entry whose attribute is compared";
            self.report(&section.name, "certificate_filter", rule);
        }
        filter?;
        let words = ["subject", "cn", "email", "fingerprint"];
        Some(CertificateSettings {
            filter: self.filter(
                "certificate_filter",
                &section.certificate_filter,
                &words,
                "",
            ),
            attribute: section
                .certificate_attribute
                .as_ref()
                .map(|attribute| self.word("certificate_attribute", attribute)),
            issuers: section.certificate_issuers.clone(),
        })
    }
}

/// Reads `ldap://host:port`.
fn server(url: &str) -> Option<LdapServer> {
    let (tls, rest) = match url.strip_prefix("ldaps://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("ldap://")?),
    };
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let good = !name.is_empty()
        && name.bytes().all(plain)
        && port.parse::<u16>().is_ok_and(|port| port > 0);
    good.then(|| LdapServer {
        tls,
        host: host.to_owned(),
    })
}

#[cfg(test)]
mod tests;
