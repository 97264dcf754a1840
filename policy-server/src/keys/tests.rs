use std::sync::Mutex;

use super::*;

/// Keeps keys in memory, until it is told to fail.
#[derive(Default)]
struct Memory {
    keys: Mutex<Option<Secret<Vec<u8>>>>,
    broken: std::sync::atomic::AtomicBool,
}

impl KeyStore for Memory {
    fn load_keys(&self) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        Ok(self.keys.lock().unwrap().clone())
    }

    fn save_keys(&self, keys: &Secret<Vec<u8>>) -> Result<(), StoreError> {
        if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(StoreError::stopped());
        }
        *self.keys.lock().unwrap() = Some(keys.clone());
        Ok(())
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const START: Timestamp = Timestamp(1000);

#[tokio::test]
async fn keys_that_cannot_be_kept_are_not_used() {
    let store = Arc::new(Memory::default());
    let keys = Keys::open(Arc::clone(&store) as _, HOUR, START).unwrap();
    let before = keys.agent_key_set();
    store
        .broken
        .store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(keys.roll(START.plus(HOUR)).await.is_err());
    assert_eq!(keys.agent_key_set(), before);
    assert_eq!(keys.rolled_at(), START);
    assert!(
        Keys::open(
            Arc::new(Memory {
                broken: true.into(),
                ..Memory::default()
            }),
            HOUR,
            START
        )
        .is_err()
    );
}

#[tokio::test]
async fn a_ticket_key_opens_until_nothing_sealed_with_it_can_live() {
    let keys = Keys::open(Arc::new(Memory::default()), HOUR, START).unwrap();
    let old = keys.ticket_keys().current().id();
    keys.roll(START).await.unwrap();
    assert_ne!(keys.ticket_keys().current().id(), old);
    assert!(!keys.drop_old(START.plus(HOUR)).await.unwrap());
    assert!(keys.ticket_keys().find(old).is_some());
    assert!(keys.drop_old(START.plus(HOUR + PROPAGATION)).await.unwrap());
    assert!(keys.ticket_keys().find(old).is_none());
}

#[test]
fn keys_that_cannot_be_read_are_not_replaced() {
    let store = Arc::new(Memory::default());
    store.save_keys(&Secret::new(b"nonsense".to_vec())).unwrap();
    let opened = Keys::open(Arc::clone(&store) as _, HOUR, START);
    assert!(matches!(opened, Err(KeyError::Unreadable)));
    assert_eq!(store.load_keys().unwrap().unwrap().expose(), b"nonsense");
}
