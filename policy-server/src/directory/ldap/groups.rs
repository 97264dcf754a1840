//! The groups of a user, and the groups that those are in.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use futures_util::future::try_join_all;
use ldap3::Scope;

use super::entry::Entry;
use super::filter;
use super::operation::{Failed, Search};
use super::pool::Pool;
use crate::config::ldap::GroupSettings;

/// A user who is in more is refused: without the rest of the groups a denial might be missed.
const MAX_GROUPS: usize = 1000;
/// Names in one search, and entries read at once.
const BATCH: usize = 16;

/// Finds groups.
pub(super) struct Groups<'a> {
    pub(super) settings: &'a GroupSettings,
    pub(super) pool: &'a Pool,
    pub(super) time: Duration,
}

/// A group.
struct Group {
    dn: String,
    /// Groups that its entry says it is in, if that is asked for.
    member_of: Vec<String>,
    names: Vec<String>,
}

impl Groups<'_> {
    /// The names of the groups that an entry is in, in order.
    pub(super) async fn of(&self, user: &Entry) -> Result<Vec<String>, Failed> {
        let mut names = BTreeSet::new();
        let mut seen = HashSet::from([same(&user.dn)]);
        let mut members = vec![user.dn.clone()];
        let mut member_of = self.member_of(user);
        for _ in 0..self.settings.depth {
            let mut found = self.named(member_of).await?;
            found.extend(self.searched(&members).await?);
            // Groups in a circle are seen once.
            found.retain(|group| seen.insert(same(&group.dn)));
            if found.is_empty() {
                break;
            }
            if seen.len() > MAX_GROUPS {
                let problem = format!("{} is in more than {MAX_GROUPS} groups", user.dn);
                return Err(Failed::Anywhere(problem));
            }
            members = found.iter().map(|group| group.dn.clone()).collect();
            member_of = found
                .iter()
                .flat_map(|group| group.member_of.clone())
                .collect();
            names.extend(found.into_iter().flat_map(|group| group.names));
        }
        Ok(names.into_iter().collect())
    }

    fn member_of(&self, entry: &Entry) -> Vec<String> {
        let attribute = self.settings.attribute.iter();
        attribute
            .flat_map(|attribute| entry.texts(attribute))
            .map(str::to_owned)
            .collect()
    }

    fn attributes(&self) -> Vec<String> {
        let settings = self.settings;
        let wanted = settings.name_attribute.iter().chain(&settings.attribute);
        let mut wanted: Vec<_> = wanted.cloned().collect();
        if wanted.is_empty() {
            // No attributes (RFC 4511, section 4.5.1.8).
            wanted.push(String::from("1.1"));
        }
        wanted
    }

    /// The groups with these distinguished names, as far as they are groups here.
    async fn named(&self, dns: Vec<String>) -> Result<Vec<Group>, Failed> {
        let dns: Vec<_> = dns
            .into_iter()
            .filter(|dn| is_below(dn, &self.settings.base))
            .collect();
        if dns.len() > MAX_GROUPS {
            return Err(Failed::Anywhere(format!(
                "an entry is in more than {MAX_GROUPS} groups"
            )));
        }
        let mut groups = Vec::new();
        for batch in dns.chunks(BATCH) {
            let searches: Vec<_> = batch
                .iter()
                .map(|dn| self.search(dn, Scope::Base, String::from("(objectClass=*)"), 1))
                .collect();
            let found = try_join_all(searches.iter().map(|search| self.pool.run(search))).await?;
            let entries = found.into_iter().flat_map(|found| found.entries);
            groups.extend(entries.map(|entry| self.group(entry)));
        }
        Ok(groups)
    }

    /// The groups that have one of these members.
    async fn searched(&self, members: &[String]) -> Result<Vec<Group>, Failed> {
        let Some(template) = &self.settings.filter else {
            return Ok(Vec::new());
        };
        let mut groups = Vec::new();
        for batch in members.chunks(BATCH) {
            let each = batch.iter().map(|dn| filter::fill(template, &[("dn", dn)]));
            let any = format!("(|{})", each.collect::<String>());
            let limit = i32::try_from(MAX_GROUPS).unwrap_or(i32::MAX);
            let found = self
                .pool
                .run(&self.search(&self.settings.base, Scope::Subtree, any, limit))
                .await?;
            if found.more {
                return Err(Failed::Anywhere(format!(
                    "an entry is in more than {MAX_GROUPS} groups"
                )));
            }
            groups.extend(found.entries.into_iter().map(|entry| self.group(entry)));
        }
        Ok(groups)
    }

    fn search(&self, base: &str, scope: Scope, filter: String, limit: i32) -> Search {
        Search {
            base: base.to_owned(),
            scope,
            filter,
            attributes: self.attributes(),
            limit,
            time: self.time,
        }
    }

    fn group(&self, entry: Entry) -> Group {
        let names: Vec<_> = match &self.settings.name_attribute {
            // A control character could not go into a header.
            Some(attribute) => entry
                .texts(attribute)
                .filter(|name| !name.is_empty() && !name.contains(char::is_control))
                .map(str::to_owned)
                .collect(),
            None => vec![entry.dn.clone()],
        };
        Group {
            member_of: self.member_of(&entry),
            names,
            dn: entry.dn,
        }
    }
}

/// Distinguished names as a server writes them differ in case, and in blanks after commas.
fn same(dn: &str) -> String {
    let parts = dn.split(',').map(str::trim);
    parts.collect::<Vec<_>>().join(",").to_lowercase()
}

fn is_below(dn: &str, base: &str) -> bool {
    let (dn, base) = (same(dn), same(base));
    // A comma in a value is escaped, so an unescaped one is what comes before the base.
    let above = dn
        .strip_suffix(&base)
        .and_then(|above| above.strip_suffix(','));
    base.is_empty() || above.is_some_and(|above| !above.ends_with('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_elsewhere_are_told_apart() {
        let base = "ou=Groups, dc=example,dc=com";
        assert!(is_below("CN=a,OU=groups,DC=example,DC=com", base));
        assert!(is_below(
            "cn=a\\, b, ou=x , ou=groups,dc=example,dc=com",
            base
        ));
        for dn in [
            "ou=groups,dc=example,dc=com",
            "cn=a,xou=groups,dc=example,dc=com",
            "cn=a\\,ou=groups,dc=example,dc=com",
            "cn=a,ou=people,dc=example,dc=com",
            "",
        ] {
            assert!(!is_below(dn, base), "{dn}");
        }
        assert!(is_below("cn=a", ""));
    }
}
