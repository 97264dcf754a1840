use super::*;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn id(byte: u8) -> SessionId {
    SessionId::from_bytes([byte; 20])
}

#[tokio::test]
async fn nobody_else_can_read_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/state");
    let store = SqliteStore::open(&state).unwrap();
    store.revoke_session(id(1), Timestamp(9)).await.unwrap();
    assert_eq!(mode(&state), 0o700);
    for file in std::fs::read_dir(&state).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn another_layout_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(dir.path()).unwrap());
    let connection = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    connection
        .pragma_update(None, "user_version", LAYOUT + 1)
        .unwrap();
    drop(connection);
    let error = SqliteStore::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("has layout 2"), "{error}");
    std::fs::write(
        dir.path().join(FILE_NAME),
        "not a database, certainly not one",
    )
    .unwrap();
    assert!(SqliteStore::open(dir.path()).is_err());
}

#[tokio::test]
async fn revocations_last_exactly_as_long_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    assert!(store.revoke_session(id(1), Timestamp(100)).await.unwrap());
    assert!(
        !store.revoke_session(id(1), Timestamp(100)).await.unwrap(),
        "no news"
    );
    store
        .revoke_user("alice", Timestamp(50), Timestamp(100))
        .await
        .unwrap();
    // An earlier revocation does not shorten a later one.
    store
        .revoke_user("alice", Timestamp(40), Timestamp(90))
        .await
        .unwrap();
    for (now, kept) in [(99, true), (100, false)] {
        store.remove_expired(Timestamp(now)).await.unwrap();
        let revoked = async |session, user, started| {
            store
                .standing(session, user, Timestamp(started))
                .await
                .unwrap()
                .revoked
        };
        assert_eq!(revoked(id(1), "bob", 99).await, kept);
        assert_eq!(revoked(id(2), "alice", 50).await, kept);
        assert!(!revoked(id(2), "alice", 51).await);
        assert!(!revoked(id(2), "bob", 1).await);
        let through = store.user_revoked_through("alice").await.unwrap();
        assert_eq!(through, kept.then_some(Timestamp(50)));
    }
}

#[tokio::test]
async fn a_use_never_moves_backwards() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let summary = SessionSummary {
        id: id(1),
        identity: policy_protocol::Identity::default(),
        protection_level: policy_protocol::ProtectionLevel(5),
        realm: String::from("app"),
        agent: String::from("a"),
        client_address: None,
        started: Timestamp(10),
        last_access: Timestamp(10),
        expires: Timestamp(100),
    };
    store.insert(summary.clone()).await.unwrap();
    assert!(store.insert(summary).await.is_err(), "an id is used once");
    for (touched, expected) in [(30, 30), (20, 30)] {
        store.touch(id(1), Timestamp(touched)).await.unwrap();
        let standing = store.standing(id(1), "", Timestamp(10)).await.unwrap();
        assert_eq!(standing.last_access, Some(Timestamp(expected)));
    }
    assert_eq!(
        store
            .get(id(1), Timestamp(99))
            .await
            .unwrap()
            .unwrap()
            .last_access,
        Timestamp(30)
    );
    assert!(store.get(id(1), Timestamp(100)).await.unwrap().is_none());
    store.touch(id(2), Timestamp(1)).await.unwrap();
    assert!(
        store.get(id(2), Timestamp(1)).await.unwrap().is_none(),
        "a use makes no session"
    );
}
