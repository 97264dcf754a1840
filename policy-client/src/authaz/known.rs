//! What is known of sessions besides their tokens.

use policy_protocol::{Identity, Timestamp};

/// Sessions remembered at least, of those used last, in some twenty megabytes at most: of those that are forgotten the
/// service has to tell anew whose they are.
pub(super) const MAX_KNOWN: usize = 10_000;

/// What is known of one session.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    /// Whose it is, as login told.
    pub(super) identity: Identity,
    /// When it began, or was first seen.
    pub(super) started: Timestamp,
}

impl Known {
    pub(super) const fn new(identity: Identity, started: Timestamp) -> Self {
        Self { identity, started }
    }

    /// The same with what was told since. What is not told stays: authorize tells less than login.
    pub(super) fn told_again(mut self, told: Identity) -> Self {
        let known = &mut self.identity;
        for (known, told) in [
            (&mut known.user_name, told.user_name),
            (&mut known.user_dn, told.user_dn),
            (&mut known.universal_id, told.universal_id),
        ] {
            if !told.is_empty() {
                *known = told;
            }
        }
        if !told.groups.is_empty() {
            known.groups = told.groups;
        }
        known.attributes.extend(told.attributes);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Known {
        let identity = Identity {
            user_name: name.to_owned(),
            user_dn: format!("uid={name}"),
            ..Identity::default()
        };
        Known::new(identity, Timestamp(7))
    }

    #[test]
    fn what_is_told_again_replaces_and_what_is_not_stays() {
        let told = Identity {
            user_dn: String::from("uid=alice,ou=new"),
            ..Identity::default()
        };
        let merged = known("alice").told_again(told);
        assert_eq!(merged.identity.user_name, "alice");
        assert_eq!(merged.identity.user_dn, "uid=alice,ou=new");
        assert_eq!(merged.started, Timestamp(7));
    }
}
