//! What is remembered of sessions, because nobody tells it again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use policy_protocol::SessionId;

/// Something about each of the sessions that were used last, in two generations: what is used is young again, and
/// when the young are too many the old go.
pub(crate) struct Memory<V> {
    most: usize,
    generations: Mutex<Generations<V>>,
}

struct Generations<V> {
    young: HashMap<SessionId, V>,
    old: HashMap<SessionId, V>,
}

impl<V: Clone> Memory<V> {
    /// Of `most` sessions at least, and of twice as many at most.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            generations: Mutex::new(Generations {
                young: HashMap::new(),
                old: HashMap::new(),
            }),
        }
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<V> {
        self.with(|generations| {
            if let Some(found) = generations.young.get(&id) {
                return Some(found.clone());
            }
            let found = generations.old.remove(&id)?;
            generations.keep(id, found.clone(), self.most);
            Some(found)
        })
    }

    pub(crate) fn insert(&self, id: SessionId, value: V) {
        self.with(|generations| {
            generations.old.remove(&id);
            generations.keep(id, value, self.most);
        });
    }

    pub(crate) fn forget(&self, id: SessionId) {
        self.with(|generations| {
            generations.young.remove(&id);
            generations.old.remove(&id);
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Generations<V>) -> T) -> T {
        // No invariant spans a panic.
        let generations = self.generations.lock();
        act(&mut generations.unwrap_or_else(PoisonError::into_inner))
    }
}

impl<V> Generations<V> {
    fn keep(&mut self, id: SessionId, value: V, most: usize) {
        if self.young.len() >= most && !self.young.contains_key(&id) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, value);
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
        let memory = Memory::new(8);
        memory.insert(id(usize::MAX), usize::MAX);
        for number in 0..100 {
            memory.insert(id(number), number);
            assert_eq!(memory.get(id(usize::MAX)), Some(usize::MAX), "{number}");
        }
        let known = (0..100).filter(|number| {
            memory.with(|kept| {
                kept.young.contains_key(&id(*number)) || kept.old.contains_key(&id(*number))
            })
        });
        assert!((7..16).contains(&known.count()));
        assert_eq!(memory.get(id(99)), Some(99));
        memory.forget(id(99));
        assert_eq!(memory.get(id(99)), None);
    }

    #[test]
    fn what_is_noted_again_stays_and_the_rest_is_bounded() {
        let memory = Memory::new(8);
        for number in 0..40 {
            memory.insert(id(number), 1);
            memory.insert(id(usize::MAX), 2);
        }
        assert_eq!(memory.get(id(usize::MAX)), Some(2));
        let known = (0..40).filter(|number| memory.get(id(*number)).is_some());
        assert!(known.count() <= 16);
        memory.forget(id(usize::MAX));
        assert_eq!(memory.get(id(usize::MAX)), None);
    }
}
