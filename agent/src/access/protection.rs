//! Which realm a resource is in.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use policy_protocol::AuthScheme;

use crate::access::{Denial, Grant};
use crate::config::Realm;
use crate::http::target::RequestTarget;

type Map<V> = HashMap<Box<str>, V, foldhash::fast::RandomState>;

/// What a realm says of a resource.
#[derive(Debug)]
pub enum Protection {
    /// Passes without a session.
    Open(OpenRealm),
    /// Needs a session.
    Protected(Arc<Realm>),
}

/// A realm, or a part of one, that needs no session. Only [`RealmTable::find`] makes one.
#[derive(Debug)]
pub struct OpenRealm(Arc<Realm>);

impl OpenRealm {
    /// Lets the request in, as nobody in particular.
    pub fn grant(self) -> Grant {
        Grant::anonymous(self.0)
    }

    /// The realm.
    pub const fn realm(&self) -> &Arc<Realm> {
        &self.0
    }
}

/// All realms by host and resource prefix. Looking one up takes as many steps as the longest resource
/// has segments, however many realms there are.
#[derive(Debug, Default)]
pub struct RealmTable {
    hosts: Map<Prefixes>,
    any_host: Prefixes,
    /// Whether a realm's resource has capitals; then a path without any may have a second reading, too.
    has_capitals: bool,
}

#[derive(Debug, Default)]
struct Prefixes {
    exact: Map<Arc<Realm>>,
    /// The same in lower case, to find out whether a path has a second reading.
    folded: Map<Arc<Realm>>,
    /// Segments of the longest resource.
    depth: usize,
    /// Whether a realm asks for Basic credentials.
    takes_basic: bool,
}

impl RealmTable {
    /// A table of realms whose hosts and resources are valid and distinct.
    pub fn new(realms: &[Arc<Realm>]) -> Self {
        let mut table = Self::default();
        for realm in realms {
            table.has_capitals |= has_capitals(&realm.resource);
            for host in &realm.hosts {
                let prefixes = match host.as_str() {
                    "*" => &mut table.any_host,
                    name => table.hosts.entry(name.into()).or_default(),
                };
                prefixes.insert(realm);
            }
        }
        table
    }

    /// What the realms say of a target.
    ///
    /// # Errors
    /// As for [`RealmTable::realm`], or if the realm does not let the method pass.
    pub fn find(&self, target: &RequestTarget) -> Result<Protection, Denial> {
        let realm = self.realm(target)?;
        if !realm.methods.is_empty() && !realm.methods.contains(target.method()) {
            return Err(Denial::MethodNotAllowed);
        }
        Ok(
            if realm.scheme == AuthScheme::None || is_ignored(realm, target) {
                Protection::Open(OpenRealm(Arc::clone(realm)))
            } else {
                Protection::Protected(Arc::clone(realm))
            },
        )
    }

    /// The realm that a target is in.
    ///
    /// # Errors
    /// If no realm covers it, or if the path is in another realm for applications that do not tell upper
    /// from lower case.
    pub fn realm(&self, target: &RequestTarget) -> Result<&Arc<Realm>, Denial> {
        let realm = self.lookup(target.host(), target.resource(), |prefixes| &prefixes.exact);
        if self.has_capitals || has_capitals(target.resource()) {
            let folded = target.resource().to_ascii_lowercase();
            let other = self.lookup(target.host(), &folded, |prefixes| &prefixes.folded);
            if realm.map(Arc::as_ptr) != other.map(Arc::as_ptr) {
                return Err(Denial::BadRequest(
                    "upper and lower case lead to different realms",
                ));
            }
        }
        realm.ok_or(Denial::NotFound)
    }

    /// Whether passwords may come along with any request to this host: browsers send them not only to the
    /// realm that asked.
    pub fn takes_basic(&self, host: &str) -> bool {
        self.any_host.takes_basic
            || self
                .hosts
                .get(host)
                .is_some_and(|prefixes| prefixes.takes_basic)
    }

    /// Whether any realm is on this host.
    pub fn knows_host(&self, host: &str) -> bool {
        self.hosts.contains_key(host) || !self.any_host.exact.is_empty()
    }

    /// The realm with the longest prefix, on the host itself or on any; of equal ones the host's own.
    fn lookup(
        &self,
        host: &str,
        resource: &str,
        map: fn(&Prefixes) -> &Map<Arc<Realm>>,
    ) -> Option<&Arc<Realm>> {
        let own = self
            .hosts
            .get(host)
            .and_then(|prefixes| prefixes.longest(resource, map));
        let any = self.any_host.longest(resource, map);
        match (own, any) {
            (Some((own_length, own)), Some((any_length, any))) => {
                Some(if any_length > own_length { any } else { own })
            }
            (own, any) => own.or(any).map(|(_, realm)| realm),
        }
    }
}

impl Prefixes {
    fn insert(&mut self, realm: &Arc<Realm>) {
        let depth = realm.resource.bytes().filter(|byte| *byte == b'/').count();
        self.depth = self.depth.max(depth);
        self.takes_basic |= realm.scheme == AuthScheme::Basic;
        self.exact
            .insert(realm.resource.as_str().into(), Arc::clone(realm));
        self.folded.insert(
            realm.resource.to_ascii_lowercase().into(),
            Arc::clone(realm),
        );
    }

    fn longest(
        &self,
        resource: &str,
        map: fn(&Self) -> &Map<Arc<Realm>>,
    ) -> Option<(usize, &Arc<Realm>)> {
        let map = map(self);
        let mut prefix = leading_segments(resource, self.depth);
        loop {
            if let Some(realm) = map.get(prefix) {
                return Some((prefix.len(), realm));
            }
            match prefix.rfind('/')? {
                0 if prefix == "/" => return None,
                0 => prefix = "/",
                end => prefix = &prefix[..end],
            }
        }
    }
}

fn has_capitals(resource: &str) -> bool {
    resource.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The first `count` segments of a path, without a slash at their end.
fn leading_segments(path: &str, count: usize) -> &str {
    let end = path
        .bytes()
        .enumerate()
        .filter(|(_, byte)| *byte == b'/')
        .nth(count)
        .map(|(index, _)| index);
    match &path[..end.unwrap_or(path.len())] {
        "" => "/",
        prefix => prefix,
    }
}

/// Whether `resource` is `prefix` or below it, by whole segments.
pub fn covers(prefix: &str, resource: &str) -> bool {
    prefix == "/"
        || resource
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether `path` covers `resource`, or ends in a slash and has `resource` below it.
fn is_below(path: &str, resource: &str) -> bool {
    if path.ends_with('/') {
        resource.starts_with(path)
    } else {
        covers(path, resource)
    }
}

fn is_ignored(realm: &Realm, target: &RequestTarget) -> bool {
    realm
        .ignore_paths
        .iter()
        .any(|path| is_below(path, target.resource()))
        || is_ignored_extension(&realm.ignore_extensions, target)
}

/// A picture or a style sheet may pass without a session if nothing about the path could make an
/// application take it for something else: reading only, plain names only, and a single period in the
/// whole path (the field's two-dots rule: `/app.pl/x.gif` runs `app.pl`).
fn is_ignored_extension(extensions: &[String], target: &RequestTarget) -> bool {
    if extensions.is_empty() || !matches!(*target.method(), Method::GET | Method::HEAD) {
        return false;
    }
    let path = target.path();
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_');
    match path.rfind('.') {
        Some(dot) if path.find('.') == Some(dot) && path.bytes().all(plain) => {
            extensions.iter().any(|extension| *extension == path[dot..])
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests;
