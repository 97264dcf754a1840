//! What allowed requests get.

use std::time::Duration;

use policy_protocol::Identity;
use policy_protocol::message::ResponseAttribute;

/// What to add to allowed requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    /// Where it goes.
    pub(super) kind: ResponseKind,
    /// What it says.
    pub(super) value: ResponseValue,
    /// How long agents may keep a decision that has it, if that is bounded.
    pub(super) ttl: Option<Duration>,
}

/// Where a response goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ResponseKind {
    /// A header to the application.
    Header(String),
    /// A cookie to the browser.
    Cookie(String),
}

/// What a response says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ResponseValue {
    /// The same for everybody.
    Static(String),
    /// The user's attribute of this name.
    Attribute(String),
}

impl Response {
    /// The response for one user; nothing if the user has no such attribute.
    pub(super) fn render(&self, identity: &Identity) -> Option<ResponseAttribute> {
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
