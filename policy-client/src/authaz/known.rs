//! What is known of sessions besides their tokens.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use policy_protocol::{Identity, SessionId, Timestamp};

/// Sessions remembered at most, some ten megabytes: of those that are forgotten the service has to tell anew whose
/// they are.
const MAX_KNOWN: usize = 10_000;

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

/// The sessions that were seen last.
#[derive(Default)]
pub(super) struct KnownSessions(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    sessions: HashMap<SessionId, Known>,
    /// Oldest first; may name some that are forgotten.
    order: VecDeque<SessionId>,
}

impl KnownSessions {
    pub(super) fn get(&self, id: SessionId) -> Option<Known> {
        self.lock().sessions.get(&id).cloned()
    }

    pub(super) fn keep(&self, id: SessionId, known: Known) {
        let mut kept = self.lock();
        if kept.sessions.insert(id, known).is_none() {
            kept.order.push_back(id);
        }
        while kept.order.len() > MAX_KNOWN {
            if let Some(oldest) = kept.order.pop_front() {
                kept.sessions.remove(&oldest);
            }
        }
    }

    pub(super) fn forget(&self, id: SessionId) {
        self.lock().sessions.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // No invariant spans a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn id(number: usize) -> SessionId {
        let mut bytes = [0; SessionId::LENGTH];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        SessionId::from_bytes(bytes)
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

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let sessions = KnownSessions::default();
        for number in 0..=MAX_KNOWN {
            sessions.keep(id(number), known("alice"));
            sessions.keep(id(number), known("alice"));
        }
        assert!(sessions.get(id(0)).is_none());
        assert!(sessions.get(id(1)).is_some() && sessions.get(id(MAX_KNOWN)).is_some());
        sessions.forget(id(1));
        assert!(sessions.get(id(1)).is_none());
    }
}
