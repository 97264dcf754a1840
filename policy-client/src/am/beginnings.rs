//! In which ways the sessions of this agent were begun: the end of a token is the end of each of its ids.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use policy_protocol::SessionId;

use crate::foreign::Beginning;
#[cfg(feature = "am-notifications")]
use crate::foreign::ForeignKind;

/// See the module. There are as many as realms differ in scheme and level, and one for what was begun there.
#[derive(Debug, Default)]
pub(super) struct Beginnings(Mutex<HashSet<Beginning>>);

impl Beginnings {
    /// A session with this id may be in the cache from now on.
    pub(super) fn note(&self, id: SessionId) {
        self.with(|known| _ = known.insert(Beginning::of(id)));
    }

    /// The ids that the session of a token may have here.
    #[cfg(feature = "am-notifications")]
    pub(super) fn ids(&self, token: &str) -> impl Iterator<Item = SessionId> + use<> {
        let ids = |known: &mut HashSet<Beginning>| {
            let ids = known.iter().map(|one| one.id(ForeignKind::Am, token));
            ids.collect::<Vec<_>>()
        };
        self.with(ids).into_iter()
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashSet<Beginning>) -> T) -> T {
        // No invariant spans a panic.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
