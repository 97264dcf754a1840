//! Who a policy is for.

use crate::directory::name::folded;
use policy_protocol::Identity;
use policy_protocol::explain::Finding;

/// Who a policy is for: everybody, as far as nothing is said. What is said of users, of groups and of each
/// attribute must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Members {
    /// Any of these users, if not empty.
    pub(super) users: Vec<UserPattern>,
    /// Members of any of these groups, if not empty.
    pub(super) groups: Vec<String>,
    /// Each attribute must have one of its values.
    pub(super) attributes: Vec<(String, Vec<String>)>,
    /// None of these users.
    pub(super) exclude_users: Vec<UserPattern>,
    /// Members of none of these groups.
    pub(super) exclude_groups: Vec<String>,
}

/// A login name, whose case does not count, or a universal id, whose case does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserPattern {
    text: String,
    folded: String,
}

impl UserPattern {
    /// The pattern for a name or id.
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            folded: folded(text),
        }
    }
}

/// A user, ready to be compared with many policies.
pub(super) struct Candidate<'i> {
    identity: &'i Identity,
    folded_name: String,
}

impl<'i> Candidate<'i> {
    pub(super) fn new(identity: &'i Identity) -> Self {
        Self {
            identity,
            folded_name: folded(&identity.user_name),
        }
    }

    fn is_any_of(&self, users: &[UserPattern]) -> bool {
        users
            .iter()
            .any(|user| user.folded == self.folded_name || user.text == self.identity.universal_id)
    }

    fn is_in_any_of(&self, groups: &[String]) -> bool {
        groups
            .iter()
            .any(|group| self.identity.groups.contains(group))
    }

    fn has_any_of(&self, attribute: &str, values: &[String]) -> bool {
        let has = self.identity.attributes.get(attribute);
        has.is_some_and(|has| has.iter().any(|value| values.contains(value)))
    }
}

impl Members {
    /// Why the policy is not for this user; nothing if it is.
    pub(super) fn unmet(&self, user: &Candidate<'_>) -> Option<Finding> {
        if !self.users.is_empty() && !user.is_any_of(&self.users) {
            return Some(Finding::User);
        }
        if !self.groups.is_empty() && !user.is_in_any_of(&self.groups) {
            return Some(Finding::Group);
        }
        let mut attributes = self.attributes.iter();
        if let Some((name, _)) = attributes.find(|(name, values)| !user.has_any_of(name, values)) {
            return Some(Finding::Attribute { name: name.clone() });
        }
        let excluded =
            user.is_any_of(&self.exclude_users) || user.is_in_any_of(&self.exclude_groups);
        excluded.then_some(Finding::Excluded)
    }
}
