use std::path::Path;

use futures_util::FutureExt as _;
use policy_protocol::administration::{AgentPresence, RollReason, RollWhich};
use policy_protocol::seal::KEY_LENGTH;
use policy_protocol::{KeyId, ManualClock, Secret, SessionId, SessionSpec, Timestamp};

use super::*;
use crate::config::keys::MasterKeys;
use crate::rolling_keys::{MAX_PREVIOUS, UnusableKey, random_key};
use crate::store::RecordChange;
use crate::store::sqlite::SqliteStore;

const HOUR: Duration = Duration::from_secs(3600);
const START: Timestamp = Timestamp(1000);

fn store(dir: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(dir).unwrap())
}

fn master(current: u8, previous: Option<u8>) -> Arc<MasterKey> {
    let key = |byte| Secret::new([byte; KEY_LENGTH]);
    Arc::new(MasterKey::new(&MasterKeys {
        current: key(current),
        previous: previous.map(key),
    }))
}

async fn open(store: &Arc<dyn Store>, clock: &Arc<ManualClock>) -> Keys {
    let (store, clock) = (Arc::clone(store), Arc::clone(clock));
    Keys::open(store, master(1, None), HOUR, clock)
        .await
        .unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

/// From now on the keys in the store cannot be read.
async fn break_record(store: &Arc<dyn Store>) {
    let before = store.record(RecordKind::Keys, RECORD).await.unwrap();
    let nonsense = RecordChange {
        kind: RecordKind::Keys,
        name: RECORD.to_owned(),
        value: Some(Secret::new(b"nonsense".to_vec())),
        expected: before.unwrap().version,
        expires: None,
        announce: None,
    };
    assert!(store.change_record(nonsense).await.unwrap());
}

const BY_COMMAND: Rollover = Rollover {
    which: RollWhich::Rolling,
    next: None,
    reason: RollReason::Command,
    unless_within: Duration::ZERO,
    agents: Vec::new(),
};

fn agent_with(keys: Option<HeldKeys>) -> AgentPresence {
    AgentPresence {
        agent: String::from("gateway-1"),
        instance: String::from("1"),
        address: None,
        since: START,
        keys,
    }
}

#[tokio::test]
async fn a_ticket_key_opens_until_nothing_sealed_with_it_can_live() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let keys = open(&store(dir.path()), &clock).await;
    let old = keys.ticket_keys().current().id();
    let next = keys.in_use().state.ticket.next.id;
    assert!(
        keys.ticket_keys().find(next).is_some(),
        "before its first use"
    );
    keys.roll(&BY_COMMAND).await.unwrap();
    assert_eq!(keys.ticket_keys().current().id(), next);
    clock.advance(HOUR);
    assert!(!keys.tidy().await.unwrap());
    assert!(keys.ticket_keys().find(old).is_some());
    clock.advance(KEY_PROPAGATION);
    assert!(keys.tidy().await.unwrap());
    assert!(keys.ticket_keys().find(old).is_none());
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_not_replaced() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = store(dir.path());
    open(&store, &clock).await;
    let there = || store.record(RecordKind::Keys, RECORD);
    let before = there().await.unwrap().unwrap();
    let other = master(2, None);
    let opened = Keys::open(Arc::clone(&store), other, HOUR, clock.clone()).await;
    assert!(matches!(
        opened.err(),
        Some(KeyError::Sealed(OpenRecordError::OtherKey))
    ));
    assert_eq!(there().await.unwrap().unwrap(), before);
    break_record(&store).await;
    let opened = Keys::open(Arc::clone(&store), master(1, None), HOUR, clock).await;
    assert!(matches!(opened.err(), Some(KeyError::Sealed(_))));
    let after = there().await.unwrap().unwrap();
    assert_eq!(after.version, before.version + 1);
}

#[tokio::test]
async fn what_is_written_anew_is_sealed_with_the_new_master_key() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = store(dir.path());
    let before = open(&store, &clock).await.in_use().agent_key_set();
    let both = master(2, Some(1));
    let keys = Keys::open(Arc::clone(&store), both, HOUR, clock.clone()).await;
    let keys = keys.unwrap();
    assert!(keys.tidy().await.unwrap());
    assert!(!keys.tidy().await.unwrap(), "once");
    let keys = Keys::open(Arc::clone(&store), master(2, None), HOUR, clock).await;
    let after = keys.unwrap().in_use().agent_key_set();
    assert_eq!(
        after,
        AgentKeySet {
            version: after.version,
            ..before
        }
    );
}

#[tokio::test]
async fn two_policy_servers_agree_on_one_set_of_keys() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = store(dir.path());
    let opening = (open(&store, &clock), open(&store, &clock));
    let (one, other) = futures_util::future::join(opening.0, opening.1).await;
    let sets = async || {
        let (one, other) = (one.latest().await.unwrap(), other.latest().await.unwrap());
        assert_eq!(one.agent_key_set(), other.agent_key_set());
        assert_eq!(one.version, other.version);
        one.agent_key_set()
    };
    sets().await;
    let command = BY_COMMAND;
    let (rolled, rolled_too) = tokio::join!(one.roll(&command), other.roll(&command));
    assert!(rolled.unwrap() && rolled_too.unwrap());
    assert_eq!(sets().await.previous.len(), 2);
    // Whoever finds second that it is time does nothing.
    clock.advance(HOUR);
    let due = Rollover {
        reason: RollReason::Schedule,
        unless_within: HOUR,
        ..BY_COMMAND
    };
    let (rolled, rolled_too) = tokio::join!(one.roll(&due), other.roll(&due));
    assert!(rolled.unwrap() != rolled_too.unwrap());
    assert_eq!(sets().await.previous.len(), 3);
}

#[tokio::test]
async fn a_rollover_waits_for_agents_without_the_next_key() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let keys = open(&store(dir.path()), &clock).await;
    let first = keys.in_use().held();
    let roll = async |held, reason| {
        let order = Rollover {
            reason,
            agents: vec![agent_with(held)],
            ..BY_COMMAND
        };
        keys.roll(&order).await
    };
    roll(Some(first), RollReason::Command).await.unwrap();
    for held in [Some(first), None] {
        for reason in [RollReason::Command, RollReason::Schedule] {
            match roll(held, reason).await.unwrap_err() {
                KeyError::Refused(Refusal::AgentsBehind(behind)) => {
                    assert_eq!(behind, [agent_with(held)]);
                }
                other => panic!("{other}"),
            }
        }
    }
    let before = keys.in_use().version;
    roll(Some(first), RollReason::Forced).await.unwrap();
    assert_eq!(keys.in_use().version, before + 1);
    assert_eq!(keys.in_use().state.rolled_because, RollReason::Forced);
}

#[tokio::test]
async fn one_secret_makes_the_same_next_keys_anywhere_but_only_once() {
    let mut next = Vec::new();
    for _ in 0..2 {
        let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
        let keys = open(&store(dir.path()), &clock).await;
        let set = Rollover {
            next: Some(Secret::new([9; KEY_LENGTH])),
            ..BY_COMMAND
        };
        keys.roll(&set).await.unwrap();
        let state = keys.in_use().state.clone();
        assert!(state.agent.rolling.next.key != state.ticket.next.key);
        next.push((state.agent.rolling.next, state.ticket.next));
        let again = keys.roll(&set).await.unwrap_err();
        assert!(matches!(
            again,
            KeyError::Refused(Refusal::Key(UnusableKey::InUse))
        ));
    }
    assert_eq!(next[0], next[1]);
}

#[tokio::test]
async fn a_static_key_that_was_replaced_is_gone_and_nothing_else_changes() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let keys = open(&store(dir.path()), &clock).await;
    let before = keys.in_use().agent_key_set();
    let order = Rollover {
        which: RollWhich::Static,
        ..BY_COMMAND
    };
    keys.roll(&order).await.unwrap();
    let after = keys.in_use().agent_key_set();
    assert_ne!(after.static_key, before.static_key);
    assert_eq!(after.previous, []);
    assert_eq!((after.current, after.next), (before.current, before.next));
    assert_eq!(keys.in_use().state.rolled_because, RollReason::First);
}

#[tokio::test]
async fn too_many_rollovers_are_refused_but_not_if_forced() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let keys = open(&store(dir.path()), &clock).await;
    let filled = keys.change(|_, state| {
        for _ in 0..MAX_PREVIOUS {
            let key = random_key(|_| false)?;
            state.agent.rolling.retire(key, START.plus(HOUR));
        }
        Ok(Changed::ForAgents)
    });
    filled.await.unwrap();
    let refused = keys.roll(&BY_COMMAND).await.unwrap_err();
    assert!(matches!(refused, KeyError::Refused(Refusal::TooMany)));
    let forced = Rollover {
        reason: RollReason::Forced,
        ..BY_COMMAND
    };
    keys.roll(&forced).await.unwrap();
    clock.advance(HOUR);
    keys.roll(&BY_COMMAND).await.unwrap();
}

fn sealed_with(key: &policy_protocol::SealingKey) -> [SessionTicket; 1] {
    let sealed = key.seal(policy_protocol::TokenType::SessionSpec, "", b"spec");
    [SessionTicket {
        session_id: SessionId::from_bytes([1; 20]),
        session_spec: SessionSpec::new(sealed.unwrap()),
    }]
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_but_not_without_end() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = store(dir.path());
    let (one, other) = (open(&store, &clock).await, open(&store, &clock).await);
    // Twice: the key is not even the next one there.
    one.roll(&BY_COMMAND).await.unwrap();
    one.roll(&BY_COMMAND).await.unwrap();
    let ticket = sealed_with(one.ticket_keys().current());
    assert!(other.ticket_keys().lack_key_of(&ticket[0]));
    let found = other.ticket_keys_for(&ticket).await.unwrap();
    assert!(!found.lack_key_of(&ticket[0]));
    // A hundred at a time wait for one look, and the next look is a second later.
    let nobodys = policy_protocol::SealingKey::new(KeyId(7), &[7; KEY_LENGTH]);
    let nobodys = sealed_with(&nobodys);
    let before = Instant::now();
    let looks = (0..100).map(|_| other.ticket_keys_for(&nobodys));
    for keys in futures_util::future::join_all(looks).await {
        assert!(keys.unwrap().lack_key_of(&nobodys[0]));
    }
    let took = before.elapsed();
    assert!(took < 2 * LOOK_EVERY, "{took:?}");
    let last = *other.looked.lock().await;
    assert!(last.is_some_and(|(at, answered)| at > before && answered));
}

/// An agent that hears of no session where nobody could look takes a good session for dead.
#[tokio::test(start_paused = true)]
async fn nobody_is_told_that_there_is_no_key_when_the_look_for_it_failed() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = store(dir.path());
    let keys = open(&store, &clock).await;
    let nobodys = policy_protocol::SealingKey::new(KeyId(7), &[7; KEY_LENGTH]);
    let nobodys = sealed_with(&nobodys);
    break_record(&store).await;
    let looks = (0..10).map(|_| keys.ticket_keys_for(&nobodys));
    for (number, found) in futures_util::future::join_all(looks)
        .await
        .iter()
        .enumerate()
    {
        assert!(found.is_err(), "of look {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_was_given_up_is_done_by_who_waited_for_it() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = store(dir.path());
    let (one, other) = (open(&store, &clock).await, open(&store, &clock).await);
    one.roll(&BY_COMMAND).await.unwrap();
    one.roll(&BY_COMMAND).await.unwrap();
    let ticket = sealed_with(one.ticket_keys().current());
    // It waits for its turn to change keys, with the others behind it.
    let changing = other.changing.lock().await;
    let mut given_up = Box::pin(other.ticket_keys_for(&ticket));
    let mut waiting = Box::pin(other.ticket_keys_for(&ticket));
    assert!((&mut given_up).now_or_never().is_none());
    assert!((&mut waiting).now_or_never().is_none());
    drop((given_up, changing));
    assert!(!waiting.await.unwrap().lack_key_of(&ticket[0]));
}
