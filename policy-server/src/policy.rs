//! Policies: realm + action -> who, and what they get.

use std::time::Duration;

use policy_protocol::message::ResponseAttribute;
use policy_protocol::{Identity, ResourceContext};

/// Who may do what with some resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A name for audit records.
    pub name: String,
    /// The realm that the resources belong to.
    pub realm: String,
    /// Hosts, any of them.
    pub hosts: Vec<HostPattern>,
    /// The resource prefix, in whole path segments.
    pub resource: String,
    /// HTTP methods, any of them, if not empty.
    pub actions: Vec<String>,
    /// Login names or universal ids, any of them, if not empty.
    pub users: Vec<String>,
    /// Groups, any of them, if not empty.
    pub groups: Vec<String>,
    /// Each attribute must have one of its values.
    pub attributes: Vec<(String, Vec<String>)>,
    /// Whether a match denies.
    pub deny: bool,
    /// How long agents may keep the decision.
    pub ttl: Duration,
    /// What to add to allowed requests.
    pub responses: Vec<Response>,
}

/// Which hosts a policy is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// All.
    Any,
    /// All below a domain, which is kept with its leading dot.
    Below(String),
    /// One.
    Exact(String),
}

/// What to add to allowed requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Where it goes.
    pub kind: ResponseKind,
    /// What it says.
    pub value: ResponseValue,
}

/// Where a response goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseKind {
    /// A header to the application.
    Header(String),
    /// A cookie to the browser.
    Cookie(String),
}

/// What a response says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseValue {
    /// The same for everybody.
    Static(String),
    /// The user's attribute of this name.
    Attribute(String),
}

/// What policies say of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Allowed.
    Allow {
        /// How long that may be kept.
        ttl: Duration,
        /// What to add.
        responses: Vec<ResponseAttribute>,
    },
    /// Denied, by this policy if by any.
    Deny {
        /// How long that may be kept.
        ttl: Duration,
        /// The policy.
        policy: Option<String>,
    },
}

/// A resource that no policy covers is denied for no time at all: the next configuration may cover it.
const UNCOVERED: Decision = Decision::Deny {
    ttl: Duration::ZERO,
    policy: None,
};

impl HostPattern {
    /// Reads `*`, `*.example.com` or `www.example.com`.
    pub fn parse(text: &str) -> Option<Self> {
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

    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(domain) => host.len() > domain.len() && host.ends_with(domain),
            Self::Exact(name) => host == name,
        }
    }
}

impl Policy {
    /// Is the resource on one of the hosts and below the prefix? Its case does not count: to the
    /// application `/ADMIN` may well be `/admin`.
    fn covers(&self, resource: &ResourceContext) -> bool {
        let host = resource.server.to_ascii_lowercase();
        self.hosts.iter().any(|pattern| pattern.matches(&host))
            && is_below(self.prefix(), &resource.resource)
    }

    /// Is a resource that the policy covers written as its prefix is? Only then it may be allowed: to
    /// the application `/ADMIN` may well be something else than `/admin`.
    fn is_exact(&self, resource: &ResourceContext) -> bool {
        resource.resource.starts_with(self.prefix())
    }

    /// The resource prefix without a slash at its end, which would say nothing.
    fn prefix(&self) -> &str {
        self.resource.trim_end_matches('/')
    }

    /// Does the policy speak of this action and user?
    fn applies(&self, action: &str, identity: &Identity) -> bool {
        let any = |wanted: &[String], has: &dyn Fn(&String) -> bool| {
            wanted.is_empty() || wanted.iter().any(has)
        };
        any(&self.actions, &|wanted| wanted == action)
            && any(&self.users, &|user| {
                user.eq_ignore_ascii_case(&identity.user_name) || *user == identity.universal_id
            })
            && any(&self.groups, &|group| identity.groups.contains(group))
            && self.attributes.iter().all(|(name, values)| {
                let has = identity.attributes.get(name).map_or(&[][..], Vec::as_slice);
                has.iter().any(|value| values.contains(value))
            })
    }
}

/// Whole path segments only: `/app` covers `/app`, `/App/x` and `/app;v=1`, but not `/application`.
fn is_below(prefix: &str, path: &str) -> bool {
    path.split_at_checked(prefix.len())
        .is_some_and(|(head, rest)| {
            head.eq_ignore_ascii_case(prefix) && (rest.is_empty() || rest.starts_with(['/', ';']))
        })
}

/// The realm of a resource: that of the longest prefix, and of two that differ in case only, the one
/// that is written as the resource is.
pub(crate) fn realm<'p>(policies: &'p [Policy], resource: &ResourceContext) -> Option<&'p str> {
    let covering = policies.iter().filter(|policy| policy.covers(resource));
    covering
        .max_by_key(|policy| (policy.prefix().len(), policy.is_exact(resource)))
        .map(|policy| policy.realm.as_str())
}

/// Decides.
///
/// A denial counts wherever its prefix reaches, in any case of letters. A permission counts only for
/// the case it is written in, and only if no policy has a longer prefix for the resource in any case:
/// letting everybody into `/` lets them neither into `/admin` nor into `/ADMIN`, once there is a
/// policy for `/admin`.
pub(crate) fn decide(
    policies: &[Policy],
    resource: &ResourceContext,
    identity: &Identity,
) -> Decision {
    let covering: Vec<_> = policies
        .iter()
        .filter(|policy| policy.covers(resource))
        .collect();
    let Some(longest) = covering.iter().map(|policy| policy.prefix().len()).max() else {
        return UNCOVERED;
    };
    let ttl = covering
        .iter()
        .map(|policy| policy.ttl)
        .min()
        .unwrap_or_default();
    let applying: Vec<_> = covering
        .into_iter()
        .filter(|policy| policy.applies(&resource.action, identity))
        .collect();
    if let Some(denial) = applying.iter().find(|policy| policy.deny) {
        return Decision::Deny {
            ttl,
            policy: Some(denial.name.clone()),
        };
    }
    let permissions: Vec<_> = applying
        .into_iter()
        .filter(|policy| policy.prefix().len() == longest && policy.is_exact(resource))
        .collect();
    if permissions.is_empty() {
        return Decision::Deny { ttl, policy: None };
    }
    let responses = permissions.iter().flat_map(|policy| &policy.responses);
    Decision::Allow {
        ttl,
        responses: responses
            .filter_map(|response| response.render(identity))
            .collect(),
    }
}

impl Response {
    /// The response for one user; nothing if the user has no such attribute.
    fn render(&self, identity: &Identity) -> Option<ResponseAttribute> {
        let value = match &self.value {
            ResponseValue::Static(value) => value.clone(),
            ResponseValue::Attribute(name) => match name.as_str() {
                "user_name" => identity.user_name.clone(),
                "user_dn" => identity.user_dn.clone(),
                "universal_id" => identity.universal_id.clone(),
                "groups" => identity.groups.join("^"),
                name => identity.attributes.get(name)?.join("^"),
            },
        };
        if value.is_empty() {
            return None;
        }
        Some(match &self.kind {
            ResponseKind::Header(name) => ResponseAttribute::Header {
                name: name.clone(),
                value,
            },
            ResponseKind::Cookie(name) => ResponseAttribute::Cookie {
                name: name.clone(),
                value,
            },
        })
    }
}

#[cfg(test)]
mod tests;
