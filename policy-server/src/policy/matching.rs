//! Which hosts and paths something is for.

/// Which hosts a realm is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostPattern {
    /// All.
    Any,
    /// All below a domain, which is kept with its leading dot.
    Below(String),
    /// One.
    Exact(String),
}

impl HostPattern {
    /// Reads `*`, `*.example.com` or `www.example.com`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if text == "*" {
            return Some(Self::Any);
        }
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text.as_str(), false),
        };
        // Colons are for IPv6 addresses in brackets; anything else with one has a port.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let address = name.starts_with('[') && name.ends_with(']') && !below;
        if name.is_empty() || !(address || name.bytes().all(plain)) {
            return None;
        }
        Some(if below {
            Self::Below(format!(".{name}"))
        } else {
            Self::Exact(name.to_owned())
        })
    }

    /// Whether a host, in lower case, is one of them.
    pub(super) fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(domain) => host.len() > domain.len() && host.ends_with(domain),
            Self::Exact(name) => host == name,
        }
    }
}

/// The beginning of paths, in whole segments.
///
/// Its case does not count where it covers something: to the application `/ADMIN` may well be `/admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prefix(String);

impl Prefix {
    /// The prefix as written, without a slash at its end, which would say nothing.
    pub(super) fn new(text: &str) -> Self {
        Self(text.trim_end_matches('/').to_owned())
    }

    /// This prefix, longer by `rest`.
    pub(super) fn join(&self, rest: &str) -> Self {
        Self::new(&format!("{}{rest}", self.0))
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whole path segments only: `/app` covers `/app`, `/App/x` and `/app;v=1`, but not `/application`.
    pub(super) fn covers(&self, path: &str) -> bool {
        path.split_at_checked(self.0.len())
            .is_some_and(|(head, rest)| {
                head.eq_ignore_ascii_case(&self.0)
                    && (rest.is_empty() || rest.starts_with(['/', ';']))
            })
    }

    /// Is a path that is covered written as the prefix is? Only then it may be allowed: to the
    /// application `/ADMIN` may well be something else than `/admin`.
    pub(super) fn is_exact(&self, path: &str) -> bool {
        path.starts_with(&self.0)
    }
}
