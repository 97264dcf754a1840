//! What is known of sessions besides their tokens.

use std::collections::BTreeMap;

use policy_protocol::{Identity, Timestamp, UserDirectory};

use super::answer::Told;

/// Sessions remembered at least, of those used last, in some twenty megabytes at most: of those that are forgotten the
/// service has to tell anew whose they are.
pub(super) const MAX_KNOWN: usize = 10_000;

/// What is known of one session.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    /// Whose it is, whatever is asked about. The universal id is empty if none was told.
    identity: Identity,
    /// When it began, or was first seen.
    pub(super) started: Timestamp,
}

impl Known {
    /// Nothing yet, of a session that is first seen now.
    pub(super) fn seen(now: Timestamp) -> Self {
        Self {
            identity: Identity::default(),
            started: now,
        }
    }

    /// A session that a login has just begun. All that it tells is about the user.
    pub(super) fn begun(told: &Told, now: Timestamp) -> Self {
        let mut known = Self::seen(now);
        let identity = known.tell(told);
        known.identity.attributes = identity.attributes;
        known
    }

    /// Whose session it is, by what was told since as well, of one resource. What is not told stays: authorize tells
    /// less than login. What is told to be empty is gone. Attributes that the policies of the resource add are not
    /// remembered: those of the next one may not.
    pub(super) fn tell(&mut self, told: &Told) -> Identity {
        let known = &mut self.identity;
        for (known, name) in [
            (&mut known.user_name, "SM_USER"),
            (&mut known.user_dn, "SM_USERDN"),
            (&mut known.universal_id, "SM_UNIVERSALID"),
        ] {
            let told = told.text(name);
            if !told.is_empty() {
                *known = told;
            }
        }
        if known.directory == UserDirectory::default() {
            known.directory = told.directory();
        }
        if let Some(groups) = told.groups() {
            known.groups = groups;
        }
        let mut added = BTreeMap::new();
        for (name, values) in told.attributes() {
            if values.is_empty() {
                known.attributes.remove(name);
            } else {
                added.insert(name.clone(), values);
            }
        }
        let mut identity = self.whose();
        identity.attributes.extend(added);
        identity
    }

    /// Whose session it is, as far as that does not depend on what is asked about. The name is empty if nobody told.
    pub(super) fn whose(&self) -> Identity {
        let mut identity = self.identity.clone();
        if identity.universal_id.is_empty() {
            let of_user = [&identity.user_dn, &identity.user_name];
            let id = of_user.into_iter().find(|id| !id.is_empty());
            identity.universal_id = id.cloned().unwrap_or_default();
        }
        identity
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer;
    use super::*;

    fn told(responses: &[(&str, &str)]) -> Told {
        let of = |(name, value): &(&str, &str)| {
            format!("<response><name>{name}</name><value>{value}</value></response>")
        };
        read_told(&responses.iter().map(of).collect::<String>())
    }

    fn read_told(responses: &str) -> Told {
        let answer = format!(
            "<r><resultCode>AUTHORIZED</resultCode><authorizationResponses>{responses}</authorizationResponses></r>"
        );
        let answer = answer::read(http::StatusCode::OK, answer.as_bytes(), "AUTHORIZED");
        answer.unwrap().told
    }

    fn alice() -> Known {
        let login = [
            ("SM_USER", "alice"),
            ("SM_USERDN", "uid=alice"),
            ("SM_UNIVERSALID", "a-1"),
            ("SM_USERGROUPS", "staff^admins"),
            ("mail", "alice@example.com"),
            ("team", "blue"),
        ];
        Known::begun(&told(&login), Timestamp(7))
    }

    #[test]
    fn what_is_told_again_replaces_and_what_is_not_stays() {
        let mut known = alice();
        let identity = known.tell(&told(&[("SM_USERDN", "uid=alice,ou=new")]));
        assert_eq!(identity.user_name, "alice");
        assert_eq!(identity.user_dn, "uid=alice,ou=new");
        assert_eq!(identity.universal_id, "a-1");
        assert_eq!(identity.groups, ["staff", "admins"]);
        assert_eq!(identity.attributes["mail"], ["alice@example.com"]);
        assert_eq!(known.started, Timestamp(7));
    }

    #[test]
    fn groups_that_are_told_to_be_others_or_none_are() {
        let mut known = alice();
        let told_staff = told(&[("SM_USERGROUPS", "staff")]);
        assert_eq!(known.tell(&told_staff).groups, ["staff"]);
        for empty in [
            told(&[("SM_USERGROUPS", "")]),
            read_told("<response><name>SM_USERGROUPS</name></response>"),
            read_told("<response><name>HTTP_SM_USERGROUPS</name><value/></response>"),
        ] {
            let mut known = alice();
            assert!(known.tell(&empty).groups.is_empty());
            // And so they stay.
            assert!(known.tell(&told(&[])).groups.is_empty());
        }
    }

    #[test]
    fn attributes_of_one_resource_are_not_those_of_the_next() {
        let mut known = alice();
        let admin = known.tell(&told(&[("x-admin", "yes"), ("team", "red")]));
        assert_eq!(admin.attributes["x-admin"], ["yes"]);
        assert_eq!(admin.attributes["team"], ["red"]);
        let other = known.tell(&told(&[]));
        assert!(!other.attributes.contains_key("x-admin"));
        assert_eq!(other.attributes["team"], ["blue"], "as login told");
        // What is told to be empty is gone.
        let without = known.tell(&told(&[("team", ""), ("x-new", "")]));
        let left: Vec<_> = without.attributes.keys().collect();
        assert_eq!(left, ["mail"]);
        assert!(!known.tell(&told(&[])).attributes.contains_key("team"));
    }

    #[test]
    fn of_a_session_that_was_begun_there_what_is_told_is_known() {
        let mut known = Known::seen(Timestamp(9));
        assert!(known.tell(&told(&[])).user_name.is_empty());
        let bob = known.tell(&told(&[("SM_USER", "bob"), ("x-admin", "yes")]));
        assert_eq!(
            (bob.user_name.as_str(), bob.universal_id.as_str()),
            ("bob", "bob")
        );
        assert_eq!(bob.attributes["x-admin"], ["yes"]);
        assert!(known.tell(&told(&[])).attributes.is_empty());
    }
}
