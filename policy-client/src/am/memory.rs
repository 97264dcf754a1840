//! What is remembered of sessions, because AM does not tell it, or only at a price.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use policy_protocol::{SessionId, Timestamp};

use super::limits::REMEMBERED_SESSIONS;
use super::profile::Profile;

/// What is known of one session.
#[derive(Clone)]
pub(super) struct Remembered {
    /// When it began, as far as is known: AM tells only when it ends.
    pub(super) started: Timestamp,
    /// Whose it is. To ask costs the session's holder nothing but its idle time, which a request that is
    /// overlooked must not reset.
    pub(super) profile: Option<Arc<Profile>>,
}

/// Two generations: when the younger is full the older goes.
#[derive(Default)]
pub(super) struct Memory(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<SessionId, Remembered>,
    old: HashMap<SessionId, Remembered>,
}

impl Memory {
    pub(super) fn get(&self, id: SessionId) -> Option<Remembered> {
        self.with(|generations| {
            let found = generations
                .young
                .get(&id)
                .or_else(|| generations.old.get(&id));
            found.cloned()
        })
    }

    pub(super) fn insert(&self, id: SessionId, remembered: Remembered) {
        self.with(|generations| {
            if generations.young.len() >= REMEMBERED_SESSIONS {
                generations.old = std::mem::take(&mut generations.young);
            }
            generations.young.insert(id, remembered);
        });
    }

    pub(super) fn forget(&self, id: SessionId) {
        self.with(|generations| {
            generations.young.remove(&id);
            generations.old.remove(&id);
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Generations) -> T) -> T {
        // No invariant spans a panic.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> SessionId {
        let mut bytes = [0; SessionId::LENGTH];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        SessionId::from_bytes(bytes)
    }

    #[test]
    fn what_is_used_stays_and_the_rest_is_bounded() {
        let memory = Memory::default();
        let remembered = |started| Remembered {
            started: Timestamp(started),
            profile: None,
        };
        for number in 0..5 * REMEMBERED_SESSIONS {
            memory.insert(id(number), remembered(1));
            memory.insert(id(usize::MAX), remembered(2));
        }
        let known = (0..5 * REMEMBERED_SESSIONS).filter(|number| memory.get(id(*number)).is_some());
        assert!(known.count() <= 2 * REMEMBERED_SESSIONS);
        assert_eq!(memory.get(id(usize::MAX)).unwrap().started, Timestamp(2));
        memory.forget(id(usize::MAX));
        assert!(memory.get(id(usize::MAX)).is_none());
    }
}
