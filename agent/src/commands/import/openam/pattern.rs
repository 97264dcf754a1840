//! Not-enforced patterns, as far as paths here can mean the same.
//!
//! There `*` stands for any characters but `?`, also for slashes and for none, and a query is part of what
//! is compared: `/images/*` is open without a query, `/images/*?*` with one. Here a path is open with any
//! query, so it takes both to open it.

use agent::config::names;

/// A pattern whose only wildcards are at the end of the path and for the whole query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// The one host it is for; any if absent.
    pub(super) host: Option<String>,
    /// What the path begins with, or is.
    start: String,
    /// Whether anything may follow.
    open_end: bool,
    /// Whether it is for addresses with a query, whatever that is; else for those without one.
    query: bool,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it cannot be compared with paths here.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        if text.contains('\\') {
            return Err("a backslash has two readings");
        }
        if text.contains("-*-") {
            return Err("there is no wildcard for one level of a path");
        }
        let (host, address) = if text.starts_with('/') {
            (None, text)
        } else {
            host_and_address(text)?
        };
        let (path, query) = match address.split_once('?') {
            None => (address, false),
            Some((path, "*")) => (path, true),
            Some(_) => return Err("queries play no part here"),
        };
        let (start, open_end) = match path.strip_suffix('*') {
            Some(start) => (start, true),
            None => (path, false),
        };
        if start.contains('*') {
            return Err("a path here has no wildcard in its middle");
        }
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'%' | b';' | b'#');
        if !start.starts_with('/') || !start.bytes().all(plain) {
            return Err("not a plain path");
        }
        Ok(Self {
            host,
            start: start.to_owned(),
            open_end,
            query,
        })
    }

    /// Whether every path below `resource` (without a slash at its end) is matched.
    fn matches_all_below(&self, resource: &str) -> bool {
        self.open_end && format!("{resource}/").starts_with(&self.start)
    }

    fn matches(&self, resource: &str) -> bool {
        self.start == resource || self.open_end && resource.starts_with(&self.start)
    }
}

/// The host, if it is one, and path and query of `*://host:*/path`.
fn host_and_address(text: &str) -> Result<(Option<String>, &str), &'static str> {
    let not_an_address = "neither a path nor an address";
    let (scheme, rest) = text.split_once("://").ok_or(not_an_address)?;
    let slash = rest.find('/').ok_or(not_an_address)?;
    let (authority, address) = rest.split_at(slash);
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    if !matches!(scheme, "*" | "http*") || port != "*" {
        return Err("it is for one scheme or port, and realms are on all of the agent");
    }
    match host {
        "*" => Ok((None, address)),
        host => names::host(host)
            .map(|host| (Some(host), address))
            .map_err(|_| "it is for a part of the hosts, and realms name hosts in full"),
    }
}

/// A path in `ignore_paths` that opens nothing beyond what `patterns` open, and among them `pattern` and its
/// counterpart for the other kind of address. None if there is no such path.
pub(super) fn path_for(pattern: &Pattern, patterns: &[&Pattern]) -> Option<String> {
    let resource = pattern.start.strip_suffix('/').unwrap_or(&pattern.start);
    // Both kinds of address, with a query and without.
    let in_both = |is_open: &dyn Fn(&Pattern) -> bool| {
        let open = |query| {
            patterns
                .iter()
                .any(|each| each.query == query && is_open(each))
        };
        open(true) && open(false)
    };
    if !pattern.open_end || !in_both(&|each| each.matches_all_below(resource)) {
        return None;
    }
    let itself = resource.is_empty() || in_both(&|each| each.matches(resource));
    let path = match (resource, itself) {
        ("", _) => "/".to_owned(),
        (resource, true) => resource.to_owned(),
        (resource, false) => format!("{resource}/"),
    };
    names::ignored_path(&path).is_ok().then_some(path)
}

impl Pattern {
    /// Whether more than whole segments was meant, as in `/foo*`.
    pub(super) fn cuts_a_segment(&self) -> bool {
        self.open_end && !self.start.ends_with('/')
    }
}
