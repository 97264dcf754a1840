use std::path::Path;

use super::*;
use crate::store::sqlite::SqliteStore;

const HOUR: Duration = Duration::from_secs(3600);
const START: Timestamp = Timestamp(1000);

fn store(dir: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(dir).unwrap())
}

#[tokio::test]
async fn a_ticket_key_opens_until_nothing_sealed_with_it_can_live() {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keys::open(store(dir.path()), HOUR, START).await.unwrap();
    let old = keys.ticket_keys().current().id();
    keys.roll(START).await.unwrap();
    assert_ne!(keys.ticket_keys().current().id(), old);
    assert!(!keys.drop_old(START.plus(HOUR)).await.unwrap());
    assert!(keys.ticket_keys().find(old).is_some());
    assert!(keys.drop_old(START.plus(HOUR + PROPAGATION)).await.unwrap());
    assert!(keys.ticket_keys().find(old).is_none());
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let nonsense = Secret::new(b"nonsense".to_vec());
    let change = RecordChange {
        kind: RecordKind::Keys,
        name: RECORD.to_owned(),
        value: Some(nonsense.clone()),
        expected: 0,
        expires: None,
        announce: None,
    };
    assert!(store.change_record(change).await.unwrap());
    let opened = Keys::open(Arc::clone(&store), HOUR, START).await;
    assert!(matches!(opened, Err(KeyError::Unreadable)));
    let kept = store.record(RecordKind::Keys, RECORD).await.unwrap();
    assert_eq!(kept.unwrap().value, nonsense);
}

#[tokio::test]
async fn two_policy_servers_agree_on_one_set_of_keys() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let open = || Keys::open(Arc::clone(&store), HOUR, START);
    let (one, other) = tokio::join!(open(), open());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.agent_key_set(), other.agent_key_set());
    let (rolled, rolled_too) = tokio::join!(one.roll(START), other.roll(START));
    rolled.unwrap();
    rolled_too.unwrap();
    one.reload().await.unwrap();
    other.reload().await.unwrap();
    assert_eq!(one.agent_key_set(), other.agent_key_set());
    assert_eq!(one.agent_key_set().previous.len(), 2);
}
