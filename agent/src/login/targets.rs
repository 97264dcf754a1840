//! Where a login or logout may lead (R10): addresses are read as browsers read them, by the WHATWG URL
//! parser, and compared with a list.

use url::{Origin, Url};

use crate::config::LoginSettings;

/// The longest TARGET that is looked at.
pub const MAX_TARGET_LENGTH: usize = 4096;

/// An address that a redirect may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The `Location` value: a path on the same origin, or a whole address.
    pub location: String,
    /// The host.
    pub host: String,
    /// The path and query.
    pub path_and_query: String,
}

/// The origins that TARGET may lead to besides the request's own.
#[derive(Debug)]
pub struct AllowedTargets {
    origins: Vec<Origin>,
}

impl AllowedTargets {
    /// The list of a configuration, whose entries are valid origins.
    pub fn new(settings: &LoginSettings) -> Self {
        let origins = settings
            .allowed_targets
            .iter()
            .filter_map(|origin| Url::parse(origin).ok());
        Self {
            origins: origins.map(|url| url.origin()).collect(),
        }
    }

    /// The address that `raw` means on a page of `https://authority`, if a redirect may lead there.
    pub fn resolve(&self, https: bool, authority: &str, raw: &str) -> Option<Target> {
        // Browsers skip tabs and newlines and take a backslash for a slash. Nobody needs them here.
        let suspicious = |byte: u8| byte == b'\\' || !byte.is_ascii_graphic();
        if raw.is_empty() || raw.len() > MAX_TARGET_LENGTH || raw.bytes().any(suspicious) {
            return None;
        }
        let scheme = if https { "https" } else { "http" };
        let page = Url::parse(&format!("{scheme}://{authority}/")).ok()?;
        let url = page.join(raw).ok()?;
        if !matches!(url.scheme(), "https" | "http")
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return None;
        }
        let path_and_query = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        let location = if url.origin() == page.origin() {
            // A path that starts with two slashes would be another host to the browser.
            let path = &url[url::Position::BeforePath..];
            if path.starts_with("//") {
                return None;
            }
            path.to_owned()
        } else if self.origins.contains(&url.origin()) {
            url.to_string()
        } else {
            return None;
        };
        Some(Target {
            location,
            host: url.host_str()?.to_owned(),
            path_and_query,
        })
    }
}

#[cfg(test)]
mod tests;
